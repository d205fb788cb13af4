import { readFileSync } from 'node:fs';
import { looksLikeCommands, npmCommands, treatmentOf } from './commands.js';
import { blocksOf, readDocuments, type Document } from './documents.js';
import { figureDefect, figuresOf, sourcesOf, valueAt } from './figures.js';
import { anchorsOf, brokenLinks, unreached } from './links.js';
import { proofDefect, proofsOf, unproven } from './proofs.js';
import { decidedVersions, releaseVersions, wrongVersions } from './versions.js';

const repository = '.';
const documents = readDocuments(repository);
const blocks = documents.flatMap(blocksOf);
const page = (text: string): Document => ({ path: 'docs/page.md', text });

describe('links', () => {
  test('lead to files and headings that are there', () => expect(brokenLinks(repository, documents)).toEqual([]));

  test('that lead nowhere are found', () => {
    const text =
      '# A heading, `code`\n[a](nowhere.md) [b](#another) [c](#a-heading-code) [d](../README.md) `[e](none.md)`';
    expect(anchorsOf(page(text))).toEqual(new Set(['a-heading-code']));
    const inReadme = { path: 'README.md', text };
    expect(brokenLinks(repository, [inReadme])).toEqual([
      'README.md: nowhere.md: there is no nowhere.md',
      'README.md: #another: README.md has no such heading',
      'README.md: ../README.md: there is no ../README.md',
    ]);
  });

  test('lead from the README to every page', () => {
    expect(unreached(documents)).toEqual([]);
    expect(unreached([page('nobody links here')])).toEqual(['docs/page.md']);
  });
});

describe('figures', () => {
  test('are those of the files that they are taken from', () => {
    const figures = documents.flatMap(figuresOf);
    expect(figures.map((figure) => figureDefect(repository, figure)).filter((defect) => defect !== undefined)).toEqual(
      [],
    );
    // A comment that stands behind nothing checks nothing.
    expect(figures).toHaveLength(documents.reduce((sum, document) => sum + sourcesOf(document), 0));
  });

  test('that differ from their file are found, rounded as they are written', () => {
    const source = 'runs/rewrap.json settings.databases';
    const defects = (text: string): (string | undefined)[] =>
      figuresOf(page(text)).map((figure) => figureDefect(repository, figure));
    expect(defects(`**10,000** databases<!-- ${source} -->, 10.0 s<!-- ${source} * 0.001 -->`)).toEqual([
      undefined,
      undefined,
    ]);
    expect(defects(`9,999 databases<!-- ${source} -->`)).toEqual([expect.stringContaining('the file says 10000')]);
    expect(defects(`1 s<!-- runs/rewrap.json no.such -->`)).toEqual([expect.stringContaining('no such number')]);
    expect(valueAt({ list: [{ name: 'a' }, { name: 'b', value: 7 }] }, 'list.[name=b].value')).toBe(7);
  });
});

describe('statements that a test shows', () => {
  const file = 'data-plane/test/clients/developers-guide.test.ts';

  test('name tests that are there, each of them', () => {
    const proofs = documents.flatMap(proofsOf);
    expect(proofs.length).toBeGreaterThan(40);
    expect(proofs.map((proof) => proofDefect(repository, proof)).filter((defect) => defect !== undefined)).toEqual([]);
    expect(documents.flatMap(unproven)).toEqual([]);
  });

  test('that name none are found', () => {
    const text =
      '- one\n  <!-- proof: addresses by path -->\n- two <!-- proof: no such test -->\n- three\n' +
      `- four <!-- proof: docs/none.test.ts: x --> <!-- proof: ${file}:\n  addresses by path -->\n`;
    expect(proofsOf(page(text)).map((proof) => proofDefect(repository, proof))).toEqual([
      undefined,
      `docs/page.md: ${file} has no test "no such test"`,
      'docs/page.md: there is no docs/none.test.ts',
      undefined,
    ]);
    expect(unproven(page(text))).toEqual([
      'docs/page.md: - three',
      'docs/page.md: - four <!-- proof: docs/none.test.ts: x --> <!-- proof: ' + `${file}:`,
    ]);
  });
});

describe('versions', () => {
  test('in documents are those of package files, Dockerfiles and installed tools', () => {
    expect(wrongVersions(documents, decidedVersions(repository))).toEqual([]);
  });

  test('that differ are found', () => {
    const versions = new Map([['moto', '5.2.5']]);
    expect(wrongVersions([page('moto 5.2.5, `moto` 5.2.4, remoto 1.1.1')], versions)).toEqual([
      'docs/page.md: `moto` 5.2.4, but it is 5.2.5',
    ]);
  });

  test('of the release are the same everywhere', () => {
    expect(new Set(releaseVersions(repository).values()).size).toBe(1);
  });
});

describe('commands', () => {
  test('every block of commands is marked as one, and says why it is not run where it is not', () => {
    const unmarked = blocks.filter((block) => block.language !== 'sh' && looksLikeCommands(block));
    expect(unmarked.map(({ path, line }) => `${path}:${line}`)).toEqual([]);
    for (const block of blocks.filter(({ language }) => language === 'sh')) expect(treatmentOf(block)).toBeDefined();
  });

  test('every npm command in every document is a script of this repository', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    const unknown = documents
      .filter(({ path }) => path !== 'CHANGELOG.md')
      .flatMap(({ path, text }) => npmCommands(text).map(({ script }) => `${path}: npm run ${script}`))
      .filter((command) => scripts[command.split(' ').at(-1) ?? ''] === undefined);
    expect(unknown).toEqual([]);
  });

  test('their options are read up to a comment, over lines that go on', () => {
    expect(npmCommands('npm run a -- --one 1 \\\n  --two # --three\n`npm run b:c`')).toEqual([
      { script: 'a', options: ['--one', '--two'] },
      { script: 'b:c', options: [] },
    ]);
  });
});
