import type { Project } from "./service.ts";

/**
 * What `auto_pull` may do about news: fetch what is safe, never conflicts and never past a guard. Answers one line for the
 * person, undefined where there was nothing to do; what fails is that line. Throws only the signal's reason.
 */
export async function autoPull(
  open: () => Promise<Pick<Project, "pull" | "close">>,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const project = await open();
    try {
      return told(await project.pull({ files: [], dryRun: false, allow: new Set() }));
    } finally {
      await project.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    return `auto_pull: nothing was fetched: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function told({
  downloaded,
  deletedLocal,
  conflicts,
  failed,
}: Awaited<ReturnType<Project["pull"]>>): string | undefined {
  const done = downloaded.length + deletedLocal.length;
  const left = [
    ...(conflicts.length > 0 ? [`${conflicts.length} conflict(s) are left: claude-mirror sync`] : []),
    ...(failed.length > 0 ? [`${failed.length} file(s) failed`] : []),
  ];
  return done + left.length === 0 ? undefined : [`auto_pull: ${done} file(s) fetched`, ...left].join("; ");
}
