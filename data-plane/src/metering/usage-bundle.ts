/**
 * Batches of usage in one object. A batch keeps its number in it, and counts once, as it did before: what was handed on, added
 * up or removed meanwhile changes nothing.
 */
import { StoredJson } from '../storage/stored-json.js';
import { usageBatchSchema, type UsageBatch } from './usage-batch.js';

/** Batches in a bundle: those with the numbers 1 to 64, 65 to 128, and so on. A page holds as many. */
export const batchesInBundle = 64;

export interface UsageBundle {
  /** Of one epoch, without gaps, the last one with a number that this many divide. */
  readonly batches: readonly UsageBatch[];
}

export const storedUsageBundle = new StoredJson<UsageBundle>('turso-byoc/usage-bundle/1', {
  type: 'object',
  required: ['batches'],
  additionalProperties: false,
  properties: {
    batches: { type: 'array', minItems: batchesInBundle, maxItems: batchesInBundle, items: usageBatchSchema },
  },
});
