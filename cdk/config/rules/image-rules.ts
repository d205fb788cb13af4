import type { ResolvedConfiguration } from '../deployment-configuration.js';
import { when, type Breach, type Rule } from '../rule.js';

const byDigest = /^([a-z0-9.-]+(?::\d+)?)\/[a-z0-9._/-]+@sha256:[0-9a-f]{64}$/;
const privateRegistry = /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/;

function forEachImage(
  { images }: ResolvedConfiguration,
  broken: (image: string, path: string) => readonly Breach[],
): readonly Breach[] {
  return (['dataPlane', 'controlPlane'] as const).flatMap((name) => broken(images[name], `images.${name}`));
}

export const imageRules: readonly Rule[] = [
  {
    code: 'IMAGE_WITHOUT_DIGEST',
    demands: 'Images are named by digest.',
    broken: (configuration) =>
      forEachImage(configuration, (image, path) =>
        when(
          !byDigest.test(image),
          path,
          `${image} can mean something else tomorrow; write <registry>/<repository>@sha256:<64 hexadecimal digits>`,
        ),
      ),
  },
  {
    code: 'IMAGE_OUT_OF_REACH',
    demands:
      'Images are in an ECR registry of this region: nothing else can be reached without a route to the internet.',
    broken: (configuration) =>
      forEachImage(configuration, (image, path) => {
        const registry = byDigest.exec(image)?.[1];
        if (registry === undefined) return [];
        const region = privateRegistry.exec(registry)?.[2];
        return when(
          region !== configuration.region,
          path,
          `${registry} cannot be reached from a network without internet; copy the image to ECR in ${configuration.region} and name it there`,
        );
      }),
  },
  {
    code: 'IMAGE_OF_AN_UNKNOWN_ACCOUNT',
    demands:
      'Images are in a registry of this account or of a trusted one; of this account where the deployment is air-gapped.',
    broken: (configuration) =>
      forEachImage(configuration, (image, path) => {
        const { account, trustedAccounts, airGapped } = configuration;
        const owner = privateRegistry.exec(byDigest.exec(image)?.[1] ?? '')?.[1];
        if (owner === undefined) return [];
        return when(
          ![account, ...(airGapped ? [] : trustedAccounts)].includes(owner),
          path,
          `the registry is of account ${owner}; copy the image into a registry of account ${account}${airGapped ? '' : ', or add the account to trustedAccounts'}`,
        );
      }),
  },
];
