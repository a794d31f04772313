import type { ProjectName } from "./scenario.ts";

/** When something was wrong, and where. */
export interface Troubles {
  /** Something is wrong from `atMs` on, with one project or (undefined) with the machine; the answer ends it. */
  begin(project: ProjectName | undefined, atMs: number): (atMs: number) => void;
  /** Nothing was wrong there at `atMs`, nor so long before or after that it could be felt. */
  isQuiet(atMs: number, where: readonly (ProjectName | undefined)[]): boolean;
}

/** A network that was away is tried again after a minute at the latest. */
const FELT_MS = 70_000;

export function troubles(): Troubles {
  const all: { readonly project: ProjectName | undefined; readonly fromMs: number; untilMs: number }[] = [];
  return {
    begin(project, atMs) {
      const one = { project, fromMs: atMs, untilMs: Number.POSITIVE_INFINITY };
      all.push(one);
      return (endMs) => {
        one.untilMs = endMs;
      };
    },
    isQuiet: (atMs, where) =>
      all.every(
        ({ project, fromMs, untilMs }) =>
          !where.includes(project) || atMs < fromMs - FELT_MS || atMs > untilMs + FELT_MS,
      ),
  };
}
