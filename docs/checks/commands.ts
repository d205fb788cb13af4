/**
 * Commands in documents. Each block marked `sh` is run by a test, unless the comment above it says why not:
 *
 *   <!-- not run: needs an AWS account -->
 *   <!-- help only: takes minutes -->      its npm commands must know the options that are written there
 */
import type { Block } from './documents.js';

export type Treatment = { readonly kind: 'run' } | { readonly kind: 'help only' | 'not run'; readonly reason: string };

/** Made from one table, for a deployment that an alarm went off in: its commands ask AWS, a cluster or its metrics. */
const runbooks = 'docs/runbooks/';

/** Throws when the comment above it is none of these. */
export function treatmentOf({ path, line, mark }: Block): Treatment {
  if (mark === undefined && path.startsWith(runbooks)) return { kind: 'not run', reason: 'needs a deployment' };
  if (mark === undefined || mark === 'prettier-ignore') return { kind: 'run' };
  const found = /^(not run|help only): (\S.*)$/.exec(mark);
  if (!found) throw new Error(`${path}:${line}: the comment above it says neither "not run: …" nor "help only: …"`);
  return { kind: found[1] as 'help only' | 'not run', reason: found[2] ?? '' };
}

const commandNames = ['npm', 'npx', 'node', 'curl', 'docker', 'helm', 'kubectl', 'aws', 'export', 'cp', 'mkdir'];

/** Whether a block looks like commands for a shell. */
export function looksLikeCommands({ content }: Block): boolean {
  return commandNames.some((name) => content.trimStart().startsWith(`${name} `));
}

export interface NpmCommand {
  readonly script: string;
  /** Long options, without their values. */
  readonly options: readonly string[];
}

/** The `npm run` commands of a text, lines that go on included. */
export function npmCommands(text: string): NpmCommand[] {
  return [...text.replaceAll('\\\n', ' ').matchAll(/npm run (?:--silent )?([\w:-]+)([^\n`]*)/g)].map((found) => {
    const [rest = ''] = (found[2] ?? '').split(/\s#\s|[;&|]/);
    const [, options = ''] = / -- (.*)/.exec(rest) ?? [];
    return {
      script: found[1] ?? '',
      options: [...options.matchAll(/(?<!\S)(--[\w-]+)/g)].map((option) => option[1] ?? ''),
    };
  });
}
