/** The `code` of a thrown value, such as `ENOENT` of a system error; undefined when it has none. */
export function errorCode(error: unknown): string | undefined {
  // Not `instanceof Error`: an error may come from another realm, where Error is another class.
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
