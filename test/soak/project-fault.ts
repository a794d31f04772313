import { doubleEntries, type SoakPlace } from "./places.ts";
import type { Fault } from "./scenario.ts";
import type { WatchedHome } from "./watched-home.ts";

/** Ends what a fault has begun. */
export type Undo = () => Promise<void>;

/** Lets something go wrong with one project; answers what ends it where it lasts. */
export async function projectFault(home: WatchedHome, act: Fault, place: SoakPlace): Promise<Undo | undefined> {
  const { project } = place;
  switch (act.does) {
    case "drop":
    case "expire":
    case "reset":
      place[act.does]();
      return;
    case "cut":
    case "hang":
      await place[act.does]();
      return () => place.mend();
    case "restart":
      await place.stop();
      return () => place.restart();
    case "twins":
      doubleEntries(place);
      return;
    case "edit":
      home.edit(project, { exclude_patterns: [`*.${Date.now()}`] });
      return;
    case "break config":
    case "remove config":
      if (act.does === "break config") home.breakConfig(project);
      else home.removeConfig(project);
      return async () => home.edit(project);
  }
  return;
}
