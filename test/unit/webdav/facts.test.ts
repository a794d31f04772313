import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { davRoot } from "../../../src/backends/webdav/dav-path.ts";
import {
  capabilities,
  dropFacts,
  FACTS_AGE_MS,
  loadFacts,
  type ServerFacts,
  saveFacts,
  UNPROVEN,
} from "../../../src/backends/webdav/facts.ts";
import { tempFolder } from "../../support/temp.ts";

const root = davRoot("https://cloud.example/dav");
const FACTS: ServerFacts = { ...UNPROVEN, probedMs: 1000, update: "if-etag", remove: "if-etag", create: "move" };

test("loadFacts: what was saved, until it is thirty days old or from the future", () => {
  const folder = tempFolder("facts");
  saveFacts(folder, root, FACTS);
  expect(loadFacts(folder, root, 1000)).toEqual(FACTS);
  expect(loadFacts(folder, root, 999 + FACTS_AGE_MS)).toEqual(FACTS);
  expect(loadFacts(folder, root, 1000 + FACTS_AGE_MS)).toBeUndefined();
  expect(loadFacts(folder, root, 999)).toBeUndefined();
  expect(loadFacts(folder, davRoot("https://cloud.example/other"), 1000)).toBeUndefined();
  dropFacts(folder, root);
  expect(loadFacts(folder, root, 1000)).toBeUndefined();
});

test("loadFacts: damaged facts or facts of another form are none", () => {
  const folder = tempFolder("facts");
  saveFacts(folder, root, FACTS);
  const file = join(folder, readdirSync(folder)[0] ?? "");
  const text = readFileSync(file, "utf8");
  const { deepListing: _, ...older } = FACTS;
  for (const damaged of [
    "",
    "[]",
    "null",
    text.slice(0, 20),
    text.replace('"version": 1', '"version": 2'),
    JSON.stringify(older),
  ]) {
    expect(damaged).not.toBe(text);
    writeFileSync(file, damaged);
    expect(loadFacts(folder, root, 1000)).toBeUndefined();
  }
});

test("capabilities: the guard is the weakest of the three", () => {
  expect(capabilities(FACTS).guard).toBe("native");
  expect(capabilities({ ...FACTS, remove: "lock-tagged" }).guard).toBe("lock");
  expect(capabilities({ ...FACTS, update: "lock", create: "look" }).guard).toBe("look");
});
