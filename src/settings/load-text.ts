import { readFileSync } from "node:fs";
import { SettingsError } from "./errors.ts";

/** The text of a settings file. Throws SettingsError when there is none, it cannot be read, or it is not UTF-8. */
export function readText(file: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new SettingsError(file, readFailure((error as NodeJS.ErrnoException).code), { cause: error });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new SettingsError(file, "it is not UTF-8 text; save it as UTF-8", { cause: error });
  }
}

function readFailure(code: string | undefined): string {
  switch (code) {
    case "ENOENT":
      return "there is no such file; run `claude-mirror init` in the project to write one";
    case "EACCES":
    case "EPERM":
      return "it may not be read; check the permissions of the file and its folders";
    case "EISDIR":
      return "it is a folder";
    default:
      return `it cannot be read (${code ?? "unknown error"})`;
  }
}
