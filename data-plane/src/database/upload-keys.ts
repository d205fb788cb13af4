import type { DatabaseId } from '../identity.js';
import type { PresentedKey } from '../keys/client-key.js';
import type { Runtime } from '../runtime.js';
import type { FileOperation, FileRequest } from './file-request.js';

export type UploadOperation = Extract<FileOperation, { readonly kind: `upload-${string}` }>;
export type UploadRequest = FileRequest & { readonly operation: UploadOperation };

export function isUpload(request: FileRequest): request is UploadRequest {
  return request.operation.kind.startsWith('upload-');
}

/** Between two chunks no client takes longer. */
const keptMs = 600_000;
const mostKept = 1_000;

/**
 * The keys of clients that are uploading: they send them with the chunks, and neither with what begins an upload nor with
 * what ends it. In memory only, for a while.
 */
export class UploadKeys {
  readonly #runtime: Pick<Runtime, 'schedule'>;
  readonly #keys = new Map<DatabaseId, { readonly key: PresentedKey; readonly cancel: () => void }>();

  constructor(runtime: Pick<Runtime, 'schedule'>) {
    this.#runtime = runtime;
  }

  /** What a request brings of its client's key, or what one before brought. */
  keyFor(id: DatabaseId, presented: PresentedKey | undefined): PresentedKey | undefined {
    return presented ?? this.#keys.get(id)?.key;
  }

  /** Keeps a key that was found right. */
  keep(id: DatabaseId, key: PresentedKey | undefined): void {
    if (key?.key === undefined) return;
    this.forget(id);
    const [oldest] = this.#keys.keys();
    if (this.#keys.size >= mostKept && oldest !== undefined) this.forget(oldest);
    this.#keys.set(id, { key, cancel: this.#runtime.schedule(keptMs, () => this.#keys.delete(id)) });
  }

  forget(id: DatabaseId): void {
    this.#keys.get(id)?.cancel();
    this.#keys.delete(id);
  }
}
