/** Keys that the clients of test databases hold. */
import { randomBytes } from 'node:crypto';
import { ciphers, type CipherName } from '../../src/keys/ciphers.js';
import type { DataNode, TestDatabase } from './data-node.js';

/** A random key of the length that a cipher takes, in base64. */
export function newClientKey(cipher: CipherName): string {
  return randomBytes(ciphers[cipher].keyBytes).toString('base64');
}

/** The database as a client reaches it that sends this key. */
export function withKey(database: TestDatabase, key: string, cipher?: string): TestDatabase {
  const declared = cipher !== undefined && { 'x-turso-encryption-cipher': cipher };
  return { ...database, headers: { 'x-turso-encryption-key': key, ...declared } };
}

/** The database as a client reaches it that sends no key. */
export function withoutKey({ headers: _headers, ...database }: TestDatabase): TestDatabase {
  return database;
}

/** Creates a database whose client holds the key; the key is sent with every request to what is returned. */
export async function createKeyed(
  node: DataNode,
  name: string,
  { engine = 'libsql', cipher = 'aegis256' }: { engine?: 'libsql' | 'tursodb'; cipher?: CipherName } = {},
): Promise<{ database: TestDatabase; key: string }> {
  const key = newClientKey(cipher);
  const database = await node.createDatabase(name, engine, { encryption: { key, cipher } });
  return { database: withKey(database, key), key };
}
