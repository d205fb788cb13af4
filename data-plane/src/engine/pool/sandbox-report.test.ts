import { protections, sandboxReport, type Observation, type ReportContext } from './sandbox-report.js';

const context: ReportContext = {
  platform: 'linux x64',
  ownUid: 0,
  ownOpenFiles: 1000,
  wantedStackBytes: 1000,
  environment: ['TZ', 'TMPDIR'],
  diesWithParent: true,
  reasons: {},
};

const everything: Observation = {
  environment: ['TZ', 'TMPDIR'],
  uid: 64_100,
  groups: 0,
  noNewPrivileges: true,
  withoutCapabilities: true,
  interfaces: 0,
  seccomp: true,
  filesRestricted: true,
  umask: 0o077,
  hugePagesDisabled: true,
  coreBytes: 0,
  stackBytes: 1000,
  openFiles: 1000,
  dataBytes: 1 << 30,
};

/** What an ordinary process on an unknown platform sees of itself. */
const nothing: Observation = {
  environment: ['TZ', 'AWS_SECRET_ACCESS_KEY'],
  uid: 0,
  groups: undefined,
  noNewPrivileges: false,
  withoutCapabilities: false,
  interfaces: undefined,
  seccomp: false,
  filesRestricted: false,
  umask: 0o022,
  hugePagesDisabled: false,
  coreBytes: undefined,
  stackBytes: undefined,
  openFiles: undefined,
  dataBytes: Infinity,
};

describe('sandboxReport', () => {
  it('has one line per protection, all on where all was observed', () => {
    const report = sandboxReport(everything, context);
    expect(report.protections.map((line) => line.protection)).toEqual([...protections]);
    expect(report.protections.filter((line) => !line.on)).toEqual([]);
  });

  it('calls nothing on that was not observed', () => {
    const report = sandboxReport(nothing, { ...context, diesWithParent: false });
    expect(report.protections.filter((line) => line.on)).toEqual([]);
    expect(report.protections[0]!.detail).toContain('AWS_SECRET_ACCESS_KEY');
  });

  it('gives the reason of what is off', () => {
    const report = sandboxReport(
      { ...everything, seccomp: false },
      { ...context, reasons: { 'system-calls': 'no perl' } },
    );
    expect(report.protections.find((line) => line.protection === 'system-calls')).toEqual({
      protection: 'system-calls',
      on: false,
      detail: 'no filter (no perl)',
    });
  });

  it('does not count another user as a protection while supplementary groups are left', () => {
    const report = sandboxReport({ ...everything, groups: 2 }, context);
    expect(report.protections.find((line) => line.protection === 'user')!.on).toBe(false);
  });
});
