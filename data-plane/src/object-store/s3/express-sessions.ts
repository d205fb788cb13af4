/**
 * The session of a directory bucket (S3 Express One Zone): credentials that live for five minutes.
 *
 * The SDK has a cache of its own. It keeps a failed attempt for ever, so that one failed CreateSession makes every later
 * request fail, and a failed refresh in the background is an unhandled rejection, which ends the process. Here a failure
 * is forgotten at once, and a refresh that fails leaves the present session in use while it lasts.
 */
import type { Runtime } from '../../runtime.js';

export interface ExpressSession {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
}

/** Refreshed in the background when less than this is left. */
const refreshBeforeMs = 90_000;
/** Not used any more when less than this is left. */
const unusableBeforeMs = 10_000;
/** After a refresh that failed, the next one waits for this long. */
const refreshPauseMs = 5_000;

export class ExpressSessions {
  #session: ExpressSession | undefined;
  #opening: Promise<ExpressSession> | undefined;
  #noRefreshBeforeMs = -Infinity;
  #accessKeyId: string | undefined;

  constructor(
    private readonly runtime: Pick<Runtime, 'nowMs'>,
    private readonly open: () => Promise<ExpressSession>,
    private readonly onRefreshFailed: (error: unknown) => void,
  ) {}

  /** The session to sign a request with. Rejects with the error of CreateSession when there is none to be had. */
  getS3ExpressIdentity = async (credentials: { readonly accessKeyId: string }): Promise<ExpressSession> => {
    if (credentials.accessKeyId !== this.#accessKeyId) {
      this.#accessKeyId = credentials.accessKeyId;
      this.forget();
    }
    const session = this.#session;
    const leftMs = session ? session.expiration.getTime() - this.runtime.nowMs() : 0;
    if (!session || leftMs < unusableBeforeMs) return this.#openOnce();
    if (leftMs < refreshBeforeMs && this.runtime.nowMs() >= this.#noRefreshBeforeMs) {
      this.#openOnce().catch((error: unknown) => {
        this.#noRefreshBeforeMs = this.runtime.nowMs() + refreshPauseMs;
        this.onRefreshFailed(error);
      });
    }
    return session;
  };

  /** Opens another session for the next request, because this one was refused. */
  forget(): void {
    this.#session = undefined;
    this.#opening = undefined;
    this.#noRefreshBeforeMs = -Infinity;
  }

  #openOnce(): Promise<ExpressSession> {
    if (this.#opening) return this.#opening;
    const opening = this.open().then(
      (session) => {
        if (this.#opening === opening) {
          this.#session = session;
          this.#opening = undefined;
        }
        return session;
      },
      (error: unknown) => {
        if (this.#opening === opening) this.#opening = undefined;
        throw error;
      },
    );
    this.#opening = opening;
    return opening;
  }
}
