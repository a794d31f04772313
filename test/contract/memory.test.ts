import { type MemoryOptions, memoryBackend } from "../support/memory-backend.ts";
import { type ContractSetup, contractSuite } from "./suite.ts";

function setup(options: MemoryOptions, optOuts: ContractSetup["optOuts"] = {}): ContractSetup {
  return {
    optOuts,
    async open() {
      const backend = memoryBackend(options);
      return {
        backend,
        second: async () => memoryBackend({ ...options, store: backend.store }),
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
await contractSuite("memory with a coarse clock", setup({ tickMs: 50 }, { races: "one rev covers several contents" }));
