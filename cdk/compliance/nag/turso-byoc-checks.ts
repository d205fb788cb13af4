import type { CfnResource } from 'aws-cdk-lib';
import { NagMessageLevel, NagPack, type NagPackProps } from 'cdk-nag';
import type { IConstruct } from 'constructs';
import type { Rule, RuleSettings } from './rule.js';
import { bucketDenyWrongKey } from './rules/bucket-deny-wrong-key.js';
import { containerHardened } from './rules/container-hardened.js';
import { directoryBucketCreateSessionScoped } from './rules/directory-bucket-create-session-scoped.js';
import { directoryBucketDenyInsecureTransport } from './rules/directory-bucket-deny-insecure-transport.js';
import { directoryBucketKmsRequired } from './rules/directory-bucket-kms-required.js';
import { endpointPolicyNotWildcard } from './rules/endpoint-policy-not-wildcard.js';
import { imageByDigest } from './rules/image-by-digest.js';
import { imdsv2HopLimit1 } from './rules/imdsv2-hop-limit1.js';
import { keyDeletionWindow } from './rules/key-deletion-window.js';
import { kmsEncryptionContextRequired } from './rules/kms-encryption-context-required.js';
import { logRetentionAtLeast } from './rules/log-retention-at-least.js';
import { noForeignPrincipal } from './rules/no-foreign-principal.js';
import { noInternetRoute } from './rules/no-internet-route.js';
import { noPublicLoadBalancer } from './rules/no-public-load-balancer.js';
import { noWildcardWithoutReason } from './rules/no-wildcard-without-reason.js';
import { permissionsBoundaryPresent } from './rules/permissions-boundary-present.js';
import { statefulResourceRetained } from './rules/stateful-resource-retained.js';

/** Every rule of the pack. */
export const tursoByocRules: readonly Rule[] = [
  bucketDenyWrongKey,
  containerHardened,
  directoryBucketCreateSessionScoped,
  directoryBucketDenyInsecureTransport,
  directoryBucketKmsRequired,
  endpointPolicyNotWildcard,
  imageByDigest,
  imdsv2HopLimit1,
  keyDeletionWindow,
  kmsEncryptionContextRequired,
  logRetentionAtLeast,
  noForeignPrincipal,
  noInternetRoute,
  noPublicLoadBalancer,
  noWildcardWithoutReason,
  permissionsBoundaryPresent,
  statefulResourceRetained,
];

/** What the public packs do not know about: directory buckets, and the promises of this product. Findings: `TursoByoc-<rule>`. */
export class TursoByocChecks extends NagPack {
  readonly name = 'TursoByoc';
  override readonly ruleIds = tursoByocRules.map((rule) => `TursoByoc-${rule.name}`);
  readonly #settings: RuleSettings;

  constructor(scope: IConstruct, settings: RuleSettings, props?: NagPackProps) {
    super(scope, props);
    this.packName = this.name;
    this.#settings = settings;
  }

  protected override checkResource(node: CfnResource): void {
    for (const { name, info, explanation, check } of tursoByocRules) {
      this.applyRule({
        ruleSuffixOverride: name,
        info,
        explanation,
        level: NagMessageLevel.ERROR,
        node,
        rule: (resource) => check(resource, this.#settings),
      });
    }
  }
}
