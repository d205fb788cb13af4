let mutation;

export function initialize(data) {
  mutation = data;
}

export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context);
  if (!url.endsWith(`/dist/${mutation.file}`)) return loaded;
  const source = Buffer.from(loaded.source).toString('utf8');
  const parts = source.split(mutation.from);
  if (parts.length !== 2) throw new Error(`${mutation.file} has ${parts.length - 1} places to replace, not one`);
  return { ...loaded, source: parts.join(mutation.to) };
}
