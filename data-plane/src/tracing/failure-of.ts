/** A word for an error that may stand in a trace: its code (of a catalogue, SQLite or the system), or what kind of error it is; never its message. */
export function failureOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? code : error.name;
}
