import type { ProjectName } from "./scenario.ts";

/** Counts what colleagues told against what the inbox's readers saw. A push is known by the one file that it sends. */
export interface Tally {
  /** The name of a new file: whose push it is stands in it. */
  name(project: ProjectName, who: "colleague" | "own"): string;
  /** The push of this file is in the shared log, since `atMs`. */
  told(file: string, atMs: number): void;
  /** A reader was given this text. */
  seen(text: string): void;
  /** The watcher has said so on its screen, at `atMs`: it is in the inbox by then. */
  noticed(text: string, atMs: number): void;
  wasNoticed(file: string): boolean;
  missing(): readonly string[];
  /** How long after `untilMs` each of those came that were pushed between the two times where nothing else was wrong, milliseconds. */
  heardAfter(fromMs: number, untilMs: number, isSound: (project: ProjectName) => boolean): readonly number[];
  /** `isCalm`: nothing was wrong with the project at that time. */
  rows(isCalm: (project: ProjectName, atMs: number) => boolean): readonly TallyRow[];
}

export interface TallyRow {
  readonly project: ProjectName;
  readonly expected: number;
  readonly seen: number;
  /** Files of pushes that no reader saw. */
  readonly lost: readonly string[];
  /** Files of pushes that readers saw more than once. */
  readonly doubled: readonly string[];
  /** Files that nobody should have been told of. */
  readonly unwanted: readonly string[];
  /** From the end of a push to the inbox, milliseconds, shortest first: of all, and of those when nothing was wrong. */
  readonly delays: readonly number[];
  readonly calmDelays: readonly number[];
}

const FILE = /\b(colleague|own)-([a-z]+)-\d+\.md\b/g;

export function tally(projects: readonly ProjectName[]): Tally {
  const told = new Map<string, number>();
  const seen = new Map<string, number>();
  const noticed = new Map<string, number>();
  let made = 0;
  const missing = () => [...told.keys()].filter((file) => !seen.has(file));
  const delayOf = (file: string): number | undefined => {
    const [atMs, shownMs] = [told.get(file), noticed.get(file)];
    return atMs === undefined || shownMs === undefined ? undefined : Math.max(0, shownMs - atMs);
  };
  return {
    name: (project, who) => `${who}-${project}-${++made}.md`,
    told: (file, atMs) => void told.set(file, atMs),
    seen(text) {
      for (const [file] of text.matchAll(FILE)) seen.set(file, (seen.get(file) ?? 0) + 1);
    },
    noticed(text, atMs) {
      for (const [file] of text.matchAll(FILE)) if (!noticed.has(file)) noticed.set(file, atMs);
    },
    wasNoticed: (file) => noticed.has(file),
    missing,
    heardAfter: (fromMs, untilMs, isSound) =>
      [...told].flatMap(([file, atMs]) => {
        const shownMs = noticed.get(file);
        if (shownMs === undefined || atMs < fromMs || atMs > untilMs || !isSound(projectOf(file))) return [];
        return [Math.max(0, shownMs - untilMs)];
      }),
    rows: (isCalm) =>
      projects.map((project) => {
        const mine = (file: string) => projectOf(file) === project;
        const files = [...told.keys()].filter(mine);
        const shown = [...seen].filter(([file]) => mine(file));
        const delays = (of: readonly string[]) =>
          of
            .map(delayOf)
            .filter((ms) => ms !== undefined)
            .sort((a, b) => a - b);
        return {
          project,
          expected: files.length,
          seen: files.filter((file) => seen.has(file)).length,
          lost: missing().filter(mine),
          doubled: shown.filter(([, times]) => times > 1).map(([file]) => file),
          unwanted: shown.filter(([file]) => file.startsWith("own")).map(([file]) => file),
          delays: delays(files),
          calmDelays: delays(files.filter((file) => isCalm(project, told.get(file) ?? 0))),
        };
      }),
  };
}

function projectOf(file: string): ProjectName {
  return file.split("-")[1] as ProjectName;
}
