import { hasNotices } from "./activity/inbox-files.ts";
import { findConfigFast } from "./settings/index-fast.ts";

declare const VERSION: string | undefined;
declare const COMMIT: string | undefined;

/**
 * The entry: what must start like a C program is answered here, with `node:fs` and `console.log` alone. Everything
 * else is read from disk only when it is asked for.
 */
const typed = process.argv.slice(2);
if (!answeredAtOnce() && !(await answeredSoon())) await runAll();

function answeredAtOnce(): boolean {
  const [first, second] = typed;
  if (typed.length === 1 && first === "--version" && typeof VERSION !== "undefined") {
    console.log(`claude-mirror ${VERSION}${typeof COMMIT === "undefined" || COMMIT === "" ? "" : ` (${COMMIT})`}`);
    return true;
  }
  if (typed.length === 2 && first === "inbox" && second === "--hook") return nothingWaits();
  if (first !== "find-config" || typed.length > 2 || second?.startsWith("-")) return false;
  const found = findConfigFast(second ?? process.cwd(), process.env);
  if (found?.kind !== "found") return false;
  console.log(found.file);
  return true;
}

/** A shell's prompt is asked for before every line that somebody types. */
async function answeredSoon(): Promise<boolean> {
  if (typed[0] !== "prompt") return false;
  const { promptAtOnce } = await import("./cli/prompt-fast.ts");
  const text = await promptAtOnce(typed.slice(1), process.env, process.cwd());
  if (text) console.log(text);
  return text !== undefined;
}

/**
 * Claude Code runs a hook in the folder that it names on standard input: that is read only where something waits. False
 * where that has to be looked at closer.
 */
function nothingWaits(): boolean {
  const { env } = process;
  return [process.cwd(), env["CLAUDE_PROJECT_DIR"]].every((folder) => {
    if (!folder) return true;
    const found = findConfigFast(folder, env);
    return found !== undefined && (found.kind === "none" || !hasNotices(found.path));
  });
}

async function runAll(): Promise<void> {
  const [{ runCli, tellUncaught }, { processEnvironment }, { wordsAsInvoked }, { Interrupted }] = await Promise.all([
    import("./cli/run.ts"),
    import("./cli/process.ts"),
    import("./cli/invoked.ts"),
    import("./lib/errors.ts"),
  ]);
  const words = wordsAsInvoked(typed, process);
  const fail = (error: unknown) => {
    const told = tellUncaught(error, words, process.env);
    console.error(told.text);
    return told.code;
  };
  for (const event of ["uncaughtException", "unhandledRejection"] as const)
    process.on(event, (error) => process.exit(fail(error)));
  const stop = new AbortController();
  const onSignal = () => {
    if (stop.signal.aborted) process.exit(130);
    stop.abort(new Interrupted());
  };
  /** What a lasting command does at SIGHUP instead of ending. */
  let onHangUp: (() => void) | undefined;
  const signals = { SIGINT: onSignal, SIGTERM: onSignal, SIGHUP: () => (onHangUp ?? onSignal)() } as const;
  for (const [signal, on] of Object.entries(signals)) process.on(signal, on);
  let outputFailed = 0;
  const onOutputError = (error: Error) => {
    outputFailed = fail(error);
  };
  process.on("exit", () => {
    process.exitCode ||= outputFailed;
  });
  const takeHangUps = (listener: () => void) => {
    onHangUp = listener;
  };
  process.exitCode = await runCli(words, processEnvironment({ signal: stop.signal, onOutputError, takeHangUps }));
  for (const [signal, on] of Object.entries(signals)) process.off(signal, on);
}
