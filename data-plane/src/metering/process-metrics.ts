import { readdir, readFile } from 'node:fs/promises';
import { performance, type EventLoopUtilization } from 'node:perf_hooks';
import { Counter, Gauge, type Registry } from 'prom-client';

/** Linux counts CPU time in these, whatever the kernel's own clock is. */
const ticksPerSecond = 100;

export interface ProcessReading {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** Undefined where this process may not look. */
  readonly openFiles: number | undefined;
}

/**
 * Memory, file descriptors and CPU time of this process and of those it watches, read from the system when the metrics are
 * asked for; where there is no `/proc`, only what Node.js says of this process. No timer runs in between.
 */
export class ProcessMetrics {
  #others = (): ReadonlyMap<string, number> => new Map();
  #before: EventLoopUtilization = performance.eventLoopUtilization();

  /** `own`: what this process is called in the label `process`. */
  constructor(registry: Registry, own: string) {
    const registers = [registry];
    const look = this.#shared(own);
    new Gauge({
      name: 'turso_byoc_process_resident_bytes',
      help: 'Memory that each process holds.',
      labelNames: ['process'],
      registers,
      async collect() {
        const readings = await look();
        this.reset();
        for (const [process, { residentBytes }] of readings) this.set({ process }, residentBytes);
      },
    });
    new Gauge({
      name: 'turso_byoc_process_open_files',
      help: 'Open file descriptors of each process.',
      labelNames: ['process'],
      registers,
      async collect() {
        const readings = await look();
        this.reset();
        for (const [process, { openFiles: count }] of readings) if (count !== undefined) this.set({ process }, count);
      },
    });
    new Counter({
      name: 'turso_byoc_process_cpu_seconds_total',
      help: 'CPU time that each process has used since it started.',
      labelNames: ['process'],
      registers,
      async collect() {
        const readings = await look();
        this.reset();
        for (const [process, { cpuSeconds }] of readings) this.inc({ process }, cpuSeconds);
      },
    });
    const utilization = (): number => {
      const now = performance.eventLoopUtilization();
      const since = performance.eventLoopUtilization(now, this.#before);
      this.#before = now;
      return since.utilization;
    };
    new Gauge({
      name: 'turso_byoc_event_loop_utilization',
      help: 'Share of the time since the metrics were last asked for in which the event loop of this process worked.',
      registers,
      collect() {
        this.set(utilization());
      },
    });
    new Gauge({
      name: 'turso_byoc_event_loop_lag_seconds',
      help: 'How long a task had to wait for its turn in the event loop of this process when the metrics were asked for.',
      registers,
      async collect() {
        const startMs = performance.now();
        await new Promise((resolve) => setImmediate(resolve));
        this.set((performance.now() - startMs) / 1000);
      },
    });
  }

  /** From now on `others` is asked for the processes to look at: their name in the label `process`, and their id. */
  watch(others: () => ReadonlyMap<string, number>): void {
    this.#others = others;
  }

  /** One look at all processes for all metrics that are collected together. */
  #shared(own: string): () => Promise<ReadonlyMap<string, ProcessReading>> {
    let looking: Promise<ReadonlyMap<string, ProcessReading>> | undefined;
    const read = async (): Promise<ReadonlyMap<string, ProcessReading>> => {
      const readings = new Map<string, ProcessReading>();
      for (const [name, pid] of [[own, undefined] as const, ...this.#others()]) {
        const reading = await readProcess(pid);
        if (reading) readings.set(name, reading);
      }
      return readings;
    };
    return async () => {
      looking ??= read().finally(() => (looking = undefined));
      return looking;
    };
  }
}

/** What the system says of a process; undefined when it is gone. */
export async function readProcess(pid: number | undefined): Promise<ProcessReading | undefined> {
  const directory = `/proc/${pid ?? 'self'}`;
  try {
    const [stat, status] = await Promise.all([
      readFile(`${directory}/stat`, 'utf8'),
      readFile(`${directory}/status`, 'utf8'),
    ]);
    // The second field is the program's name, in parentheses, and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
      residentBytes: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024,
      openFiles: await openFiles(directory),
    };
  } catch {
    if (pid !== undefined) return undefined;
    const { user, system } = process.cpuUsage();
    return {
      cpuSeconds: (user + system) / 1e6,
      residentBytes: process.memoryUsage.rss(),
      openFiles: undefined,
    };
  }
}

/** Those of a process of another user can only be counted by root. */
async function openFiles(directory: string): Promise<number | undefined> {
  return readdir(`${directory}/fd`).then(
    (entries) => entries.length,
    () => undefined,
  );
}
