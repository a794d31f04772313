import { readFileSync } from "node:fs";

/** A watcher that runs, and what it costs. */
export interface WatcherProcess {
  readonly pid: number;
  readonly exited: Promise<number>;
  signal(name: NodeJS.Signals): void;
  /** All that it said on stderr. */
  said(): string;
}

export interface WatcherOptions {
  readonly binary: string;
  readonly words: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Told of each line on stdout. */
  readonly onLine: (line: string) => void;
}

export function startWatcher({ binary, words, cwd, env, onLine }: WatcherOptions): WatcherProcess {
  const child = Bun.spawn([binary, ...words], {
    cwd,
    env: { ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let said = "";
  void eachLine(child.stdout, onLine);
  void eachLine(child.stderr, (line) => {
    said += `${line}\n`;
  });
  return { pid: child.pid, exited: child.exited, signal: (name) => child.kill(name), said: () => said };
}

async function eachLine(stream: ReadableStream<Uint8Array>, take: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(line);
  }
}

/** Ticks a second in /proc, the same on every Linux. */
const TICKS = 100;

/** CPU seconds that a process has used itself, without its children. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name in brackets may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Resident memory, MB. */
export function residentMb(pid: number): number {
  const [, kb = "0"] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kb) / 1024;
}
