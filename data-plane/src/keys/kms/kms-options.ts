/** The key service of AWS in one region. Only `keyId` has no default. */
export interface KmsOptions {
  /** The key that is used when a database names none: an ARN of a key or an alias, `alias/<name>`, or a key id. */
  readonly keyId: string;
  /** @default the region of the key's ARN, then what the SDK finds: `AWS_REGION`, the profile */
  readonly region?: string;
  /** URL of the service. @default the region's endpoint of AWS */
  readonly endpoint?: string;
  /** @default the SDK's chain: environment, container or instance role, profile */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** Connections at once; further requests wait for one. @default 64 */
  readonly maxConnections?: number;
  /** An attempt ends when its answer has not come by then. @default 3,000 */
  readonly attemptTimeoutMs?: number;
  /** Attempts of a request, the first included. @default 4 */
  readonly attempts?: number;
}

export type ResolvedKmsOptions = KmsOptions &
  Required<Pick<KmsOptions, 'maxConnections' | 'attemptTimeoutMs' | 'attempts'>>;

export function resolveKmsOptions(options: KmsOptions): ResolvedKmsOptions {
  const region = options.region ?? regionOfArn(options.keyId);
  return {
    maxConnections: 64,
    attemptTimeoutMs: 3_000,
    attempts: 4,
    ...options,
    ...(region !== undefined && { region }),
  };
}

const arnPattern =
  /^arn:aws[a-z-]*:kms:([a-z0-9-]{1,64}):\d{12}:(?:key\/[A-Za-z0-9-]{1,128}|alias\/[A-Za-z0-9/_-]{1,250})$/;
const barePattern =
  /^(?:alias\/[A-Za-z0-9/_-]{1,250}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$/;

export function regionOfArn(keyId: string): string | undefined {
  return arnPattern.exec(keyId)?.[1];
}

/** Why no key of the key service in `region` can have this id, or undefined. A key of another account has an ARN. */
export function kmsKeyIdDefect(keyId: string, region: string | undefined): string | undefined {
  const arn = arnPattern.exec(keyId);
  if (!arn && !barePattern.test(keyId)) return 'it is no ARN of a KMS key or alias, no alias/<name> and no key id';
  const [, keyRegion] = arn ?? [];
  if (keyRegion === undefined || region === undefined || keyRegion === region) return undefined;
  return `it is in region ${keyRegion}, and the key service of this deployment in ${region}`;
}
