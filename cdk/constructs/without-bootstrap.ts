import { BootstraplessSynthesizer, type IStackSynthesizer } from 'aws-cdk-lib';

/**
 * Has templates that mention no bootstrap stack, role or bucket of the CDK, for accounts where `cdk bootstrap` is not allowed. That
 * works because no stack here has an asset.
 */
export function withoutBootstrap(): IStackSynthesizer {
  return new BootstraplessSynthesizer() as IStackSynthesizer;
}
