import { childOf, type RelPath } from "../../lib/path.ts";
import { probeUploadUrl } from "./chunks.ts";
import type { DavConnection } from "./connection.ts";
import { fileUrl } from "./dav-path.ts";
import type { ServerFacts } from "./facts.ts";
import { guardHeaders } from "./guard.ts";

/** What this probe needs of the others' folder. */
export interface ChunkLab {
  readonly connection: DavConnection;
  readonly folder: RelPath;
  readonly signal: AbortSignal | undefined;
  fresh(name: string, content?: string): Promise<void>;
  text(name: string): Promise<string | undefined>;
  etag(name: string): Promise<string | undefined>;
}

const WRONG = "00000000-claude-mirror-never";

/**
 * Whether the server puts chunks together, and refuses to where a guard says so: onto a name that is taken, and onto
 * another version. No request where the address is not a Nextcloud's.
 */
export async function probeChunks(lab: ChunkLab): Promise<ServerFacts["chunks"]> {
  const { connection, folder, signal } = lab;
  const url = probeUploadUrl(connection.root);
  if (url === undefined) return "none";
  const name = "chunked é.txt";
  const target = fileUrl(connection.root, childOf(folder, name));
  const send = async (method: string, part: string, headers: Readonly<Record<string, string>>, body?: string) => {
    const all = { Destination: target, "OC-Total-Length": String(CHUNK.length), ...headers };
    const request = { method, url: url + part, what: "try uploading in chunks", headers: all, signal };
    const response = await connection.send({ ...request, ...(body === undefined ? {} : { body }) });
    await response.drain();
    return response.status;
  };
  const isDone = (status: number) => status >= 200 && status < 300;
  await lab.fresh(name, "before");
  if (!isDone(await send("MKCOL", "", {}))) return "none";
  try {
    if (!isDone(await send("PUT", "00001", {}, CHUNK))) return "none";
    if (isDone(await send("MOVE", ".file", { Overwrite: "F" })) || (await lab.text(name)) !== "before") return "none";
    const onto = (etag: string) => ({ ...guardHeaders("if-etag", "MOVE", target, etag), Overwrite: "T" });
    const etag = await lab.etag(name);
    const wrong = await send("MOVE", ".file", onto(WRONG));
    if (isDone(wrong)) return (await lab.text(name)) === CHUNK ? "create" : "none";
    if (etag === undefined || (await lab.text(name)) !== "before") return "none";
    if (isDone(await send("MOVE", ".file", onto(etag))) && (await lab.text(name)) === CHUNK) return "replace";
    return "none";
  } finally {
    await send("DELETE", "", {}).catch(() => undefined);
  }
}

const CHUNK = "put together";
