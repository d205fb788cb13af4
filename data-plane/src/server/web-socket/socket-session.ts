/** The streams, cursors and stored texts of one connection over WebSockets: what its requests mean. */
import { ByocError, isByocError, type ErrorCode } from '../../errors/catalogue.js';
import type { SocketCodec } from '../../hrana/socket/codec.js';
import type { ClientMessage, SocketRequest, SocketStreamRequest } from '../../hrana/socket/messages.js';
import type { Runtime } from '../../runtime.js';
import { wholeBody, type GrantedSocket } from './granted-socket.js';
import { SocketCursor } from './socket-cursor.js';
import { SocketStream } from './socket-stream.js';
import { StoredTexts } from './stored-texts.js';
import type { WebSocketLimits } from './web-socket-limits.js';

export type RequestMessage = Extract<ClientMessage, { type: 'request' }>;

export interface SocketSessionOptions {
  readonly codec: SocketCodec;
  readonly databases: GrantedSocket;
  readonly limits: WebSocketLimits;
  /** Of the stored texts that one request names, each as often as it is named. */
  readonly maxResolvedBytes: number;
  readonly runtime: Pick<Runtime, 'monotonicMs'>;
  /** Sends the one answer to a request. */
  readonly answer: (request: RequestMessage, message: Buffer) => void;
  /** Answers a request with an error; to be called with what was thrown. */
  readonly refuse: (request: RequestMessage, thrown: unknown) => void;
  /** Takes note of a failure that nobody is answered with. */
  readonly note: (thrown: unknown) => void;
  /** Resolves when the client has taken most of what was sent to it. */
  readonly taken: () => Promise<void>;
  /** Called when a stream has nothing more to do for now. */
  readonly rested: () => void;
}

/** Errors of admission: nothing was asked of the database, and a new `hello` may help. */
const admissionCodes: ReadonlySet<ErrorCode> = new Set([
  'AUTH_HTTP_HEADER_MISSING',
  'AUTH_HTTP_HEADER_INVALID',
  'AUTH_JWT_INVALID',
  'AUTH_JWT_EXPIRED',
  'AUTH_JWT_IMMATURE',
  'AUTH_FORBIDDEN',
]);

export class SocketSession {
  readonly #options: SocketSessionOptions;
  readonly #texts: StoredTexts;
  readonly #streams = new Map<number, SocketStream>();
  /** The stream of each open cursor. */
  readonly #cursors = new Map<number, SocketStream>();

  constructor(options: SocketSessionOptions) {
    this.#options = options;
    this.#texts = new StoredTexts(options.limits, options.maxResolvedBytes);
  }

  /** Whether the client would lose something if the connection ended now. */
  get isInUse(): boolean {
    for (const stream of this.#streams.values()) if (stream.baton !== undefined || stream.isBusy) return true;
    return false;
  }

  /** Begins a request, which is answered once, now or later. */
  begin(message: RequestMessage): void {
    try {
      this.#begin(message);
    } catch (error) {
      this.#options.refuse(message, error);
    }
  }

  /** Uses the streams that must be kept, lest they expire while the connection lives. */
  keepAlive(nowMs: number): void {
    const { keepAliveMs } = this.#options.limits;
    for (const stream of this.#streams.values()) {
      if (stream.baton === undefined || stream.isBusy || stream.cursor) continue;
      if (nowMs - stream.lastUsedMs >= keepAliveMs) this.#use(stream);
    }
  }

  /** The client is gone: what it left open is ended. */
  end(): void {
    for (const stream of this.#streams.values()) stream.enqueue(async () => this.#finish(stream));
    this.#streams.clear();
    this.#cursors.clear();
  }

  #begin(message: RequestMessage): void {
    const { request } = message;
    switch (request.type) {
      case 'open_stream':
        this.#openStream(request.streamId);
        break;
      case 'store_sql':
        this.#texts.store(request.sqlId, request.sql);
        break;
      case 'close_sql':
        this.#texts.close(request.sqlId);
        break;
      case 'close_stream':
        this.#closeStream(message, request.streamId);
        return;
      case 'in_stream':
        this.#runInStream(message, request.streamId, this.#texts.resolve(request.request));
        return;
      case 'open_cursor':
        this.#openCursor(message, { ...request, steps: this.#texts.resolveSteps(request.steps) });
        return;
      case 'fetch_cursor':
        this.#fetchCursor(message, request.cursorId, request.maxCount);
        return;
      case 'close_cursor':
        this.#closeCursor(message, request.cursorId);
        return;
    }
    this.#answerOk(message);
  }

  #openStream(id: number): void {
    const { limits, runtime } = this.#options;
    if (this.#streams.has(id)) throw new ByocError('MALFORMED_REQUEST', `stream ${id} is open already`);
    if (this.#streams.size >= limits.maxStreams) {
      throw new ByocError('OVERLOADED', `a connection may have ${limits.maxStreams} streams open`);
    }
    this.#streams.set(id, new SocketStream(id, runtime.monotonicMs()));
  }

  #stream(id: number): SocketStream {
    const stream = this.#streams.get(id);
    if (!stream) throw new ByocError('MALFORMED_REQUEST', `stream ${id} is not open`);
    return stream;
  }

