/**
 * Names of stored objects. A name tells the protocol: what is written once carries the epoch or the term of its writer,
 * so that no two writers can ever choose the same name. A hash stands first, so that load spreads over the store's
 * partitions.
 */
import { createHash } from 'node:crypto';
import type { DatabaseId, NodeEpoch } from '../identity.js';

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 4);
const padded = (value: number): string => value.toString().padStart(12, '0');

/** What the names of an epoch's log objects start with. */
export const logPrefix = (epoch: NodeEpoch): string => `log/${hash(epoch)}/${epoch}/`;

/** One object of a node epoch's commit log, or the seal that ends it. In the log store. */
export function logObjectName(epoch: NodeEpoch, position: number): string {
  return `${logPrefix(epoch)}${padded(position)}`;
}

export const uncollectedLogPrefix = 'logs/';

/** Says that the log store, or a pack, may hold something of this epoch. */
export function uncollectedLogName(epoch: NodeEpoch): string {
  return `${uncollectedLogPrefix}${epoch}`;
}

/** What the names of an epoch's packs start with. */
export const packPrefix = (epoch: NodeEpoch): string => `packs/${hash(epoch)}/${epoch}/`;

/** What was still unfolded of some of an epoch's log objects. In the data store. */
export function packName(epoch: NodeEpoch, number: number): string {
  return `${packPrefix(epoch)}${padded(number)}`;
}

export const nodeRecordPrefix = 'nodes/';

export function nodeRecordName(epoch: NodeEpoch): string {
  return `${nodeRecordPrefix}${epoch}`;
}

export function recoveryRecordName(epoch: NodeEpoch): string {
  return `recoveries/${epoch}`;
}

export const deploymentRecordName = 'deployment';

export function nameRecordName(organization: string, database: string): string {
  return `names/${hash(`${organization}/${database}`)}/${organization}/${database}`;
}

export function manifestName(database: DatabaseId): string {
  return `manifests/${hash(database)}/${database}`;
}

function databaseObjects(database: DatabaseId, term: number, generation: number): string {
  return `objects/${hash(database)}/${database}/${padded(term)}-${padded(generation)}`;
}

export function generationName(database: DatabaseId, term: number, generation: number): string {
  return `${databaseObjects(database, term, generation)}/generation`;
}

/** A run of the generation's new segments, one sealed segment after the other. */
export function segmentBundleName(database: DatabaseId, term: number, generation: number, bundle: number): string {
  return `${databaseObjects(database, term, generation)}/segments-${padded(bundle)}`;
}

export function segmentListName(database: DatabaseId, term: number, generation: number, list: number): string {
  return `${databaseObjects(database, term, generation)}/list-${padded(list)}`;
}

/** The fragments that led from the previous generation to this one. */
export function archiveName(database: DatabaseId, term: number, generation: number): string {
  return `${databaseObjects(database, term, generation)}/archive`;
}
