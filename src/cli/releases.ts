import type { Releases } from "../install/release.ts";
import { UsageError } from "../lib/errors.ts";
import type { CommandContext } from "./context.ts";

/** How this version stands to the newest one. */
export interface UpdateState {
  readonly current: string;
  readonly latest: string;
  readonly state: "current" | "available" | "ahead";
}

/** Opens the releases for as long as `use` runs. Throws UsageError where nobody says where they are. */
export async function withReleases<T>(ctx: CommandContext, use: (releases: Releases) => Promise<T>): Promise<T> {
  const [{ openReleases }, { releasesUrl }] = await Promise.all([
    import("../install/release.ts"),
    import("../install/update.ts"),
  ]);
  const url = releasesUrl(ctx.env);
  if (url === undefined) {
    throw new UsageError(
      "cannot look for a newer version: this program was built without the address of its releases",
      {
        hint: "Set CLAUDE_MIRROR_BASE_URL to it.",
      },
    );
  }
  const releases = openReleases({ url, signal: ctx.signal });
  try {
    return await use(releases);
  } finally {
    releases.close();
  }
}

export async function lookForUpdate(ctx: CommandContext, releases: Releases): Promise<UpdateState> {
  const { compareVersions } = await import("../install/release.ts");
  const [current, latest] = [ctx.version.version, await releases.newest()];
  const apart = compareVersions(latest, current);
  return { current, latest, state: apart > 0 ? "available" : apart < 0 ? "ahead" : "current" };
}

export function updateLine({ current, latest, state }: UpdateState): string {
  if (state === "available") return `Update available: ${current} → ${latest}`;
  return state === "ahead"
    ? `${current} is newer than the newest release, ${latest}.`
    : `${current} is the newest version.`;
}
