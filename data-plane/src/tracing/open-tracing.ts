import type { Runtime } from '../runtime.js';
import type { OtlpOptions } from './otlp.js';
import { Tracing } from './tracing.js';

export interface TracingSettings {
  /** Where a collector takes traces over HTTP. */
  readonly url: string;
  /** Share of the requests that are traced, from 0 to 1. */
  readonly share: number;
}

/** Undefined when no collector is configured; nothing of the library is loaded then. */
export async function openTracing(
  settings: TracingSettings | undefined,
  runtime: Runtime,
  options: Omit<OtlpOptions, 'url'>,
): Promise<Tracing | undefined> {
  if (settings === undefined) return undefined;
  const { otlpLibrary } = await import('./otlp.js');
  return new Tracing(runtime, otlpLibrary({ ...options, url: settings.url }), settings.share);
}