  /** What was sent before it is answered first; the id may be used again at once. */
  #closeStream(message: RequestMessage, id: number): void {
    const stream = this.#stream(id);
    this.#streams.delete(id);
    stream.enqueue(async () => {
      await this.#finish(stream);
      this.#answerOk(message);
    });
  }

  #runInStream(message: RequestMessage, id: number, request: SocketStreamRequest): void {
    const { codec, answer } = this.#options;
    this.#enqueue(this.#stream(id), message, async (stream) => {
      await this.#closeCursorOf(stream);
      const { message: passedOn, baton } = codec.passOn(
        message.requestId,
        request.type,
        await this.#runPipeline(stream, request),
      );
      stream.baton = baton;
      answer(message, passedOn);
    });
  }

  #openCursor(message: RequestMessage, request: Extract<SocketRequest, { type: 'open_cursor' }>): void {
    const { streamId, cursorId, steps } = request;
    const { codec, databases } = this.#options;
    const opened = this.#stream(streamId);
    if (this.#cursors.has(cursorId)) throw new ByocError('MALFORMED_REQUEST', `cursor ${cursorId} is open already`);
    this.#cursors.set(cursorId, opened);
    this.#enqueue(opened, message, async (stream) => {
      try {
        if (stream.cursor) {
          throw new ByocError('MALFORMED_REQUEST', `cursor ${stream.cursor.id} of stream ${streamId} is still open`);
        }
        await this.#attempt(stream, async () => {
          const answer = await databases.execute(codec.cursorKind, codec.cursorBody(stream.baton, steps), {
            continues: stream.baton !== undefined,
          });
          const cursor = new SocketCursor(answer.body, codec.newCursorReader());
          await cursor.begin();
          stream.baton = cursor.baton;
          stream.cursor = { id: cursorId, cursor };
        });
      } catch (error) {
        this.#cursors.delete(cursorId);
        throw error;
      }
      this.#answerOk(message);
    });
  }

  #fetchCursor(message: RequestMessage, cursorId: number, maxCount: number): void {
    const { codec, databases, limits, answer } = this.#options;
    this.#enqueue(this.#streamOfCursor(cursorId), message, async (stream) => {
      const open = stream.cursor;
      if (open?.id !== cursorId) throw new ByocError('STREAM_EXPIRED', `cursor ${cursorId} was ended`);
      // What is read now is read with the right that the client has now.
      await databases.admit();
      const { entries, done } = await this.#attempt(stream, async () =>
        open.cursor.fetch(Math.max(1, maxCount), limits.maxFetchBytes),
      );
      answer(message, codec.fetchedEntries(message.requestId, entries, done));
    });
  }

  #closeCursor(message: RequestMessage, cursorId: number): void {
    const opened = this.#streamOfCursor(cursorId);
    this.#cursors.delete(cursorId);
    this.#enqueue(opened, message, async (stream) => {
      if (stream.cursor?.id === cursorId) await this.#closeCursorOf(stream);
      this.#answerOk(message);
    });
  }

  #streamOfCursor(cursorId: number): SocketStream {
    const stream = this.#cursors.get(cursorId);
    if (!stream) throw new ByocError('MALFORMED_REQUEST', `cursor ${cursorId} is not open`);
    return stream;
  }

  /** Runs `work`, which answers the request, in the order of the stream; what it throws is the answer instead. */
  #enqueue(stream: SocketStream, message: RequestMessage, work: (stream: SocketStream) => Promise<void>): void {
    stream.enqueue(async () => {
      await this.#options.taken();
      try {
        await work(stream);
      } catch (error) {
        this.#options.refuse(message, error);
      }
      stream.lastUsedMs = this.#options.runtime.monotonicMs();
      queueMicrotask(() => queueMicrotask(this.#options.rested));
    });
  }

  /** Runs one request in the stream; resolves with the answer to its pipeline. */
  async #runPipeline(stream: SocketStream, request: SocketStreamRequest | { readonly type: 'close' }): Promise<Buffer> {
    const { codec, databases } = this.#options;
    return this.#attempt(stream, async () => {
      const body = codec.pipelineBody(stream.baton, request);
      const continues = stream.baton !== undefined;
      const evenIfGone = request.type === 'close';
      return wholeBody(await databases.execute(codec.pipelineKind, body, { continues, evenIfGone }));
    });
  }

  /** A failure as a whole may have ended what the database kept for the stream. */
  async #attempt<T>(stream: SocketStream, run: () => Promise<T>): Promise<T> {
    stream.throwIfLost();
    try {
      return await run();
    } catch (error) {
      if (!isByocError(error) || !admissionCodes.has(error.code)) {
        stream.failed(error instanceof Error ? error.message : String(error));
      }
      throw error;
    }
  }

  #use(stream: SocketStream): void {
    stream.lastUsedMs = this.#options.runtime.monotonicMs();
    stream.enqueue(async () => {
      if (stream.baton === undefined) return;
      try {
        const answer = await this.#runPipeline(stream, { type: 'get_autocommit' });
        stream.baton = this.#options.codec.passOn(0, 'get_autocommit', answer).baton;
      } catch (error) {
        // Whoever uses the stream next is told.
        this.#options.note(error);
      }
    });
  }

  /** A request of a stream ends the cursor that is open in it, as over HTTP. */
  async #closeCursorOf(stream: SocketStream): Promise<void> {
    const { cursor } = stream;
    stream.cursor = undefined;
    await cursor?.cursor.close();
  }

  /** Ends what the database keeps for the stream. Where that fails it ends by itself, for its age. */
  async #finish(stream: SocketStream): Promise<void> {
    if (stream.cursor) {
      for (const [id, owner] of this.#cursors) if (owner === stream) this.#cursors.delete(id);
    }
    try {
      await this.#closeCursorOf(stream);
      if (stream.baton !== undefined) await this.#runPipeline(stream, { type: 'close' });
    } catch (error) {
      this.#options.note(error);
    }
    stream.baton = undefined;
  }

  #answerOk(message: RequestMessage): void {
    const { requestId, request } = message;
    const name = request.type === 'in_stream' ? request.request.type : request.type;
    this.#options.answer(message, this.#options.codec.responseOk(requestId, name));
  }
}
