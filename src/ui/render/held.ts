import type { Held } from "../../sync/model.ts";
import { printable, type Style } from "../terminal.ts";

/** `Held path: why`, one line for a folder and all that is held below it for the same reason. */
export function heldLines(held: readonly Held[], style: Style): readonly string[] {
  const reasons = new Map(held.map(({ path, reason }) => [path as string, reason]));
  const covered = ({ path, reason }: Held): boolean =>
    foldersAbove(path).some((folder) => reasons.get(folder) === reason);
  const shown = held.filter((item) => !covered(item));
  return shown.map(({ path, reason }) =>
    style.yellow(names(reason, path) ? `Held: ${printable(reason)}` : `Held ${aboutPath(path, reason)}`),
  );
}

/** `path: message`, or the message alone where it names the path itself. */
export function aboutPath(path: string, message: string): string {
  return names(message, path) ? printable(message) : `${printable(path)}: ${printable(message)}`;
}

function names(message: string, path: string): boolean {
  return message.includes(`"${path}"`);
}

function foldersAbove(path: string): readonly string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, count) => parts.slice(0, count + 1).join("/"));
}
