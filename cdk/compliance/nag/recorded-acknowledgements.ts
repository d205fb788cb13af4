import { Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { isObject } from '../assembly/template.js';

/** A finding that somebody takes as it is, where, and why. */
export interface RecordedAcknowledgement {
  readonly rule: string;
  readonly constructPath: string;
  readonly reason: string;
}

/** Every acknowledgement that was recorded anywhere below a construct, in the order of the tree, each once. */
export function recordedAcknowledgements(scope: IConstruct): readonly RecordedAcknowledgement[] {
  const recorded = scope.node.findAll().flatMap(({ node }) =>
    node.metadata
      .filter(({ type, data }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY && isObject(data))
      .flatMap(({ data }) => Object.entries(data as Readonly<Record<string, unknown>>))
      .map(([id, reason]) => ({
        rule: id.replace(/^annotation::/i, ''),
        constructPath: node.path,
        reason: String(reason),
      })),
  );
  return [...new Map(recorded.map((each) => [`${each.constructPath} ${each.rule}`, each])).values()];
}
