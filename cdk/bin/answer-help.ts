/** Prints how a command is called, and ends with 0, when it was called with `--help`. */
export function answerHelp(usage: string): void {
  if (!process.argv.slice(2).includes('--help')) return;
  process.stdout.write(`${usage.trim()}\n`);
  process.exit(0);
}
