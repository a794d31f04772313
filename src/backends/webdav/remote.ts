import type { Clock } from "../../lib/clock.ts";
import type { DavConnection } from "./connection.ts";
import type { ServerFacts } from "./facts.ts";
import type { Folders } from "./folders.ts";
import type { Held } from "./held.ts";
import type { Seen } from "./seen.ts";
import type { Temps } from "./temps.ts";

/** What the changing verbs work with. */
export interface Remote {
  readonly connection: DavConnection;
  readonly facts: ServerFacts;
  readonly folders: Folders;
  readonly clock: Clock;
  readonly seen: Seen;
  readonly held: Held;
  readonly temps: Temps;
  /** Where notes about uploads in chunks begin; there are none when it is left out. */
  readonly chunkNotes: string | undefined;
  /** Tells this machine's project from others that write to the same place. */
  readonly client: string;
}
