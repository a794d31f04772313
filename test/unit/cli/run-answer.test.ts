import { expect, test } from "bun:test";
import { BackendError } from "../../../src/backends/errors.ts";
import type { CommandContext } from "../../../src/cli/context.ts";
import { exitOfItems } from "../../../src/cli/exit.ts";
import { runAnswer } from "../../../src/cli/run-answer.ts";
import type { RunResult } from "../../../src/project/model.ts";
import { describeItemError } from "../../../src/sync/item-error.ts";

const SECRET = "https://alice:hunter2secret@cloud.example.org/dav";

test("runAnswer: no secret of an address shows in a notice or in a file's error", () => {
  const notes: string[] = [];
  const style = new Proxy({}, { get: () => (text: string) => text });
  const ctx = {
    note: (line: string) => void notes.push(line),
    out: { style, columns: 80 },
  } as unknown as CommandContext;
  const error = describeItemError(new BackendError(`could not send to ${SECRET}`, { class: "UNKNOWN" }));
  const { result, lines } = runAnswer(ctx, {
    ...EMPTY,
    failed: [{ path: "a.md", action: "upload", error }],
    notices: [`cannot add to the sync log: ${SECRET} is away`],
  });
  const told = JSON.stringify({ result, lines, notes });
  expect(told).toContain("cloud.example.org");
  expect(told).not.toContain("hunter2secret");
});

const EMPTY: RunResult = {
  command: "push",
  dryRun: false,
  planned: [],
  uploaded: [],
  downloaded: [],
  deletedRemote: [],
  deletedLocal: [],
  adopted: [],
  copies: [],
  failed: [],
  conflicts: [],
  held: [],
  inSync: 0,
  bytes: 0,
  snapshot: null,
  output: null,
  notices: [],
  interrupted: false,
  backends: [],
  announcements: [],
};

test("exitOfItems: what needs a person wins over what the next run tries again", () => {
  const failed = { status: "failed" };
  expect(
    [[], [{ status: "forgotten" }], [failed], [failed, { ...failed, needsPerson: true }]].map(exitOfItems),
  ).toEqual([0, 0, 3, 6]);
});
