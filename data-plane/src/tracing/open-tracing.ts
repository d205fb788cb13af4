import type { Runtime } from '../runtime.js';
import type { OtlpOptions } from './otlp.js';
import { Tracing } from './tracing.js';
import type { TracingSettings } from './tracing-settings.js';

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
