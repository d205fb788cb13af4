import type { RequestKind } from '../engine/ipc/messages.js';
import type { EnginePlace } from '../engine/pool/engines.js';
import { ByocError } from '../errors/catalogue.js';
import { answeredError } from '../errors/error-answer.js';

/** What an engine process says may be as long as a statement. */
const longestReason = 1_000;

/**
 * Asks something of a database in a borrowed engine process; the whole answer. Throws `UPLOAD_INVALID` with what the process says,
 * `ENGINE_RESTARTED` when it ended, and why it did not take the request.
 */
export async function askEngine(
  place: EnginePlace,
  opened: Awaited<ReturnType<EnginePlace['open']>>,
  kind: RequestKind,
  body: Uint8Array,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    place.request(
      opened,
      { kind, readOnly: true, body },
      {
        onPart: ({ status, body: part, last }) => {
          // It is a view into what the process sends next.
          parts.push(Buffer.from(part));
          if (!last) return;
          const answer = Buffer.concat(parts);
          if (status === 200) resolve(answer);
          else
            reject(
              new ByocError('UPLOAD_INVALID', (answeredError(answer)?.message ?? 'no reason').slice(0, longestReason)),
            );
        },
        onLost: ({ reason }) => reject(new ByocError('ENGINE_RESTARTED', reason)),
        onRefused: reject,
      },
    );
  });
}
