/** The type of the generated client is as long as its models are many; the tests use it as any program without types would. */
export function getPrismaClientClass(): new (options: object) => any;
