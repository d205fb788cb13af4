/** TypeORM with its SQLite driver on the `libsql` package, which speaks to a server when it is given its URL. */
import { createRequire } from 'node:module';
import {
  DataSource,
  EntitySchema,
  EntitySchemaOptions,
  Table,
  TableColumn,
  type MigrationInterface,
  type QueryRunner,
  type Repository,
} from 'typeorm';
import { DataNode, type TestDatabase } from '../support/data-node.js';

interface Author {
  id: number;
  name: string;
  books: Book[];
}
interface Book {
  id: number;
  title: string;
  inPrint: boolean;
  published: Date | null;
  /** Written as a Buffer; the package reads an ArrayBuffer. */
  cover: Buffer | ArrayBuffer | null;
  author: Author;
}

/** The package takes any object; its type asks for one of this class. */
function schemaOf<T extends object>(options: Partial<EntitySchemaOptions<T>>): EntitySchema<T> {
  return new EntitySchema(Object.assign(new EntitySchemaOptions<T>(), options));
}

const authorSchema = schemaOf<Author>({
  name: 'author',
  columns: { id: { type: Number, primary: true, generated: true }, name: { type: String, unique: true } },
  relations: { books: { type: 'one-to-many', target: 'book', inverseSide: 'author', cascade: ['insert'] } },
});
const bookSchema = schemaOf<Book>({
  name: 'book',
  columns: {
    id: { type: Number, primary: true },
    title: { type: String },
    inPrint: { type: Boolean, default: true },
    published: { type: 'datetime', nullable: true },
    cover: { type: 'blob', nullable: true },
  },
  relations: {
    author: { type: 'many-to-one', target: 'author', inverseSide: 'books', onDelete: 'CASCADE', nullable: false },
  },
});

/** A migration by hand: TypeORM's own way to change a table makes a new one and copies the rows. */
class AddYear1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(new Table({ name: 'prize', columns: [{ name: 'id', type: 'integer', isPrimary: true }] }));
    await runner.addColumn('prize', new TableColumn({ name: 'year', type: 'integer', isNullable: true }));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('prize');
  }
}

function dataSourceOf({ url, token }: TestDatabase): DataSource {
  const Driver = createRequire(import.meta.url)('libsql') as new (url: string, options: object) => object;
  // The driver makes a directory for what it takes for the path of a file, so it is not told the URL.
  const driver = function () {
    return new Driver(url, { authToken: token });
  };
  return new DataSource({
    type: 'better-sqlite3',
    database: ':memory:',
    driver,
    entities: [authorSchema, bookSchema],
    migrations: [AddYear1700000000000],
  });
}

/**
 * On tursodb `PRAGMA table_info` tells a default in parentheses, so that a schema never looks as TypeORM made it, and foreign keys
 * are off in every stream that does not turn them on itself.
 */
describe.each([
  { engine: 'libsql', looksAsMade: true, leftByCascade: 0 },
  { engine: 'tursodb', looksAsMade: false, leftByCascade: 2 },
] as const)('TypeORM on $engine', ({ engine, looksAsMade, leftByCascade }) => {
  let node: DataNode;
  let source: DataSource;
  let authors: Repository<Author>;
  let books: Repository<Book>;

  beforeAll(async () => {
    node = await DataNode.start({ TURSO_BYOC_ENGINE_PROCESSES: '1' });
    source = await dataSourceOf(await node.createDatabase('typeorm', engine)).initialize();
    authors = source.getRepository(authorSchema);
    books = source.getRepository(bookSchema);
  });

  afterAll(async () => {
    await source.destroy();
    await node.dispose();
  });

  test('the schema is made of the entities', async () => {
    await source.synchronize();
    const log = await source.driver.createSchemaBuilder().log();
    expect(log.upQueries.length === 0).toBe(looksAsMade);
  });

  test('migrations, there and back', async () => {
    expect((await source.runMigrations()).map(({ name }) => name)).toEqual(['AddYear1700000000000']);
    expect(await source.runMigrations()).toEqual([]);
    await source.query('INSERT INTO prize (id, year) VALUES (1, 1936)');
    expect(await source.query('SELECT year FROM prize')).toEqual([{ year: 1936 }]);
    await source.undoLastMigration();
    await expect(source.query('SELECT 1 FROM prize')).rejects.toThrow(/no such table/);
  });

  test('relations and values', async () => {
    const published = new Date('1936-01-01T00:00:00Z');
    const author = await authors.save({
      name: 'Karel Čapek',
      books: [
        { id: 1, title: 'War with the Newts', published, cover: Buffer.of(0, 255) },
        { id: 2, title: 'R.U.R.', inPrint: false },
      ] as Partial<Book>[] as Book[],
    });
    expect(author.id).toBe(1);
    const found = await authors.findOneOrFail({
      where: { id: 1 },
      relations: { books: true },
      order: { books: { id: 'ASC' } },
    });
    expect(found.books).toMatchObject([
      { id: 1, title: 'War with the Newts', inPrint: true },
      { id: 2, title: 'R.U.R.', inPrint: false, published: null, cover: null },
    ]);
    expect(found.books[0]?.published?.toISOString()).toBe(published.toISOString());
    expect([...new Uint8Array(found.books[0]!.cover!)]).toEqual([0, 255]);
    expect(await books.countBy({ author: { name: 'Karel Čapek' } })).toBe(2);
    await expect(authors.insert({ name: 'Karel Čapek' })).rejects.toThrow(/UNIQUE constraint failed/);
  });

  test('transactions', async () => {
    await expect(
      source.transaction(async (manager) => {
        await manager.update(bookSchema, { id: 2 }, { title: 'x' });
        expect(await manager.countBy(bookSchema, { title: 'x' })).toBe(1);
        throw new Error('changed my mind');
      }),
    ).rejects.toThrow('changed my mind');
    expect(await books.countBy({ title: 'x' })).toBe(0);
    await source.transaction(async (manager) => {
      await manager.update(bookSchema, { id: 2 }, { title: 'y' });
    });
    expect(await books.countBy({ title: 'y' })).toBe(1);
    await authors.delete({ id: 1 });
    expect(await books.count()).toBe(leftByCascade);
  });
});
