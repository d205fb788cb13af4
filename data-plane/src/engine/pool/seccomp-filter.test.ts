import { prctlNumber, seccompFilter } from './seccomp-filter.js';

const allow = 0x7fff0000;
const refuse = 0x00050001;
const notImplemented = 0x00050026;
const kill = 0x80000000;
const x64 = 0xc000003e;
const arm64 = 0xc00000b7;

/** Runs the program as the kernel would, for the instructions it may contain. */
function evaluate(program: Buffer, architecture: number, call: number, flags = 0): number {
  let accumulator = 0;
  for (let at = 0; ; at += 1) {
    const code = program.readUInt16LE(at * 8);
    const ifTrue = program.readUInt8(at * 8 + 2);
    const ifFalse = program.readUInt8(at * 8 + 3);
    const operand = program.readUInt32LE(at * 8 + 4);
    if (code === 0x20) accumulator = operand === 0 ? call : operand === 4 ? architecture : flags;
    else if (code === 0x15) at += accumulator === operand ? ifTrue : ifFalse;
    else if (code === 0x35) at += accumulator >= operand ? ifTrue : ifFalse;
    else if (code === 0x45) at += (accumulator & operand) !== 0 ? ifTrue : ifFalse;
    else if (code === 0x06) return operand;
    else throw new Error(`instruction ${code}`);
  }
}

describe('seccompFilter', () => {
  it.each([
    ['x64', x64, { socket: 41, ptrace: 101, io_uring_setup: 425 }, { read: 0, write: 1, mmap: 9, execve: 59 }],
    [
      'arm64',
      arm64,
      { socket: 198, ptrace: 117, io_uring_setup: 425 },
      { read: 63, write: 64, mmap: 222, execve: 221 },
    ],
  ])('on %s refuses what an engine has no use for and allows the rest', (name, audit, denied, allowed) => {
    const program = seccompFilter(name)!;
    for (const call of Object.values(denied)) expect(evaluate(program, audit, call)).toBe(refuse);
    for (const call of Object.values(allowed)) expect(evaluate(program, audit, call)).toBe(allow);
  });

  it.each([
    ['x64', x64, 56, [57, 58]],
    ['arm64', arm64, 220, []],
  ])('on %s allows threads and no processes', (name, audit, clone, forks) => {
    const program = seccompFilter(name)!;
    expect(evaluate(program, audit, clone, 0x3d0f00)).toBe(allow);
    expect(evaluate(program, audit, clone, 0x1200011)).toBe(refuse);
    for (const fork of forks) expect(evaluate(program, audit, fork)).toBe(refuse);
    expect(evaluate(program, audit, 435)).toBe(notImplemented);
  });

  it('kills a process that calls by the numbers of another architecture', () => {
    expect(evaluate(seccompFilter('x64')!, 0x40000003, 102)).toBe(kill);
    expect(evaluate(seccompFilter('arm64')!, x64, 41)).toBe(kill);
  });

  it('refuses every call of the x32 interface', () => {
    expect(evaluate(seccompFilter('x64')!, x64, 0x40000000)).toBe(refuse);
    expect(evaluate(seccompFilter('x64')!, x64, 0x40000000 + 41)).toBe(refuse);
  });

  it('says where it has no tables', () => {
    expect(seccompFilter('riscv64')).toBeUndefined();
    expect(prctlNumber('riscv64')).toBeUndefined();
  });
});
