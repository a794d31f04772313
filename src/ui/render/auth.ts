import type { AuthResult } from "../../setup/model.ts";
import { printable, type Style } from "../terminal.ts";

/** Where we are signed in, what the remote guarantees, and what is worth knowing about it. */
export function authLines(result: AuthResult, style: Style): string[] {
  const { guarantee, mode, notes } = result;
  const lines = [firstLine(result, style)];
  if (guarantee !== "") lines.push(`  Guarantee: ${guarantee}.`);
  lines.push(...notes.map((note) => `  ${printable(note)}`));
  if (result.tokenWritten)
    lines.push(
      `  The ${result.backend === "webdav" ? "password" : "token"} is in ${printable(result.tokenFile ?? "")} (only you can read it).`,
    );
  if (result.moved) lines.push(`  It was taken out of ${printable(result.configFile)}.`);
  if (mode === "dry run") lines.push("Dry run: nothing was changed.");
  return lines;
}

function firstLine({ username, remote, created, tokenFile, ...result }: AuthResult, style: Style): string {
  const made = created ? " (created)" : "";
  const place = `${printable(remote)}${made}`;
  if (tokenFile === null) return `${style.green("Ready:")} ${place}; no sign-in is needed.`;
  // A dry run that found no token.
  if (result.backend !== "webdav" && result.mode === "dry run" && result.guard === null) {
    return `${style.green("Remote:")} ${place}`;
  }
  const nobody = result.backend === "webdav" ? " without an account" : "";
  const who = username === null ? nobody : ` as ${printable(username)}`;
  return `${style.green("Signed in")}${who} to ${place}.`;
}
