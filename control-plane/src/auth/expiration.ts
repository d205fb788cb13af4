import { ControlPlaneError } from '../errors/catalogue.js';

const secondsPerUnit = { w: 604_800, d: 86_400, h: 3_600, m: 60, s: 1 } as const;
type Unit = keyof typeof secondsPerUnit;

const duration = /^(?:\d{1,9}[wdhms])+$/;
/** 100 years: far beyond any use, and far from the end of the calendar. */
const maxSeconds = 100 * 365 * 86_400;

/**
 * Lifetime in seconds that the `expiration` parameter of the Platform API asks for: a sum of `w d h m s` parts such as
 * `2w1d30m`; undefined for `never`, and for what the CLI passes to mean the same (`none`, `default`) or nothing.
 * Throws `INVALID_EXPIRATION`.
 */
export function parseExpiration(text: string | undefined): number | undefined {
  if (text === undefined || ['', 'never', 'none', 'default'].includes(text)) return undefined;
  if (!duration.test(text)) throw new ControlPlaneError('INVALID_EXPIRATION', 'Invalid expiration format');
  let seconds = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([wdhms])/g)) {
    seconds += Number(count) * secondsPerUnit[unit as Unit];
  }
  if (seconds < 1 || seconds > maxSeconds) {
    throw new ControlPlaneError('INVALID_EXPIRATION', 'Invalid expiration format');
  }
  return seconds;
}
