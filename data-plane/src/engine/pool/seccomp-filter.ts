/**
 * A seccomp filter for engine processes, as the bytes of a classic BPF program.
 *
 * It needs no privilege, so it holds where a network namespace cannot be had (most container platforms): a process
 * without `socket` reaches neither the network nor a credential endpoint. The rest of the list keeps the process from
 * looking into others and from parts of the kernel that no database engine needs. A listed call answers EPERM.
 *
 * New processes are refused as well, threads are not: nothing of an engine process can outlive it. `clone3` hides its
 * flags from a filter, so it answers ENOSYS, upon which the C library uses `clone`.
 */

/** Call numbers of one architecture. */
interface Architecture {
  /** AUDIT_ARCH_* of linux/audit.h. */
  readonly audit: number;
  readonly prctl: number;
  readonly clone: number;
  readonly denied: Readonly<Record<DeniedCall, number>>;
  /** Denied calls that only this architecture has. */
  readonly deniedHere: readonly number[];
}

type DeniedCall =
  | 'socket'
  | 'ptrace'
  | 'process_vm_readv'
  | 'process_vm_writev'
  | 'pidfd_getfd'
  | 'kcmp'
  | 'io_uring_setup'
  | 'bpf'
  | 'perf_event_open'
  | 'userfaultfd'
  | 'add_key'
  | 'request_key'
  | 'keyctl'
  | 'mount'
  | 'umount2'
  | 'pivot_root'
  | 'chroot'
  | 'setns'
  | 'unshare'
  | 'open_by_handle_at'
  | 'init_module'
  | 'finit_module'
  | 'delete_module'
  | 'kexec_load';

const architectures: Readonly<Partial<Record<string, Architecture>>> = {
  x64: {
    audit: 0xc000003e,
    prctl: 157,
    clone: 56,
    deniedHere: [57, 58], // fork, vfork
    denied: {
      socket: 41,
      ptrace: 101,
      process_vm_readv: 310,
      process_vm_writev: 311,
      pidfd_getfd: 438,
      kcmp: 312,
      io_uring_setup: 425,
      bpf: 321,
      perf_event_open: 298,
      userfaultfd: 323,
      add_key: 248,
      request_key: 249,
      keyctl: 250,
      mount: 165,
      umount2: 166,
      pivot_root: 155,
      chroot: 161,
      setns: 308,
      unshare: 272,
      open_by_handle_at: 304,
      init_module: 175,
      finit_module: 313,
      delete_module: 176,
      kexec_load: 246,
    },
  },
  arm64: {
    audit: 0xc00000b7,
    prctl: 167,
    clone: 220,
    deniedHere: [],
    denied: {
      socket: 198,
      ptrace: 117,
      process_vm_readv: 270,
      process_vm_writev: 271,
      pidfd_getfd: 438,
      kcmp: 272,
      io_uring_setup: 425,
      bpf: 280,
      perf_event_open: 241,
      userfaultfd: 282,
      add_key: 217,
      request_key: 218,
      keyctl: 219,
      mount: 40,
      umount2: 39,
      pivot_root: 41,
      chroot: 51,
      setns: 268,
      unshare: 97,
      open_by_handle_at: 265,
      init_module: 105,
      finit_module: 273,
      delete_module: 106,
      kexec_load: 104,
    },
  },
};

/** Number of the prctl system call, or undefined where this product has no tables for the architecture. */
export function prctlNumber(architecture: string): number | undefined {
  return architectures[architecture]?.prctl;
}

// linux/bpf_common.h, linux/seccomp.h, linux/sched.h.
const loadWord = 0x20;
const jumpIfEqual = 0x15;
const jumpIfAtLeast = 0x35;
const jumpIfBitSet = 0x45;
const answer = 0x06;
const allow = 0x7fff0000;
const killProcess = 0x80000000;
const errno = 0x00050000;
const notPermitted = errno | 1;
const notImplemented = errno | 38;
const callNumberOffset = 0;
const architectureOffset = 4;
const firstArgumentOffset = 16;
const firstX32Call = 0x40000000;
const clone3 = 435;
const threadFlag = 0x00010000;

/** The program, or undefined where this product has no tables for the architecture (a `process.arch`). */
export function seccompFilter(architecture: string): Buffer | undefined {
  const table = architectures[architecture];
  if (!table) return undefined;
  const program: Buffer[] = [];
  /** `ifTrue` and `ifFalse` are numbers of instructions to skip. */
  const instruction = (code: number, ifTrue: number, ifFalse: number, operand: number): void => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16LE(code, 0);
    bytes.writeUInt8(ifTrue, 2);
    bytes.writeUInt8(ifFalse, 3);
    bytes.writeUInt32LE(operand >>> 0, 4);
    program.push(bytes);
  };
  instruction(loadWord, 0, 0, architectureOffset);
  instruction(jumpIfEqual, 1, 0, table.audit);
  instruction(answer, 0, 0, killProcess);
  instruction(loadWord, 0, 0, callNumberOffset);
  // The x32 interface of x86-64 has every call again under another number.
  instruction(jumpIfAtLeast, 0, 1, firstX32Call);
  instruction(answer, 0, 0, notPermitted);
  for (const call of [...Object.values(table.denied), ...table.deniedHere]) {
    instruction(jumpIfEqual, 0, 1, call);
    instruction(answer, 0, 0, notPermitted);
  }
  instruction(jumpIfEqual, 0, 1, clone3);
  instruction(answer, 0, 0, notImplemented);
  instruction(jumpIfEqual, 0, 3, table.clone);
  instruction(loadWord, 0, 0, firstArgumentOffset);
  instruction(jumpIfBitSet, 1, 0, threadFlag);
  instruction(answer, 0, 0, notPermitted);
  instruction(answer, 0, 0, allow);
  return Buffer.concat(program);
}
