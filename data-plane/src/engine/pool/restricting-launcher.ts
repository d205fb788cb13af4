/**
 * The last link of the launch chain: a few lines of Perl that restrict their own process through system calls that no
 * command-line tool offers, then become the engine process. Perl, because every Debian-based image has it and Node.js
 * cannot make system calls. All decisions are taken in TypeScript; the script only carries out its arguments.
 */
import { ownProcess, type LandlockRuleset } from './landlock-rules.js';

export interface Restrictions {
  /** Number of the prctl system call on this architecture. */
  readonly prctl: number;
  readonly disableHugePages: boolean;
  readonly landlock?: LandlockRuleset;
  /** A classic BPF program. */
  readonly seccomp?: Buffer;
}

/** PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS and PR_SET_THP_DISABLE are 1, 22, 38 and 41. */
const script = String.raw`
use strict;
my ($prctl, $parent) = (0 + shift, 0 + shift);
sub control { my ($what, @rest) = @_; syscall($prctl, @rest) == 0 or die "$what: $!\n"; }
control('parent death signal', 1, 9, 0, 0, 0);
getppid() == $parent or die "the parent is gone\n";
control('no new privileges', 38, 1, 0, 0, 0);
my ($ruleset, @kept);
while ((my $step = shift) ne '--') {
  my ($kind, $value) = split /=/, $step, 2;
  if ($kind eq 'huge-pages') {
    control('huge pages', 41, 1, 0, 0, 0);
  } elsif ($kind eq 'landlock') {
    my ($size, $files, $network, $scopes) = split /,/, $value;
    my $attributes = pack('QQQ', $files, $network, $scopes);
    $ruleset = syscall(444, $attributes, 0 + $size, 0);
    $ruleset >= 0 or die "landlock: $!\n";
  } elsif ($kind eq 'rule') {
    my ($rights, $path) = split /,/, $value, 2;
    # A rule holds for a file as it is in the cache of the kernel; for the own process that cache is kept by a handle.
    local $^F = $path eq '${ownProcess}' ? 1024 : 2;
    sysopen(my $handle, $path, 010000000) or die "$path: $!\n";
    my $rule = pack('Ql', $rights, fileno($handle));
    syscall(445, $ruleset, 1, $rule, 0) == 0 or die "landlock rule for $path: $!\n";
    push @kept, $handle;
  } elsif ($kind eq 'restrict') {
    syscall(446, $ruleset, 0) == 0 or die "landlock restriction: $!\n";
  } elsif ($kind eq 'seccomp') {
    my $filter = pack('H*', $value);
    my $program = pack('S x![P] P', length($filter) / 8, $filter);
    control('seccomp', 22, 2, $program, 0, 0);
  }
}
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n";
`;

/**
 * Command and leading arguments; the program to become follows. `parent` is the process id of the I/O process: when it
 * died before the death signal was armed, nothing starts.
 */
export function restrictingLauncher(perl: string, parent: number, restrictions: Restrictions): string[] {
  const steps: string[] = [];
  if (restrictions.disableHugePages) steps.push('huge-pages=');
  const { landlock, seccomp } = restrictions;
  if (landlock) {
    const { attributeBytes, fileRights, networkRights, scopes } = landlock;
    steps.push(`landlock=${attributeBytes},${fileRights},${networkRights},${scopes}`);
    for (const rule of landlock.rules) steps.push(`rule=${rule.rights},${rule.path}`);
    steps.push('restrict=');
  }
  // Last, so that the filter need not allow what the steps before it use.
  if (seccomp) steps.push(`seccomp=${seccomp.toString('hex')}`);
  return [perl, '-e', script, String(restrictions.prctl), String(parent), ...steps, '--'];
}

/** Perl script that prints the version of Landlock that this kernel offers, 0 or less when there is none. */
export const landlockVersionScript = "print syscall(444, 0, 0, 1) . ''";
