import type { Clock } from "../lib/clock.ts";
import type { SyncEvent } from "../sync/model.ts";
import { bytesText, clockText, groupDigits } from "./format.ts";
import { printable, type Terminal } from "./terminal.ts";
import { cutWidth } from "./width.ts";

/** Shows how a run goes on, on stderr. */
export interface Progress {
  event(event: SyncEvent): void;
  /** Runs `print` with the live lines out of the way, for lines that are to stay. */
  around(print: () => void): void;
  /** Removes the live lines; the next event draws them again. */
  close(): void;
}

/** Live lines on a terminal, redrawn at most 12 times a second but for stages; elsewhere a plain line at every stage and every 10 s. */
export function openProgress(err: Terminal, { clock }: { readonly clock: Clock }): Progress {
  return err.isTTY ? liveProgress(err, clock) : plainProgress(err, clock);
}

const REDRAW_MS = 80;
const PLAIN_MS = 10_000;

/** What has been seen so far. */
interface Tally {
  local: string | undefined;
  remote: string | undefined;
  items: number;
  itemsDone: number;
  bytes: number;
  bytesDone: number;
  startedMs: number;
}

function newTally(): Tally {
  return { local: undefined, remote: undefined, items: 0, itemsDone: 0, bytes: 0, bytesDone: 0, startedMs: 0 };
}

function count(tally: Tally, event: SyncEvent, nowMs: number): void {
  switch (event.kind) {
    case "scan":
      tally.local = filesText(event);
      return;
    case "list":
      tally.remote = filesText(event);
      return;
    case "begin":
      Object.assign(tally, { items: event.items, bytes: event.bytes, itemsDone: 0, bytesDone: 0, startedMs: nowMs });
      return;
    case "bytes":
      tally.bytesDone += event.bytes;
      return;
    case "item":
      tally.itemsDone++;
      return;
    case "notice":
      return;
  }
}

function liveProgress(err: Terminal, clock: Clock): Progress {
  const tally = newTally();
  let drawn = 0;
  let drawnMs = Number.NEGATIVE_INFINITY;
  let later: AbortController | undefined;
  const clear = () => {
    later?.abort();
    later = undefined;
    if (drawn > 0) err.write(`\x1b[${drawn}A\x1b[0J`);
    drawn = 0;
  };
  /** So that what happened last is shown also where nothing follows for a while. */
  const drawLater = () => {
    if (later !== undefined) return;
    const own = new AbortController();
    later = own;
    clock.sleep(REDRAW_MS, own.signal).then(
      () => later === own && draw(),
      () => undefined,
    );
  };
  const draw = () => {
    clear();
    const lines = liveLines(tally, clock.now()).map((line) => cutWidth(line, err.columns - 1));
    for (const line of lines) err.line(err.style.dim(line));
    drawn = lines.length;
    drawnMs = clock.now();
  };
  return {
    event(event) {
      count(tally, event, clock.now());
      if (event.kind === "notice") this.around(() => err.line(err.style.yellow(printable(event.message))));
      else if (isStage(event) || clock.now() - drawnMs >= REDRAW_MS) draw();
      else drawLater();
    },
    around(print) {
      const again = drawn > 0;
      clear();
      print();
      if (again) draw();
    },
    close: clear,
  };
}

function plainProgress(err: Terminal, clock: Clock): Progress {
  const tally = newTally();
  let saidMs = clock.now();
  return {
    event(event) {
      count(tally, event, clock.now());
      if (event.kind === "notice") return err.line(printable(event.message));
      const due = clock.now() - saidMs >= PLAIN_MS;
      if (event.kind === "begin" && event.items === 0) return;
      if (!isStage(event) && !due) return;
      saidMs = clock.now();
      const line = plainLine(tally, event, saidMs);
      if (line !== undefined) err.line(line);
    },
    around: (print) => print(),
    close() {},
  };
}

/** Events worth a line of their own. */
function isStage(event: SyncEvent): boolean {
  return event.kind === "begin" || ((event.kind === "scan" || event.kind === "list") && event.done);
}

function liveLines(tally: Tally, nowMs: number): readonly string[] {
  const lines: string[] = [];
  if (tally.local !== undefined) lines.push(`Local   ${tally.local}`);
  if (tally.remote !== undefined) lines.push(`Remote  ${tally.remote}`);
  return tally.items > 0 ? [...lines, transferText(tally, nowMs)] : lines;
}

function plainLine(tally: Tally, event: SyncEvent, nowMs: number): string | undefined {
  switch (event.kind) {
    case "scan":
      return `Local   ${tally.local}`;
    case "list":
      return `Remote  ${tally.remote}`;
    case "begin":
    case "bytes":
    case "item":
      return transferText(tally, nowMs);
    case "notice":
      return undefined;
  }
}

/** `Files   3/10  1.2 MB of 4.0 MB  800.0 KB/s  0:04 left`. */
function transferText(tally: Tally, nowMs: number): string {
  const parts = [`${groupDigits(tally.itemsDone)}/${groupDigits(tally.items)}`];
  if (tally.bytes > 0) parts.push(`${bytesText(tally.bytesDone)} of ${bytesText(tally.bytes)}`);
  const seconds = (nowMs - tally.startedMs) / 1000;
  const rate = seconds > 0.5 ? tally.bytesDone / seconds : 0;
  if (rate >= 1) {
    parts.push(`${bytesText(rate)}/s`);
    const left = tally.bytes - tally.bytesDone;
    if (left > 0) parts.push(`${clockText(left / rate)} left`);
  }
  return `Files   ${parts.join("  ")}`;
}

function filesText({ files, done }: { readonly files: number; readonly done: boolean }): string {
  return `${groupDigits(files)} file(s)${done ? "" : " ..."}`;
}
