import type { ResolvedConfiguration } from '../../config/deployment-configuration.js';
import type { AwsAccount } from '../aws-account.js';
import { ok, problem, unknown, type Finding } from '../finding.js';

const ecrImage = /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\/([^@:]+)@(sha256:[0-9a-f]{64})$/;

/** Whether both images are where the tasks will look for them. */
export async function checkImages({ images }: ResolvedConfiguration, aws: AwsAccount): Promise<readonly Finding[]> {
  return Promise.all([images.dataPlane, images.controlPlane].map((image) => imageFinding(image, aws)));
}

async function imageFinding(image: string, aws: AwsAccount): Promise<Finding> {
  const check = 'images';
  const [, account, region, name, digest] = ecrImage.exec(image) ?? [];
  if (account === undefined || region === undefined || name === undefined || digest === undefined) {
    return unknown(
      check,
      `${image} is in no registry of ECR, which is all that is looked into`,
      'Pull it once from inside the network.',
    );
  }
  const answer = await aws.image({ account, region, name }, digest);
  if (!answer.known)
    return unknown(check, `${image} could not be looked up (${answer.why})`, 'Allow ecr:BatchGetImage.');
  return answer.value === 'present'
    ? ok(check, `${name}@${digest.slice(0, 19)}… is there`)
    : problem(check, `${image} is not there`, 'Push the image, or correct the digest in images.');
}
