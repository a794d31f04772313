import { resolve } from "node:path";
import { parseGrace } from "../../lib/durations.ts";
import { UsageError } from "../../lib/errors.ts";
import { healthLines } from "../../ui/render/health.ts";
import { CONFIG_OPTIONS, command } from "../command.ts";
import { EXIT } from "../exit.ts";

const USUAL_TIMEOUT = 10;

export const healthCommand = command({
  name: "health",
  summary: "Say in a few lines whether all is well, for a monitor",
  about: [
    "Looks at what waits to be synced and since when, conflicts, the inbox, the watcher, an interrupted run, what mirrors lack, the sign-in of every remote, and whether it answers. Changes nothing, and ends soon: every remote has --timeout seconds.",
    "A change that waits is no trouble for a day, a warning for two more, and a failure after three. What others changed counts as far as they pushed or deleted it.",
    "Exit code 0 when all is well, 3 with warnings, 1 when something fails.",
  ],
  options: {
    backends: { kind: "flag", negatable: true, help: "Ask the remotes (the default); --no-backends asks nobody." },
    timeout: { kind: "number", value: "SECONDS", min: 1, max: 600, help: "How long each remote has to answer (10)." },
    "warn-after": { kind: "text", value: "TIME", help: "Changes that wait longer are a warning (24h)." },
    "fail-after": { kind: "text", value: "TIME", help: "Changes that wait longer are a failure (72h)." },
    ...CONFIG_OPTIONS,
  },
  examples: ["claude-mirror health", "claude-mirror health --json --timeout 5", "claude-mirror health --no-backends"],
  async run(ctx, { options }) {
    const warnMs = parseGrace(options["warn-after"] ?? "24h");
    const failMs = parseGrace(options["fail-after"] ?? "72h");
    if (failMs < warnMs) throw new UsageError("--fail-after must not be shorter than --warn-after");
    const { examineHealth } = await import("../../app-health.ts");
    const result = await examineHealth(ctx, {
      config: options.config === undefined ? undefined : resolve(ctx.cwd, options.config),
      timeoutMs: (options.timeout ?? USUAL_TIMEOUT) * 1000,
      backends: options.backends ?? true,
      warnMs,
      failMs,
    });
    const exit = { ok: EXIT.ok, warn: EXIT.partial, fail: EXIT.failed }[result.overall];
    return { result, lines: healthLines(result, ctx.out.style), exit };
  },
});
