/**
 * The new file that a restore fills. Storage never opens files itself: whoever restores decides what holds the bytes, a
 * file on the cache volume or, in a simulator, memory.
 */
export interface RestoredFile {
  /** Writes all of the parts, one after the other, from `position` on; a gap before it reads as zeros. */
  write(parts: readonly Uint8Array[], position: number): Promise<void>;
  /** Cuts the file off, or extends it with zeros. */
  truncate(sizeBytes: number): Promise<void>;
  close(): Promise<void>;
}
