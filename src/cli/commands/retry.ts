import { command } from "../command.ts";
import { MIRROR_OPTIONS, mirrorRun } from "../mirror-run.ts";

export const retryCommand = command({
  name: "retry",
  summary: "Send mirrors again what failed there",
  about: [
    "Tries again every file and snapshot that waits on a mirror, those that failed for good included: run it once you have signed in again, freed space or restored access.",
    "A file that somebody else has changed on a mirror is left alone unless --overwrite is given. claude-mirror status --pending shows what would be tried.",
  ],
  options: MIRROR_OPTIONS,
  examples: ["claude-mirror retry", "claude-mirror retry --backend dropbox --dry-run"],
  run: (ctx, { options }) => mirrorRun(ctx, options, (project, request) => project.retry(request)),
});
