import type { Rule } from '../rule.js';
import { alarmRules } from './alarm-rules.js';
import { computeRules } from './compute-rules.js';
import { domainRules } from './domain-rules.js';
import { exposureRules } from './exposure-rules.js';
import { imageRules } from './image-rules.js';
import { keyRules } from './key-rules.js';
import { logRules } from './log-rules.js';
import { networkRules } from './network-rules.js';
import { principalRules } from './principal-rules.js';
import { retentionRules } from './retention-rules.js';
import { tagRules } from './tag-rules.js';
import { traceRules } from './trace-rules.js';
import { zoneRules } from './zone-rules.js';

/** Every rule about relations between fields. */
export const allRules: readonly Rule[] = [
  ...zoneRules,
  ...computeRules,
  ...networkRules,
  ...exposureRules,
  ...domainRules,
  ...logRules,
  ...keyRules,
  ...principalRules,
  ...retentionRules,
  ...alarmRules,
  ...imageRules,
  ...tagRules,
  ...traceRules,
];
