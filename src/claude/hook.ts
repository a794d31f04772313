import { RefusedError } from "../lib/errors.ts";
import { appendItem, appendMember, nodeAt, removeChild, replaceRange } from "./json-edit.ts";
import { type JsonNode, JsonTreeError, memberOf, textOf } from "./json-tree.ts";

/** Seconds after which Claude Code goes on without an answer of the hook. */
const HOOK_TIMEOUT_S = 10;

const EVENT = ["hooks", "PreToolUse"] as const;

/** A settings text after an edit, and what was found there that is replaced by it. */
export interface HookEdit {
  readonly text: string;
  /** Commands of other versions of this hook. */
  readonly replaced: readonly string[];
}

/** What goes into `hooks.PreToolUse` of Claude Code's settings. `command` is a shell's command line. */
export function hookGroup(command: string): unknown {
  return { matcher: "", hooks: [{ type: "command", command, timeout: HOOK_TIMEOUT_S }] };
}

/** The text of a settings file that holds nothing but the hook. */
export function hookExample(command: string): string {
  return `${JSON.stringify({ hooks: { PreToolUse: [hookGroup(command)] } }, null, 2)}\n`;
}

/**
 * The settings with the hook in them exactly once. A hook of another version, the Python tool's included, is put right
 * where it stands; every other byte stays. Throws RefusedError for a text that cannot be edited safely.
 */
export function addHook(text: string, command: string): HookEdit {
  if (text.trim() === "") return { text: hookExample(command), replaced: [] };
  return readable(() => {
    const [first, ...more] = hooksOf(text, isOurHook);
    if (!first) return { text: appendGroup(text, command), replaced: [] };
    const replaced = [first, ...more].map((hook) => hook.command).filter((known) => known !== command);
    const alone = more.reduceRight((rest, hook) => removeHook(rest, hook), text);
    return { text: putRight(alone, first, command), replaced };
  });
}

/** The settings without this program's hook, and without the lists that held nothing else. */
export function dropHook(text: string): string {
  if (text.trim() === "") return text;
  return readable(() => hooksOf(text, isThisHook).reduceRight((rest, hook) => removeHook(rest, hook), text));
}

/** One hook of ours and where it stands. */
interface FoundHook {
  readonly group: number;
  readonly index: number;
  readonly command: string;
}

function hooksOf(text: string, wanted: (command: string) => boolean): readonly FoundHook[] {
  const groups = nodeAt(text, EVENT);
  if (groups?.kind !== "array") return [];
  return groups.items.flatMap((node, group) => {
    const list = memberOf(node, "hooks")?.value;
    if (list?.kind !== "array") return [];
    return list.items.flatMap((item, index) => {
      const command = textOf(item, "command");
      return command !== undefined && wanted(command) ? [{ group, index, command }] : [];
    });
  });
}

/** The program's name, alone or at the end of a path, quoted or not. */
const PROGRAM =
  /^(?:'(?:[^']*\/)?claude-mirror'|"(?:[^"]*[/\\])?claude-mirror(?:\.exe)?"|(?:[^\s'"|&;]*\/)?claude-mirror)/;

/** True for a command that does nothing but ask the inbox, in any version's words. */
function isOurHook(command: string): boolean {
  const [program] = PROGRAM.exec(command) ?? [];
  return (
    program !== undefined &&
    /^\s+inbox(\s+--hook)?(\s+2>\s*\/dev\/null)?(\s*\|\|\s*true)?\s*$/.test(command.slice(program.length))
  );
}

/** True for the hook that this program adds; the Python tool's never says `--hook`. */
function isThisHook(command: string): boolean {
  return isOurHook(command) && /\s--hook\b/.test(command);
}

function putRight(text: string, { group, index, command: found }: FoundHook, command: string): string {
  if (found === command) return text;
  const path = [...EVENT, group, "hooks", index];
  const old = nodeAt(text, [...path, "command"]);
  const changed = old ? replaceRange(text, old, JSON.stringify(command)) : text;
  const hook = nodeAt(changed, path);
  return hook && !memberOf(hook, "timeout") ? appendMember(changed, hook, "timeout", HOOK_TIMEOUT_S) : changed;
}

function appendGroup(text: string, command: string): string {
  const root = expectKind(nodeAt(text, []), "object", "the settings");
  const hooks = nodeAt(text, ["hooks"]);
  if (!hooks) return appendMember(text, root, "hooks", { PreToolUse: [hookGroup(command)] });
  expectKind(hooks, "object", '"hooks"');
  const groups = nodeAt(text, EVENT);
  if (!groups) return appendMember(text, hooks, "PreToolUse", [hookGroup(command)]);
  return appendItem(text, expectKind(groups, "array", '"hooks.PreToolUse"'), hookGroup(command));
}

function removeHook(text: string, { group, index }: FoundHook): string {
  const steps: readonly (readonly (string | number)[])[] = [
    [...EVENT, group, "hooks", index],
    [...EVENT, group],
    [...EVENT],
    ["hooks"],
  ];
  let rest = text;
  for (const [at, path] of steps.entries()) {
    const held = at === 0 || isEmptied(rest, path, group);
    if (!held) break;
    rest = removeAt(rest, path);
  }
  return rest;
}

/** True for a list that holds nothing any more, and for a group without a hook. */
function isEmptied(text: string, path: readonly (string | number)[], group: number): boolean {
  const node = nodeAt(text, path);
  const list = path.at(-1) === group && node ? memberOf(node, "hooks")?.value : node;
  if (list?.kind === "array") return list.items.length === 0 && isBare(text, list);
  return list?.kind === "object" && list.members.length === 0 && isBare(text, list);
}

/** No comment stands between the brackets. */
function isBare(text: string, { start, end }: JsonNode): boolean {
  return text.slice(start + 1, end - 1).trim() === "";
}

function removeAt(text: string, path: readonly (string | number)[]): string {
  const parent = nodeAt(text, path.slice(0, -1));
  const last = path.at(-1);
  if (parent?.kind === "array") return removeChild(text, parent, Number(last));
  if (parent?.kind !== "object") return text;
  return removeChild(
    text,
    parent,
    parent.members.findIndex(({ key }) => key === last),
  );
}

function expectKind(node: JsonNode | undefined, kind: "object" | "array", what: string): JsonNode {
  if (node?.kind === kind) return node;
  throw new RefusedError(
    "settings-shape",
    `${what} should be ${kind === "object" ? "an object" : "a list"}: put it right first`,
  );
}

function readable<T>(edit: () => T): T {
  try {
    return edit();
  } catch (error) {
    if (!(error instanceof JsonTreeError)) throw error;
    throw new RefusedError("settings-unreadable", `it is no JSON that can be edited safely: ${error.message}`);
  }
}
