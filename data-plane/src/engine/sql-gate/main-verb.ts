import { TokenCursor } from './tokenizer.js';

const dataVerbs = new Set(['select', 'values', 'insert', 'replace', 'update', 'delete']);

/**
 * The word that says what a statement does, in lower case: its first word, or for WITH the SELECT, VALUES, INSERT, REPLACE,
 * UPDATE or DELETE that follows the common table expressions. Empty when the text does not begin with a word.
 */
export function mainVerb(sql: string): string {
  const cursor = new TokenCursor(sql);
  if (!cursor.next() || !cursor.is('word')) return '';
  const first = cursor.name();
  if (first !== 'with') return first;
  let depth = 0;
  while (cursor.next()) {
    if (cursor.isOperator('(')) depth += 1;
    else if (cursor.isOperator(')')) depth -= 1;
    else if (depth === 0 && cursor.is('word') && dataVerbs.has(cursor.name())) return cursor.name();
  }
  return first;
}

/** True for the verbs whose statements count changed rows. */
export function changesRows(verb: string): boolean {
  return verb === 'insert' || verb === 'replace' || verb === 'update' || verb === 'delete';
}
