/**
 * What replicas of an open database ask for: where it is, its file as of a generation, the frames that follow; and to take the
 * frames that they wrote themselves. Everything that they read is stored already.
 */
import { encodePush, type PushOutcome } from '../hrana/file/push-frames.js';
import { ByocError } from '../errors/catalogue.js';
import { answeredError } from '../errors/error-answer.js';
import { emptyDatabaseImage } from '../storage/empty-database.js';
import { pageBytes } from '../storage/fragment.js';
import type { Frame } from '../storage/frame-stream.js';
import { readImage } from '../storage/generation-image.js';
import type { SqlRequest, SqlResponse } from './database-service.js';
import { jsonAnswer, type FileAnswer, type FileOperation, type FileRequest } from './file-request.js';
import { meteredParts } from './metered-parts.js';
import type { NodeContext } from './node-context.js';
import type { OwnedDatabase } from './ready-database.js';
import { ReplicaHistory, unsynchronizedGeneration, type ReplicaPlace } from './replica-history.js';
import { ReplicaPushes, walFrameBytes } from './replica-pushes.js';

/** The database that has replicas. */
export interface ReplicatedDatabase {
  readonly owned: () => OwnedDatabase;
  /** Resolves when what was stored up to now may leave the node: its lease holds. */
  readonly mayLeave: () => Promise<void>;
  readonly execute: (request: SqlRequest) => Promise<SqlResponse>;
  /** So many bytes of pages and frames went to a replica, or came from one. */
  readonly onSynced: (bytes: number) => void;
}

/** How often a pull is tried anew when the database has changed while it was read. */
const mostPullAttempts = 20;
/** Most frames of one answer; official clients ask for as many. */
const mostFrames = 128;
/** How long what was read of the log stays in memory for the next part of it. */
const forgetAfterMs = 10_000;

export class Replicas {
  readonly #context: NodeContext;
  readonly #database: ReplicatedDatabase;
  readonly #history: ReplicaHistory;
  readonly #pushes: ReplicaPushes;
  #cancelForget: (() => void) | undefined;

