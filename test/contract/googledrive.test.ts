import { afterAll } from "bun:test";
import { googledrive } from "../../src/backends/googledrive/index.ts";
import type { Backend } from "../../src/backends/types.ts";
import { checkCalls } from "../../src/backends/wrap/check.ts";
import { type FakeDrive, startFakeDrive } from "../fakes/googledrive/server.ts";
import { drivePlace } from "../support/googledrive.ts";
import { tempFolder } from "../support/temp.ts";
import { type ContractSetup, contractSuite } from "./suite.ts";

const fake = await startFakeDrive();
afterAll(() => fake.stop());
const base = tempFolder("drive-contract");
let accounts = 0;

function setup(
  change: (fake: FakeDrive) => void,
  options: { readonly probed?: boolean; readonly shared?: boolean } = {},
): ContractSetup {
  return {
    async open() {
      change(fake);
      // An account of its own sees nothing of the other tests.
      const user = `owner-${++accounts}@example.com`;
      const root = options.shared ? { root: fake.store.addSharedDrive("team", { [user]: "owner" }) } : {};
      const place = drivePlace(fake, base, { user, ...root });
      if (options.probed) await googledrive.prepare(place.config, place.deps);
      const open = async (): Promise<Backend> => checkCalls(await place.open());
      const backend = await open();
      return {
        backend,
        async second() {
          // A machine that is new to the folder comes when the listing has caught up.
          fake.store.settle();
          return checkCalls(await place.other().open());
        },
        removeRoot: async () => fake.store.remove(user, place.root),
        close: () => backend.close(),
      };
    },
  };
}

const prompt = ({ store }: FakeDrive): void => {
  store.lagging = false;
  store.settle();
};
const late = ({ store }: FakeDrive): void => {
  store.settle();
  store.lagging = true;
};

await contractSuite("Google Drive", setup(prompt));
await contractSuite("Google Drive whose v2 guards writes", setup(prompt, { probed: true }));
await contractSuite("Google Drive, a shared drive", setup(prompt, { shared: true }));
await contractSuite("Google Drive that lists late", setup(late, { probed: true }));
