/** True for anything with a message: errors made by native code need not be instances of this realm's Error. */
export function isErrorLike(value: unknown): value is { readonly message: string } {
  return typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string';
}
