import type { EventAction } from "../model.ts";
import type { AnnouncedBackend, AnnouncedEvent } from "./model.ts";

/** Names that a message shows. */
const MOST_FILES = 10;
/** Characters of one name. */
const MOST_CHARACTERS = 200;

const DONE: Readonly<Record<EventAction, string>> = {
  push: "pushed",
  pull: "pulled",
  sync: "synced",
  delete: "deleted",
};
const SIGNS: Readonly<Record<EventAction, string>> = { push: "🔼", pull: "🔽", sync: "🔄", delete: "🗑️" };

/** `🔼 user@machine pushed 1 file in myproject` */
export function headline(event: AnnouncedEvent): string {
  return `${SIGNS[event.action]} ${sentence(event)}`;
}

/** `user@machine pushed 1 file in myproject` */
export function sentence({ user, machine, project, action, files }: AnnouncedEvent): string {
  return `${clean(`${user}@${machine}`)} ${DONE[action]} ${counted(files.length)} in ${clean(project)}`;
}

/** One line for clients that show nothing else. */
export function summary(event: AnnouncedEvent): string {
  return `${sentence(event)}: ${fileNames(event).join(", ")}`;
}

/** At most ten names, and how many more. */
export function fileNames({ files }: AnnouncedEvent): readonly string[] {
  const more = files.length - MOST_FILES;
  return [...files.slice(0, MOST_FILES).map(clean), ...(more > 0 ? [`… and ${more} more`] : [])];
}

/** `📸 Snapshot: 2026-05-05T10-15-22Z (blobs)  ·  📚 1245 files in project` */
export function contextLine({ snapshot, totalFiles }: AnnouncedEvent): string {
  const parts: string[] = [];
  if (snapshot === null) parts.push("⚠️ No snapshot was created for this event");
  else if (snapshot !== undefined) parts.push(`📸 Snapshot: ${snapshot.timestamp} (${snapshot.format})`);
  return [...parts, `📚 ${counted(totalFiles)} in project`].join("  ·  ");
}

/** A line a backend; none where the only one is well. */
export function backendLines({ backends }: AnnouncedEvent): readonly string[] {
  const worth = backends.length > 1 || backends.some(({ state }) => state !== "ok");
  return worth ? backends.map(backendLine) : [];
}

function backendLine({ name, state, sent, deleted, pending, snapshots, message }: AnnouncedBackend): string {
  const light = state === "ok" ? "🟢" : state === "action-required" ? "🔴" : "🟡";
  const done = [
    ...(sent > 0 ? [`pushed ${sent}`] : []),
    ...(deleted > 0 ? [`deleted ${deleted}`] : []),
    ...snapshots.map((timestamp) => `snapshot ${timestamp}`),
  ];
  const waiting = pending > 0 ? [`${counted(pending)} pending retry`] : [];
  const why = message === null ? [] : [clean(message)];
  const said = state === "ok" ? done : [...why, ...waiting, ...done];
  return `${light} ${clean(name)} — ${said.join(", ") || "nothing to do"}`;
}

/** What only a person can put right, one backend each. */
export function actionsRequired({ backends }: AnnouncedEvent): readonly string[] {
  return backends
    .filter(({ state }) => state === "action-required")
    .map(({ name, message, advice }) =>
      [`${clean(name)}: ${clean(message ?? "it needs you")}`, ...(advice === null ? [] : [clean(advice)])].join("\n"),
    );
}

function counted(files: number): string {
  return `${files} ${files === 1 ? "file" : "files"}`;
}

/** Other people's words without what steers a screen: control, direction and invisible characters. */
export function clean(text: string): string {
  const safe = text.replace(UNSHOWABLE, "");
  return safe.length <= MOST_CHARACTERS ? safe : `${safe.slice(0, MOST_CHARACTERS)}…`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
const UNSHOWABLE = /[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
