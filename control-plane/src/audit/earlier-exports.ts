import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { systemRuntime } from '@turso-byoc/data-plane/runtime.js';
import { listKeys } from '@turso-byoc/data-plane/storage/list-keys.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import { auditPrefix } from './audit-object.js';
import { createOrRead } from './create-or-read.js';

/**
 * What was exported to the control store before the audit log had a store of its own, and what a replica that does not know of that
 * store still exports while the deployment is updated.
 */
export class EarlierExports {
  #after: string | undefined;

  constructor(
    private readonly from: ObjectStore,
    private readonly to: ObjectStore,
  ) {}

  /**
   * Copies what has come since the last call, in order, and what is not there; what is there stays. One listing when nothing has
   * come. Returns how many objects were looked at. Throws `AUDIT_DAMAGED` and the errors of the stores.
   */
  async copy(): Promise<number> {
    const keys: string[] = [];
    for await (const key of listKeys(systemRuntime, this.from, auditPrefix, this.#after)) keys.push(key);
    const last = keys.at(-1);
    // They are copied in order: where the last one is, all are.
    if (last === undefined || (this.#after === undefined && (await this.to.get(last)) !== undefined)) {
      this.#after = last ?? this.#after;
      return 0;
    }
    for (const key of keys) {
      const object = await this.from.get(key);
      if (object === undefined) throw new ControlPlaneError('AUDIT_DAMAGED', `the audit object ${key} is gone`);
      await createOrRead(this.to, key, object.body);
      this.#after = key;
    }
    return keys.length;
  }
}
