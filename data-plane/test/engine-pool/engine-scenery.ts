/** What the scenarios of the engine pool share: a cache directory, a sandbox, and requests as promises. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ByocError } from '../../src/errors/catalogue.js';
import type { DatabaseLimits, RequestKind } from '../../src/engine/ipc/messages.js';
import type { EngineSlot, LostRequest, OpenedInEngine, RequestTicket } from '../../src/engine/pool/engine-pool.js';
import { Sandbox } from '../../src/engine/pool/sandbox.js';

const here = dirname(fileURLToPath(import.meta.url));
export const builtCode = join(here, '..', '..', 'dist');
export const scriptedEngine = join(here, 'scripted-engine.js');
export const dyingEngine = join(here, 'dying-engine.js');

export const limits: DatabaseLimits = {
  maxPages: 10_000,
  maxResponseBytes: 1 << 20,
  transactionTimeoutMs: 5_000,
  streamIdleTimeoutMs: 10_000,
  writeLockTimeoutMs: 5_000,
  maxTransactionBytes: 1 << 24,
  requestTimeoutMs: 60_000,
};

export interface Scenery {
  readonly cacheDirectory: string;
  readonly sandbox: Sandbox;
  readonly remove: () => void;
}

/** A cache directory of its own and the sandbox of an engine script for it. */
export async function scenery(entry: string): Promise<Scenery> {
  const folder = mkdtempSync(join(tmpdir(), 'engine-pool-'));
  chmodSync(folder, 0o755);
  const cacheDirectory = join(folder, 'cache');
  const sandbox = await Sandbox.probe({ cacheDirectory, entry, readable: [builtCode] });
  return { cacheDirectory, sandbox, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly seenCommit: number;
}

/** Thrown by `ask` for a request that was lost. */
export class LostError extends Error {
  constructor(readonly lost: LostRequest) {
    super(`${lost.cause}: ${lost.reason}`);
  }
}

export interface Asked {
  readonly ticket: RequestTicket;
  readonly answer: Promise<Answer>;
  /** Parts that have come so far. */
  readonly parts: string[];
}

/** Sends a request; its answer rejects with `LostError` or with the error of a refusal. */
export function ask(
  slot: EngineSlot,
  opened: OpenedInEngine,
  body: unknown,
  options: { kind?: RequestKind; readOnly?: boolean } = {},
): Asked {
  const parts: string[] = [];
  let ticket: RequestTicket | undefined;
  let ends = 0;
  const once = (): void => {
    ends += 1;
    if (ends > 1) throw new Error('a request ended twice');
  };
  const answer = new Promise<Answer>((resolve, reject: (error: LostError | ByocError) => void) => {
    ticket = slot.request(
      opened,
      {
        kind: options.kind ?? 'v2-pipeline',
        readOnly: options.readOnly ?? false,
        body: Buffer.from(JSON.stringify(body)),
      },
      {
        onPart: (part) => {
          parts.push(part.body.toString());
          if (!part.last) return;
          once();
          resolve({ status: part.status, text: parts.join('|'), seenCommit: part.seenCommit });
        },
        onLost: (lost) => {
          once();
          reject(new LostError(lost));
        },
        onRefused: (error) => {
          once();
          reject(error);
        },
      },
    );
  });
  // A test that looks at the failure later must not fail before.
  answer.catch(() => undefined);
  return { ticket: ticket!, answer, parts };
}

/** The loss of a request that must be lost. */
export async function lossOf(asked: Asked): Promise<LostRequest> {
  const outcome = await asked.answer.then(
    (answer) => `an answer came: ${answer.text}`,
    (error: unknown) => error,
  );
  if (outcome instanceof LostError) return outcome.lost;
  throw new Error(`expected a loss, but ${String(outcome)}`);
}

/** Resolves when `condition` holds; there is no deadline but that of the test. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
