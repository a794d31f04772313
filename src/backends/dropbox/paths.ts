import type { RelPath } from "../../lib/path.ts";
import { BackendError } from "../errors.ts";
import type { BackendConfig } from "../module.ts";
import type { NameRules } from "../types.ts";

/**
 * Dropbox keeps any name of Unicode text but these (also rclone's list): no backslash, no DEL, no space at the end,
 * and a few that its own clients use. 255 is counted in characters; bytes are the safer limit.
 */
export const NAMES: NameRules = {
  forbidden: "\\\x7f",
  maxNameBytes: 255,
  caseSensitive: false,
  reserved: [
    { pattern: " $", why: "Dropbox keeps no name that ends with a space" },
    {
      pattern: "^(desktop\\.ini|thumbs\\.db|\\.ds_store|icon\\r|\\.dropbox|\\.dropbox\\.attr|\\.dropbox\\.cache)$",
      why: "Dropbox stores no file of this name",
    },
  ],
};

/** The form in which Dropbox compares names: it ignores case and the Unicode form. */
export function fold(name: string): string {
  return name.normalize("NFC").toLowerCase();
}

/** The remote folder as the API wants it: `/claude-mirror/notes`, `""` for the whole of what the app may see. */
export function rootPath(config: Pick<BackendConfig, "dropboxFolder">): string {
  const given = config.dropboxFolder.trim();
  const parts = given.split("/").filter((part) => part !== "");
  const invalid = (why: string): never => {
    throw new BackendError(`Could not use dropbox_folder "${config.dropboxFolder}": ${why}`, {
      class: "FILE_REJECTED",
      hint: "Set it with claude-mirror init --dropbox-folder /claude-mirror/NAME.",
    });
  };
  if (given === "") invalid("it is empty");
  for (const part of parts) {
    const trouble = troubleWith(part);
    if (trouble !== undefined) invalid(trouble);
  }
  return parts.map((part) => `/${part}`).join("");
}

/** Throws for a path that Dropbox cannot keep. */
export function requireName(path: RelPath): void {
  for (const part of path.split("/")) {
    const trouble = troubleWith(part);
    if (trouble === undefined) continue;
    throw new BackendError(`Could not use the name "${path}" on Dropbox: ${trouble}`, {
      class: "FILE_REJECTED",
      hint: "Rename the file, or leave it out with exclude_patterns.",
    });
  }
}

function troubleWith(part: string): string | undefined {
  if (part === "." || part === "..") return `"${part}" is no name`;
  if (/[\\\0\x7f]/.test(part)) return "it holds a character that Dropbox does not keep";
  if (Buffer.byteLength(part) > NAMES.maxNameBytes) return `a part of it is longer than ${NAMES.maxNameBytes} bytes`;
  return NAMES.reserved?.find(({ pattern }) => new RegExp(pattern, "i").test(part))?.why;
}
