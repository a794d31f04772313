import { readdirSync } from "node:fs";
import { basename } from "node:path";
import { AVAILABLE_KINDS } from "../../backends/registry.ts";
import { configDir } from "../../lib/dirs.ts";
import { command } from "../command.ts";
import { type CompletionSources, complete } from "../complete.ts";
import type { CommandContext } from "../context.ts";
import { COMMANDS } from "../table.ts";

/** `__complete -- WORDS...`: what the completion scripts call. */
export const completeCommand = command({
  name: "__complete",
  summary: "Answer the completion scripts",
  positionals: [{ name: "WORDS", help: "The words typed so far.", many: true, optional: true }],
  options: {},
  async run(ctx, { positionals: words }) {
    const answer = await complete({ words, commands: COMMANDS, sources: sourcesOf(ctx) });
    if (answer.kind !== "names") return { result: answer, lines: [`:${answer.kind}`] };
    const lines = answer.names.map(({ value, help }) => (help === undefined ? value : `${value}\t${help}`));
    return { result: answer, lines: lines.filter((line) => !/[\r\n]/.test(line)) };
  },
});

function sourcesOf(ctx: CommandContext): CompletionSources {
  return {
    configs: () => yamlFiles(configDir(ctx.env, ctx.home)),
    profiles: () => yamlFiles(`${configDir(ctx.env, ctx.home)}/profiles`).map((file) => basename(file, ".yaml")),
    snapshots: async () => (await import("../../app.ts")).snapshotNames(ctx),
    backends: AVAILABLE_KINDS,
  };
}

function yamlFiles(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".yaml"))
      .sort()
      .map((name) => `${folder}/${name}`);
  } catch {
    return [];
  }
}
