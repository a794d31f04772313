import { Readable, Writable } from "node:stream";
import type { CliEnvironment } from "../../src/cli/context.ts";
import { runCli } from "../../src/cli/run.ts";
import type { CommandEntry } from "../../src/cli/table.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly home?: string;
  /** What is typed or piped in. */
  readonly stdin?: string;
  /** True where somebody sits at a terminal: stdin, stdout and stderr at once. */
  readonly terminal?: boolean;
  readonly columns?: number;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  readonly commands?: Readonly<Record<string, CommandEntry>>;
}

export interface CliRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command line inside this process, everything around it given and captured. */
export async function cli(words: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  const out: string[] = [];
  const err: string[] = [];
  const environment = fakeEnvironment(options, { out, err });
  const code = await runCli(words, environment, ...(options.commands ? ([options.commands] as const) : []));
  return { code, stdout: out.join(""), stderr: err.join("") };
}

/** The world of {@link cli}, for tests that run a command's own function. */
export function fakeEnvironment(
  options: CliOptions,
  { out, err }: { readonly out: string[]; readonly err: string[] },
): CliEnvironment {
  const isTTY = options.terminal ?? false;
  const columns = isTTY ? (options.columns ?? 80) : undefined;
  const home = options.home ?? "/nowhere";
  const stream = Readable.from([Buffer.from(options.stdin ?? "")]);
  const echo = new Writable({
    write(chunk, _encoding, done) {
      err.push(String(chunk));
      done();
    },
  });
  return {
    stdout: { write: (text) => void out.push(text), isTTY, columns },
    stderr: { write: (text) => void err.push(text), isTTY, columns },
    stdin: { isTTY, stream, echo, text: async () => options.stdin ?? "" },
    env: { HOME: home, ...options.env },
    cwd: options.cwd ?? "/",
    home,
    clock: options.clock ?? systemClock,
    signal: options.signal ?? new AbortController().signal,
    takeHangUps: () => undefined,
    version: { version: "1.2.3", commit: "abc1234" },
  };
}
