/**
 * What changes the manifest of an open database while it goes on: folds, branches, collections, other wrapping keys.
 *
 * Invariant: a newer manifest is taken over in one step with the shorter list of unfolded fragments. Whoever restores next
 * sees both or neither, and a manifest that was read before is never taken for a newer one.
 */
import { asByocError, ByocError } from '../errors/catalogue.js';
import type { PresentedKey } from '../keys/client-key.js';
import type { HeldKey } from '../keys/key-watch.js';
import type { Sealer } from '../keys/sealing.js';
import { isResealing } from '../storage/data-key-use.js';
import type { Manifest } from '../storage/manifest.js';
import type { VersionedManifest } from '../storage/manifest-store.js';
import type { Moment } from '../storage/moment.js';
import { branchDatabase } from './branch-database.js';
import { changeWrapping, type WrappingChange } from './change-wrapping.js';
import { admittedKey, isKeyRefusal } from './client-key-admission.js';
import { collectDatabase } from './collect-database.js';
import { heldKeys, keyError } from './database-keys.js';
import type { DatabaseDescription, NewDatabase } from './database-service.js';
import { changeHold, type HoldChange } from './hold-database.js';
import { foldDatabase, isFoldDue } from './fold-database.js';
import { rekeyDatabase, resealStep, type RekeyRequest } from './rekey-database.js';
import type { NodeContext } from './node-context.js';
import type { OwnedDatabase } from './ready-database.js';
import { rewrapDatabase } from './rewrap-database.js';

/** The instance that has the database open. */
export interface OpenInstance {
  /** Why it was given up, if it was. */
  readonly defunct: () => ByocError | undefined;
  /** Resolves when everything that was committed before the call is durable; rejects when the instance was given up. */
  readonly durable: () => Promise<void>;
  /** Gives it up. */
  readonly abandon: (error: ByocError) => void;
  /** Gives it up because a key that its data keys are wrapped by must not be used any more. */
  readonly loseKey: (error: ByocError) => void;
}

export class ManifestChanges {
  readonly #context: NodeContext;
  readonly #instance: OpenInstance;
  #owned: OwnedDatabase;
  #tailBytes = 0;
  #folding: Promise<void> | undefined;
  #isEnding = false;
  #releaseKeys = (): void => undefined;
  /** Size of the database after its last commit. */
  databasePages = 1;

  constructor(context: NodeContext, owned: OwnedDatabase, instance: OpenInstance) {
    this.#context = context;
    this.#owned = owned;
    this.#instance = instance;
  }

  get owned(): OwnedDatabase {
    return this.#owned;
  }

  get manifest(): Manifest {
    return this.#owned.owned.manifest;
  }

  get sealer(): Sealer {
    return this.#owned.unlocked.sealer;
  }

  get isFolding(): boolean {
    return this.#folding !== undefined;
  }

  /** Whether the database is being closed: nothing new begins. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** The database was restored; `tailBytes`: what was read of fragments after its generation. */
  restored({ databasePages, tailBytes }: { readonly databasePages: number; readonly tailBytes: number }): void {
    this.databasePages = databasePages;
    this.#tailBytes = tailBytes;
  }

  /** Begins nothing new, and resolves when nothing is being folded: a fold would outlive the keys, and the instance. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#folding;
  }

  /** When a key that the data keys are wrapped by must not be used any more, the database ends. */
  watchKeys(held: readonly HeldKey[]): void {
    const { loseKey } = this.#instance;
    this.#releaseKeys = this.#context.keyWatch.hold(held, (cause) => loseKey(keyError(this.manifest.id, cause)));
  }

  forgetKeys(): void {
    this.#releaseKeys();
    this.#owned.unlocked.wipe();
  }

  /** Makes a branch of everything that is durable, or as it was at a moment. Throws as `branchDatabase` does. */
  async branch(child: NewDatabase, moment?: Moment): Promise<DatabaseDescription> {
    const { branch, parent } = await this.#whileOwned(async () =>
      branchDatabase(this.#context, this.#owned, child, moment),
    );
    this.#adopt(parent);
    return branch;
  }

  /** Collects what the database needs no more. Throws as `collectDatabase` does. */
  async collect(): Promise<void> {
    await this.#changeKeys(async () => collectDatabase(this.#context, this.#owned.owned));
  }

  /**
   * Takes another data key: new objects are sealed under it at once, old ones by folds that follow in the background. Throws
   * as `rekeyDatabase` does.
   */
  async rekey(request: RekeyRequest): Promise<void> {
    const { encryption } = request;
    await this.#changeKeys(async () => rekeyDatabase(this.#context, this.#owned.owned, request), encryption);
    this.foldIfDue();
  }

  /** Has the data keys wrapped by somebody else's key. Throws as `changeWrapping` does. */
  async changeWrapping(change: WrappingChange): Promise<void> {
    await this.#changeKeys(async () => changeWrapping(this.#context, this.#owned.owned, change));
  }

  /** Places or releases a legal hold. Throws as `changeHold` does. */
  async changeHold(change: HoldChange): Promise<void> {
    this.#adopt(await this.#whileOwned(async () => changeHold(this.#context, this.#owned.owned, change)));
  }

