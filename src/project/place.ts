import { basename } from "node:path";
import type { Backend } from "../backends/types.ts";
import { UsageError } from "../lib/errors.ts";
import type { SnapshotService } from "../snapshots/service.ts";
import type { Mirror } from "./mirrors/model.ts";
import type { Parts } from "./parts.ts";

/** One remote of a project. */
export interface Place {
  /** What `--backend` and messages call it (decision 25). */
  readonly name: string;
  /** Undefined for the primary. */
  readonly mirror: Mirror | undefined;
  readonly backend: Backend;
  readonly snapshots: SnapshotService;
}

/** A remote of a project that is not opened yet. */
export interface PlaceChoice {
  readonly name: string;
  readonly mirror: Mirror | undefined;
  open(): Promise<Place>;
}

/** The remotes that snapshots and files are kept on, the primary first, then the mirrors in the order of the config. */
export function allPlaces(parts: Parts): readonly [PlaceChoice, ...PlaceChoice[]] {
  const { config, name } = parts.deps;
  return [
    choiceOf(name ?? config.backend, undefined, parts),
    ...parts.mirrors.map((mirror) => choiceOf(mirror.name, mirror, mirror)),
  ];
}

function choiceOf(name: string, mirror: Mirror | undefined, rooms: Pick<Parts, "backend" | "snapshots">): PlaceChoice {
  return {
    name,
    mirror,
    open: async () => ({ name, mirror, backend: await rooms.backend(), snapshots: await rooms.snapshots() }),
  };
}

/** The remote that `--backend` names, by its name, its config's stem or `primary`; the primary when nothing is typed. */
export function choosePlace(parts: Parts, typed: string | undefined): PlaceChoice {
  const places = allPlaces(parts);
  const [primary] = places;
  if (typed === undefined || typed === "primary") return primary;
  const found = places.find(({ name, mirror }) => {
    const { file } = mirror ?? parts.deps.config;
    return name === typed || basename(file, ".yaml") === typed || (typed === "drive" && name === "googledrive");
  });
  if (found !== undefined) return found;
  throw new UsageError(`there is no backend "${typed}" in this project`, {
    hint: `It has ${places.map(({ name }) => name).join(", ")}.`,
  });
}

/** The mirrors that a command is about; all without a name. Throws UsageError where there is none. */
export function chooseMirrors(parts: Parts, typed: string | undefined): readonly Mirror[] {
  if (parts.mirrors.length === 0) {
    throw new UsageError("this project has no mirrors", {
      hint: "List their configs under mirror_config_paths in the project's config.",
    });
  }
  if (typed === undefined) return parts.mirrors;
  const { name, mirror } = choosePlace(parts, typed);
  if (mirror !== undefined) return [mirror];
  throw new UsageError(`"${name}" is the primary, not a mirror`, {
    hint: `The mirrors are ${parts.mirrors.map((one) => one.name).join(", ")}.`,
  });
}

export interface OpenPlaces {
  readonly places: readonly Place[];
  /** Mirrors that cannot be opened. */
  readonly closed: readonly { readonly name: string; readonly error: unknown }[];
}

/** The remotes of a project, opened; only the one that `only` names when it is given. Throws what opening the primary throws. */
export async function openPlaces(parts: Parts, only?: string): Promise<OpenPlaces> {
  if (only !== undefined) return { places: [await choosePlace(parts, only).open()], closed: [] };
  const [primary, ...mirrors] = allPlaces(parts);
  const places: Place[] = [await primary.open()];
  const closed: { readonly name: string; readonly error: unknown }[] = [];
  for (const mirror of mirrors) {
    try {
      places.push(await mirror.open());
    } catch (error) {
      parts.deps.signal.throwIfAborted();
      closed.push({ name: mirror.name, error });
    }
  }
  return { places, closed };
}
