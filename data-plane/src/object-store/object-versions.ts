/**
 * The versions that a store keeps of an object beside the present one, as a versioned bucket does. What must not be left
 * anywhere, a wrapped key, has to be destroyed in all of them.
 */
export interface ObjectVersions {
  /** Names of the versions that are not the present one. Throws `StoreUnavailableError`. */
  older(key: string): Promise<string[]>;
  /**
   * Removes a version that `older` named, for good; removing one that is gone succeeds. Throws `StoreUnavailableError`, also
   * when the store does not let it go (object lock, permission).
   */
  remove(key: string, version: string): Promise<void>;
}

/** Of a store where a replaced object is gone. */
export const noVersions: ObjectVersions = {
  older: async () => Promise.resolve([]),
  remove: async () => Promise.resolve(),
};
