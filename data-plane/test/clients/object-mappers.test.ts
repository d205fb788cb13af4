/** Object mappers and query builders over the official client, with their own migrations. */
import { createRequire } from 'node:module';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client } from '@libsql/client';
import { LibsqlDialect } from '@libsql/kysely-libsql';
import { eq, relations, sql as drizzleSql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/libsql';
import { migrate } from 'drizzle-orm/libsql/migrator';
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { knex, type Knex } from 'knex';
import { Kysely, Migrator, type Generated } from 'kysely';
import { DataNode, type TestDatabase } from '../support/data-node.js';

const authors = sqliteTable('authors', {
  id: integer('id').primaryKey({ autoIncrement: true }),
  name: text('name').notNull().unique(),
});
const books = sqliteTable(
  'books',
  {
    id: integer('id').primaryKey(),
    title: text('title').notNull(),
    authorId: integer('author_id').references(() => authors.id),
    published: integer('published', { mode: 'timestamp' }),
  },
  (table) => [index('books_by_title').on(table.title)],
);
const authorRelations = relations(authors, ({ many }) => ({ books: many(books) }));
const bookRelations = relations(books, ({ one }) => ({
  author: one(authors, { fields: [books.authorId], references: [authors.id] }),
}));

describe.each(['http', 'ws'] as const)('over %s', (scheme) => {
  let node: DataNode;
  const clients: Client[] = [];
  const directory = mkdtempSync(join(tmpdir(), 'migrations-'));

  beforeAll(async () => {
    node = await DataNode.start();
  });

  afterAll(async () => {
    for (const client of clients) client.close();
    await node.dispose();
    rmSync(directory, { recursive: true });
  });

  function clientOf(database: TestDatabase): Client {
    const client = createClient({ url: database.url.replace(/^http/, scheme), authToken: database.token });
    clients.push(client);
    return client;
  }

  it('Drizzle: migrations, queries with relations, transactions', async () => {
    writeDrizzleMigrations(directory);
    const client = clientOf(await node.createDatabase(`drizzle-${scheme}`));
    const db = drizzle(client, { schema: { authors, books, authorRelations, bookRelations } });
    await migrate(db, { migrationsFolder: directory });
    await migrate(db, { migrationsFolder: directory });
    const [author] = await db.insert(authors).values({ name: 'Karel Čapek' }).returning();
    expect(author).toEqual({ id: 1, name: 'Karel Čapek' });
    const published = new Date('1936-01-01T00:00:00Z');
    await db.batch([
      db.insert(books).values({ id: 1, title: 'War with the Newts', authorId: 1, published }),
      db.insert(books).values({ id: 2, title: 'R.U.R.', authorId: 1 }),
    ]);
    const found = await db.query.authors.findFirst({ with: { books: { orderBy: books.id } } });
    expect(found?.books).toEqual([
      { id: 1, title: 'War with the Newts', authorId: 1, published },
      { id: 2, title: 'R.U.R.', authorId: 1, published: null },
    ]);
    await expect(db.insert(authors).values({ name: 'Karel Čapek' })).rejects.toMatchObject({
      cause: { code: expect.stringContaining('SQLITE_CONSTRAINT') as string },
    });
    await expect(
      db.transaction(async (transaction) => {
        await transaction.update(books).set({ title: 'x' }).where(eq(books.id, 2));
        throw new Error('changed my mind');
      }),
    ).rejects.toThrow('changed my mind');
    const [counted] = await db
      .select({ n: drizzleSql<number>`count(*)` })
      .from(books)
      .where(eq(books.title, 'R.U.R.'));
    expect(counted).toEqual({ n: 1 });
  });

  it('Kysely: migrations, typed queries, transactions', async () => {
    interface Tables {
      readonly person: { readonly id: Generated<number>; readonly name: string; readonly age: number | null };
    }
    const client = clientOf(await node.createDatabase(`kysely-${scheme}`));
    // The dialect was made for an earlier client of the same interface.
    const dialect = new LibsqlDialect({ client: client as never });
    const db = new Kysely<Tables>({ dialect });
    const migrator = new Migrator({
      db,
      provider: {
        getMigrations: async () => ({
          '1': {
            up: async (schema) => {
              await schema.schema
                .createTable('person')
                .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
                .addColumn('name', 'text', (column) => column.notNull())
                .execute();
            },
          },
          '2': {
            up: async (schema) => {
              await schema.schema.alterTable('person').addColumn('age', 'integer').execute();
              await schema.schema.createIndex('person_by_name').on('person').column('name').execute();
            },
          },
        }),
      },
    });
    const { error, results } = await migrator.migrateToLatest();
    expect(error).toBeUndefined();
    expect(results?.map(({ status }) => status)).toEqual(['Success', 'Success']);
    const inserted = await db.insertInto('person').values({ name: 'Ada', age: 36 }).returning('id').executeTakeFirst();
    expect(inserted).toEqual({ id: 1 });
    await db.transaction().execute(async (transaction) => {
      await transaction.insertInto('person').values({ name: 'Grace', age: null }).execute();
      await transaction.updateTable('person').set({ age: 37 }).where('name', '=', 'Ada').execute();
    });
    expect(await db.selectFrom('person').select(['name', 'age']).orderBy('id').execute()).toEqual([
      { name: 'Ada', age: 37 },
      { name: 'Grace', age: null },
    ]);
    expect((await db.introspection.getTables()).map(({ name }) => name)).toEqual(['person']);
  });
});

describe('Knex', () => {
  it('migrations and queries, with the libsql package as its driver', async () => {
    const node = await DataNode.start();
    const folder = mkdtempSync(join(tmpdir(), 'knex-'));
    try {
      const database = await node.createDatabase('knex');
      writeFileSync(
        join(folder, '1.cjs'),
        `exports.up = (knex) => knex.schema.createTable('users', (table) => {
           table.increments('id'); table.string('email').unique(); table.timestamps(true, true);
         });
         exports.down = (knex) => knex.schema.dropTable('users');`,
      );
      const db = knexOver(database);
      try {
        const loadExtensions = ['.cjs'];
        await db.migrate.latest({ directory: folder, loadExtensions });
        await db('users').insert({ email: 'ada@example.com' });
        expect(await db('users').where({ email: 'ada@example.com' }).first('id', 'email')).toEqual({
          id: 1,
          email: 'ada@example.com',
        });
        await expect(db('users').insert({ email: 'ada@example.com' })).rejects.toThrow(/UNIQUE constraint failed/);
        await db.migrate.rollback({ directory: folder, loadExtensions });
        expect(await db.schema.hasTable('users')).toBe(false);
      } finally {
        await db.destroy();
      }
    } finally {
      await node.dispose();
      rmSync(folder, { recursive: true });
    }
  });
});

/** Knex's SQLite client on the `libsql` package, which speaks to a server when it is given its URL. */
function knexOver(database: TestDatabase): Knex {
  const require = createRequire(import.meta.url);
  const BetterSqlite = require('knex/lib/dialects/better-sqlite3/index.js') as new (config: object) => object;
  const Driver = require('libsql') as new (url: string, options: object) => object;
  class LibsqlClient extends BetterSqlite {
    _driver(): unknown {
      return Driver;
    }

    async acquireRawConnection(): Promise<object> {
      return new Driver(database.url, { authToken: database.token });
    }
  }
  return knex({ client: LibsqlClient as never, useNullAsDefault: true, connection: { filename: database.url } });
}

/** What drizzle-kit writes into a project. */
function writeDrizzleMigrations(folder: string): void {
  const entry = (idx: number, tag: string): object => ({
    idx,
    version: '6',
    when: 1_700_000_000_000 + idx,
    tag,
    breakpoints: true,
  });
  mkdirSync(join(folder, 'meta'), { recursive: true });
  const journal = { version: '7', dialect: 'sqlite', entries: [entry(0, '0000_first'), entry(1, '0001_second')] };
  writeFileSync(join(folder, 'meta', '_journal.json'), JSON.stringify(journal));
  writeFileSync(
    join(folder, '0000_first.sql'),
    'CREATE TABLE `authors` (`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL, `name` text NOT NULL);\n' +
      '--> statement-breakpoint\n' +
      'CREATE UNIQUE INDEX `authors_name_unique` ON `authors` (`name`);',
  );
  writeFileSync(
    join(folder, '0001_second.sql'),
    'CREATE TABLE `books` (`id` integer PRIMARY KEY NOT NULL, `title` text NOT NULL, `author_id` integer, ' +
      '`published` integer, FOREIGN KEY (`author_id`) REFERENCES `authors`(`id`) ON UPDATE no action ON DELETE no action);\n' +
      '--> statement-breakpoint\n' +
      'CREATE INDEX `books_by_title` ON `books` (`title`);',
  );
}