  async #follow(presented: PresentedKey | undefined): Promise<void> {
    const client = presented && admittedKey(this.manifest, presented);
    try {
      await this.#owned.unlocked.follow(this.manifest, client);
    } finally {
      client?.wipe();
    }
  }

  /** Wraps the data keys by another key. Whether that changed anything. Throws as `rewrapDatabase` does. */
  async rewrap(keyId: string): Promise<boolean> {
    return this.#changeKeys(async () => rewrapDatabase(this.#context, this.#owned.owned, keyId));
  }

  /**
   * Makes a change that may concern the key ring, and goes on with the new one; `presented`: what the client sent of its key,
   * where it may wrap a new one. Whether the ring, or what wraps it, changed.
   */
  async #changeKeys(change: () => Promise<VersionedManifest>, presented?: PresentedKey): Promise<boolean> {
    const before = this.manifest.keys;
    const changed = await this.#whileOwned(change);
    this.#adopt(changed);
    // What is given up by now depends on no key.
    if (this.#isOver()) return changed.manifest.keys !== before;
    const { keys } = this.manifest;
    await this.#whileOwned(async () => this.#follow(presented));
    if (keys === before || this.#isOver()) return keys !== before;
    const release = this.#releaseKeys;
    this.watchKeys(heldKeys(this.manifest));
    release();
    return true;
  }

  /** Folds until nothing that is durable is left unfolded. */
  async foldAll(): Promise<void> {
    this.#adopt(await foldDatabase(this.#context, this.#owned, this.#nextGeneration()));
  }

  /** Begins a fold when the fragments since the last one have become many, or something is to be sealed anew. */
  foldIfDue(): void {
    if (
      this.#folding ||
      this.#instance.defunct() ||
      this.#isEnding ||
      !(isResealing(this.manifest) || isFoldDue(this.#context, this.manifest, this.databasePages, this.#tailBytes))
    )
      return;
    this.#folding = this.#fold().finally(() => {
      this.#folding = undefined;
    });
  }

  async #fold(): Promise<void> {
    try {
      let goesOn = await this.#foldOnce();
      while (goesOn && !this.#isOver()) goesOn = await this.#foldOnce();
      await this.#dropHistory();
    } catch (error) {
      // Its keys were wiped when this instance was given up; that was reported.
      if (this.#instance.defunct()) return;
      const failure = asByocError(error);
      this.#context.report('fold failed', { database: this.manifest.id, code: failure.code, error: failure.message });
      if (failure.code === 'DATABASE_MOVED') this.#instance.abandon(failure);
      // The log keeps everything; the next commit makes the fold due again.
      else await this.#context.runtime.sleep(1_000);
    }
  }

  /** When everything is sealed anew and the history from before is not to be kept: lets it go. */
  async #dropHistory(): Promise<void> {
    const { manifest } = this;
    if (this.#isEnding || isResealing(manifest) || !manifest.retiring?.some(({ dropHistory }) => dropHistory)) return;
    try {
      await this.collect();
    } catch (error) {
      if (this.#instance.defunct()) return;
      // The next look for garbage does it.
      this.#context.report('history was not dropped', { database: manifest.id, error: String(error) });
    }
  }

  /** Whether another one is to follow at once, because something is left to be sealed anew. */
  async #foldOnce(): Promise<boolean> {
    const wasResealing = isResealing(this.manifest);
    const isAnew = wasResealing && (await this.#hasCurrentKey());
    // What is sealed under the old key is stored before it is said that nothing more comes.
    if (isAnew) await this.#instance.durable();
    const fold = isAnew ? resealStep : foldDatabase;
    const owned = await fold(this.#context, this.#owned, this.#nextGeneration());
    if (this.#instance.defunct()) return false;
    this.#adopt(owned);
    this.#tailBytes = 0;
    // The database may have been rekeyed meanwhile.
    return isResealing(this.manifest) && (isAnew || !wasResealing);
  }

  /** The current key may have come by a write whose answer was lost; the next call that brings the client's key opens it. */
  async #hasCurrentKey(): Promise<boolean> {
    try {
      await this.#follow(undefined);
      return true;
    } catch (error) {
      if (isKeyRefusal(error)) return false;
      throw error;
    }
  }

  /** Whether the instance was given up, or is being closed. */
  #isOver(): boolean {
    return this.#instance.defunct() !== undefined || this.#isEnding;
  }

  #nextGeneration(): number {
    return this.#context.generationNumbers.next(this.manifest.generation?.number ?? 0);
  }

  /**
   * Goes on from a newer manifest, and forgets the fragments that its generation holds. An instance that was given up does
   * neither: the next one may hold the manifest from before, and needs every fragment with it.
   */
  #adopt(owned: VersionedManifest): void {
    if (this.#instance.defunct()) return;
    // One step: whoever restores next must see the new generation and the shorter list together.
    if (owned.manifest.version > this.manifest.version) this.#owned = { ...this.#owned, owned };
    this.#context.unfolded.folded(this.manifest.id, this.manifest.generation?.commit ?? 0);
  }

  /** Runs `work`, which can be repeated. When the database is given up or closed meanwhile, what breaks only follows from that. */
  async #whileOwned<T>(work: () => Promise<T>): Promise<T> {
    const defunct = this.#instance.defunct();
    if (defunct) throw defunct;
    return work().catch((error: unknown) => {
      const defunct = this.#instance.defunct();
      if (defunct) throw defunct;
      if (!this.#isEnding || error instanceof ByocError) throw error;
      throw new ByocError('SHUTTING_DOWN', `database ${this.manifest.id} was closed meanwhile`, { cause: error });
    });
  }
}
