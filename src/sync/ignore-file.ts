import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { IGNORE_FILE } from "./scope.ts";

/** The text of the project's own ignore file, when there is one. */
export function readIgnoreFile(root: string): { readonly ignoreText?: string } {
  const file = join(root, IGNORE_FILE);
  return existsSync(file) ? { ignoreText: readFileSync(file, "utf8") } : {};
}
