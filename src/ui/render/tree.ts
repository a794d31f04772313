import type { TreeFile, TreeResult } from "../../project/model.ts";
import { bytesText, countText, groupDigits } from "../format.ts";
import { printable, type Style } from "../terminal.ts";
import { STATUS_WORDS } from "./status.ts";

export interface TreeOptions {
  /** Folders below this many levels are only counted; all are shown when left out. */
  readonly depth?: number | undefined;
  readonly size: boolean;
  readonly time: boolean;
  readonly ascii: boolean;
  /** How the top is called. */
  readonly name: string;
}

interface Folder {
  readonly folders: Map<string, Folder>;
  readonly files: TreeFile[];
  count: number;
  bytes: number;
}

/** The tree, folders among files by name, and below it how many files each side has. */
export function treeLines({ files }: TreeResult, options: TreeOptions, style: Style): readonly string[] {
  const top = emptyFolder();
  let folders = 0;
  for (const file of files) {
    let folder = top;
    const names = file.path.split("/");
    for (const name of names.slice(0, -1)) {
      const next = folder.folders.get(name) ?? emptyFolder();
      if (next.count === 0) folders++;
      folder.folders.set(name, next);
      next.count++;
      next.bytes += file.size;
      folder = next;
    }
    folder.files.push(file);
  }
  const lines = [style.bold(printable(options.name))];
  addFolder(top, { prefix: "", level: 1, lines, options, style });
  return [...lines, "", summary(files, folders)];
}

function emptyFolder(): Folder {
  return { folders: new Map(), files: [], count: 0, bytes: 0 };
}

interface Place {
  readonly prefix: string;
  readonly level: number;
  readonly lines: string[];
  readonly options: TreeOptions;
  readonly style: Style;
}

function addFolder({ folders, files }: Folder, place: Place): void {
  const { prefix, level, lines, options, style } = place;
  const named = files.map((file) => ({ name: file.path.slice(file.path.lastIndexOf("/") + 1), file }));
  const entries = [...[...folders].map(([name, folder]) => ({ name, folder })), ...named];
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const [tee, corner, bar] = options.ascii ? ["|-- ", "`-- ", "|   "] : ["├── ", "└── ", "│   "];
  for (const [at, entry] of entries.entries()) {
    const isLast = at === entries.length - 1;
    const branch = style.dim(prefix + (isLast ? corner : tee));
    if ("file" in entry) {
      lines.push(branch + fileText(entry.name, entry.file, options, style));
      continue;
    }
    const isClosed = options.depth !== undefined && level >= options.depth;
    const size = options.size ? `, ${bytesText(entry.folder.bytes)}` : "";
    const inside = isClosed ? style.dim(`  (${countText(entry.folder.count, "file")}${size})`) : "";
    lines.push(`${branch}${style.blue(`${printable(entry.name)}/`)}${inside}`);
    const below = prefix + (isLast ? "    " : bar);
    if (!isClosed) addFolder(entry.folder, { ...place, prefix: below, level: level + 1 });
  }
}

function fileText(name: string, file: TreeFile, { size, time }: TreeOptions, style: Style): string {
  const facts = [
    size ? bytesText(file.size) : "",
    time
      ? file.modifiedMs === null
        ? "?"
        : new Date(file.modifiedMs).toISOString().slice(0, 16).replace("T", " ")
      : "",
  ].filter((text) => text !== "");
  const mark = markText(file, style);
  return [printable(name), mark, ...facts.map(style.dim)].join("  ");
}

/** The sides that have it, and its status where that does not follow. */
function markText({ where, status }: TreeFile, style: Style): string {
  const follows = { both: "in_sync", local: "new_local", remote: "new_remote" }[where] === status;
  const text = `[${where}${follows ? "" : `, ${STATUS_WORDS[status]}`}]`;
  if (where === "both") return follows ? style.dim(text) : style.yellow(text);
  return (where === "local" ? style.cyan : style.blue)(text);
}

function summary(files: readonly TreeFile[], folders: number): string {
  const count = (where: TreeFile["where"]) => groupDigits(files.filter((file) => file.where === where).length);
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const sides = `${count("both")} on both sides, ${count("local")} only here, ${count("remote")} only on the remote`;
  return `${countText(files.length, "file")} in ${countText(folders, "folder")}, ${bytesText(bytes)}: ${sides}`;
}
