/** Findings of cdk-nag that are meant as they are: the one list of all of them, each with its reason. */
import { Validations } from 'aws-cdk-lib';
import type { DeploymentStacks } from '../stacks/build-deployment.js';

export interface Acknowledgement {
  /** Id of the finding, as the pack reports it. */
  readonly id: string;
  /** Which constructs: a pattern of their path; everything that matches. */
  readonly paths: RegExp;
  readonly reason: string;
}

export const acknowledgements: readonly Acknowledgement[] = [];

/** Enters every acknowledgement at the constructs that it is about. */
export function acknowledge(stacks: DeploymentStacks): void {
  for (const stack of stacks.values()) {
    for (const construct of stack.node.findAll()) {
      for (const { id, paths, reason } of acknowledgements) {
        if (paths.test(construct.node.path)) Validations.of(construct).acknowledge({ id, reason });
      }
    }
  }
}
