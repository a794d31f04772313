import { command } from "../command.ts";
import { lookForUpdate, updateLine, withReleases } from "../releases.ts";

export const checkUpdateCommand = command({
  name: "check-update",
  summary: "Say whether there is a newer version",
  about: [
    "Asks where this program's releases are (CLAUDE_MIRROR_BASE_URL names another place). Exit code 0 whatever the answer, 1 when there is none.",
  ],
  options: {},
  async run(ctx) {
    const found = await withReleases(ctx, (releases) => lookForUpdate(ctx, releases));
    const how = found.state === "available" ? ["Install it with claude-mirror update --apply."] : [];
    return { result: found, lines: [updateLine(found), ...how] };
  },
});
