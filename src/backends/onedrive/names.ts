import type { RelPath } from "../../lib/path.ts";
import { BackendError } from "../errors.ts";
import type { BackendConfig } from "../module.ts";
import type { NameRules } from "../types.ts";

/** https://support.microsoft.com/office/64883a5d-228e-48f5-b3d2-eb39e07630fa */
export const NAMES: NameRules = {
  forbidden: '"*:<>?\\|',
  maxNameBytes: 255,
  caseSensitive: false,
  reserved: [
    { pattern: "[. ]$", why: "OneDrive keeps no dot or space at the end of a name" },
    { pattern: "^ ", why: "OneDrive keeps no space at the beginning of a name" },
    { pattern: "^(\\.lock|con|prn|aux|nul|com[0-9]|lpt[0-9]|desktop\\.ini)$", why: "OneDrive reserves this name" },
    { pattern: "^~\\$", why: "OneDrive takes names that begin with ~$ for temporary files" },
    { pattern: "_vti_", why: "OneDrive reserves names with _vti_ in them" },
    // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these are meant
    { pattern: /[\u0000-\u001f\u007f]/.source, why: "OneDrive keeps no control characters in a name" },
  ],
  maxPathLength: 400,
};

/** The form in which OneDrive compares names. */
export function fold(name: string): string {
  return name.toLowerCase();
}

/** Every part percent-encoded, so that `#`, `%` and `?` are parts of names. */
export function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

/** The remote folder as Graph addresses it: `claude-mirror/notes`. Throws for one that OneDrive cannot have. */
export function rootFolder({ onedriveFolder }: Pick<BackendConfig, "onedriveFolder">): string {
  const parts = onedriveFolder.split("/").filter((part) => part !== "");
  const trouble = parts.length === 0 ? "it is empty" : nameTrouble(parts);
  if (trouble === undefined) return parts.join("/");
  throw new BackendError(`Could not use onedrive_folder "${onedriveFolder}": ${trouble}`, {
    class: "FILE_REJECTED",
    hint: "Set it with claude-mirror init --onedrive-folder claude-mirror/NAME.",
  });
}

/** Throws for a path that OneDrive cannot keep. */
export function requireName(path: RelPath): void {
  const trouble = nameTrouble(path.split("/"));
  if (trouble === undefined) return;
  throw new BackendError(`Could not use the name "${path}" on OneDrive: ${trouble}`, {
    class: "FILE_REJECTED",
    hint: "Rename the file, or leave it out with exclude_patterns.",
  });
}

function nameTrouble(parts: readonly string[]): string | undefined {
  for (const part of parts) {
    if (part === "." || part === "..") return `"${part}" is no name`;
    const char = [...NAMES.forbidden].find((each) => part.includes(each));
    if (char !== undefined) return `it holds ${JSON.stringify(char)}`;
    if (Buffer.byteLength(part) > NAMES.maxNameBytes) return `a part of it is longer than ${NAMES.maxNameBytes} bytes`;
    const reserved = NAMES.reserved?.find(({ pattern }) => new RegExp(pattern, "i").test(part));
    if (reserved !== undefined) return reserved.why;
  }
  return undefined;
}
