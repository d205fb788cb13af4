/** Longer than any name that there is: labels of hosts, ids and names have 63 characters at most. */
const tooLongForAName = /[^\s/"']{64,}/g;

/**
 * A path, or a sentence with one in it, as it may be logged and answered: a part that is too long for a name is left out,
 * because clients put tokens where names belong, and every token is.
 */
export function withoutTokens(text: string): string {
  return text.replace(tooLongForAName, '…');
}
