import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { faultyBinary, put } from "../support/crash-world.ts";
import { tempFolder } from "../support/temp.ts";
import { userFiles } from "../support/tree.ts";

setDefaultTimeout(300_000);

/** A machine with a primary and a mirror in folders of its home, which can be put back to how it was. */
interface Machine {
  readonly home: string;
  readonly project: string;
  run(
    words: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): { readonly code: number | null; readonly said: string };
  /** Remembers all of it as it is. */
  keep(): void;
  reset(): void;
}

async function machine(): Promise<Machine> {
  const binary = await faultyBinary();
  const home = tempFolder("mirror-crash");
  const kept = tempFolder("mirror-crash-kept");
  const project = join(home, "project");
  const configs = join(home, ".config/claude_mirror");
  for (const folder of [project, configs, join(home, "primary"), join(home, "mirror")])
    mkdirSync(folder, { recursive: true });
  const write = (name: string, settings: Readonly<Record<string, unknown>>) => {
    const all = {
      project_path: project,
      backend: "local",
      file_patterns: ["**/*"],
      snapshot_format: "blobs",
      parallel_workers: 1,
      ...settings,
    };
    writeFileSync(
      join(configs, `${name}.yaml`),
      Object.entries(all)
        .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
        .join(""),
    );
  };
  write("project", { local_folder: join(home, "primary"), mirror_config_paths: ["second.yaml"] });
  write("second", { local_folder: join(home, "mirror") });
  const copy = (from: string, to: string) => {
    rmSync(to, { recursive: true, force: true });
    Bun.spawnSync(["cp", "-a", from, to]);
  };
  return {
    home,
    project,
    run(words, env = {}) {
      const done = Bun.spawnSync([binary, ...words], {
        cwd: project,
        env: { HOME: home, BUN_JSC_useJIT: "0", ...env },
        stdin: "ignore",
      });
      return { code: done.exitCode, said: `${done.stdout}${done.stderr}` };
    },
    keep: () => copy(home, kept),
    reset: () => copy(kept, home),
  };
}

/** New, edited and deleted, over what is on both remotes already. */
async function changed(): Promise<Machine> {
  const world = await machine();
  for (const name of ["a.md", "b.md", "c.md"]) put(world.project, name, `first ${name}`);
  expect(world.run(["push"])).toMatchObject({ code: 0 });
  put(world.project, "a.md", "edited");
  put(world.project, "new.md", "new");
  rmSync(join(world.project, "b.md"));
  world.keep();
  return world;
}

/** What is not as it should be when the mirror is to hold what the primary holds. */
function complaints({ home, project }: Machine): string[] {
  const found: string[] = [];
  const wanted = JSON.stringify(userFiles(project));
  for (const place of ["primary", "mirror"]) {
    // What a killed run left of its own on a remote goes with the next change there.
    const isUsers = ([name]: readonly [string, string]) =>
      name !== "_claude_mirror_moved.json" && !name.includes(".claude_mirror_tmp_");
    const files = Object.fromEntries(Object.entries(userFiles(join(home, place))).filter(isUsers));
    if (JSON.stringify(files) !== wanted) found.push(`${place} holds ${JSON.stringify(files)}`);
  }
  const snapshots = (place: string) =>
    readdirSync(join(home, place, "_claude_mirror_snapshots"))
      .sort()
      .join(" ");
  if (snapshots("primary") !== snapshots("mirror"))
    found.push(`snapshots ${snapshots("primary")} and ${snapshots("mirror")}`);
  const state = join(home, ".local/state/claude-mirror");
  const left = readdirSync(state, { recursive: true, encoding: "utf8" }).filter((name) =>
    /mirror-(journal|staging)|promotion\.json/.test(name),
  );
  return [...found, ...left.map((name) => `${name} is left`)];
}

function pointsOf(world: Machine, words: readonly string[]): number {
  const log = join(world.home, "points");
  expect(world.run(words, { CLAUDE_MIRROR_FAULT_LOG: log })).toMatchObject({ code: 0 });
  return readFileSync(log, "utf8").trim().split("\n").length;
}

/** Pushes, killed at every so many-th step, and what is wrong once it was pushed again. */
function killedPushes(world: Machine, every: number): string[] {
  const points = pointsOf(world, ["push"]);
  expect(complaints(world)).toEqual([]);
  const found: string[] = [];
  for (let point = 1; point <= points; point += every) {
    world.reset();
    world.run(["push"], { CLAUDE_MIRROR_FAULT_AT: String(point) });
    const next = world.run(["push"]);
    if (next.code !== 0) found.push(`${point}: the next push exits ${next.code}: ${next.said}`);
    found.push(...complaints(world).map((line) => `${point}: ${line}`));
  }
  return found;
}

test("push killed at every third step: the next push brings primary and mirror to the same files and snapshots", async () => {
  expect(killedPushes(await changed(), 3)).toEqual([]);
});

test("push killed while primary and mirror are written at once: the next push brings both to the same", async () => {
  const world = await changed();
  for (const name of ["d.bin", "e.bin"])
    writeFileSync(join(world.project, name), Buffer.alloc(8 * 1024 * 1024 + 1, name));
  world.keep();
  expect(killedPushes(world, 17)).toEqual([]);
});

test("promote killed at every third step: one of the two is the primary, and promoting again or pushing goes on", async () => {
  const world = await changed();
  expect(world.run(["push"])).toMatchObject({ code: 0 });
  world.keep();
  const points = pointsOf(world, ["promote", "second"]);
  const found: string[] = [];
  for (let point = 1; point <= points; point += 3) {
    world.reset();
    world.run(["promote", "second"], { CLAUDE_MIRROR_FAULT_AT: String(point) });
    const again = world.run(["promote", "second"]);
    // Where the swap was all but done the next command finishes it, and there is no such mirror any more.
    if (again.code !== 0 && !again.said.includes('"second" is the primary'))
      found.push(`${point}: promote exits ${again.code}: ${again.said}`);
    put(world.project, "later.md", "later");
    const pushed = world.run(["push"]);
    if (pushed.code !== 0 || !pushed.said.includes("🟢 second"))
      found.push(`${point}: push exits ${pushed.code}: ${pushed.said}`);
    if (existsSync(join(world.project, "b.md"))) found.push(`${point}: a deleted file is back`);
    found.push(...complaints(world).map((line) => `${point}: ${line}`));
  }
  expect(found).toEqual([]);
});
