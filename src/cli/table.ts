import type { Command } from "./command.ts";

/** One line of the list of commands. `load` is a literal import, so that a command's code is read only when it runs. */
export interface CommandEntry {
  /** Kept equal to the command's own by a test; here so that the list needs no command loaded. */
  readonly summary: string;
  readonly hidden?: boolean;
  readonly load: () => Promise<Command>;
}

/** Every command, in the order in which help lists them. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  init: {
    summary: "Set a project up, or change its settings",
    load: async () => (await import("./commands/init.ts")).initCommand,
  },
  clone: {
    summary: "Set a project up on another machine and fetch its files",
    load: async () => (await import("./commands/clone.ts")).cloneCommand,
  },
  profile: {
    summary: "List, show, create or delete settings that several projects share",
    load: async () => (await import("./commands/profile.ts")).profileCommand,
  },
  auth: {
    summary: "Sign in to the remote, or check that signing in works",
    load: async () => (await import("./commands/auth.ts")).authCommand,
  },
  status: {
    summary: "Show what differs between here and the remote",
    load: async () => (await import("./commands/status.ts")).statusCommand,
  },
  tree: {
    summary: "Show the mirrored files as a tree, and which side has each",
    load: async () => (await import("./commands/tree.ts")).treeCommand,
  },
  push: {
    summary: "Send local changes to the remote and take a snapshot",
    load: async () => (await import("./commands/push.ts")).pushCommand,
  },
  pull: {
    summary: "Fetch remote changes",
    load: async () => (await import("./commands/pull.ts")).pullCommand,
  },
  sync: {
    summary: "Pull, push and resolve conflicts in one go",
    load: async () => (await import("./commands/sync.ts")).syncCommand,
  },
  diff: {
    summary: "Show how a local file differs from the remote one",
    load: async () => (await import("./commands/diff.ts")).diffCommand,
  },
  conflict: {
    summary: "List, show, settle or drop the conflicts that runs have left",
    load: async () => (await import("./commands/conflict.ts")).conflictCommand,
  },
  delete: {
    summary: "Delete files on the remote",
    load: async () => (await import("./commands/delete.ts")).deleteCommand,
  },
  retry: {
    summary: "Send mirrors again what failed there",
    load: async () => (await import("./commands/retry.ts")).retryCommand,
  },
  "seed-mirror": {
    summary: "Fill a new mirror with every file and the newest snapshot",
    load: async () => (await import("./commands/seed-mirror.ts")).seedMirrorCommand,
  },
  promote: {
    summary: "Make a mirror the primary, and the primary a mirror",
    load: async () => (await import("./commands/promote.ts")).promoteCommand,
  },
  snapshot: {
    summary: "Take a snapshot now, with a tag or a message",
    load: async () => (await import("./commands/snapshot.ts")).snapshotCommand,
  },
  snapshots: {
    summary: "List the snapshots, newest first",
    load: async () => (await import("./commands/snapshots.ts")).snapshotsCommand,
  },
  inspect: {
    summary: "Show what a snapshot holds, without downloading it",
    load: async () => (await import("./commands/inspect.ts")).inspectCommand,
  },
  "snapshot-diff": {
    summary: "Show what changed between two snapshots",
    load: async () => (await import("./commands/snapshot-diff.ts")).snapshotDiffCommand,
  },
  history: {
    summary: "List the snapshots that hold a file, and its versions",
    load: async () => (await import("./commands/history.ts")).historyCommand,
  },
  restore: {
    summary: "Bring files back from a snapshot",
    load: async () => (await import("./commands/restore.ts")).restoreCommand,
  },
  forget: {
    summary: "Delete snapshots by name, age or number",
    load: async () => (await import("./commands/forget.ts")).forgetCommand,
  },
  prune: {
    summary: "Delete snapshots but for so many a day, week, month or year",
    load: async () => (await import("./commands/prune.ts")).pruneCommand,
  },
  gc: {
    summary: "Delete stored contents that no snapshot needs any more",
    load: async () => (await import("./commands/gc.ts")).gcCommand,
  },
  "migrate-snapshots": {
    summary: "Convert all snapshots to the other format",
    load: async () => (await import("./commands/migrate-snapshots.ts")).migrateSnapshotsCommand,
  },
  verify: {
    summary: "Read everything that is kept on the remote and find what is damaged",
    load: async () => (await import("./commands/verify.ts")).verifyCommand,
  },
  stats: {
    summary: "Count files, snapshots, stored bytes, growth and who did how much",
    load: async () => (await import("./commands/stats.ts")).statsCommand,
  },
  log: {
    summary: "Show who changed what and when, on all machines",
    load: async () => (await import("./commands/log.ts")).logCommand,
  },
  watch: {
    summary: "Tell what collaborators change while it runs",
    load: async () => (await import("./commands/watch.ts")).watchCommand,
  },
  "watch-all": {
    summary: "Do so for every project, as a background service does",
    load: async () => (await import("./commands/watch-all.ts")).watchAllCommand,
  },
  reload: {
    summary: "Make a running watch-all look for new and changed projects at once",
    load: async () => (await import("./commands/reload.ts")).reloadCommand,
  },
  "test-notify": {
    summary: "Show a message on the desktop, and say what it takes to see it",
    load: async () => (await import("./commands/test-notify.ts")).testNotifyCommand,
  },
  inbox: {
    summary: "Show what collaborators changed, and clear the list",
    load: async () => (await import("./commands/inbox.ts")).inboxCommand,
  },
  trash: {
    summary: "List, restore or empty the files that a run replaced or removed here",
    load: async () => (await import("./commands/trash.ts")).trashCommand,
  },
  prompt: {
    summary: "Print how the project stands, for the prompt of a shell",
    load: async () => (await import("./commands/prompt.ts")).promptCommand,
  },
  health: {
    summary: "Say in a few lines whether all is well, for a monitor",
    load: async () => (await import("./commands/health.ts")).healthCommand,
  },
  doctor: {
    summary: "Check settings, records, sign-in, remotes and the installation, and say what to do",
    load: async () => (await import("./commands/doctor.ts")).doctorCommand,
  },
  "find-config": {
    summary: "Print the config file of the project that a folder belongs to",
    load: async () => (await import("./commands/find-config.ts")).findConfigCommand,
  },
  install: {
    summary: "Set up, or remove, what runs outside of this program",
    load: async () => (await import("./commands/install.ts")).installCommand,
  },
  update: {
    summary: "Replace this program by the newest version",
    load: async () => (await import("./commands/update.ts")).updateCommand,
  },
  "check-update": {
    summary: "Say whether there is a newer version",
    load: async () => (await import("./commands/check-update.ts")).checkUpdateCommand,
  },
  completion: {
    summary: "Print the completion script for a shell",
    load: async () => (await import("./commands/completion.ts")).completionCommand,
  },
  help: {
    summary: "Show the commands, one command's options, or a topic",
    load: async () => (await import("./commands/help.ts")).helpCommand,
  },
  version: {
    summary: "Show the version",
    hidden: true,
    load: async () => (await import("./commands/version.ts")).versionCommand,
  },
  __complete: {
    summary: "Answer the completion scripts",
    hidden: true,
    load: async () => (await import("./commands/complete.ts")).completeCommand,
  },
  "__check-update": {
    summary: "Note down which version is the newest",
    hidden: true,
    load: async () => (await import("./commands/ask-update.ts")).askUpdateCommand,
  },
};
