import { ByocError, catalogue, type ErrorCode } from './catalogue.js';

const maxBytes = 64 * 1024;

/** The error of the catalogue that a data node answered with; undefined when it is not an answer of one. */
export function answeredError(body: Buffer): ByocError | undefined {
  if (body.length > maxBytes) return undefined;
  let answer: unknown;
  try {
    answer = JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof answer !== 'object' || answer === null) return undefined;
  const { code, message } = answer as { code?: unknown; message?: unknown };
  if (typeof code !== 'string' || !Object.hasOwn(catalogue, code)) return undefined;
  return new ByocError(code as ErrorCode, String(message));
}
