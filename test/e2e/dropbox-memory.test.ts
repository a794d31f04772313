import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { FakeDropbox } from "../fakes/dropbox.ts";
import { compiledBinary } from "../support/binary.ts";
import { dropboxPlace } from "../support/dropbox-place.ts";
import { measure } from "../support/measured-machine.ts";
import { ownMachine } from "../support/own-machine.ts";
import { seededRandom } from "../support/random.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

const fake = await FakeDropbox.start();
afterAll(() => fake.stop());

test("memory: pushing 84 MB in 700 files to Dropbox holds only what is under way", async () => {
  const place = dropboxPlace(fake);
  const machine = await ownMachine("anna", place);
  const random = seededRandom(1);
  for (let i = 0; i < 700; i++) machine.write(`d${i % 30}/${i}.bin`, random.bytes(120_000));
  // The endpoints stand before the program's name: the measuring hand gives no variables of its own.
  const env = Object.entries(place.env ?? {}).map(([name, value]) => `${name}=${value}`);
  const run = await measure(["env", ...env, await compiledBinary(), "push"], {
    cwd: machine.project,
    home: machine.home,
  });
  expect(run.code).toBe(0);
  expect(run.peakMb).toBeLessThan(220);
});
