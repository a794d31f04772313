import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FakeNextcloud, NEXTCLOUD_USER, startFakeNextcloud } from "../fakes/nextcloud/server.ts";
import { compiledBinary } from "../support/binary.ts";
import { type MeasuredMachine, measuredMachine, webdavYaml } from "../support/measured-machine.ts";
import { seededRandom } from "../support/random.ts";

const BYTES = seededRandom(41).bytes(24 * 1024 * 1024);
let server: FakeNextcloud;
let binary: string;

beforeAll(async () => {
  binary = await compiledBinary();
  server = await startFakeNextcloud();
  server.files.makeFolder("project");
});
afterAll(() => server.stop());

function machine(): MeasuredMachine {
  const remote = webdavYaml(`${server.url}/project`, NEXTCLOUD_USER.username);
  return measuredMachine({ binary, remote, secret: NEXTCLOUD_USER, patterns: ["**/*.bin"] });
}

async function succeed(on: MeasuredMachine, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await on.run(...words);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

test("Nextcloud: a large file goes up in chunks once, comes down on another machine, and status costs one request", async () => {
  const [a, b] = [machine(), machine()];
  writeFileSync(join(a.project, "big.bin"), BYTES);
  await succeed(a, "push");
  // Five chunks for the stored content; the file itself is a copy made by the server.
  expect(server.count("PUT uploads") - PROBED).toBe(5);
  expect(server.uploads.size).toBe(0);
  await succeed(b, "pull");
  expect(Buffer.compare(readFileSync(join(b.project, "big.bin")), BYTES)).toBe(0);
  await succeed(a, "status");
  server.reset();
  await succeed(a, "status");
  expect(server.count()).toBe(1);
  writeFileSync(join(a.project, "big.bin"), Buffer.concat([BYTES, Buffer.from("more")]));
  await succeed(a, "push");
  await succeed(b, "pull");
  expect(readFileSync(join(b.project, "big.bin")).subarray(-4).toString()).toBe("more");
  expect(await succeed(a, "doctor")).toContain("A large upload that breaks off goes on, for a day.");
});

/** Chunks that trying the server out takes. */
const PROBED = 1;
