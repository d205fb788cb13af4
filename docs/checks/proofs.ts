/**
 * Statements that a test shows. Behind such a statement stands a comment, which readers do not see:
 *
 *   <!-- proof: data-plane/test/node/sync.test.ts: the name of a test of that file -->
 *   <!-- proof: the name of a test -->      of developers-guide.test.ts
 *
 * In a document that has one of them, every item of every list has one.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { prose, type Document } from './documents.js';

export interface Proof {
  /** The document. */
  readonly path: string;
  /** The file of the test, from the root of the repository. */
  readonly file: string;
  /** As it stands in the source, for a table of cases with its placeholders. */
  readonly name: string;
}

const guideTests = 'data-plane/test/clients/developers-guide.test.ts';
const mark = /<!--\s*proof: ((?:(?!-->)[\s\S])*?)\s*-->/g;

export function proofsOf(document: Document): Proof[] {
  return [...prose(document).matchAll(mark)].map(([, said = '']) => {
    const [, file = guideTests, name = said] = /^(\S+\.test\.ts):\s*([\s\S]*)$/.exec(said) ?? [];
    return { path: document.path, file, name };
  });
}

/** What is wrong with a proof, or undefined. */
export function proofDefect(repository: string, { path, file, name }: Proof): string | undefined {
  const full = join(repository, file);
  if (!existsSync(full)) return `${path}: there is no ${file}`;
  const source = readFileSync(full, 'utf8');
  const isTitle = [`'`, `"`, '`'].some((quote) => {
    for (let at = source.indexOf(quote + name + quote); at >= 0; at = source.indexOf(quote + name + quote, at + 1)) {
      // The first argument of a call, not just any text.
      if (/\(\s*$/.test(source.slice(0, at))) return true;
    }
    return false;
  });
  return name !== '' && isTitle ? undefined : `${path}: ${file} has no test "${name}"`;
}

/** Items of lists without a proof, in a document that has proofs. */
export function unproven(document: Document): string[] {
  if (proofsOf(document).length === 0) return [];
  const items = prose(document).match(/^- .*(?:\n(?!- |\n|#|<!-- [^p]).*)*/gm) ?? [];
  return items
    .filter((item) => (item.match(mark) ?? []).length !== 1)
    .map((item) => `${document.path}: ${item.split('\n')[0] ?? ''}`);
}
