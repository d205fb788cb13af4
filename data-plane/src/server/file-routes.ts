/** The routes that lead to the file of a database, and back from an operation to its route. */
import type { FileOperation, FileOperationKind } from '../database/file-request.js';
import { ByocError } from '../errors/catalogue.js';

export interface FileRoute {
  readonly kind: FileOperationKind;
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
}

export const fileRoutes: readonly FileRoute[] = [
  { kind: 'upload-start', method: 'PUT', path: '/v2/upload/start' },
  { kind: 'upload-chunk', method: 'PUT', path: '/v2/upload/:upload/chunk/:chunk' },
  { kind: 'upload-finalize', method: 'PUT', path: '/v2/upload/:upload/finalize' },
  { kind: 'replica-info', method: 'GET', path: '/info' },
  { kind: 'replica-export', method: 'GET', path: '/export/:generation' },
  { kind: 'replica-pull', method: 'GET', path: '/sync/:generation/:start/:end' },
  { kind: 'replica-push', method: 'POST', path: '/sync/:generation/:start/:end' },
  { kind: 'replica-push', method: 'POST', path: '/sync/:generation/:start/:end/:baton' },
];

/** Numbers of generations and frames have 32 bits at the clients. */
const most32Bits = 2 ** 32 - 1;

/** What a request asks for. Throws `MALFORMED_REQUEST`. */
export function fileOperation(
  kind: FileOperationKind,
  parameters: Readonly<Record<string, string | undefined>>,
  body: Buffer,
): FileOperation {
  const number = (name: string, least: number): number => {
    const text = parameters[name] ?? '';
    const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most32Bits) return value;
    throw malformed(`${name} must be a whole number from ${least} to ${most32Bits}`);
  };
  const frames = (): { generation: number; start: number; end: number } => {
    const range = { generation: number('generation', 1), start: number('start', 1), end: number('end', 1) };
    if (range.end > range.start) return range;
    throw malformed('the end of a range of frames lies behind its start');
  };
  switch (kind) {
    case 'upload-start':
      return { kind, sizeBytes: declaredSize(body) };
    case 'upload-chunk':
      return { kind, upload: parameters['upload'] ?? '', chunk: number('chunk', 0) };
    case 'upload-finalize':
      return { kind, upload: parameters['upload'] ?? '' };
    case 'replica-info':
      return { kind };
    case 'replica-export':
      return { kind, generation: number('generation', 1) };
    case 'replica-pull':
      return { kind, ...frames() };
    case 'replica-push': {
      const { baton } = parameters;
      if (baton !== undefined && !/^[0-9a-f]{32}$/.test(baton)) throw malformed('this is no baton of a push');
      return { kind, ...frames(), ...(baton !== undefined && { baton }) };
    }
  }
}

/** Method and path of the request that asks for an operation. */
export function filePath(operation: FileOperation): { readonly method: string; readonly path: string } {
  const hasBaton = 'baton' in operation;
  const route = fileRoutes.find(({ kind, path }) => kind === operation.kind && path.endsWith('/:baton') === hasBaton);
  if (!route) throw new RangeError(`no route serves ${operation.kind}`);
  const values: Readonly<Record<string, unknown>> = { ...operation };
  const path = route.path.replace(/:([a-z]+)/g, (_, name: string) => encodeURIComponent(String(values[name])));
  return { method: route.method, path };
}

function declaredSize(body: Buffer): number {
  let declared: unknown;
  try {
    declared = JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new ByocError('MALFORMED_REQUEST', 'the body must be JSON', { cause });
  }
  const size = (declared as { db_size_bytes?: unknown } | null)?.db_size_bytes;
  if (Number.isSafeInteger(size) && (size as number) >= 0) return size as number;
  throw malformed('"db_size_bytes" must be the size of the file');
}

function malformed(reason: string): ByocError {
  return new ByocError('MALFORMED_REQUEST', reason);
}
