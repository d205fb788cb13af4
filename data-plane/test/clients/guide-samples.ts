/** The samples of the guide for application developers: what each is, and how it is run with the packages of this repository. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { blocksOf, readDocuments } from '../../../docs/checks/documents.js';

const run = promisify(execFile);
const repository = resolve('.');
const guide = 'docs/developers.md';

export interface GuideSample {
  /** The line of the guide where it begins. */
  readonly line: number;
  readonly content: string;
  /** The module that it is, named in its first line; without one it is a program. */
  readonly file: string | undefined;
  /** What it prints, line by line: whatever stands behind `// →`. */
  readonly prints: readonly string[];
}

export const guideSamples: readonly GuideSample[] = readDocuments(repository)
  .filter(({ path }) => path === guide)
  .flatMap(blocksOf)
  .filter(({ language }) => language === 'js')
  .map(({ line, content }) => ({
    line,
    content,
    file: /^\/\/ file: (\S+)/.exec(content)?.[1],
    prints: [...content.matchAll(/\/\/ → (.*)$/gm)].map(([, printed = '']) => printed),
  }));

/** An error that a program ends with counts as printed. */
const runnerSource = `
import { format } from 'node:util';
for (const { path, url, token } of JSON.parse(process.argv[2])) {
  process.env.DATABASE_URL = url;
  process.env.DATABASE_TOKEN = token;
  const printed = [];
  console.log = (...values) => printed.push(format(...values));
  await import(path).catch((error) => printed.push(String(error.stack)));
  process.stdout.write(JSON.stringify(printed) + '\\n');
}`;

/** A project of an application: a directory in which the packages of this repository are installed. */
export class SampleProject {
  readonly directory = mkdtempSync(join(tmpdir(), 'guide-'));

  constructor() {
    symlinkSync(join(repository, 'node_modules'), join(this.directory, 'node_modules'));
  }

  /** Places a sample there and returns its path. */
  place({ content, file, line }: GuideSample): string {
    const path = join(this.directory, file ?? `sample-${line}.mjs`);
    writeFileSync(path, content);
    return path;
  }

  /** Runs programs in one process, each against its database, and returns what each prints. */
  async run(programs: readonly { sample: GuideSample; url: string; token: string }[]): Promise<string[][]> {
    const runner = join(this.directory, 'runner.mjs');
    writeFileSync(runner, runnerSource);
    const placed = programs.map(({ sample, url, token }) => ({ path: this.place(sample), url, token }));
    const { stdout } = await run(process.execPath, [runner, JSON.stringify(placed)], {
      cwd: this.directory,
      timeout: 60_000,
    });
    return stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as string[]);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }
}
