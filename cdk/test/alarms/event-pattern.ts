/**
 * Whether EventBridge would pass an event on, for what patterns of this deployment are made of: nested objects, lists of values,
 * prefixes. A field that is a list has a value when one of its elements has it; of a list of objects one must fit.
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
 */
export function matches(pattern: unknown, event: unknown): boolean {
  if (Array.isArray(event)) return event.some((element) => matches(pattern, element));
  if (Array.isArray(pattern)) return pattern.some((wanted) => matchesValue(wanted, event));
  if (!isObject(pattern) || !isObject(event)) return false;
  return Object.entries(pattern).every(([name, wanted]) => name in event && matches(wanted, event[name]));
}

function matchesValue(wanted: unknown, value: unknown): boolean {
  if (!isObject(wanted)) return wanted === value;
  const [[kind, argument] = [], ...more] = Object.entries(wanted);
  if (kind !== 'prefix' || more.length > 0)
    throw new Error(`a pattern with ${JSON.stringify(wanted)} is not known here`);
  return typeof value === 'string' && value.startsWith(String(argument));
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
