import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { VersionInfo } from "./context.ts";

/** Set by scripts/build.ts; absent when run from source. */
declare const VERSION: string | undefined;
declare const COMMIT: string | undefined;

/** The version compiled in, or from source the one that package.json names. */
export function versionInfo(): VersionInfo {
  if (typeof VERSION !== "undefined") return { version: VERSION, commit: typeof COMMIT === "undefined" ? "" : COMMIT };
  const file = join(import.meta.dirname ?? ".", "../../package.json");
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { readonly version: string };
  return { version, commit: "" };
}

/** `claude-mirror 1.0.0 (3f2a1bc)`. */
export function versionLine({ version, commit }: VersionInfo): string {
  return commit === "" ? `claude-mirror ${version}` : `claude-mirror ${version} (${commit})`;
}
