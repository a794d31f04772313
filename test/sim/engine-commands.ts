import { join } from "node:path";
import type { ConflictAnswer, ConflictQuestion, RunResult } from "../../src/project/model.ts";
import type { Project, RunOptions } from "../../src/project/service.ts";
import type { GuardName, Strategy } from "../../src/sync/model.ts";
import type { Random } from "../support/random.ts";
import { digest } from "../support/tree.ts";
import { localFiles } from "./engine-look.ts";
import { type Client, Violation, type World } from "./engine-model.ts";
import { snapshotNamed } from "./engine-snapshots.ts";
import { newContent, PATHS, tellWritten, userStep } from "./engine-user.ts";

/** One command as a user gives it. */
export interface Command {
  readonly name: "push" | "pull" | "sync" | "delete" | "restore" | "status" | "output";
  readonly label: string;
  readonly files: readonly string[];
  readonly dryRun: boolean;
  /** Paths that the user answered with an edited content. */
  readonly asked: Set<string>;
  run(project: Project): Promise<RunResult | undefined>;
}

const ALL_GUARDS: readonly GuardName[] = ["mass-delete", "empty-root", "remote-gone"];

/** What makes every client equal in the end. */
export function settlingSync(): Command {
  const options = { files: [], dryRun: false, allow: new Set(ALL_GUARDS), strategy: "keep-both" } as const;
  return commandOf("sync", "sync --strategy keep-both", options, (project) => project.sync(options));
}

export function drawCommand(world: World, client: Client, random: Random): Command {
  const files = drawFiles(client, random);
  const allow = new Set(ALL_GUARDS.filter(() => random.below(3) > 0));
  const options: RunOptions = { files, allow, dryRun: random.below(7) === 0 };
  const words = `${options.dryRun ? " --dry-run" : ""} ${files.join(" ")}`;
  switch (random.below(16)) {
    case 0:
    case 1:
    case 2: {
      const forceLocal = random.below(5) === 0;
      const label = `push${forceLocal ? " --force-local" : ""}${words}`;
      return commandOf("push", label, options, (project) => project.push({ ...options, forceLocal }));
    }
    case 3:
    case 4:
      return commandOf("pull", `pull${words}`, options, (project) => project.pull(options));
    case 5:
      return intoFolder(client, options);
    case 6:
      return deletion(client, random, options);
    case 7:
      return restoration(world, client, random);
    case 8:
      return commandOf("status", "status", { ...options, dryRun: true }, async (project) => {
        for (const _ of (await project.status()).files());
        return undefined;
      });
    case 9: {
      const command: Command = commandOf("sync", `sync, asking${words}`, options, (project) => {
        return project.sync({ ...options, ask: async (it) => answer(world, random, it, command.asked) });
      });
      return command;
    }
    default: {
      const strategy = random.pick<Strategy | undefined>([
        undefined,
        "keep-local",
        "keep-remote",
        "keep-both",
        "keep-both",
        "skip",
      ]);
      const label = `sync${strategy === undefined ? "" : ` --strategy ${strategy}`}${words}`;
      return commandOf("sync", label, options, (project) =>
        project.sync({ ...options, ...(strategy !== undefined && { strategy }) }),
      );
    }
  }
}

function commandOf(
  name: Command["name"],
  label: string,
  { files, dryRun }: Pick<RunOptions, "files" | "dryRun">,
  run: Command["run"],
): Command {
  return { name, label, files, dryRun, asked: new Set(), run };
}

function drawFiles(client: Client, random: Random): string[] {
  const kind = random.below(8);
  if (kind > 2) return [];
  if (kind === 0) return [random.pick(["d", "d/**", "*.md"])];
  const present = [...localFiles(client.root).keys()];
  return [random.pick(present.length > 0 && kind === 1 ? present : PATHS)];
}

function intoFolder(client: Client, options: RunOptions): Command {
  const output = join(client.home, "output");
  return commandOf("output", "pull --output", options, (project) => project.pull({ ...options, output }));
}

function deletion(client: Client, random: Random, options: RunOptions): Command {
  const present = [...localFiles(client.root).keys()];
  const files = [random.pick([...present, ...PATHS, "d"])];
  const local = random.below(2) === 0;
  const label = `delete${local ? " --local" : ""}${options.dryRun ? " --dry-run" : ""} ${files[0]}`;
  const wanted = { ...options, files, local };
  return commandOf("delete", label, wanted, (project) => project.delete(wanted));
}

/** Restores a snapshot, or a part of one, over the project; sometimes a user is quicker. */
function restoration(world: World, client: Client, random: Random): Command {
  const patterns = random.below(2) === 0 ? [] : [random.pick(PATHS)];
  const options = { files: [], dryRun: false };
  return commandOf("restore", `restore ${patterns.join(" ")}`, options, async (project) => {
    const snapshots = await project.snapshots();
    if (snapshots.length === 0) return undefined;
    const { timestamp } = random.pick(snapshots);
    const plan = await project.planRestore({ timestamp, patterns });
    if (random.below(4) === 0) {
      world.disturbances++;
      userStep(world, client, random);
    }
    const { items } = await project.restore(plan);
    checkRestored(world, client, timestamp, items);
    return undefined;
  });
}

/** I31: what a restore calls done is what the snapshot says, when nobody else was at it. */
function checkRestored(
  world: World,
  client: Client,
  timestamp: string,
  items: readonly { readonly path: string; readonly status: string }[],
): void {
  const snapshot = snapshotNamed(world, timestamp);
  const now = localFiles(client.root);
  for (const { path, status } of items) {
    if (status === "failed") continue;
    const wanted = snapshot?.files.get(path);
    if (wanted !== undefined && now.get(path)?.sha256 === wanted) continue;
    if (world.disturbances > 0) continue;
    throw new Violation(`I31: ${client.name} restored "${path}" of ${timestamp} and it is something else`);
  }
}

function answer(world: World, random: Random, question: ConflictQuestion, asked: Set<string>): ConflictAnswer {
  const kind = random.pick(["keep-local", "keep-remote", "keep-both", "skip", "content"] as const);
  if (kind !== "content" || question.local === undefined || question.remote === undefined) {
    return { kind: kind === "content" ? "skip" : kind };
  }
  const bytes = newContent(world, random);
  tellWritten(world, bytes);
  asked.add(question.path);
  // What the editor left replaces what was on the screen, and only the older content has to be kept.
  world.trace.push(`    merged ${question.path} (${digest(bytes).slice(0, 6)})`);
  return { kind: "content", bytes };
}
