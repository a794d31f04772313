import { sep } from "node:path";
import { UsageError } from "../lib/errors.ts";
import { realPathOfAny } from "../settings/discovery.ts";
import type { ProjectConfig } from "../settings/model.ts";
import { compileInclude, PatternError } from "../sync/include.ts";

/** Throws UsageError, the address's own secrets left out, for an address that WebDAV cannot be at. */
export function checkWebdavUrl(address: string, options: { readonly insecure: boolean }): void {
  const url = parseUrl(address);
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw new UsageError("cannot use the address of --webdav-url: it is no web address", {
      hint: "Give the folder's whole address: --webdav-url https://cloud.example/remote.php/dav/files/me/project",
    });
  }
  const shown = `${url.origin}${url.pathname}`;
  if (url.username !== "" || url.password !== "") {
    throw new UsageError(`cannot use --webdav-url "${shown}": a username or password stands in the address`, {
      hint: "Give them apart: --webdav-username NAME and --webdav-password-stdin.",
    });
  }
  if (url.search !== "" || url.hash !== "") {
    throw new UsageError(`cannot use --webdav-url "${shown}": a "?" or "#" and more follows it`, {
      hint: "Leave it out; where it belongs to the folder's name write %3F or %23.",
    });
  }
  if (url.protocol === "http:" && !options.insecure) {
    throw new UsageError(`cannot use --webdav-url "${shown}": it would send the password in the clear`, {
      hint: "Use https://, or add --webdav-insecure-http where nobody can listen in.",
    });
  }
}

/** Throws UsageError for file patterns that select nothing because they are malformed. */
export function checkPatterns(patterns: readonly string[]): void {
  try {
    compileInclude(patterns);
  } catch (error) {
    if (error instanceof PatternError) throw new UsageError(error.message, { hint: "Correct --patterns." });
    throw error;
  }
}

/** Throws UsageError for a webhook that is no https address; never shows it, for it is a secret of its own. */
export function checkWebhookUrl(address: string): void {
  if (parseUrl(address)?.protocol === "https:") return;
  throw new UsageError("cannot use the address of --slack-webhook-url: it must begin with https://");
}

/** Throws UsageError for a remote folder that is inside the project or around it (both absolute). */
export function requireApart({ localFolder, projectPath }: Pick<ProjectConfig, "localFolder" | "projectPath">): void {
  const [mirror, project] = [realPathOfAny(localFolder), realPathOfAny(projectPath)];
  const inside = (path: string, folder: string) => path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
  const state =
    mirror === project
      ? "it is the project itself"
      : inside(mirror, project)
        ? `it lies inside the project "${projectPath}"`
        : inside(project, mirror)
          ? `the project "${projectPath}" lies inside it`
          : undefined;
  if (state === undefined) return;
  throw new UsageError(`cannot mirror to --local-folder "${localFolder}": ${state}`, {
    hint: "Name a folder outside the project, on another disk if possible.",
  });
}

function parseUrl(address: string): URL | undefined {
  try {
    return new URL(address.trim());
  } catch {
    return undefined;
  }
}
