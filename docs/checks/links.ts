/** Links between documents: every file there is, every heading is there. */
import { existsSync, statSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { prose, type Document } from './documents.js';

/** Links that lead nowhere, each with the place where it stands. */
export function brokenLinks(repository: string, documents: readonly Document[]): string[] {
  const anchors = new Map(documents.map((document) => [document.path, anchorsOf(document)]));
  return documents.flatMap((document) =>
    linksOf(document).flatMap((link) => {
      if (/^[a-z]+:/.test(link)) return [];
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? document.path : normalize(join(document.path, '..', file));
      const path = join(repository, target);
      if (!existsSync(path)) return [`${document.path}: ${link}: there is no ${target}`];
      if (anchor === undefined) return [];
      const page = statSync(path).isDirectory() ? join(target, 'README.md') : target;
      const known = anchors.get(page);
      if (known?.has(anchor)) return [];
      return [`${document.path}: ${link}: ${page} has no such heading`];
    }),
  );
}

/** Documents that no chain of links leads to from the README. */
export function unreached(documents: readonly Document[]): string[] {
  const byPath = new Map(documents.map((document) => [document.path, document]));
  const reached = new Set<string>();
  const waiting = ['README.md'];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const document = byPath.get(path) ?? byPath.get(join(path, 'README.md'));
    if (!document || reached.has(document.path)) continue;
    reached.add(document.path);
    const links = linksOf(document).filter((link) => !/^[a-z]+:/.test(link));
    waiting.push(
      ...links.map((link) => normalize(join(document.path, '..', link.split('#')[0] ?? '')).replace(/\/$/, '')),
    );
  }
  return [...byPath.keys()].filter((path) => !reached.has(path));
}

export function linksOf(document: Document): string[] {
  return [...prose(document).matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g)].map((found) => found[1] ?? '');
}

/** Anchors as GitHub makes them of headings. */
export function anchorsOf({ text }: Document): Set<string> {
  const anchors = new Set<string>();
  const headings = text.replace(/^\s*```[^\n]*\n[\s\S]*?^\s*```\s*$/gm, '').matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm);
  for (const [, heading = ''] of headings) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, '');
    const slug = plain
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-');
    let unique = slug;
    for (let again = 1; anchors.has(unique); again++) unique = `${slug}-${again}`;
    anchors.add(unique);
  }
  return anchors;
}
