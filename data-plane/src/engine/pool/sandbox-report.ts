/** What holds an engine process in, as observed from inside one when the node started. */
export const protections = [
  'environment',
  'user',
  'no-new-privileges',
  'capabilities',
  'network-namespace',
  'system-calls',
  'file-system',
  'parent-death',
  'umask',
  'core-dumps',
  'stack',
  'open-files',
  'memory',
  'huge-pages',
] as const;

export type Protection = (typeof protections)[number];

export interface ProtectionStatus {
  readonly protection: Protection;
  readonly on: boolean;
  /** What it amounts to here, or why it is off; one sentence for the log. */
  readonly detail: string;
}

/** One line per protection, in the order of `protections`. */
export interface SandboxReport {
  readonly platform: string;
  readonly protections: readonly ProtectionStatus[];
}

/** What a probe process saw of itself; `undefined` where the platform does not tell. */
export interface Observation {
  readonly environment: readonly string[];
  readonly uid: number | undefined;
  readonly groups: number | undefined;
  readonly noNewPrivileges: boolean;
  /** No capability is held and none can be had. */
  readonly withoutCapabilities: boolean;
  /** Network interfaces other than loopback; undefined when they could not be read. */
  readonly interfaces: number | undefined;
  readonly seccomp: boolean;
  /** A world-readable file outside of what the engine needs could not be opened. */
  readonly filesRestricted: boolean;
  readonly umask: number;
  readonly hugePagesDisabled: boolean;
  /** Soft limits; Infinity for unlimited, undefined when unknown. */
  readonly coreBytes: number | undefined;
  readonly stackBytes: number | undefined;
  readonly openFiles: number | undefined;
  readonly dataBytes: number | undefined;
}

/** What the report compares an observation with. */
export interface ReportContext {
  readonly platform: string;
  /** User of the I/O process. */
  readonly ownUid: number | undefined;
  readonly ownOpenFiles: number | undefined;
  readonly wantedStackBytes: number;
  /** Names of the environment variables that an engine process is given. */
  readonly environment: readonly string[];
  readonly diesWithParent: boolean;
  /** Why a link of the launch chain was left out, by the protections that it brings. */
  readonly reasons: Readonly<Partial<Record<Protection, string>>>;
}

/** Turns an observation into the report. */
export function sandboxReport(seen: Observation, context: ReportContext): SandboxReport {
  const verdicts: Record<Protection, { on: boolean; yes: string; no: string }> = {
    environment: {
      on: seen.environment.every((name) => context.environment.includes(name)),
      yes: `only ${context.environment.join(', ')}`,
      no: `unexpected variables: ${seen.environment.filter((name) => !context.environment.includes(name)).join(', ')}`,
    },
    user: {
      on: seen.uid !== undefined && seen.uid !== context.ownUid && seen.groups === 0,
      yes: `own user per engine process (this probe: ${seen.uid ?? 'unknown'}), no supplementary groups`,
      no: 'engine processes run as the user of the I/O process',
    },
    'no-new-privileges': { on: seen.noNewPrivileges, yes: 'set', no: 'not set' },
    capabilities: { on: seen.withoutCapabilities, yes: 'none held, none to be had', no: 'not dropped' },
    'network-namespace': {
      on: seen.interfaces === 0,
      yes: 'own network namespace without interfaces',
      no: 'engine processes share the network namespace of the I/O process',
    },
    'system-calls': {
      on: seen.seccomp,
      yes: 'seccomp filter: no sockets, no tracing, no new processes',
      no: 'no filter',
    },
    'file-system': {
      on: seen.filesRestricted,
      yes: 'Landlock: only the own directory, the application and system libraries',
      no: 'file modes only',
    },
    'parent-death': {
      on: context.diesWithParent,
      yes: 'killed by the kernel when the I/O process dies',
      no: 'ends when its socket ends, but not in the middle of a statement',
    },
    umask: { on: seen.umask === 0o077, yes: '077', no: seen.umask.toString(8) },
    'core-dumps': { on: seen.coreBytes === 0, yes: 'off', no: 'as on the I/O process' },
    stack: {
      on: seen.stackBytes !== undefined && seen.stackBytes >= context.wantedStackBytes,
      yes: `${seen.stackBytes ?? 0} bytes`,
      no: `${seen.stackBytes ?? 'unknown'} bytes: deeply nested SQL may crash an engine process`,
    },
    'open-files': {
      on: seen.openFiles !== undefined && seen.openFiles >= (context.ownOpenFiles ?? Infinity),
      yes: `${seen.openFiles ?? 0}`,
      no: `${seen.openFiles ?? 'unknown'}`,
    },
    memory: {
      on: seen.dataBytes !== undefined && seen.dataBytes !== Infinity,
      yes: `private memory capped at ${seen.dataBytes ?? 0} bytes`,
      no: 'no cap in the kernel; the node ends a process that takes more than it may',
    },
    'huge-pages': {
      on: seen.hugePagesDisabled,
      yes: 'transparent huge pages off',
      no: 'as the host has them: a tursodb database may take 4 MB instead of 140 kB',
    },
  };
  return {
    platform: context.platform,
    protections: protections.map((protection) => {
      const { on, yes, no } = verdicts[protection];
      const reason = context.reasons[protection];
      return { protection, on, detail: on ? yes : reason === undefined ? no : `${no} (${reason})` };
    }),
  };
}
