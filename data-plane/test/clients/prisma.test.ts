/**
 * Prisma with its adapter for libSQL and its query compiler, WebAssembly without a native engine: migrations as its schema
 * engine writes and applies them, relations, every type, transactions.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PrismaLibSql } from '@prisma/adapter-libsql';
import { DataNode, type TestDatabase } from '../support/data-node.js';
import { getPrismaClientClass } from './prisma/client.js';
import { migrationList, openSchemaEngine } from './prisma/schema-engine.js';

const schema = readFileSync(join('data-plane', 'test', 'clients', 'prisma', 'schema.prisma'), 'utf8');
const schemaBefore = schema.replace(/\n {2}details .*\n/, '\n').replace(/\n {2}@@index.*\n/, '\n');
const filters = { externalTables: [], externalEnums: [] };
const PrismaClient = getPrismaClientClass();

const adapterOf = ({ url, token }: TestDatabase): PrismaLibSql => new PrismaLibSql({ url, authToken: token });

/** What `prisma migrate diff --script` prints, between two schemas; the first may be none. */
async function migrationScript(adapter: PrismaLibSql, from: string | undefined, to: string): Promise<string> {
  const engine = await openSchemaEngine(adapter, to);
  const of = (content: string) => ({ tag: 'schemaDatamodel' as const, files: [{ path: 'schema.prisma', content }] });
  try {
    const { stdout } = await engine.diff({
      from: from === undefined ? { tag: 'empty' } : of(from),
      to: of(to),
      script: true,
      exitCode: null,
      filters,
    });
    return stdout ?? '';
  } finally {
    engine.free();
  }
}

/** What `prisma migrate deploy` does: returns the names of the migrations that it applied. */
async function deploy(adapter: PrismaLibSql, migrations: Readonly<Record<string, string>>): Promise<string[]> {
  const engine = await openSchemaEngine(adapter, schema);
  try {
    const { appliedMigrationNames } = await engine.applyMigrations({
      migrationsList: migrationList(migrations),
      filters,
    });
    return appliedMigrationNames;
  } finally {
    engine.free();
  }
}

