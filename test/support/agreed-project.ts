import { readdirSync } from "node:fs";
import { join } from "node:path";
import { RESERVED_FOLDERS } from "../../src/backends/layout.ts";
import { local } from "../../src/backends/local/index.ts";
import type { Backend } from "../../src/backends/types.ts";
import { pythonIso, systemClock } from "../../src/lib/clock.ts";
import type { RelPath } from "../../src/lib/path.ts";
import { loadBase } from "../../src/sync/base.ts";
import { syncFiles } from "../../src/sync/files.ts";
import { hashFile } from "../../src/sync/hash-files.ts";
import type { LocalFact } from "../../src/sync/journal.ts";
import type { BaseEntry } from "../../src/sync/model.ts";
import { recordRun } from "../../src/sync/record.ts";
import { backendConfig, backendDeps } from "./backend-config.ts";
import type { MeasuredMachine } from "./measured-machine.ts";

/** An absolute folder, or the client of another remote. */
type AgreedRemote = string | Backend;

function openFolder({ project }: MeasuredMachine, localFolder: string, stateFolder: string): Promise<Backend> {
  return local.open(
    backendConfig({ backend: "local", projectPath: project, localFolder }),
    backendDeps({ stateFolder }),
  );
}

/**
 * Writes down that a project and its remote folder agree on every file, as a push would have, in a fraction of its time.
 * The machine has run a command before, so that its state folder exists.
 */
export async function recordAgreement(machine: MeasuredMachine, remote: AgreedRemote): Promise<number> {
  const states = join(machine.home, ".local/state/claude-mirror");
  const name = readdirSync(states, { withFileTypes: true }).find((entry) => entry.isDirectory())?.name ?? "";
  const stateFolder = join(states, name);
  const backend = typeof remote === "string" ? await openFolder(machine, remote, stateFolder) : remote;
  const { files: listed } = await backend.list("", { skip: RESERVED_FOLDERS });
  await backend.close();
  const confirmed = new Map<RelPath, BaseEntry>();
  const facts = new Map<RelPath, LocalFact>();
  const syncedAt = pythonIso(systemClock.now());
  for (const { path, size, rev, id, nativeHash } of listed) {
    const fact = await hashFile(machine.project, path);
    confirmed.set(path, { path, ...fact.hash, size, rev, remoteId: id, nativeHash, racy: false, syncedAt });
    facts.set(path, fact);
  }
  const files = syncFiles(machine.project, stateFolder);
  const hashedSinceMs = systemClock.now();
  const base = await loadBase({ files, cache: true, now: hashedSinceMs, canonicalHash: async () => (hash) => hash });
  const learned = { local: new Map(), base: new Map() };
  recordRun({ files, base, backend: backend.kind, confirmed, local: facts, learned, hashedSinceMs });
  return listed.length;
}
