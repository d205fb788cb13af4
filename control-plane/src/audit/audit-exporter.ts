/**
 * Exports the audit chain to a store where it can be put under object lock: objects that are written once,
 * each with consecutive entries and, last, the control plane's signature of where the chain then stood. Several replicas
 * may export at once: an object's name is the number of its first entry, and whoever comes second takes what is there.
 */
import type { Logger } from 'pino';
import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import type { TokenSigner } from '../auth/token-signer.js';
import { entriesAfter, exportedUpTo, noteExported } from '../catalog/audit-log.js';
import type { CatalogConnection } from '../catalog/catalog-connection.js';
import type { Clock } from '../clock.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import { auditHeadType, auditObject, encodeAuditObject, parseAuditObject, type AuditObject } from './audit-object.js';
import { createOrRead } from './create-or-read.js';

const entriesPerObject = 5_000;
/** How long entries wait for others before they are exported. */
export const exportDelayMs = 30_000;

export class AuditExporter {
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #hasMore = false;
  /** Since when entries wait. */
  #waitingSinceMs: number | undefined;

  constructor(
    private readonly store: ObjectStore,
    private readonly signer: TokenSigner,
    private readonly catalog: CatalogConnection,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly onExport: (outcome: 'done' | 'failed', entries: number) => void = () => undefined,
    /** What has to be in the store before more is. */
    private readonly earlier?: { copy(): Promise<unknown> },
  ) {}

  /** How long entries have waited for their export; 0 when none wait. */
  get lagMs(): number {
    return this.#waitingSinceMs === undefined ? 0 : this.clock.now() - this.#waitingSinceMs;
  }

  /** Exports what there is a little later; an idle chain is not asked. */
  schedule(): void {
    if (this.#stop.signal.aborted) return;
    this.#hasMore = true;
    this.#waitingSinceMs ??= this.clock.now();
    this.#running ??= this.#later().finally(() => {
      this.#running = undefined;
      if (this.#hasMore) this.schedule();
    });
  }

  /** Exports everything that is chained. Returns how many entries were exported. Throws the errors of store and catalog. */
  async exportNow(): Promise<number> {
    let exported = 0;
    await this.earlier?.copy();
    for (;;) {
      const after = await exportedUpTo(this.catalog);
      const entries = await entriesAfter(this.catalog, after, entriesPerObject);
      const last = entries.at(-1);
      if (last === undefined) return exported;
      const head = { sequence: last.sequence, hash: last.hash };
      const signature = await this.signer.signBytes(Buffer.from(JSON.stringify(head)), auditHeadType);
      const key = auditObject(after + 1);
      const end = await this.#put(key, { entries, signature });
      await noteExported(this.catalog, end);
      exported += end - after;
    }
  }

  /** Exports what is left and begins nothing more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.exportNow().catch((error: unknown) => {
      this.logger.warn({ err: error }, 'audit entries wait for their export');
    });
  }

  #hasCome(): boolean {
    return this.#hasMore;
  }

  async #later(): Promise<void> {
    try {
      await this.clock.sleep(exportDelayMs, this.#stop.signal);
      this.#hasMore = false;
      const exported = await this.exportNow();
      // What came while this ran waits for the next one.
      this.#waitingSinceMs = this.#hasCome() ? this.clock.now() : undefined;
      this.onExport('done', exported);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#hasMore = true;
      this.onExport('failed', 0);
      this.logger.warn({ err: error }, 'audit entries could not be exported yet');
    }
  }

  /** Number of the last entry in the object that is there afterwards. Throws `AUDIT_DAMAGED` when it is of another chain. */
  async #put(key: string, object: AuditObject): Promise<number> {
    const there = await createOrRead(this.store, key, encodeAuditObject(object));
    if (there === undefined) return object.entries.at(-1)?.sequence ?? 0;
    const { entries } = parseAuditObject(key, there);
    // One of the two may be longer; as far as both go they must be the same.
    const last = Math.min(entries.length, object.entries.length) - 1;
    if (entries[last]?.hash !== object.entries[last]?.hash) {
      throw new ControlPlaneError('AUDIT_DAMAGED', `the audit object ${key} is of another chain than the catalog's`);
    }
    return entries.at(-1)?.sequence ?? 0;
  }
}
