import { ByocError } from '../errors/catalogue.js';

/** A database as a client addresses it. */
export interface DatabaseAddress {
  readonly database: string;
  readonly organization: string;
}

/** Of databases that the deployment has for itself. No client's database is in it. */
export const systemOrganization = 'system';

const databaseName = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
const organizationName = /^[a-z0-9]+$/;
/** A DNS label is at most this long. */
export const maxHostLabelLength = 63;

/** `<database>-<organization>`: unambiguous, because an organization's name has no dash. */
export function hostLabel(address: DatabaseAddress): string {
  return `${address.database}-${address.organization}`;
}

/** Throws `INVALID_NAME` unless the two names together form a host label. */
export function assertDatabaseAddress(address: DatabaseAddress): void {
  if (!organizationName.test(address.organization)) {
    throw new ByocError(
      'INVALID_NAME',
      'an organization name consists of lower-case letters and digits, without dashes',
    );
  }
  if (!databaseName.test(address.database)) {
    throw new ByocError(
      'INVALID_NAME',
      'a database name consists of lower-case letters, digits and dashes and neither starts nor ends with a dash',
    );
  }
  if (hostLabel(address).length > maxHostLabelLength) {
    throw new ByocError(
      'INVALID_NAME',
      `the host label "<database>-<organization>" may have ${maxHostLabelLength} characters`,
    );
  }
}

/** The address a host label stands for, or undefined when it is none. */
export function parseHostLabel(label: string): DatabaseAddress | undefined {
  const dash = label.lastIndexOf('-');
  if (dash < 1 || label.length > maxHostLabelLength) return undefined;
  const address = { database: label.slice(0, dash), organization: label.slice(dash + 1) };
  return databaseName.test(address.database) && organizationName.test(address.organization) ? address : undefined;
}
