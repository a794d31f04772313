import { messageOf } from "../activity/message.ts";
import type { LogEvent } from "../activity/model.ts";
import type { Channel } from "../backends/channel.ts";
import { BackendError } from "../backends/errors.ts";
import type { ProjectDeps } from "./service.ts";

/** How long a run waits at the most for others to be told, milliseconds. */
const MOST_WAIT_MS = 3_000;

/**
 * Tells the other machines at once, where the project has a channel for that. Never fails a run and never holds it up for
 * more than 3 s: answers what to tell the user.
 */
export async function tellMachines(
  { openChannel, clock, signal }: Pick<ProjectDeps, "openChannel" | "clock" | "signal">,
  events: readonly LogEvent[],
): Promise<readonly string[]> {
  if (openChannel === undefined) return [];
  const stop = new AbortController();
  const within = AbortSignal.any([signal, stop.signal]);
  const late = clock.sleep(MOST_WAIT_MS, within).then(
    () => "it took more than 3 s",
    () => undefined,
  );
  const trouble = await Promise.race([publish(openChannel, events, within), late]);
  stop.abort();
  if (trouble === undefined || signal.aborted) return [];
  return [`The other machines were not told at once, they find out when they next look: ${trouble}`];
}

async function publish(
  openChannel: () => Promise<Channel | undefined>,
  events: readonly LogEvent[],
  signal: AbortSignal,
): Promise<string | undefined> {
  let channel: Channel | undefined;
  try {
    channel = await openChannel();
    await channel?.publish(events.map(messageOf), { signal });
    return undefined;
  } catch (error) {
    const hint = error instanceof BackendError && error.hint !== undefined ? ` ${error.hint}` : "";
    return `${error instanceof Error ? error.message : String(error)}.${hint}`;
  } finally {
    channel?.close();
  }
}
