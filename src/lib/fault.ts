declare const FAULTS: boolean | undefined;

/**
 * A place where a test build can stop the program dead, as `kill -9` between two I/O steps would.
 * `bun scripts/build.ts --faults` defines FAULTS; in every other build the body folds away.
 * `CLAUDE_MIRROR_FAULT_AT=N` kills at the N-th point reached; `CLAUDE_MIRROR_FAULT_LOG=FILE` appends each point's name.
 */
export function faultPoint(name: string): void {
  if (typeof FAULTS !== "undefined" && FAULTS) reach(name);
}

let reached = 0;

function reach(name: string): void {
  reached++;
  const log = process.env["CLAUDE_MIRROR_FAULT_LOG"];
  if (log) fs().appendFileSync(log, `${reached} ${name}\n`);
  if (reached === Number(process.env["CLAUDE_MIRROR_FAULT_AT"])) process.kill(process.pid, "SIGKILL");
}

function fs(): typeof import("node:fs") {
  return process.getBuiltinModule("node:fs");
}
