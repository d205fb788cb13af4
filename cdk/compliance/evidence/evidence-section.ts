/** One part of the evidence: what it says in words, and the rows that the words rest on. */
export interface EvidenceSection {
  /** File name without an ending, and the anchor in the page. */
  readonly id: string;
  readonly title: string;
  /** Paragraphs. What is claimed here follows from the rows. */
  readonly statement: readonly string[];
  readonly columns: readonly string[];
  /** As many cells in each as there are columns. */
  readonly rows: readonly (readonly string[])[];
}

/** @throws Error when a row has other cells than the section has columns. */
export function evidenceSection(section: EvidenceSection): EvidenceSection {
  const odd = section.rows.find((row) => row.length !== section.columns.length);
  if (odd)
    throw new Error(`${section.id}: ${odd.length} cells for ${section.columns.length} columns: ${odd.join(' | ')}`);
  return section;
}
