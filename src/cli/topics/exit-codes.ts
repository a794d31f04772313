import { EXIT } from "../exit.ts";
import type { Topic } from "../topic.ts";

const row = (code: number, text: string) => [String(code), text] as const;

export const exitCodesTopic: Topic = {
  name: "exit-codes",
  title: "Exit codes",
  summary: "What the exit codes mean",
  parts: [
    {
      kind: "rows",
      heads: ["exit", "meaning"],
      rows: [
        row(EXIT.ok, "done, or nothing to do"),
        row(EXIT.failed, "failed"),
        row(EXIT.usage, "wrong usage"),
        row(EXIT.partial, "partly done: some files failed and will be tried again"),
        row(EXIT.conflicts, "conflicts are left: `claude-mirror sync`, or `claude-mirror conflict list`"),
        row(EXIT.refused, "refused by a guard; the message names what lifts it"),
        row(EXIT.needsAction, "needs you: sign in, free space, restore access"),
        row(EXIT.locked, "another run is at work on the project"),
        row(EXIT.interrupted, "interrupted"),
      ],
    },
    {
      kind: "text",
      text: "`status` ends with `0` whatever it finds unless `--exit-code` is given. Files that wait for a mirror do not change the exit code of `push`, `pull` and `sync`. A watcher that is told to stop ends with `0`.",
    },
  ],
};
