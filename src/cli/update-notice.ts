import { join } from "node:path";
import { ownTarget, releasesUrl } from "../install/update.ts";
import {
  isAskingDue,
  newerThan,
  newsOf,
  readUpdateNotes,
  type UpdateNotes,
  writeUpdateNotes,
} from "../install/update-check.ts";
import { stateDir } from "../lib/dirs.ts";
import { startDetached } from "../platform/run-program.ts";
import type { CommandContext } from "./context.ts";
import { lookForUpdate, withReleases } from "./releases.ts";

/** The hidden command that fills the notes. */
export const ASK_COMMAND = "__check-update";
const MOST_WAIT_MS = 20_000;

/**
 * Says on stderr, once a day, that there is a newer version, out of notes that a process of its own fills: nothing here
 * waits for the network. Nobody is asked where no address of releases is known. Never throws: a command that is done
 * must not fail for it.
 */
export function tellOfUpdate(ctx: CommandContext): void {
  const url = releasesUrl(ctx.env);
  if (url === undefined || ownTarget() === undefined || ctx.env["CLAUDE_MIRROR_NO_UPDATE_CHECK"]) return;
  try {
    const [file, now] = [notesFile(ctx), ctx.clock.now()];
    let notes = readUpdateNotes(file, url);
    const latest = newsOf(notes, ctx.version.version, now);
    const isDue = isAskingDue(notes, now);
    if (latest === undefined && !isDue) return;
    notes = { ...notes, ...(isDue && { askedAt: now }), ...(latest !== undefined && { toldAt: now }) };
    // Written first: where it cannot be, nobody is asked or told with every command.
    writeUpdateNotes(file, notes);
    if (isDue) startDetached([process.execPath, ASK_COMMAND], { cwd: stateDir(ctx.env, ctx.home), env: ctx.env });
    if (latest !== undefined) for (const line of noticeLines(latest, ctx.version.version)) ctx.note(line);
  } catch {
    // No place to write, no process to start: it is told another day.
  }
}

/** What {@link ASK_COMMAND} does. Ends within the limit whatever the server does; throws when nobody answers. */
export async function askForUpdate(ctx: CommandContext): Promise<UpdateNotes> {
  const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(MOST_WAIT_MS)]);
  const { latest } = await withReleases({ ...ctx, signal }, (releases) => lookForUpdate(ctx, releases));
  const url = releasesUrl(ctx.env) ?? "";
  const file = notesFile(ctx);
  // Read again: the person may have been told meanwhile.
  const notes = { ...readUpdateNotes(file, url), askedAt: ctx.clock.now(), latest };
  writeUpdateNotes(file, notes);
  return notes;
}

/** The newer version that is known of without asking anybody; undefined where none is. */
export function knownUpdate(ctx: Pick<CommandContext, "env" | "home" | "version">): string | undefined {
  const url = releasesUrl(ctx.env);
  if (url === undefined) return undefined;
  return newerThan(readUpdateNotes(notesFile(ctx), url).latest, ctx.version.version);
}

function notesFile({ env, home }: Pick<CommandContext, "env" | "home">): string {
  return join(stateDir(env, home), "update-check.json");
}

function noticeLines(latest: string, current: string): readonly string[] {
  return [
    `claude-mirror ${latest} is available (you have ${current}).`,
    "Update: claude-mirror update --apply, or set CLAUDE_MIRROR_NO_UPDATE_CHECK=1 to silence this.",
  ];
}
