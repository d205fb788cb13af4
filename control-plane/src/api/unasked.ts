/**
 * Whether a field of a request asks for nothing: left out, null, empty, or false. Clients send such values for options
 * that their user did not choose.
 */
export function isUnasked(value: unknown): boolean {
  return (
    value === undefined || value === null || value === '' || value === false || (Array.isArray(value) && !value.length)
  );
}
