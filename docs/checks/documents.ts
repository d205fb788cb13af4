/** The documents of the repository, and what stands in them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Document {
  /** From the root of the repository, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** A block of code between fences. */
export interface Block {
  readonly path: string;
  /** Of its first fence, from 1. */
  readonly line: number;
  readonly language: string;
  readonly content: string;
  /** What the HTML comment right above it says, if one stands there. */
  readonly mark: string | undefined;
}

const roots = ['README.md', 'CHANGELOG.md', 'charts/turso-byoc/README.md'];

/** Every page that is written for readers. `repository`: its directory. */
export function readDocuments(repository: string): Document[] {
  const below = readdirSync(join(repository, 'docs'), { recursive: true, encoding: 'utf8' })
    .map((path) => `docs/${path.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.md'));
  return [...roots, ...below.sort()].map((path) => ({ path, text: readFileSync(join(repository, path), 'utf8') }));
}

export function blocksOf({ path, text }: Document): Block[] {
  const blocks: Block[] = [];
  const lines = text.split('\n');
  let open: { line: number; language: string; mark: string | undefined; indent: string } | undefined;
  let content: string[] = [];
  for (const [index, line] of lines.entries()) {
    const fence = /^(\s*)```(\S*)\s*$/.exec(line);
    if (!open && fence) {
      open = { line: index + 1, language: fence[2] ?? '', mark: markAbove(lines, index), indent: fence[1] ?? '' };
      content = [];
    } else if (open && fence && fence[2] === '') {
      blocks.push({ path, line: open.line, language: open.language, content: content.join('\n'), mark: open.mark });
      open = undefined;
    } else if (open) {
      content.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
    }
  }
  if (open) throw new Error(`${path}:${open.line}: a block of code without an end`);
  return blocks;
}

function markAbove(lines: readonly string[], index: number): string | undefined {
  let at = index - 1;
  while (at >= 0 && lines[at]?.trim() === '') at -= 1;
  return /^\s*<!--\s*(.*?)\s*-->\s*$/.exec(lines[at] ?? '')?.[1];
}

/** The text without blocks of code and without code within lines: what links and anchors are looked for in. */
export function prose({ text }: Document): string {
  return text
    .replace(/^(\s*)```[^\n]*\n[\s\S]*?^\s*```\s*$/gm, '')
    .replace(/`[^`\n]*`/g, (code) => 'x'.repeat(code.length));
}
