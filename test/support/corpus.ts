import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Random, seededRandom } from "./random.ts";

/** Files that lie in one folder of the corpus. */
const FILES_PER_FOLDER = 25;
/** Folders that lie in one folder at the top. */
const FOLDERS_PER_AREA = 8;

export interface CorpusOptions {
  /** Number of the first file: a second corpus beside the first starts where that one ends. */
  readonly from?: number;
  readonly seed?: number;
}

/** Writes `count` small markdown files (200 bytes to 8 KB, 4 KB on average), 25 to a folder, the same for every seed. */
export function makeCorpus(root: string, count: number, options: CorpusOptions = {}): readonly string[] {
  const random = seededRandom(options.seed ?? 1);
  const made: string[] = [];
  let folder = "";
  for (let number = options.from ?? 0; made.length < count; number++) {
    const path = corpusPath(number);
    const parent = path.slice(0, path.lastIndexOf("/"));
    if (parent !== folder) mkdirSync(join(root, parent), { recursive: true });
    folder = parent;
    writeFileSync(join(root, path), note(number, random));
    made.push(path);
  }
  return made;
}

/** Path of one file of the corpus. */
export function corpusPath(number: number): string {
  const folder = Math.floor(number / FILES_PER_FOLDER);
  const area = Math.floor(folder / FOLDERS_PER_AREA);
  return `area-${pad(area, 4)}/topic-${pad(folder, 5)}/note-${pad(number, 6)}.md`;
}

const TEXT = Array.from({ length: 40 }, (_, line) => `- line ${line}: what was decided and why it was decided so\n`);

function note(number: number, random: Random): string {
  const size = 200 + random.below(7800);
  const lines = TEXT.slice(random.below(TEXT.length)).join("") + TEXT.join("").repeat(4);
  return `# Note ${number} ${random.next()}\n\n${lines}`.slice(0, size);
}

function pad(number: number, width: number): string {
  return String(number).padStart(width, "0");
}
