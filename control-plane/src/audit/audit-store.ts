/**
 * Where the audit log is exported: the control store, or a store of its own whose objects nobody can replace or delete. The
 * control store must let its objects be replaced; one under object lock must not be written to for a trial, since the trial
 * would stay in it.
 */
import type { Logger } from 'pino';
import type { VerificationKeySet } from '@turso-byoc/data-plane/auth/claims.js';
import { openStore } from '@turso-byoc/data-plane/object-store/open-store.js';
import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { describeStore, type StoreLocation } from '@turso-byoc/data-plane/object-store/store-url.js';
import { systemRuntime } from '@turso-byoc/data-plane/runtime.js';
import type { TokenSigner } from '../auth/token-signer.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import { keepAuditKey, readAuditKeys } from './audit-keys.js';
import { EarlierExports } from './earlier-exports.js';

export interface AuditStoreOptions {
  readonly location: StoreLocation;
  readonly control: ObjectStore;
  readonly signer: TokenSigner;
  /** Every key that this deployment has published. */
  readonly published: VerificationKeySet;
  readonly logger: Logger;
}

/**
 * Opens the store, puts the signer's public key there, and copies what an earlier configuration exported to the control
 * store, so that the chain is whole where it goes on. Copies that are there already are not written again.
 *
 * Throws `SETTING_INVALID` when the store holds the audit log of another deployment, and the errors of `openStore`.
 */
export async function openAuditStore(
  options: AuditStoreOptions,
): Promise<{ readonly store: ObjectStore; readonly earlier: EarlierExports }> {
  const { location, control, signer, published, logger } = options;
  const store = await openStore(location, {
    runtime: systemRuntime,
    needs: [],
    report: (event, fields) => logger.warn(fields, event),
  });
  const known = new Set(published.keys.map(({ kid }) => kid));
  const kept = await readAuditKeys(store);
  if (kept.length > 0 && !kept.some(({ kid }) => known.has(kid))) {
    const why = `the store ${describeStore(location)} holds the audit log of another deployment`;
    throw new ControlPlaneError('SETTING_INVALID', `TURSO_BYOC_AUDIT_STORE cannot be used: ${why}`);
  }
  await keepAuditKey(store, signer);
  const earlier = new EarlierExports(control, store);
  const copied = await earlier.copy();
  if (copied > 0) logger.info({ objects: copied }, 'the exported audit log was copied from the control store');
  return { store, earlier };
}
