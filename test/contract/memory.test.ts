import type { Backend } from "../../src/backends/types.ts";
import { wrapBackend } from "../../src/backends/wrap/stack.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { type MemoryOptions, memoryBackend } from "../support/memory-backend.ts";
import { type ContractSetup, contractSuite } from "./suite.ts";

interface SetupOptions {
  readonly optOuts?: NonNullable<ContractSetup["optOuts"]>;
  readonly adapt?: (backend: Backend) => Backend;
}

function setup(options: MemoryOptions, { optOuts = {}, adapt = (it) => it }: SetupOptions = {}): ContractSetup {
  return {
    optOuts,
    async open() {
      const backend = memoryBackend(options);
      return {
        backend: adapt(backend),
        second: async () => adapt(memoryBackend({ ...options, store: backend.store })),
        removeRoot: async () => {
          backend.store.present = false;
        },
        close: () => backend.close(),
      };
    },
  };
}

await contractSuite("memory", setup({ changes: true, checksums: ["sha256", "md5"] }));
await contractSuite("memory without optional verbs", setup({ copy: false, move: false }));
await contractSuite("memory that names no version and no checksum", setup({ writeReturnsRev: false }));
await contractSuite("memory that ignores case", setup({ caseSensitive: false }));
await contractSuite("memory that only looks before it writes", setup({ guard: "look" }));
await contractSuite("memory that shows half-written files", setup({ atomicWrite: false }));
await contractSuite(
  "memory with a coarse clock",
  setup({ tickMs: 50 }, { optOuts: { races: "one rev covers several contents" } }),
);

/** As the program uses a backend, every answer checked. */
function wrapped(backend: Backend): Backend {
  const limits = { attempts: 1, parallel: 8, maxThrottleWaitMs: 0 };
  return wrapBackend(backend, { clock: systemClock, random: () => 0, checks: "strict", ...limits });
}

await contractSuite("memory under every wrapper", setup({ changes: true, checksums: ["sha256"] }, { adapt: wrapped }));
