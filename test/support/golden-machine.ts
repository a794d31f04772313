import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { compiledBinary } from "./binary.ts";
import { copyFolder, type Golden, setMtimeNs } from "./golden.ts";
import type { RemotePlace } from "./remote-place.ts";
import { tempFolder } from "./temp.ts";
import { filesBelow } from "./tree.ts";

/** A computer on which the Python tool was used until now: its settings and token file as they are, on another server. */
export interface GoldenMachine {
  readonly project: string;
  /** Runs the compiled program there; throws unless it exits 0. Answers the `result` of its envelope. */
  run(words: readonly string[]): Promise<Record<string, unknown>>;
}

/** Lays the fixture's settings out for `place`; the project folder has its name and is empty. */
export async function goldenMachine(golden: Golden, place: RemotePlace): Promise<GoldenMachine> {
  const binary = await compiledBinary();
  const home = tempFolder("golden");
  const yaml = readFileSync(golden.config, "utf8");
  const name = /^project_path: .*\/(.*)$/m.exec(yaml)?.[1] ?? "";
  const project = join(home, "work", name);
  const configDir = join(home, ".config/claude_mirror");
  for (const folder of [project, configDir]) mkdirSync(folder, { recursive: true });
  const settings = yaml
    .replaceAll("/home/alice", home)
    .replace(/^webdav_url: .*$/m, () => `webdav_url: ${place.settings["webdav_url"]}`);
  writeFileSync(join(configDir, `${name}.yaml`), settings);
  writeFileSync(join(configDir, `webdav-${name}-token.json`), readFileSync(golden.token), { mode: 0o600 });
  return {
    project,
    async run(words) {
      const env = { HOME: home };
      const child = Bun.spawn([binary, ...words, "--json"], { env, cwd: project, stdout: "pipe", stderr: "pipe" });
      const [stdout, stderr] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      if ((await child.exited) !== 0) throw new Error(`${words.join(" ")} exits ${child.exitCode}: ${stdout}${stderr}`);
      return JSON.parse(stdout).result;
    },
  };
}

/** Lays the project out as the tool left it, times included: its hash cache holds for every file. */
export function layOutProject({ project }: Golden, to: string): void {
  copyFolder(project, to);
  const cache = readFileSync(join(project, ".claude_mirror_hash_cache.json"), "utf8");
  for (const [, path, mtimeNs] of cache.matchAll(/("[^"]*"): \[\d+, (\d+),/g)) {
    setMtimeNs(join(to, JSON.parse(path ?? "")), BigInt(mtimeNs ?? ""));
  }
}

/**
 * Lays the remote out on a running Apache, live files with the times that its ETags were made of then
 * (`"SIZE-MICROSECONDS"`, both in hex), so that it answers with the same ETags now.
 */
export function layOutRemote({ remote, project }: Golden, place: RemotePlace): void {
  for (const path of filesBelow(remote)) place.put(path, readFileSync(join(remote, path)));
  const manifest = JSON.parse(readFileSync(join(project, ".claude_mirror_manifest.json"), "utf8"));
  for (const [path, { synced_remote_hash }] of Object.entries<Record<string, string>>(manifest)) {
    const microseconds = /-([0-9a-f]+)$/.exec(synced_remote_hash ?? "")?.[1];
    setMtimeNs(join(place.folder, path), BigInt(`0x${microseconds}`) * 1000n);
  }
}

/** Brings the project's tree to these contents, by path. */
export function layOut(project: string, files: Readonly<Record<string, Uint8Array>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    writeFileSync(join(project, path), content);
  }
}
