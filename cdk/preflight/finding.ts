/**
 * What a check found. `unknown` is what could not be looked at, for example because a right to look is missing: it is neither
 * good nor bad, is never counted as a refusal, and never hides one.
 */
export interface Finding {
  readonly check: string;
  readonly outcome: 'ok' | 'problem' | 'unknown';
  readonly says: string;
  /** What to do, of problems and unknowns. */
  readonly fix?: string;
}

export function ok(check: string, says: string): Finding {
  return { check, outcome: 'ok', says };
}

export function problem(check: string, says: string, fix: string): Finding {
  return { check, outcome: 'problem', says, fix };
}

export function unknown(check: string, says: string, fix: string): Finding {
  return { check, outcome: 'unknown', says, fix };
}

/** One block of lines for a terminal. */
export function findingText({ check, outcome, says, fix }: Finding): string {
  const mark = { ok: 'ok      ', problem: 'PROBLEM ', unknown: 'unknown ' }[outcome];
  return `${mark} ${check}: ${says}` + (fix === undefined ? '' : `\n           → ${fix}`);
}

/** 0: nothing stands in the way; 1: something does. Unknowns are for people to judge. */
export function exitStatusOf(findings: readonly Finding[]): 0 | 1 {
  return findings.some(({ outcome }) => outcome === 'problem') ? 1 : 0;
}
