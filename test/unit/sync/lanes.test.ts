import { expect, test } from "bun:test";
import type { Capabilities } from "../../../src/backends/types.ts";
import { lanesOf } from "../../../src/sync/lanes.ts";
import type { ActionKind } from "../../../src/sync/model.ts";
import { memoryBackend } from "../../support/memory-backend.ts";

const plain = memoryBackend().can;
const batching: Capabilities = { ...plain, inFlight: { write: 1000, remove: 500 } };
const kinds = ["upload", "download", "delete-remote", "adopt", "upload", "keep-both"] as const;
const actions = { places: [...kinds.keys()], kindAt: (place: number): ActionKind => kinds[place] as ActionKind };
const kindsIn = (places: readonly number[]) => places.map(actions.kindAt);

test("lanesOf: where the backend has no wish, one lane in the plan's order beside that of the downloads", () => {
  const lanes = lanesOf(actions, plain, 5);
  expect(lanes.map(({ workers, places }) => [workers, kindsIn(places)] as const)).toEqual([
    [37, ["download"]],
    [5, ["upload", "delete-remote", "adopt", "upload", "keep-both"]],
  ]);
});

test("lanesOf: a lane for each number of calls that the backend likes", () => {
  const lanes = lanesOf(actions, batching, 5);
  expect(lanes.map(({ workers, places }) => [workers, kindsIn(places)] as const)).toEqual([
    [1000, ["upload", "upload"]],
    [5, ["download", "adopt", "keep-both"]],
    [500, ["delete-remote"]],
  ]);
});

test("lanesOf: bytes under way are bounded, but never to fewer than the user's workers", async () => {
  const [lane] = lanesOf(actions, batching, 5);
  let running = 0;
  let most = 0;
  const act = async () => {
    most = Math.max(most, ++running);
    await new Promise((done) => setTimeout(done));
    running--;
  };
  await Promise.all(Array.from({ length: 300 }, () => lane?.whenRoom(1 << 20, act)));
  expect(most).toBe(32);
  most = 0;
  await Promise.all(Array.from({ length: 20 }, () => lane?.whenRoom(1 << 30, act)));
  expect(most).toBe(5);
});
