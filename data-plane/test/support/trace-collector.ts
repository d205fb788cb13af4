/** A collector of traces for tests: takes OTLP over HTTP in JSON, and keeps every byte that came. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  /** As OTLP numbers them: 1 internal, 2 server, 3 client. */
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly isError: boolean;
  /** Attributes of the process that it comes from. */
  readonly resource: Readonly<Record<string, string | number | boolean>>;
}

interface OtlpAttribute {
  readonly key: string;
  readonly value: { stringValue?: string; intValue?: number | string; doubleValue?: number; boolValue?: boolean };
}

interface OtlpExport {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly OtlpAttribute[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        traceId: string;
        spanId: string;
        parentSpanId?: string;
        name: string;
        kind: number;
        startTimeUnixNano: string;
        endTimeUnixNano: string;
        attributes: readonly OtlpAttribute[];
        status: { code?: number };
      }[];
    }[];
  }[];
}

export class TraceCollector {
  readonly spans: CollectedSpan[] = [];
  /** Heads and bodies of all requests. */
  readonly bytes: string[] = [];
  /** `hang` answers nothing. */
  mode: 'take' | 'hang' | 'refuse' = 'take';
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<TraceCollector> {
    const server = createServer();
    const collector = new TraceCollector(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        collector.bytes.push(`${request.url ?? ''}\n${JSON.stringify(request.rawHeaders)}\n${body}`);
        if (collector.mode === 'hang') return;
        if (collector.mode === 'refuse') {
          response.writeHead(400).end();
          return;
        }
        collector.#take(JSON.parse(body) as OtlpExport);
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** The spans of a trace once `isWhole` says so of them. Throws what there is after ten seconds. */
  async trace(traceId: string, isWhole: (spans: readonly CollectedSpan[]) => boolean): Promise<CollectedSpan[]> {
    const deadline = Date.now() + 10_000;
    for (;;) {
      const spans = this.spans.filter((span) => span.traceId === traceId);
      if (isWhole(spans)) return spans;
      if (Date.now() > deadline) throw new Error(`of ${this.spans.length} spans only ${JSON.stringify(spans)}`);
      await delay(20);
    }
  }

  #take({ resourceSpans }: OtlpExport): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
        this.spans.push({
          traceId: span.traceId,
          spanId: span.spanId,
          parentSpanId: span.parentSpanId || undefined,
          name: span.name,
          kind: span.kind,
          startMs: Number(span.startTimeUnixNano) / 1e6,
          endMs: Number(span.endTimeUnixNano) / 1e6,
          attributes: valuesOf(span.attributes),
          isError: span.status.code === 2,
          resource: valuesOf(resource.attributes),
        });
      }
    }
  }
}

function valuesOf(attributes: readonly OtlpAttribute[]): Record<string, string | number | boolean> {
  return Object.fromEntries(
    attributes.map(({ key, value: { stringValue, intValue, doubleValue, boolValue } }) => [
      key,
      stringValue ?? (intValue === undefined ? undefined : Number(intValue)) ?? doubleValue ?? boolValue ?? '',
    ]),
  );
}

/** Names of spans below the one with this id, as a tree; those of one parent in order of their names. */
export function treeOf(spans: readonly CollectedSpan[], parent: string | undefined): Tree {
  const below = spans.filter(({ parentSpanId }) => parentSpanId === parent);
  const names = below.map((span): [string, Tree] => [span.name, treeOf(spans, span.spanId)]);
  return names.sort(([one], [other]) => (one < other ? -1 : 1));
}

export type Tree = readonly (readonly [name: string, below: Tree])[];
