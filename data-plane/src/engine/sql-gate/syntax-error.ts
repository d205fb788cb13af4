const syntaxErrors = [
  /^near ".*": syntax error/su,
  /^incomplete input/u,
  /^unrecognized token/u,
  // The Turso engine's own wording.
  /^unexpected token/u,
  /^non-terminated /u,
  /^bad variable name/u,
  /^malformed blob literal/u,
  /^bad number/u,
];

/** True when an engine's message says that the text is not SQL, as against SQL that names something unknown. */
export function isSyntaxError(message: string): boolean {
  return syntaxErrors.some((pattern) => pattern.test(message));
}
