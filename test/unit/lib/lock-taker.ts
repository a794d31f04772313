import { existsSync } from "node:fs";
import { systemClock } from "../../../src/lib/clock.ts";
import { acquireLock, LockedError } from "../../../src/lib/lock.ts";

/** Started by lock.test.ts: once the start file is there, tries for the lock once and says `won` or `lost`. */
const [file = "", start = ""] = process.argv.slice(2);
console.log("ready");
while (!existsSync(start));
try {
  acquireLock(file, { command: "taker", clock: systemClock });
  console.log("won");
  // Holds on until it is told to end, so that no later taker finds the lock free.
  process.stdin.resume();
} catch (error) {
  console.log(error instanceof LockedError ? "lost" : String(error));
}
