import { expect, test } from "bun:test";
import {
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { LARGE_TRANSFER, releasePart } from "../../../src/lib/part-file.ts";
import { processTag } from "../../../src/lib/process-identity.ts";
import { createResumedFiles, type ResumedFile, type ResumedFiles } from "../../../src/lib/resumed-file.ts";
import { seededRandom } from "../../support/random.ts";
import { tempFolder } from "../../support/temp.ts";

const SIZE = LARGE_TRANSFER + 12_345;
const BLOCK = 256 * 1024;
const BYTES = seededRandom(5).bytes(SIZE);

interface Lab {
  readonly folder: string;
  readonly notes: string;
  readonly files: ResumedFiles;
  /** A try whose process has ended since. */
  killedAfter(bytes: number, version?: string): void;
  open(version?: string, known?: Uint8Array[]): ResumedFile | undefined;
}

function lab(scope = "remote"): Lab {
  const folder = tempFolder("parts");
  const notes = join(tempFolder("state"), "parts.jsonl");
  const files = createResumedFiles({ notes, scope, clock: { now: () => Date.now(), sleep: async () => {} } });
  const open = (version = "one", known: Uint8Array[] = []) =>
    files.open(join(folder, "big.bin"), {
      version,
      size: SIZE,
      onKnown: (bytes) => known.push(Uint8Array.from(bytes)),
    });
  return {
    folder,
    notes,
    files,
    open,
    killedAfter(bytes, version) {
      const part = open(version);
      for (let at = 0; at < bytes; at += 70_000) part?.write(BYTES.subarray(at, Math.min(at + 70_000, bytes)));
      part?.leave();
      for (const name of readdirSync(folder)) renameSync(join(folder, name), join(folder, ofDead(name)));
    },
  };
}

const dead = Bun.spawnSync(["true"]).pid;

function ofDead(name: string): string {
  return name.replace(processTag(), processTag().replace(/-\d+$/, `-${dead}`));
}

test("createResumedFiles: goes on where a killed process stopped, at most a block short, with the bytes before told", async () => {
  const { folder, killedAfter, open } = lab();
  killedAfter(SIZE / 2);
  const known: Uint8Array[] = [];
  const part = open("one", known) as ResumedFile;
  expect(part.from).toBeGreaterThan(SIZE / 2 - BLOCK);
  expect(part.from).toBeLessThanOrEqual(SIZE / 2);
  expect(Buffer.concat(known).equals(Buffer.from(BYTES.subarray(0, part.from)))).toBe(true);
  part.write(BYTES.subarray(part.from));
  await part.finish();
  expect(Buffer.compare(readFileSync(part.file), BYTES)).toBe(0);
  expect(readdirSync(folder)).toHaveLength(1);
});

test("createResumedFiles: never goes on with another version, and removes what is left of it", () => {
  const { folder, killedAfter, open } = lab();
  killedAfter(SIZE / 2);
  const part = open("two") as ResumedFile;
  expect(part.from).toBe(0);
  part.drop();
  expect(readdirSync(folder)).toEqual([]);
});

test("createResumedFiles: never goes on with the same version of another remote", () => {
  const first = lab("remote one");
  first.killedAfter(SIZE / 2);
  const other = createResumedFiles({
    notes: first.notes,
    scope: "remote two",
    clock: { now: () => 0, sleep: async () => {} },
  });
  const part = other.open(join(first.folder, "big.bin"), { version: "one", size: SIZE, onKnown: () => {} });
  expect(part?.from).toBe(0);
});

test("createResumedFiles: a block that a crash tore or zeroed is fetched again, with all after it", () => {
  const { folder, killedAfter, open } = lab();
  killedAfter(SIZE / 2);
  const file = join(folder, readdirSync(folder).find((name) => !name.endsWith(".sums")) ?? "");
  const torn = readFileSync(file);
  torn.fill(0, 3 * BLOCK + 100, 3 * BLOCK + 200);
  writeFileSync(file, torn);
  const part = open() as ResumedFile;
  expect(part.from).toBe(3 * BLOCK);
  expect(statSync(part.file).size).toBe(3 * BLOCK);
});

test("createResumedFiles: a part that is shorter than its sums say is believed as far as it goes", () => {
  const { folder, killedAfter, open } = lab();
  killedAfter(SIZE / 2);
  const name = readdirSync(folder).find((one) => !one.endsWith(".sums")) ?? "";
  truncateSync(join(folder, name), 2 * BLOCK + 5);
  expect(open()?.from).toBe(2 * BLOCK);
});

test("createResumedFiles: a part in use, here or by a process that may live, is left alone", () => {
  const { folder, open, killedAfter } = lab();
  killedAfter(SIZE / 2);
  for (const name of readdirSync(folder)) {
    renameSync(join(folder, name), join(folder, name.replace(`-${dead}-`, `-${process.ppid}-`)));
  }
  const part = open() as ResumedFile;
  expect(part.from).toBe(0);
  expect(open()).toBeUndefined();
  part.drop();
  expect(readdirSync(folder)).toHaveLength(2);
});

test("createResumedFiles: small bodies are not kept", () => {
  const { files, folder } = lab();
  const what = { version: "one", size: LARGE_TRANSFER - 1, onKnown: () => {} };
  expect(files.open(join(folder, "small.bin"), what)).toBeUndefined();
});

test("createResumedFiles: what nobody went on with for a week is removed wherever it is, younger parts stay", () => {
  const { folder, notes, files, killedAfter, open } = lab();
  open()?.leave();
  files.tidy();
  expect(readdirSync(folder)).toHaveLength(2);
  const old = Date.now() / 1000 - 8 * 24 * 3600;
  for (const name of readdirSync(folder)) utimesSync(join(folder, name), old, old);
  files.tidy();
  expect(readdirSync(folder)).toEqual([]);
  expect(() => readFileSync(notes)).toThrow();
  killedAfter(BLOCK);
});

test("createResumedFiles: a part that was put into place by a link, before a kill, is never written to again", async () => {
  const { folder, open } = lab();
  const part = open() as ResumedFile;
  part.write(BYTES);
  await part.finish();
  linkSync(part.file, join(folder, "big.bin"));
  renameSync(part.file, join(folder, ofDead(basename(part.file))));
  releasePart(part.file);
  const next = open() as ResumedFile;
  expect(next.from).toBe(0);
  next.write(BYTES.subarray(0, 10));
  expect(Buffer.compare(readFileSync(join(folder, "big.bin")), BYTES)).toBe(0);
});
