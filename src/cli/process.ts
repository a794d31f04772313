import { homedir } from "node:os";
import { isatty } from "node:tty";
import { systemClock } from "../lib/clock.ts";
import type { Sink } from "../ui/terminal.ts";
import type { CliEnvironment, Input } from "./context.ts";
import { versionInfo } from "./version.ts";

/** The real world for `runCli`. */
export function processEnvironment(signal: AbortSignal): CliEnvironment {
  return {
    stdout: sinkOf(process.stdout),
    stderr: sinkOf(process.stderr),
    stdin: processInput(),
    env: process.env,
    cwd: process.cwd(),
    home: process.env["HOME"] || homedir(),
    clock: systemClock,
    signal,
    version: versionInfo(),
  };
}

/** A reader that has gone (`| head`) silences the stream and ends nothing else. */
function sinkOf(stream: NodeJS.WriteStream): Sink {
  let gone = false;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    gone = true;
  });
  return {
    write: (text) => void (gone || stream.write(text)),
    isTTY: stream.isTTY === true,
    get columns() {
      return stream.columns;
    },
  };
}

/** Standard input is opened by the first read: opening it alone would keep some runtimes alive. */
function processInput(): Input {
  return {
    isTTY: isatty(0),
    get stream() {
      return process.stdin;
    },
    echo: process.stderr,
    async text() {
      const chunks: Uint8Array[] = [];
      for await (const chunk of process.stdin) chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
      return Buffer.concat(chunks).toString("utf8");
    },
  };
}
