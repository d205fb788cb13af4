/** A commit to go back to: by its number, or the last one at or before a time in milliseconds since 1970. */
export type Moment = { readonly commit: number } | { readonly timeMs: number };

/** Whether a commit came after the moment. */
export function isBeyond(moment: Moment, commit: number, commitTimeMs: number): boolean {
  return 'commit' in moment ? commit > moment.commit : commitTimeMs > moment.timeMs;
}
