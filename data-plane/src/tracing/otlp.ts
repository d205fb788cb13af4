/** The OpenTelemetry side of traces, and the only module that loads its libraries; it is imported where a collector is configured. */
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags, type Span } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, TracerProvider } from '@opentelemetry/sdk-trace';
import { exportTimeoutMs, mostExports, SpanQueue, type SpanQueueOptions } from './span-queue.js';
import type { SpanAttributes } from './trace-span.js';
import type { TraceParent } from './traceparent.js';
import type { LibrarySpan, SpanLibrary } from './tracing.js';

export interface OtlpOptions extends Pick<SpanQueueOptions, 'onSpans' | 'onChange'> {
  /** Where spans are sent to. Headers, certificates and compression come from the environment, as every SDK reads them. */
  readonly url: string;
  /** Describe this process; what `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME` say comes first. */
  readonly resource: Readonly<Record<string, string>>;
}

const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL } as const;

/** Spans that go to a collector over HTTP in OTLP's JSON form. */
export function otlpLibrary({ url, resource, onSpans, onChange }: OtlpOptions): SpanLibrary {
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: exportTimeoutMs, concurrencyLimit: mostExports });
  const provider = new TracerProvider({
    resource: resourceFromAttributes(resource).merge(detectResources({ detectors: [envDetector] })),
    // Who is traced was decided before.
    sampler: new AlwaysOnSampler(),
    spanProcessors: [new SpanQueue({ exporter, onSpans, onChange })],
  });
  const tracer = provider.getTracer('turso-byoc');
  return {
    begin: (name, role, startMs, parent, attributes) => {
      const context = parent ? trace.setSpanContext(ROOT_CONTEXT, contextOf(parent, role === 'server')) : ROOT_CONTEXT;
      return new OtlpSpan(tracer.startSpan(name, { kind: kinds[role], startTime: startMs, attributes }, context));
    },
    flush: async () => provider.forceFlush().catch(() => undefined),
  };
}

function contextOf({ traceId, spanId }: TraceParent, isRemote: boolean): Parameters<typeof trace.setSpanContext>[1] {
  return { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote };
}

class OtlpSpan implements LibrarySpan {
  readonly #span: Span;
  readonly id: TraceParent;

  constructor(span: Span) {
    this.#span = span;
    const { traceId, spanId } = span.spanContext();
    this.id = { traceId, spanId, isSampled: true };
  }

  set(attributes: SpanAttributes): void {
    this.#span.setAttributes({ ...attributes });
  }

  fail(failure: string): void {
    this.#span.setAttribute('error.type', failure).setStatus({ code: SpanStatusCode.ERROR });
  }

  end(timeMs: number): void {
    this.#span.end(timeMs);
  }
}
