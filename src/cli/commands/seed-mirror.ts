import { command } from "../command.ts";
import { MIRROR_OPTIONS, mirrorRun } from "../mirror-run.ts";

export const seedMirrorCommand = command({
  name: "seed-mirror",
  summary: "Fill a new mirror with every file and the newest snapshot",
  about: [
    "Sends what a mirror was never sent from here, and tries again what waits. What is there already in the same content is taken as it is. Can be interrupted and run again.",
    "A push sends mirrors what it changes; a mirror that was added later, or set up on another machine, needs this once.",
  ],
  options: MIRROR_OPTIONS,
  examples: ["claude-mirror seed-mirror --backend dropbox", "claude-mirror seed-mirror --dry-run"],
  run: (ctx, { options }) => mirrorRun(ctx, options, (project, request) => project.seedMirror(request)),
});
