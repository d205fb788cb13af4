/** What statements of one shape did, as an engine process tells it: both sides keep to the bounds here. */

/** What some statements did. */
export interface StatementCosts {
  /** How many were run. */
  readonly count: number;
  readonly rowsRead: number;
  readonly rowsWritten: number;
}

export interface ShapedCosts extends StatementCosts {
  /** The text of the statements without values, at most `longestShape` UTF-16 code units. */
  readonly shape: string;
}

/** Longest shape, in UTF-16 code units. */
export const longestShape = 500;
/** Shapes in one report; a process tells at once when it has as many. */
export const mostShapesTold = 64;
