import { readFile } from 'node:fs/promises';

/** Where a process finds a secret: in a file, as Kubernetes mounts them, or in its environment, as ECS hands them over. */
export type SecretSource =
  { readonly kind: 'file'; readonly path: string } | { readonly kind: 'environment'; readonly text: string };

/** The secret without white space around it. Throws what reading the file throws. */
export async function readSecret(source: SecretSource): Promise<string> {
  const text = source.kind === 'file' ? await readFile(source.path, 'utf8') : source.text;
  return text.trim();
}
