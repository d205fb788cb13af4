/** Verifies the exported audit chain from the store that it is in: no catalog, no data plane, no network. */
import { compactVerify, errors } from 'jose';
import { verificationKeysObject } from '@turso-byoc/data-plane/auth/claims.js';
import { parseVerificationKeySet, type VerificationKey } from '@turso-byoc/data-plane/auth/verification-key-set.js';
import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { isControlPlaneError } from '../errors/catalogue.js';
import { readAuditKeys } from './audit-keys.js';
import { genesis, linkFault, type ChainHead } from './audit-chain.js';
import { auditHeadType, auditKeys, parseAuditObject } from './audit-object.js';

export interface AuditVerification {
  readonly objects: number;
  /** Where the chain ends; compare it with a head that you noted before to know that nothing was cut off. */
  readonly head: ChainHead;
  /** What is wrong; empty when everything is as it was written. */
  readonly faults: readonly string[];
}

/** Reads every exported object in order. Throws the errors of the store. */
export async function verifyAudit(store: Pick<ObjectStore, 'get' | 'list'>): Promise<AuditVerification> {
  const keySet = await store.get(verificationKeysObject);
  const published = keySet === undefined ? [] : [...parseVerificationKeySet(keySet.body).keys.values()];
  const faults: string[] = [];
  const kept = await readAuditKeys(store).catch((error: unknown) => {
    if (!isControlPlaneError(error, 'AUDIT_DAMAGED')) throw error;
    faults.push(error.message);
    return [];
  });
  const keys = new Map([...published, ...kept].map(({ kid, key }) => [kid, key]));
  let head = genesis;
  let objects = 0;
  for await (const key of auditKeys(store)) {
    objects += 1;
    const object = await store.get(key);
    if (object === undefined) {
      faults.push(`${key} is gone`);
      continue;
    }
    try {
      const { entries, signature } = parseAuditObject(key, object.body);
      for (const entry of entries) {
        const fault = linkFault(head, entry);
        if (fault !== undefined) faults.push(`${key}: ${fault}`);
        head = { sequence: entry.sequence, hash: entry.hash };
      }
      const signatureFault = await faultOfSignature(signature, head, keys);
      if (signatureFault !== undefined) faults.push(`${key}: ${signatureFault}`);
    } catch (error) {
      if (!isControlPlaneError(error, 'AUDIT_DAMAGED')) throw error;
      faults.push(error.message);
    }
  }
  return { objects, head, faults };
}

async function faultOfSignature(
  signature: string,
  head: ChainHead,
  keys: ReadonlyMap<string, VerificationKey['key']>,
): Promise<string | undefined> {
  try {
    const { payload, protectedHeader } = await compactVerify(
      signature,
      ({ kid }) => {
        const key = keys.get(kid ?? '');
        if (key === undefined) throw new errors.JWKSNoMatchingKey();
        return key;
      },
      { algorithms: ['EdDSA'] },
    );
    const signed = Buffer.from(payload).toString('utf8');
    if (protectedHeader.typ === auditHeadType && signed === JSON.stringify(head)) return undefined;
    return 'the signature is of something else';
  } catch (error) {
    if (error instanceof errors.JOSEError) return 'no published key has signed where the chain ends';
    throw error;
  }
}
