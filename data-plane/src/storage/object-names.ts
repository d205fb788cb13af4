/**
 * Names of stored objects. A name tells the protocol: what is written once carries the epoch or the term of its writer,
 * so that no two writers can ever choose the same name. A hash stands first, so that load spreads over the store's
 * partitions.
 */
import { createHash } from 'node:crypto';
import type { DatabaseId, NodeEpoch } from '../identity.js';

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 4);
const padded = (value: number): string => value.toString().padStart(12, '0');

/** One object of a node epoch's commit log, or the seal that ends it. In the log store. */
export function logObjectName(epoch: NodeEpoch, position: number): string {
  return `${logPrefix(epoch)}${padded(position)}`;
}

/** Starts the names of everything in a node epoch's log. */
export function logPrefix(epoch: NodeEpoch): string {
  return `log/${hash(epoch)}/${epoch}/`;
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

/** A log object in one zone only, copied where the loss of the zone does not reach it. In the data store. */
export function logCopyName(epoch: NodeEpoch, position: number): string {
  return `${logCopyPrefix(epoch)}${padded(position)}`;
}

export function logCopyPrefix(epoch: NodeEpoch): string {
  return `log-copies/${hash(epoch)}/${epoch}/`;
}

/** Says that a place was a zone of the log once. In the data store. */
export function logZoneName(place: string): string {
  return `log-zones/${createHash('sha256').update(place).digest('hex').slice(0, 32)}`;
}

export const nodeRecordPrefix = 'nodes/';

export function nodeRecordName(epoch: NodeEpoch): string {
  return `${nodeRecordPrefix}${epoch}`;
}

export const memberPrefix = 'members/';

/** Makes the epoch findable while it may have to be watched or recovered. */
export function memberName(epoch: NodeEpoch): string {
  return `${memberPrefix}${epoch}`;
}

export function recoveryRecordName(epoch: NodeEpoch): string {
  return `recoveries/${epoch}`;
}

export const usagePrefix = 'usage/';

/** Below which everything is that one epoch counted. */
export function usagePrefixOf(epoch: NodeEpoch): string {
  return `${usagePrefix}${epoch}/`;
}

/** What databases used, as one epoch counted it: one of its batches, counted from 1. In the data store. */
export function usageBatchName(epoch: NodeEpoch, sequence: number): string {
  return `${usagePrefixOf(epoch)}${padded(sequence)}`;
}

/** Some of its batches in one object: in the order of names after its first batch, before the second. In the data store. */
export function usageBundleName(epoch: NodeEpoch, first: number, last: number): string {
  return `${usagePrefixOf(epoch)}${padded(first)}-${padded(last)}`;
}

/** Something that lay under `key` among the batches and was none. In the data store. */
export function usageAsideName(key: string, digest: string): string {
  return `usage-aside/${key.slice(usagePrefix.length)}-${digest}`;
}

export const stagedDumpPrefix = 'dumps/';

/** A chunk of a dump that a database is to begin as. In the data store. */
export function stagedDumpChunkName(dump: string, chunk: number): string {
  return `${stagedDumpPrefix}${dump}/${padded(chunk)}`;
}

export const deploymentRecordName = 'deployment';

/** Says which versions of the stored formats may be written. In the data store. */
export const formatLevelName = 'format-level';

export function nameRecordName(organization: string, database: string): string {
  return `names/${hash(`${organization}/${database}`)}/${organization}/${database}`;
}

export const manifestPrefix = 'manifests/';

/** The database that the manifest under this key belongs to. */
export function manifestOwner(key: string): DatabaseId {
  return key.slice(key.lastIndexOf('/') + 1) as DatabaseId;
}

export function manifestName(database: DatabaseId): string {
  return `${manifestPrefix}${hash(database)}/${database}`;
}

/** Begins the names of all objects of a database but its manifest and its log. */
export function objectsPrefix(database: DatabaseId): string {
  return `objects/${hash(database)}/${database}/`;
}

function databaseObjects(database: DatabaseId, term: number, generation: number): string {
  return `${objectsPrefix(database)}${padded(term)}-${padded(generation)}`;
}

/** Term and generation that an object below `objectsPrefix` was written for, or undefined for one of another kind. */
export function termAndGeneration(key: string): { term: number; generation: number } | undefined {
  const found = /^objects\/[0-9a-f]{4}\/[0-9a-f-]{36}\/([0-9]{12})-([0-9]{12})\/[^/]+$/.exec(key);
  return found ? { term: Number(found[1]), generation: Number(found[2]) } : undefined;
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

/** Fragments that follow the generation of a branch or of a deleted database. `attempt` is random. */
export function carriedFragmentsName(database: DatabaseId, attempt: string): string {
  return `${objectsPrefix(database)}carried/${attempt}`;
}

/** Says that what wrapped the data keys of a deleted database was destroyed. */
export function shredCertificateName(database: DatabaseId): string {
  return `certificates/${hash(database)}/${database}`;
}

/** A list of objects of the database that are to be deleted. `attempt` is random. */
export function garbageListName(database: DatabaseId, attempt: string): string {
  return `${objectsPrefix(database)}garbage/${attempt}`;
}