  constructor(context: NodeContext, database: ReplicatedDatabase) {
    this.#context = context;
    this.#database = database;
    this.#history = new ReplicaHistory(context, database.owned);
    this.#pushes = new ReplicaPushes(
      context.runtime,
      context.pushBudget,
      this.#history,
      async (afterCommit, frames, request) => this.#commit(afterCommit, frames, request),
    );
  }

  /** Throws `REPLICA_UNKNOWN_POSITION`, `REPLICA_PUSH_INVALID` and the like, and the errors of the store. */
  async serve(request: FileRequest): Promise<FileAnswer> {
    const { operation } = request;
    this.#forgetLater();
    switch (operation.kind) {
      case 'replica-info':
        return this.#leaving(jsonAnswer(200, { current_generation: await this.#history.currentGeneration() }));
      case 'replica-export':
        return this.#metered(await this.#leaving(await this.#export(operation.generation)));
      case 'replica-pull':
        return this.#metered(await this.#leaving(await this.#pull(operation)));
      case 'replica-push': {
        const answer = await this.#leaving(jsonAnswer(200, await this.#pushes.take(operation, request)));
        this.#database.onSynced(request.body.length);
        return answer;
      }
      default:
        throw new ByocError('UPLOAD_NOT_AWAITED', 'this database has a content already');
    }
  }

  /** Forgets content and what was pushed in part. */
  close(): void {
    this.#cancelForget?.();
    this.#history.forget();
    this.#pushes.forget();
  }

  async #leaving(answer: FileAnswer): Promise<FileAnswer> {
    await this.#database.mayLeave();
    return answer;
  }

  /** Counts the content of a file as it leaves. */
  #metered(answer: FileAnswer): FileAnswer {
    const { status, body } = answer;
    if (status !== 200) return answer;
    if (!Buffer.isBuffer(body)) return { ...answer, body: meteredParts(body, this.#database.onSynced) };
    this.#database.onSynced(body.length);
    return answer;
  }

  async #export(number: number): Promise<FileAnswer> {
    const height = await this.#history.heightOf(number);
    const generation = await this.#history.generation(height);
    const type = 'application/octet-stream';
    if (!generation) {
      return { status: 200, type, body: emptyDatabaseImage(this.#database.owned().owned.manifest.reservedBytes) };
    }
    const { runtime, dataStore } = this.#context;
    const body = readImage(runtime, dataStore, this.#database.owned().unlocked.sealer, generation);
    return { status: 200, type, body, sizeBytes: generation.databasePages * pageBytes };
  }

  async #pull(pull: Extract<FileOperation, { kind: 'replica-pull' }>, attempt = 1): Promise<FileAnswer> {
    const { generation, start, end } = pull;
    const asked = { height: await this.#startOf(generation, start), frames: start - 1 };
    const place = await this.#pulledPlace(asked);
    const frames = await this.#history.read(place, Math.min(mostFrames, end - start));
    if (frames.length > 0) return { status: 200, type: 'application/octet-stream', body: encodeFrames(frames) };
    const tip = await this.#history.tip();
    const { total } = await this.#history.framesIn(place.height);
    const isBefore = place.height < tip.height;
    // Only one that counts from the stored generation before can go on to the next.
    const mayMoveOn = isBefore && place.height === asked.height;
    if (place.frames < total || (isBefore && !mayMoveOn)) {
      // Something was committed or folded in between. It cannot go on for ever.
      if (attempt < mostPullAttempts) return this.#pull(pull, attempt + 1);
      throw new ByocError('INTERNAL', `frame ${start} of generation ${generation} is counted and cannot be read`);
    }
    if (place.frames > total) {
      throw new ByocError('REPLICA_UNKNOWN_POSITION', `generation ${generation} has no frame ${start - 1} yet`);
    }
    const next = mayMoveOn ? this.#history.numberOf(tip.height) : generation;
    return jsonAnswer(400, {
      status: 'checkpoint_needed',
      generation: next,
      max_frame_no: start - 1,
      error: 'there are no more frames in this generation',
    });
  }

  /** Where a pull goes on. One that is past the end of its own generation goes on through the next ones, frame by frame. */
  async #pulledPlace(asked: ReplicaPlace): Promise<ReplicaPlace> {
    const place = await this.#history.settled(asked, false);
    return place.height === asked.height ? place : this.#history.settled(place, true);
  }

  async #startOf(generation: number, start: number): Promise<number> {
    if (generation !== unsynchronizedGeneration || start !== 1) return this.#history.heightOf(generation);
    return -1;
  }

  async #commit(
    afterCommit: number,
    frames: readonly Uint8Array[],
    { restrictions, signal, admission, clientKey }: FileRequest,
  ): Promise<PushOutcome['outcome']> {
    const body = encodePush(afterCommit, frames);
    const asked = {
      kind: 'replica-push',
      readOnly: false,
      restrictions,
      body,
      signal,
      admission,
      clientKey,
      isForwarded: true,
    } as const;
    const { status, body: answer } = await this.#database.execute(asked);
    if (!Buffer.isBuffer(answer)) throw new ByocError('INTERNAL', 'an engine process answered a push with a stream');
    const said = JSON.parse(answer.toString('utf8')) as PushOutcome | { code: string; message: string };
    if (status === 200 && 'outcome' in said) return said.outcome;
    throw engineRefusal(said);
  }

  #forgetLater(): void {
    this.#cancelForget?.();
    this.#cancelForget = this.#context.runtime.schedule(forgetAfterMs, () => this.#history.forget());
  }
}

function encodeFrames(frames: readonly Frame[]): Buffer {
  const bytes = Buffer.alloc(frames.length * walFrameBytes);
  frames.forEach(({ page, databasePages, content }, index) => {
    const at = index * walFrameBytes;
    bytes.writeUInt32BE(page, at);
    bytes.writeUInt32BE(databasePages, at + 4);
    // Salts and checksums are those of the WAL that the frame comes into: the replica makes them.
    bytes.set(content, at + walFrameBytes - pageBytes);
  });
  return bytes;
}

function engineRefusal(said: object): ByocError {
  return (
    answeredError(Buffer.from(JSON.stringify(said))) ?? new ByocError('INTERNAL', 'a push was refused without a reason')
  );
}
