/** Reading JSON of any shape: what is not there is undefined, at any depth. */

/** The value at a path of names and indexes. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, step) =>
      typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[step] : undefined,
    value,
  );
}

/** A list as it is, one value as a list of it, nothing as none. */
export function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

/** The name of what `{"Ref": …}` or `{"Fn::GetAtt": [name, …]}` refers to. */
export function referenceOf(value: unknown): string | undefined {
  const name = at(value, 'Ref') ?? at(value, 'Fn::GetAtt', 0);
  return typeof name === 'string' ? name : undefined;
}

/** Every text anywhere in a value. */
export function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}
