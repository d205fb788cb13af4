import { IntrinsicFunctions } from '../../compliance/assembly/intrinsic-functions.js';
import { resourcesOf, type SynthesizedApp } from '../../compliance/assembly/synthesized-app.js';
import type { ResolvedConfiguration } from '../../config/deployment-configuration.js';
import { DeploymentNames } from '../../config/deployment-names.js';

/** What expectations name, as the synthesized templates have it. */
export class DeploymentArns {
  readonly names: DeploymentNames;
  readonly functions: IntrinsicFunctions;

  constructor(
    readonly configuration: ResolvedConfiguration,
    private readonly app: SynthesizedApp,
  ) {
    this.names = new DeploymentNames(configuration);
    this.functions = new IntrinsicFunctions(app);
  }

  /** The key behind `alias/turso-byoc/<deployment>/<purpose>`. */
  key(purpose: string): string {
    const wanted = `alias/${this.names.keyAlias(purpose)}`;
    const alias = resourcesOf(this.app, 'AWS::KMS::Alias').find(
      ({ stack, resource }) => this.functions.resolve(stack, resource.Properties?.['AliasName']) === wanted,
    );
    if (!alias) throw new Error(`no key has the alias ${wanted}`);
    const target = this.functions.text(alias.stack, alias.resource.Properties?.['TargetKeyId']);
    const key = resourcesOf(this.app, 'AWS::KMS::Key').find((each) => {
      const { ref, arn } = this.functions.namesOf(each);
      return ref === target || arn === target;
    });
    if (!key) throw new Error(`${wanted} leads nowhere`);
    return this.functions.namesOf(key).arn;
  }

  get vpc(): string {
    const [vpc] = resourcesOf(this.app, 'AWS::EC2::VPC');
    if (!vpc) throw new Error('no template has a network');
    return this.functions.namesOf(vpc).ref;
  }

  /** The endpoint for a service, such as `s3` or `ecr.api`. */
  endpoint(service: string): string {
    const name = `com.amazonaws.${this.configuration.region}.${service}`;
    const endpoint = resourcesOf(this.app, 'AWS::EC2::VPCEndpoint').find(
      ({ stack, resource }) => this.functions.resolve(stack, resource.Properties?.['ServiceName']) === name,
    );
    if (!endpoint) throw new Error(`there is no endpoint for ${service}`);
    return this.functions.namesOf(endpoint).arn;
  }

  secret(of: string): string {
    const name = this.names.secret(of);
    const secret = resourcesOf(this.app, 'AWS::SecretsManager::Secret').find(
      ({ stack, resource }) => this.functions.resolve(stack, resource.Properties?.['Name']) === name,
    );
    if (!secret) throw new Error(`there is no secret ${name}`);
    return this.functions.namesOf(secret).arn;
  }
}
