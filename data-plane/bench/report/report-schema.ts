const text = { type: 'string', minLength: 1 } as const;
const number = { type: 'number' } as const;
const unit = { enum: ['/s', 'ms', 'ratio', 'cores', 'bytes', 'count', 'USD'] } as const;

function object(properties: Record<string, object>): object {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}

function map(value: object): object {
  return { type: 'object', additionalProperties: value };
}

/** JSON Schema of `Report`: what the renderer accepts as a results file. */
export const reportSchema = object({
  format: { const: 'turso-byoc/benchmark/1' },
  startedAt: { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}T' },
  durationSeconds: number,
  commit: object({ hash: text, dirty: { type: 'boolean' } }),
  machine: object({
    cpuModel: text,
    cores: { type: 'integer', minimum: 1 },
    memoryBytes: { type: 'integer', minimum: 1 },
    kernel: text,
    node: text,
    fileSystem: text,
    fsyncP50Ms: number,
    fsyncP99Ms: number,
    hugePages: text,
  }),
  settings: map({ type: ['string', 'number', 'boolean'] }),
  results: {
    type: 'array',
    items: object({
      case: text,
      parameters: map({ type: ['string', 'number'] }),
      figures: {
        type: 'array',
        minItems: 1,
        items: object({ name: text, unit, value: number, samples: { type: 'array', items: number } }),
      },
    }),
  },
  targets: {
    type: 'array',
    items: object({
      name: text,
      unit,
      value: number,
      comparison: { enum: ['at least', 'at most'] },
      bound: number,
      met: { type: 'boolean' },
    }),
  },
});
