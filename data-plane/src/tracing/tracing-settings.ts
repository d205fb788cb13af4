/** The settings of traces, the same for data nodes and the control plane. */
export interface TracingSettings {
  /** Where a collector takes traces over HTTP. */
  readonly url: string;
  /** Share of the requests that are traced, from 0 to 1. */
  readonly share: number;
}

/** Names the variable and what it should be. */
export class TracingSettingError extends Error {
  override readonly name = 'TracingSettingError';
}

/**
 * The variables of OpenTelemetry: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, the URL itself, or `OTEL_EXPORTER_OTLP_ENDPOINT`, below
 * which it is; `OTEL_TRACES_SAMPLER_ARG`. Its libraries read the rest themselves.
 * Undefined when no collector is named. Throws `TracingSettingError`.
 */
export function readTracingSettings(
  environment: Readonly<Record<string, string | undefined>>,
): TracingSettings | undefined {
  const given = (name: string): string | undefined => environment[name]?.trim() || undefined;
  const exact = given('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT');
  const base = given('OTEL_EXPORTER_OTLP_ENDPOINT');
  const isOff = given('OTEL_SDK_DISABLED')?.toLowerCase() === 'true' || given('OTEL_TRACES_EXPORTER') === 'none';
  if (isOff || (exact === undefined && base === undefined)) return undefined;
  const name = exact === undefined ? 'OTEL_EXPORTER_OTLP_ENDPOINT' : 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT';
  let url: URL | undefined;
  try {
    url = new URL(exact ?? `${base?.replace(/\/+$/, '')}/v1/traces`);
  } catch {
    url = undefined;
  }
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '') {
    // Not what it is: it may hold a password.
    throw new TracingSettingError(
      `${name} is no URL such as http://collector:4318, without a user name or password; credentials belong into OTEL_EXPORTER_OTLP_HEADERS`,
    );
  }
  for (const protocol of ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL']) {
    if (![undefined, 'http/json'].includes(given(protocol))) {
      throw new TracingSettingError(`${protocol} is ${String(given(protocol))}; it must be http/json, or not be set`);
    }
  }
  const text = given('OTEL_TRACES_SAMPLER_ARG') ?? '0.01';
  const share = Number(text);
  if (!(share >= 0 && share <= 1)) {
    throw new TracingSettingError(`OTEL_TRACES_SAMPLER_ARG is ${text}; it must be a number from 0 to 1`);
  }
  return { url: url.href, share };
}
