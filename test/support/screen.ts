import { expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempFolder } from "./temp.ts";

const SCREENS = join(import.meta.dir, "../fixtures/screens");

/** The two ways in which every screen is captured. */
export const LOOKS = [
  { suffix: "", env: { NO_COLOR: "1" }, capture: [] },
  { suffix: "-colour", env: {}, capture: ["-e"] },
] as const;
export type Look = (typeof LOOKS)[number];

/** A program in a real terminal emulator (tmux) of 80 columns. */
export interface Screen {
  /** Resolves once the text stands on the screen. */
  shown(text: string | RegExp): Promise<void>;
  /** Keys by tmux's names: `Enter`, `Down`, or letters as they are. */
  keys(...names: string[]): void;
  /** Resolves once the program has ended; `exit N` stands below what it said. */
  ended(): Promise<void>;
  /** What stands there now, colour as SGR codes where the look has any. */
  taken(): string;
  close(): void;
}

export interface ScreenOptions {
  readonly home: string;
  readonly cwd: string;
  readonly look: Look;
  readonly env?: Readonly<Record<string, string>>;
  readonly rows?: number;
}

/** Below the tests' own limit, so that the terminal is closed and what it shows is told. */
const MOST_WAIT_MS = 40_000;

/** Tells how the program ended, and keeps the screen. */
const HOLD = '"$@"; printf "exit %s" $?; read -r line';

/** Starts `command` there with an environment of its own. */
export function openScreen(command: readonly string[], { home, cwd, look, env, rows = 50 }: ScreenOptions): Screen {
  const socket = join(tempFolder("tmux"), "socket");
  const tmux = (...words: string[]) =>
    Bun.spawnSync(["tmux", "-S", socket, "-f", "/dev/null", ...words], {
      env: { PATH: process.env["PATH"] ?? "", HOME: home, LANG: "C.UTF-8", TERM: "xterm-256color" },
    }).stdout.toString();
  const all = { HOME: home, TERM: "screen-256color", LANG: "C.UTF-8", PATH: "/usr/bin:/bin", ...look.env, ...env };
  const own = [
    "env",
    "-i",
    ...Object.entries(all).map(([name, value]) => `${name}=${value}`),
    "sh",
    "-c",
    HOLD,
    "sh",
    ...command,
  ];
  tmux("new-session", "-d", "-x", "80", "-y", String(rows), "-c", cwd, ...own);
  const shown = async (text: string | RegExp) => {
    for (const from = performance.now(); ; await Bun.sleep(20)) {
      const now = tmux("capture-pane", "-p");
      if (typeof text === "string" ? now.includes(text) : text.test(now)) return;
      if (performance.now() - from > MOST_WAIT_MS)
        throw new Error(`waited in vain for ${text}, there stands:\n${now.trimEnd()}`);
    }
  };
  return {
    shown,
    ended: () => shown(/^exit \d+$/m),
    keys: (...names) => void tmux("send-keys", ...names),
    taken: () => `${tmux("capture-pane", "-p", ...look.capture).trimEnd()}\n`,
    close: () => void tmux("kill-server"),
  };
}

/** Compares a screen with the committed one of this name; `UPDATE_SCREENS=1` writes it anew, to be looked at. */
export function expectScreen(found: string, name: string): void {
  const file = join(SCREENS, `${name}.txt`);
  if (process.env["UPDATE_SCREENS"]) writeFileSync(file, found);
  expect(found).toBe(readFileSync(file, "utf8"));
}
