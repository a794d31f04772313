import { expect, setDefaultTimeout, test } from "bun:test";
import type { FakeHttp } from "../fakes/fake-http.ts";
import { startFakeDrive } from "../fakes/googledrive/server.ts";
import { startFakeOneDrive } from "../fakes/onedrive/server.ts";
import { compiledBinary } from "../support/binary.ts";
import { googledrivePlace } from "../support/googledrive-place.ts";
import { oneDrivePlace } from "../support/onedrive-place.ts";
import { ownMachine } from "../support/own-machine.ts";
import { seededRandom } from "../support/random.ts";
import type { RemotePlace } from "../support/remote-place.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

const MB = 1024 * 1024;
const BYTES = seededRandom(9).bytes(26 * MB);

/** A push whose process is killed at the `nth` request of an endpoint, and the next one, which must succeed. */
async function killedAndAgain(
  fake: Pick<FakeHttp, "fault" | "reset">,
  place: RemotePlace,
  endpoint: string,
  nth: number,
) {
  const machine = await ownMachine("anna", place);
  machine.write("large.bin", BYTES);
  const child = Bun.spawn([await compiledBinary(), "push"], {
    cwd: machine.project,
    env: { HOME: machine.home, ...place.env },
    stdout: "ignore",
    stderr: "ignore",
  });
  let seen = 0;
  fake.fault(endpoint, { when: () => ++seen === nth, before: () => child.kill("SIGKILL"), cut: "request" });
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
  fake.reset();
  const next = await machine.run(["push", "--json"]);
  expect([next.code, next.code === 0 ? "" : next.stdout + next.stderr]).toEqual([0, ""]);
  return machine;
}

test("push to OneDrive: killed in the middle of a large file, the next one sends the missing fragments only", async () => {
  const fake = await startFakeOneDrive();
  const place = oneDrivePlace(fake);
  const machine = await killedAndAgain(fake, place, "fragment", 4);
  // 26 MB are six fragments of 5 MiB; three had arrived.
  expect(fake.count("fragment")).toBe(3);
  const { drive } = fake;
  const there = drive.find(drive.root, `${place.settings["onedrive_folder"]}/large.bin`);
  expect(Buffer.compare(there?.bytes ?? new Uint8Array(), BYTES)).toBe(0);
  expect((await machine.run(["status", "--json"])).json.summary).toMatchObject({ in_sync: 1 });
  await fake.stop();
});

test("push to Google Drive: killed in the middle of a large file, the next one goes on with its session", async () => {
  const fake = await startFakeDrive();
  const place = googledrivePlace(fake);
  // The first request is cut; the process is killed at the one that would go on.
  fake.sessions.cutAfter = 16 * MB;
  const machine = await killedAndAgain(fake, place, "upload.chunk", 2);
  expect(fake.count("upload.start")).toBe(0);
  const large = [...fake.store.items.values()].find(({ name }) => name === "large.bin");
  expect(Buffer.compare(large?.content ?? Buffer.alloc(0), BYTES)).toBe(0);
  // Asked how far it is, then sent the rest.
  expect(fake.count("upload.chunk")).toBe(2);
  expect((await machine.run(["status", "--json"])).json.summary).toMatchObject({ in_sync: 1 });
  await fake.stop();
});
