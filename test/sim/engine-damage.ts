import * as fs from "node:fs";
import { join } from "node:path";
import { HASH_CACHE_FILE, MANIFEST_NAME } from "../../src/sync/files.ts";
import type { Random } from "../support/random.ts";
import { type Client, note, type World } from "./engine-model.ts";

const DAMAGES = [
  "state wiped",
  "state wiped",
  "manifest deleted",
  "manifest deleted",
  "manifest cut short",
  "manifest filled with zeros",
  "a bit of the state flipped",
  "all records wiped",
  "hash cache wiped",
  "state saved",
  "state saved",
  "state brought back",
  "manifest saved",
  "manifest brought back",
] as const;

/** Something happens to what we remember. Never to a user's file, and never to the trash. */
export function damageStep(world: World, client: Client, random: Random): void {
  const kind = random.pick(DAMAGES);
  const manifest = join(client.root, MANIFEST_NAME);
  const saved = { state: join(client.home, "saved-state"), manifest: join(client.home, "saved-manifest") };
  note(world, `# ${client.name}: ${kind}`);
  world.damages++;
  switch (kind) {
    case "all records wiped":
    case "state wiped":
      fs.rmSync(client.stateFolder, { recursive: true, force: true });
      if (kind === "all records wiped") fs.rmSync(manifest, { force: true });
      return;
    case "manifest deleted":
      fs.rmSync(manifest, { force: true });
      break;
    case "manifest cut short":
      if (fs.existsSync(manifest)) fs.truncateSync(manifest, random.below(fs.statSync(manifest).size));
      return;
    case "manifest filled with zeros":
      if (fs.existsSync(manifest)) fs.writeFileSync(manifest, Buffer.alloc(fs.statSync(manifest).size));
      return;
    case "a bit of the state flipped":
      flipBit(client.stateFolder, random);
      break;
    case "hash cache wiped":
      fs.rmSync(join(client.root, HASH_CACHE_FILE), { force: true });
      break;
    case "state saved":
      copy(client.stateFolder, saved.state);
      break;
    case "state brought back":
      copy(saved.state, client.stateFolder);
      break;
    case "manifest saved":
      copy(manifest, saved.manifest);
      break;
    case "manifest brought back":
      copy(saved.manifest, manifest);
      break;
  }
}

function copy(from: string, to: string): void {
  if (!fs.existsSync(from)) return;
  fs.rmSync(to, { recursive: true, force: true });
  fs.cpSync(from, to, { recursive: true });
}

function flipBit(folder: string, random: Random): void {
  if (!fs.existsSync(folder)) return;
  const names = (fs.readdirSync(folder, { recursive: true }) as string[]).sort();
  const files = names.map((name) => join(folder, name)).filter((file) => fs.statSync(file).isFile());
  const full = files.filter((file) => fs.statSync(file).size > 0);
  if (full.length === 0) return;
  const file = random.pick(full);
  const bytes = fs.readFileSync(file);
  const at = random.below(bytes.length);
  bytes.writeUInt8((bytes[at] ?? 0) ^ (1 << random.below(8)), at);
  fs.writeFileSync(file, bytes);
}
