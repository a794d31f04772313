import { mkdirSync, renameSync } from "node:fs";
import { type LocalOptions, openLocal } from "../../src/backends/local/index.ts";
import type { Backend } from "../../src/backends/types.ts";
import { checkCalls } from "../../src/backends/wrap/check.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { tempFolder } from "../support/temp.ts";
import { type ContractSetup, contractSuite } from "./suite.ts";

const base = tempFolder("local-contract");
let roots = 0;

function setup(change: Partial<LocalOptions> = {}, adapt: (backend: Backend) => Backend = (it) => it): ContractSetup {
  return {
    async open() {
      const folder = `${base}/${++roots}`;
      mkdirSync(folder);
      const open = async () => adapt(await openLocal({ folder, clock: systemClock, ...change }));
      return {
        backend: await open(),
        second: open,
        removeRoot: async () => renameSync(folder, `${folder}-unmounted`),
        close: async () => {},
      };
    },
  };
}

await contractSuite("local", setup({}, checkCalls));
await contractSuite("local without hard links", setup({ hardLinks: false }));
await contractSuite(
  "local whose inode numbers do not last",
  setup({
    fileSystem: { stableInodes: false, names: { forbidden: "", maxNameBytes: 255, caseSensitive: true } },
  }),
);
await contractSuite(
  "local without optional verbs",
  setup({}, ({ copy: _copy, move: _move, ...backend }) => backend),
);
