import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type Database } from '@tursodatabase/sync';
import { allRows, tables, type SoakedDatabase } from './soaked-database.js';

/** A device with a replica of a database: it pulls what others wrote, and pushes what it wrote itself. */
export class SoakDevice {
  private constructor(
    private readonly directory: string,
    private readonly replica: Database,
    private readonly soaked: SoakedDatabase,
  ) {}

  /** `url`: of the database on the node that the device is to talk to. Rejects when the node cannot be reached. */
  static async connect(soaked: SoakedDatabase, url: string): Promise<SoakDevice> {
    const directory = await mkdtemp(join(tmpdir(), 'turso-byoc-soak-device-'));
    try {
      const replica = await connect({
        path: join(directory, 'replica.db'),
        url: url.replace(/\/$/, ''),
        authToken: soaked.database.token,
      });
      return new SoakDevice(directory, replica, soaked);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Writes one more row of the device's own, to be pushed. */
  async write(): Promise<void> {
    const row = this.soaked.rows.synced + 1;
    const insert = await this.replica.prepare('INSERT INTO synced VALUES (?, ?)');
    await insert.run(row, this.soaked.content('synced', row));
    this.soaked.rows.synced = row;
  }

  /** Rejects when the node is gone; to be called again. */
  async push(): Promise<void> {
    await this.replica.push();
  }

  /** Rejects when the node is gone; to be called again. */
  async pull(): Promise<void> {
    await this.replica.pull();
  }

  /** What is wrong with the replica. */
  async faults(): Promise<string[]> {
    const faults: string[] = [];
    for (const table of tables) {
      const rows = (await (await this.replica.prepare(allRows(table))).raw().all()) as unknown[][];
      const fault = this.soaked.faultOf(table, rows);
      if (fault !== undefined) faults.push(`${table} on the device: ${fault}`);
    }
    return faults;
  }

  async close(): Promise<void> {
    await this.replica.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}
