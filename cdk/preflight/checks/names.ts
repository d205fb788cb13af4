import { IntrinsicFunctions } from '../../compliance/assembly/intrinsic-functions.js';
import { resourcesOf, type SynthesizedApp } from '../../compliance/assembly/synthesized-app.js';
import type { AwsAccount } from '../aws-account.js';
import { ok, problem, unknown, type Finding } from '../finding.js';

/** Names of buckets are shared with everybody: whether those of the deployment are free, or its own already. */
export async function checkNames(app: SynthesizedApp, aws: AwsAccount): Promise<readonly Finding[]> {
  const functions = new IntrinsicFunctions(app);
  const check = 'bucket names';
  return Promise.all(
    resourcesOf(app, 'AWS::S3::Bucket').map(async (located) => {
      const name = functions.namesOf(located).ref;
      const answer = await aws.bucket(name);
      if (!answer.known)
        return unknown(check, `${name} could not be looked up (${answer.why})`, 'Allow s3:ListBucket on it.');
      switch (answer.value) {
        case 'free':
          return ok(check, `${name} is free`);
        case 'own':
          return ok(check, `${name} exists and can be reached: this is an update, or it was kept by a removal`);
        case 'foreign':
          return problem(
            check,
            `${name} exists and may not be looked at: it is another account's, or denied`,
            'Choose another name for the deployment.',
          );
      }
    }),
  );
}
