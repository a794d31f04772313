import { userInfo } from "node:os";
import { isAbsolute } from "node:path";
import { isatty } from "node:tty";
import { systemClock } from "../lib/clock.ts";
import { homeFrom } from "../lib/dirs.ts";
import { UsageError } from "../lib/errors.ts";
import { systemState } from "../lib/system-error.ts";
import type { Sink } from "../ui/terminal.ts";
import type { CliEnvironment, Input } from "./context.ts";
import { versionInfo } from "./version.ts";

export interface ProcessOptions {
  readonly signal: AbortSignal;
  /** The output cannot be written: a full disk, a terminal that is gone. Told once for each stream. */
  readonly onOutputError: (error: Error) => void;
  readonly takeHangUps: CliEnvironment["takeHangUps"];
}

/** The real world for `runCli`. Throws UsageError where nobody says which folder is the home folder. */
export function processEnvironment({ signal, onOutputError, takeHangUps }: ProcessOptions): CliEnvironment {
  return {
    stdout: sinkOf(process.stdout, onOutputError),
    stderr: sinkOf(process.stderr, onOutputError),
    stdin: processInput(),
    env: process.env,
    cwd: process.cwd(),
    home: homeFrom(process.env) ?? systemHome(),
    clock: systemClock,
    signal,
    takeHangUps,
    version: versionInfo(),
  };
}

/** As the system knows this account: the environment says nothing usable. */
function systemHome(): string {
  const home = homeOfAccount();
  if (home !== undefined && isAbsolute(home)) return home;
  throw new UsageError("cannot find your home folder: HOME names none and the system knows none", {
    hint: "Set HOME to an absolute path.",
  });
}

function homeOfAccount(): string | undefined {
  try {
    return userInfo().homedir;
  } catch {
    return undefined;
  }
}

/** A reader that has gone (`| head`) silences the stream and ends nothing else. */
function sinkOf(stream: NodeJS.WriteStream, onOutputError: ProcessOptions["onOutputError"]): Sink {
  let gone = false;
  const left = Promise.withResolvers<void>();
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (!gone && error.code !== "EPIPE")
      onOutputError(new Error(`could not write the output: ${systemState(error)}`, { cause: error }));
    gone = true;
    left.resolve();
  });
  return {
    write: (text) => void (gone || stream.write(text)),
    isTTY: stream.isTTY === true,
    gone: left.promise,
    get columns() {
      return stream.columns;
    },
  };
}

/** Standard input is opened by the first read: opening it alone would keep some runtimes alive. */
function processInput(): Input {
  let terminal: NodeJS.ReadStream | undefined;
  return {
    isTTY: isatty(0),
    get stream() {
      terminal ??= leavable(process.stdin);
      return terminal;
    },
    echo: process.stderr,
    async text() {
      const chunks: Uint8Array[] = [];
      for await (const chunk of process.stdin) chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
      return Buffer.concat(chunks).toString("utf8");
    },
  };
}

/** A terminal that has hung up cannot be set back, and need not be: its end reaches the question that is open. */
function leavable(stream: NodeJS.ReadStream): NodeJS.ReadStream {
  const set = stream.setRawMode?.bind(stream);
  stream.on("error", () => undefined);
  if (set === undefined) return stream;
  stream.setRawMode = (raw) => {
    try {
      return set(raw);
    } catch (error) {
      if (raw) throw error;
      return stream;
    }
  };
  return stream;
}
