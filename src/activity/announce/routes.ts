import type { AnnouncedEvent, AnnounceRoute } from "./model.ts";

/**
 * The files of an event that a route wants; none where it does not want the event. `matches` takes `**` in front of a
 * slash for no folder, too: else files at the root would never be told of (a defect of 0.5.50 and later).
 */
export function filesFor(
  { action, files }: Pick<AnnouncedEvent, "action" | "files">,
  route: AnnounceRoute,
  matches: (pattern: string, path: string) => boolean,
): readonly string[] {
  if (!route.on.includes(action)) return [];
  return files.filter((file) => route.paths.some((pattern) => matches(pattern, file)));
}
