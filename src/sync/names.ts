import type { NameRules } from "../backends/types.ts";
import type { RelPath } from "../lib/path.ts";
import type { LocalPlatform } from "./model.ts";

/**
 * The form in which names are compared that some file system would take for one: NFC and case folded, per Unicode's
 * full folding as far as `toUpperCase` then `toLowerCase` reach it (`ß` equals `ss`, as on APFS and casefolded ext4).
 * Not a name to write anywhere.
 */
export function foldName(name: string): string {
  if (isAscii(name)) return name.toLowerCase();
  return name.normalize("NFC").toUpperCase().toLowerCase().normalize("NFC");
}

/** Why the remote cannot hold a file of this path, or undefined when it can. */
export function remoteNameProblem(path: RelPath, rules: NameRules): string | undefined {
  for (const name of path.split("/")) {
    for (const char of rules.forbidden) {
      if (name.includes(char)) return `the remote cannot hold ${JSON.stringify(char)} in a name`;
    }
    if (rules.hiddenPrefix !== undefined && name.startsWith(rules.hiddenPrefix)) {
      return `the remote hides names that begin with ${JSON.stringify(rules.hiddenPrefix)}, so it could never be listed`;
    }
    const bytes = byteLength(name);
    if (bytes > rules.maxNameBytes)
      return `a name of ${bytes} bytes is too long for the remote (${rules.maxNameBytes})`;
    const reserved = rules.reserved?.find(({ pattern }) => new RegExp(pattern, "i").test(name));
    if (reserved !== undefined) return `${reserved.why}: ${JSON.stringify(name)}`;
  }
  if (rules.maxPathLength !== undefined && path.length > rules.maxPathLength)
    return `a path of ${path.length} characters is too long for the remote (${rules.maxPathLength})`;
  return undefined;
}

/**
 * Why this machine's file system cannot hold a file of this path, or undefined when it can. For Windows: Microsoft's
 * "Naming Files, Paths, and Namespaces".
 */
export function localNameProblem(path: RelPath, platform: LocalPlatform): string | undefined {
  for (const name of path.split("/")) {
    const problem = platform === "windows" ? windowsProblem(name) : posixProblem(name);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** NAME_MAX of ext4, XFS, btrfs, ZFS and APFS. */
const MAX_NAME_BYTES = 255;
const WINDOWS_MAX_NAME = 255;
const WINDOWS_DEVICE = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: Windows forbids exactly these
const WINDOWS_FORBIDDEN = /[<>:"|?*\\\u0000-\u001f]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the whole of ASCII is meant
const ASCII_ONLY = /^[\u0000-\u007f]*$/;

function windowsProblem(name: string): string | undefined {
  const forbidden = WINDOWS_FORBIDDEN.exec(name);
  if (forbidden !== null) return `Windows cannot hold ${JSON.stringify(forbidden[0])} in a name`;
  if (WINDOWS_DEVICE.test(name)) return `${JSON.stringify(name)} is a device name on Windows`;
  if (/[. ]$/.test(name)) return "Windows drops a dot or space at the end of a name";
  return name.length > WINDOWS_MAX_NAME ? `a name of ${name.length} characters is too long for Windows` : undefined;
}

function posixProblem(name: string): string | undefined {
  const bytes = byteLength(name);
  return bytes > MAX_NAME_BYTES
    ? `a name of ${bytes} bytes is too long for this machine (${MAX_NAME_BYTES})`
    : undefined;
}

function byteLength(text: string): number {
  return isAscii(text) ? text.length : new TextEncoder().encode(text).length;
}

function isAscii(text: string): boolean {
  return ASCII_ONLY.test(text);
}