describe('Prisma', () => {
  let node: DataNode;
  let database: TestDatabase;
  let prisma: any;

  beforeAll(async () => {
    node = await DataNode.start({ TURSO_BYOC_ENGINE_PROCESSES: '1' });
    database = await node.createDatabase('prisma');
    prisma = new PrismaClient({ adapter: adapterOf(database) });
  });

  afterAll(async () => {
    await prisma.$disconnect();
    await node.dispose();
  });

  test('migrations', async () => {
    const adapter = adapterOf(database);
    const first = await migrationScript(adapter, undefined, schemaBefore);
    const second = await migrationScript(adapter, schemaBefore, schema);
    expect(first).toContain('CREATE TABLE "Author"');
    expect(second).toContain('ALTER TABLE "Book" ADD COLUMN');
    const both = { '1_first': first, '2_second': second };
    expect(await deploy(adapter, { '1_first': first })).toEqual(['1_first']);
    expect(await deploy(adapter, both)).toEqual(['2_second']);
    expect(await deploy(adapter, both)).toEqual([]);
    // Nothing is left between the database, as the engine reads it, and the schema.
    const reader = await openSchemaEngine(adapter, schema);
    expect(
      await reader.schemaPush({
        force: false,
        filters,
        schema: { files: [{ path: 'schema.prisma', content: schema }] },
      }),
    ).toMatchObject({ executedSteps: 0, unexecutable: [], warnings: [] });
    reader.free();
  });

  test('relations, and every type of a column', async () => {
    const book = {
      id: 1,
      title: 'War with the Newts',
      pages: 2n ** 53n - 1n,
      price: '12.5',
      cover: Uint8Array.of(0, 255, 1),
      published: new Date('1936-01-01T00:00:00Z'),
      details: { chapters: 27, names: ['Povondra'] },
    };
    const author = await prisma.author.create({
      data: {
        name: 'Karel Čapek',
        books: { create: [book, { id: 2, title: 'R.U.R.' }] },
        tags: { create: { name: 'czech' } },
      },
      include: { books: { orderBy: { id: 'asc' } }, tags: true },
    });
    expect(author).toMatchObject({ id: 1, tags: [{ name: 'czech' }] });
    const [found, other] = (
      await prisma.author.findUniqueOrThrow({
        where: { name: 'Karel Čapek' },
        include: { books: { orderBy: { id: 'asc' } } },
      })
    ).books;
    expect({
      ...found,
      price: found.price.toString(),
      cover: [...found.cover],
      published: found.published.toISOString(),
    }).toEqual({
      ...book,
      cover: [0, 255, 1],
      published: '1936-01-01T00:00:00.000Z',
      inPrint: true,
      authorId: 1,
    });
    expect(other).toMatchObject({ title: 'R.U.R.', pages: null, cover: null, published: null });
    expect(
      await prisma.book.count({
        where: { title: { contains: 'Newts' }, author: { tags: { some: { name: 'czech' } } } },
      }),
    ).toBe(1);
    expect(await prisma.book.groupBy({ by: ['authorId'], _count: true })).toEqual([{ authorId: 1, _count: 2 }]);
    // P2002 and P2003 need SQLite's number of the error, which @libsql/client never has over HTTP.
    await expect(prisma.author.create({ data: { name: 'Karel Čapek' } })).rejects.toMatchObject({
      code: 'P2039',
      message: expect.stringMatching(/UNIQUE constraint failed: Author.name/) as unknown,
    });
    await expect(prisma.book.create({ data: { id: 3, title: 'x', authorId: 99 } })).rejects.toMatchObject({
      code: 'P2039',
      message: expect.stringMatching(/FOREIGN KEY constraint failed/) as unknown,
    });
  });

  test('transactions', async () => {
    await prisma.$transaction([
      prisma.author.create({ data: { name: 'Bohumil Hrabal' } }),
      prisma.tag.update({ where: { name: 'czech' }, data: { authors: { connect: { name: 'Bohumil Hrabal' } } } }),
    ]);
    await expect(
      prisma.$transaction([
        prisma.author.create({ data: { name: 'nobody' } }),
        prisma.author.create({ data: { name: 'nobody' } }),
      ]),
    ).rejects.toMatchObject({ code: 'P2039' });
    await expect(
      prisma.$transaction(async (transaction: any) => {
        await transaction.author.update({ where: { name: 'Bohumil Hrabal' }, data: { name: 'x' } });
        expect(await transaction.author.count({ where: { name: 'x' } })).toBe(1);
        throw new Error('changed my mind');
      }),
    ).rejects.toThrow('changed my mind');
    await prisma.$transaction(async (transaction: any) => {
      const { id } = await transaction.author.findUniqueOrThrow({ where: { name: 'Bohumil Hrabal' } });
      await transaction.book.create({ data: { id: 4, title: 'Closely Watched Trains', authorId: id } });
    });
    const authors = await prisma.author.findMany({
      orderBy: { id: 'asc' },
      select: { name: true, _count: { select: { books: true } } },
    });
    expect(authors).toEqual([
      { name: 'Karel Čapek', _count: { books: 2 } },
      { name: 'Bohumil Hrabal', _count: { books: 1 } },
    ]);
    expect(await prisma.$queryRaw`SELECT count(*) AS n FROM "_AuthorToTag"`).toEqual([{ n: 2 }]);
    await prisma.author.delete({ where: { name: 'Karel Čapek' } });
    expect(await prisma.book.count()).toBe(1);
  });

  // What Prisma makes of a value depends on the declared type of its column, which this engine does not tell.
  test('not on tursodb, which tells affinities for declared types', async () => {
    const other = await node.createDatabase('prisma-tursodb', 'tursodb');
    const sql = ['CREATE TABLE t (a DATETIME, b BOOLEAN)', "INSERT INTO t VALUES ('2026-01-01T00:00:00Z', 1)"];
    for (const each of [database, other]) await node.run(each, ...sql);
    const types = async (of: TestDatabase) => {
      const { body } = await node.pipeline(of, [{ type: 'execute', stmt: { sql: 'SELECT a, b FROM t' } }]);
      return body.results[0]?.response?.result.cols.map(({ decltype }: { decltype: string }) => decltype);
    };
    expect(await types(database)).toEqual(['DATETIME', 'BOOLEAN']);
    expect(await types(other)).toEqual(['NUMERIC', 'NUMERIC']);
    const read = new PrismaClient({ adapter: adapterOf(other) });
    await expect(read.$queryRaw`SELECT a FROM t`).resolves.toEqual([{ a: '2026-01-01T00:00:00Z' }]);
    await read.$disconnect();
  });
});
