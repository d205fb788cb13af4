/** What a request says of the trace that it is part of: the header `traceparent` of W3C Trace Context. */
export const traceparentHeader = 'traceparent';

export interface TraceParent {
  /** 32 hexadecimal digits in lower case, not all zero. */
  readonly traceId: string;
  /** 16 of them. */
  readonly spanId: string;
  /** Whoever sent it keeps this trace. */
  readonly isSampled: boolean;
}

const version00 = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
/** Fields of later versions may follow; what comes first means the same for ever. */
const laterVersion = /^(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-[\x21-\x7e]*)?$/;
const longestChars = 512;
const nothing = /^0+$/;

/** Undefined for a value that is absent or malformed: whoever reads it begins a trace of his own then. */
export function parseTraceparent(value: string | undefined): TraceParent | undefined {
  if (value === undefined || value.length > longestChars) return undefined;
  const match = version00.exec(value) ?? laterVersion.exec(value);
  if (!match) return undefined;
  const [, traceId = '', spanId = '', flags = ''] = match;
  if (nothing.test(traceId) || nothing.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (parseInt(flags, 16) & 1) === 1 };
}

export function formatTraceparent({ traceId, spanId, isSampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}
