/**
 * The annotated values of a chart, read once: the comment above a value describes it, a line of it that begins with
 * `@schema` narrows what it may be. Schema and README are made of this.
 */
import { isMap, isScalar, parseDocument, type Pair, type YAMLMap } from 'yaml';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** One value that can be set, or a map of such values. */
export interface ChartValue {
  /** From the root, such as `['images', 'pullPolicy']`. */
  readonly path: readonly string[];
  /** What the comment says, on one line; may be empty. */
  readonly description: string;
  /** What `@schema` says. */
  readonly schema: JsonSchema;
  readonly defaultValue: unknown;
  /** The values below; undefined for one that is set as a whole. */
  readonly children: readonly ChartValue[] | undefined;
}

/** Reads a values file. Throws an `Error` that names the value which cannot be read. */
export function readChartValues(text: string): readonly ChartValue[] {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error) throw error;
  if (!isMap(document.contents)) throw new Error('the values are not a map');
  return valuesOf(document.contents, []);
}

function valuesOf(map: YAMLMap, above: readonly string[]): ChartValue[] {
  return map.items.map((pair, index) => {
    // The parser gives the comment above the first key of a map to the map.
    const inherited = index === 0 && above.length > 0 ? map.commentBefore : undefined;
    return valueOf(pair, above, inherited);
  });
}

function valueOf(pair: Pair, above: readonly string[], inherited: string | null | undefined): ChartValue {
  if (!isScalar(pair.key)) throw new Error(`below ${above.join('.')} a key is not a string`);
  const path = [...above, String(pair.key.value)];
  // Of the file's own introduction only the last paragraph belongs to its first value.
  const comment = (pair.key.commentBefore ?? inherited ?? '').split(/\n\s*\n/).at(-1) ?? '';
  const lines = comment.split('\n').map((line) => line.trim());
  const narrowing = lines.filter((line) => line.startsWith('@schema ')).map((line) => line.slice('@schema '.length));
  const schema = Object.assign({}, ...narrowing.map((line) => parseSchema(line, path))) as JsonSchema;
  const below = isMap(pair.value) && pair.value.items.length > 0 && narrowing.length === 0 ? pair.value : undefined;
  return {
    path,
    description: lines.filter((line) => line !== '' && !line.startsWith('@schema ')).join(' '),
    schema,
    defaultValue: toJson(pair.value),
    children: below && valuesOf(below, path),
  };
}

function toJson(node: unknown): unknown {
  if (node !== null && typeof node === 'object' && 'toJSON' in node && typeof node.toJSON === 'function') {
    return (node.toJSON as () => unknown).call(node);
  }
  return node;
}

function parseSchema(line: string, path: readonly string[]): JsonSchema {
  try {
    return JSON.parse(line) as JsonSchema;
  } catch (error) {
    throw new Error(`the @schema line of ${path.join('.')} is not JSON`, { cause: error });
  }
}
