import type { GetObjectCommand, PutObjectCommand, UploadPartCommand } from '@aws-sdk/client-s3';

/** Adds headers to the request of one command, before it is signed. */
export function addHeaders(
  command: GetObjectCommand | PutObjectCommand | UploadPartCommand,
  headers: Readonly<Record<string, string>>,
): void {
  // The stacks differ only in the type of their commands' fields, which this middleware does not look at.
  const stack = command.middlewareStack as PutObjectCommand['middlewareStack'];
  stack.add(
    (next) => async (args) => {
      Object.assign((args.request as { headers: Record<string, string> }).headers, headers);
      return next(args);
    },
    { step: 'build', name: 'addedHeaders' },
  );
}
