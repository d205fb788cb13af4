const warningLevel = 40;
const errorLevel = 50;

/**
 * What a person at the terminal should see of one line that a child process logged: a short sentence for a warning or
 * an error, the line itself when it is not a log record (a crash, say), undefined for everything else.
 */
export function noteworthy(line: string): string | undefined {
  if (line.trim() === '') return undefined;
  const record = parseRecord(line);
  if (record === undefined) return line;
  const { level, msg, err, remedy } = record;
  if (typeof level !== 'number' || level < warningLevel) return undefined;
  const kind = level < errorLevel ? 'warning' : 'error';
  const cause =
    typeof err === 'object' && err !== null && 'message' in err && typeof err.message === 'string'
      ? `: ${err.message}`
      : '';
  const advice = typeof remedy === 'string' ? ` ${remedy}` : '';
  return `${kind}: ${typeof msg === 'string' ? msg : 'see the log file'}${cause}${advice === '' ? '' : `.${advice}`}`;
}

function parseRecord(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    // Not a record; the caller shows it as it is.
    return undefined;
  }
}
