import { readFile } from 'node:fs/promises';
import type { Client } from '@libsql/client';

/** A database as one of the two places of a move knows it. */
export interface PlacedDatabase {
  readonly name: string;
  readonly group: string;
  /** Runs on the Turso engine instead of libSQL. */
  readonly onTursoEngine: boolean;
}

/** Where databases are moved from or to. Methods reject with what the place has to say. */
export interface Place {
  /** For people: never with a token. */
  readonly title: string;
  list(): Promise<readonly PlacedDatabase[]>;
  /** Makes the group and the database, unless they are there. */
  ensure(database: PlacedDatabase): Promise<void>;
  /** A connection to a database; the caller closes it. */
  open(name: string): Promise<Client>;
  /** From now on the database takes no writes, or takes them again. */
  setFrozen(name: string, frozen: boolean): Promise<void>;
  /** What clients need: the address, and a token of their own where the place makes tokens. */
  access(name: string): Promise<{ readonly url: string; readonly token?: string }>;
}

/** An organization of a Platform API. */
export interface PlatformDescription {
  readonly kind: 'platform';
  /** Of the Platform API, without `/v1`. */
  readonly apiUrl: string;
  readonly organization: string;
  readonly token: string;
  /** Databases are reached at `<dataUrl>/db/<name>-<organization>/`; otherwise at their host names. */
  readonly dataUrl?: string;
}

/** One database of any server that speaks SQL over HTTP, such as sqld. */
export interface SingleDescription {
  readonly kind: 'single';
  readonly url: string;
  readonly name: string;
  readonly token?: string;
}

export class PlaceInvalid extends Error {
  override readonly name = 'PlaceInvalid';
}

const expected =
  'expected JSON with "apiUrl", "organization" and "token" (a Platform API; local.json of "npm start" is one), ' +
  'or with "url", "name" and, where one is needed, "token" (one database)';

/** Reads a description; tokens come in files so that no list of processes shows them. Throws `PlaceInvalid`. */
export async function readPlace(file: string): Promise<PlatformDescription | SingleDescription> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new PlaceInvalid(`${file} cannot be read: ${(error as Error).message}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message would quote the file, and with it perhaps the token.
    throw new PlaceInvalid(`${file} is not JSON; ${expected}`);
  }
  return describe(file, value);
}

function describe(file: string, value: unknown): PlatformDescription | SingleDescription {
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
  const text = (name: string): string => {
    const field = fields[name];
    if (typeof field !== 'string' || field === '') throw new PlaceInvalid(`${file} has no "${name}"; ${expected}`);
    return field;
  };
  const address = (name: string): string => {
    const url = URL.canParse(text(name)) ? new URL(text(name)) : undefined;
    if (url === undefined || !['http:', 'https:', 'libsql:'].includes(url.protocol)) {
      throw new PlaceInvalid(`${file}: "${name}" is no http, https or libsql address`);
    }
    if (url.username !== '' || url.password !== '' || url.search !== '') {
      throw new PlaceInvalid(
        `${file}: "${name}" must have neither a user nor a query; the token has a field of its own`,
      );
    }
    return url.href.replace(/\/$/, '');
  };
  if (fields['apiUrl'] !== undefined) {
    const dataUrl = fields['dataUrl'] === undefined ? {} : { dataUrl: address('dataUrl') };
    const [organization, token] = [text('organization'), text('token')];
    return { kind: 'platform', apiUrl: address('apiUrl'), organization, token, ...dataUrl };
  }
  const name = text('name');
  if (!/^[a-z0-9-]{1,64}$/.test(name)) {
    throw new PlaceInvalid(`${file}: "name" is made of small letters, digits and dashes, 64 at most`);
  }
  const token = fields['token'] === undefined ? {} : { token: text('token') };
  // With the slash, paths of the protocol are added to it; without, clients replace its last part.
  return { kind: 'single', url: `${address('url')}/`, name, ...token };
}
