import { chmodSync, cpSync, lstatSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type OwnMachine, ownMachine } from "./own-machine.ts";
import type { RemotePlace } from "./remote-place.ts";
import { giveToServer } from "./webdav-setup.ts";

const FIXTURES = join(import.meta.dir, "../fixtures");

/** What a version of the Python tool left behind, as recorded in `test/fixtures`. */
export interface PythonVersion {
  readonly version: "0.5.31" | "0.5.70";
  /** The folder of the fixture that holds the remote. */
  readonly remote: "remote-blobs" | "remote-full" | "remote";
}

/** A machine whose project, settings and remote were all made by the Python tool; the remote now stands at `place`. */
export async function pythonProject({ version, remote }: PythonVersion, place: RemotePlace): Promise<OwnMachine> {
  const fixture = join(FIXTURES, `claude-mirror-${version}`);
  const machine = await ownMachine("workstation", place);
  copyWritable(join(fixture, "project"), machine.project);
  copyWritable(join(fixture, remote), place.folder);
  giveToServer(place.folder);
  if (place.settings["backend"] !== "webdav") return machine;
  const name = version === "0.5.31" ? "myproject.yaml" : "notes.yaml";
  const token = join(machine.home, ".config/claude_mirror/webdav-project-token.json");
  const moved = readFileSync(join(fixture, "config", name), "utf8")
    .replace(/^project_path: .*$/m, `project_path: ${machine.project}`)
    .replace(/^token_file: .*$/m, `token_file: ${token}`)
    .replace(/^webdav_url: .*$/m, `webdav_url: ${String(place.settings["webdav_url"])}`);
  writeFileSync(machine.config, moved);
  return machine;
}

/** The fixtures are read-only; a project is not. */
function copyWritable(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
  makeWritable(to);
}

function makeWritable(path: string): void {
  const folder = lstatSync(path).isDirectory();
  chmodSync(path, folder ? 0o755 : 0o644);
  if (folder) for (const name of readdirSync(path)) makeWritable(join(path, name));
}
