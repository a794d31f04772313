import { MOVED_PATH, RESERVED_FOLDERS } from "../backends/layout.ts";
import { TEMP_PREFIX } from "../lib/temp-prefix.ts";
import { compileExclude } from "./exclude.ts";
import { compileIgnore } from "./ignore.ts";
import { compileInclude } from "./include.ts";

/**
 * Which paths take part in sync. `links` names the components (0 is the first) that are symbolic links to folders, as
 * the scan met them; without it a path is judged by its text alone.
 */
export interface Scope {
  /** For the path of a file. */
  includes(path: string, links?: readonly number[]): boolean;
  /** For the path of a folder: false when nothing below it is in scope. */
  descends(folder: string, links?: readonly number[]): boolean;
}

export interface ScopeRules {
  readonly filePatterns: readonly string[];
  readonly excludePatterns: readonly string[];
  /** Text of `.claude_mirror_ignore`, when there is one. */
  readonly ignoreText?: string;
}

/** Our own ignore file, at the root of the project. It is read, never synced. */
export const IGNORE_FILE = ".claude_mirror_ignore";

/**
 * Builds the scope of a project. Never in it: state files of ours and of the Python tool (reference 1.1) with their
 * siblings, temporary files, `.git` at any depth, and the reserved folders at the root.
 * Throws PatternError for a file pattern that cannot be used.
 */
export function compileScope(rules: ScopeRules): Scope {
  const include = compileInclude(rules.filePatterns);
  const exclude = rules.excludePatterns.length === 0 ? undefined : compileExclude(rules.excludePatterns);
  const ignore = rules.ignoreText === undefined ? undefined : compileIgnore(rules.ignoreText);
  return {
    // Asked for every file of a walk: each function on the way of a plain path would cost its compiling.
    includes: (path, links) =>
      (links === undefined || links.length === 0 ? include.plain(path) : include.matches(path, links)) &&
      !((path.charCodeAt(0) === DOT || path.charCodeAt(0) === UNDERSCORE || path.includes("/.")) && alwaysOut(path)) &&
      !exclude?.excludes(path) &&
      !ignore?.ignores(path),
    descends: (folder, links) =>
      include.descends(folder, links) && !alwaysOut(folder) && !exclude?.prunes(folder) && !ignore?.prunes(folder),
  };
}

const STATE_NAME =
  /(?:^|\/)\.claude_mirror_(?:manifest\.json|hash_cache\.json|inbox\.jsonl|prompt_cache\.json|ignore)(?:\.[^/]*)?(?:\/|$)/;
const GIT_NAME = /(?:^|\/)\.git(?:\/|$)/;

/** Whether a name on the path is never synced: only one that begins with a dot is, or at the root with an underscore. */
function alwaysOut(path: string): boolean {
  return (
    isReserved(path) ||
    GIT_NAME.test(path) ||
    STATE_NAME.test(path) ||
    path.startsWith(TEMP_PREFIX) ||
    path.includes(`/${TEMP_PREFIX}`)
  );
}

function isReserved(path: string): boolean {
  return path === MOVED_PATH || RESERVED_FOLDERS.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

const DOT = 0x2e;
const UNDERSCORE = 0x5f;
