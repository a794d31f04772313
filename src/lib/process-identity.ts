import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname, uptime } from "node:os";

/** What tells one process from every other, also from a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly host: string;
  /** Changes with every start of the machine; `""` where the system has no such id. */
  readonly boot: string;
  /** The numbering that `pid` belongs to (containers have their own); `""` where there is one only. */
  readonly pidSpace: string;
  /** Start of the process in clock ticks after boot, proc(5) `/proc/PID/stat` field 22; `""` where there is no /proc. */
  readonly processStart: string;
}

/** This process. */
export function ownIdentity(): ProcessIdentity {
  return {
    pid: process.pid,
    host: hostname(),
    boot: bootId(),
    pidSpace: pidSpace(),
    processStart: processStat(process.pid)?.start ?? "",
  };
}

let ownPlace: string | undefined;

/** Names this process among all that share a folder, for file names: `<8 hex of host, boot and numbering>-<pid>`. */
export function processTag(): string {
  return `${placeTag()}-${process.pid}`;
}

/** True only for the tag of a process that surely has ended: it ran here, since this machine was started. */
export function hasEnded(tag: string): boolean {
  const [place, pid] = tag.split("-");
  return place === placeTag() && Number(pid) > 0 && !exists(Number(pid));
}

function placeTag(): string {
  ownPlace ??= createHash("sha256").update(`${hostname()}\0${bootId()}\0${pidSpace()}`).digest("hex").slice(0, 8);
  return ownPlace;
}

/** `elsewhere`: it runs, or ran, where its number means nothing to us. */
export type Liveness = "alive" | "dead" | "elsewhere";

/** Whether the process that `identity` describes still runs. A zombie is dead. */
export function liveness(identity: ProcessIdentity): Liveness {
  if (identity.host !== hostname()) return "elsewhere";
  const boot = bootId();
  if (identity.boot !== "" && boot !== "" && identity.boot !== boot) return "dead";
  if (identity.pidSpace !== pidSpace()) return "elsewhere";
  if (!exists(identity.pid)) return "dead";
  const stat = processStat(identity.pid);
  if (stat === undefined) return "alive";
  if (stat.state === "Z" || stat.state === "X") return "dead";
  return identity.processStart !== "" && identity.processStart !== stat.start ? "dead" : "alive";
}

/** When this machine started, milliseconds since 1970, to about a second. */
export function bootTimeMs(nowMs: number): number {
  return nowMs - uptime() * 1000;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function processStat(pid: number): { readonly state: string; readonly start: string } | undefined {
  const text = readOr(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  // Field 2 is the program's name in parentheses and may hold spaces and parentheses itself.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, start] = [fields[0], fields[19]];
  return state && start ? { state, start } : undefined;
}

function bootId(): string {
  return readOr(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8")).trim();
}

function pidSpace(): string {
  return readOr(() => readlinkSync("/proc/self/ns/pid"));
}

function readOr(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}
