import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeAtomic } from "../../../lib/fs.ts";
import { randomId } from "../../../lib/random.ts";

/** The id of this machine's copy of the project, undefined where it has none yet. */
export function knownMachineId(stateFolder: string): string | undefined {
  try {
    const text = readFileSync(fileIn(stateFolder), "utf8").trim();
    return /^[0-9a-f]{16}$/.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The same, made at the first call: 16 hex digits, so that machines of one name, and two copies of a project on one
 * machine, are told apart. Throws what the file system does.
 */
export function machineId(stateFolder: string): string {
  const known = knownMachineId(stateFolder);
  if (known !== undefined) return known;
  const made = randomId();
  mkdirSync(stateFolder, { recursive: true });
  try {
    writeFileSync(fileIn(stateFolder), made, { mode: 0o600, flag: "wx" });
    return made;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  // Another process was faster, or what is there is no id.
  const theirs = knownMachineId(stateFolder);
  if (theirs === undefined) writeAtomic(fileIn(stateFolder), made, { mode: 0o600 });
  return theirs ?? made;
}

function fileIn(stateFolder: string): string {
  return join(stateFolder, "machine-id");
}
