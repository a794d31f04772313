import { randomUUID } from "node:crypto";
import { CutConnection, type FakeReply, type FakeRequest } from "../fake-http.ts";
import { json } from "./identity.ts";
import { type Drive, type Item, Refusal } from "./store.ts";

const FRAGMENT = 327_680;
const MOST = 60 * 1024 * 1024;

interface Session {
  readonly drive: Drive;
  readonly parent: string;
  readonly name: string;
  readonly item: string | undefined;
  readonly behavior: string;
  readonly until: number;
  total: number | undefined;
  parts: Buffer[];
  length: number;
}

export interface Uploads {
  /** Sessions that are not finished. */
  readonly open: number;
  create(session: Pick<Session, "drive" | "parent" | "name" | "item" | "behavior">): { url: string; until: number };
  handle(request: FakeRequest, describe: (drive: Drive, item: Item) => unknown): Promise<FakeReply>;
  /** Every session's time is over. */
  expire(): void;
}

/** Upload sessions: fragments in order, of 320 KiB multiples but the last, without an Authorization header. */
export function createUploads(now: () => number, origin: () => string): Uploads {
  const sessions = new Map<string, Session>();
  const expected = (session: Session) => ({
    expirationDateTime: new Date(session.until).toISOString(),
    nextExpectedRanges: [`${session.length}-`],
  });

  async function fragment(id: string, session: Session, request: FakeRequest): Promise<Session | FakeReply> {
    const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(request.headers["content-range"] ?? "");
    if (range === null) throw new Refusal(400, "invalidRequest", "Declared Content-Range is missing.");
    const [from, to, total] = range.slice(1).map(Number) as [number, number, number];
    // A connection that ends early leaves nothing of its fragment.
    const body = await request.body();
    if (body.length !== to - from + 1) throw new Refusal(400, "invalidRequest", "Length and range differ.");
    if (body.length >= MOST) throw new Refusal(413, "maxFragmentSizeExceeded", "The fragment is too large.");
    session.total ??= total;
    if (session.total !== total) throw new Refusal(400, "fragmentRowCountCheckFailed", "Another total than before.");
    if (from < session.length) throw new Refusal(416, "fragmentOverlap", "Already received.");
    if (from > session.length) throw new Refusal(416, "fragmentOutOfOrder", "Out of order.");
    if (to + 1 < total && body.length % FRAGMENT !== 0) {
      throw new Refusal(400, "invalidRequest", "The fragment's size is no multiple of 320 KiB.");
    }
    if (!sessions.has(id)) throw new CutConnection("gone");
    session.parts.push(body);
    session.length += body.length;
    return session.length < total ? json(202, expected(session)) : session;
  }

  function commit({ drive, parent, name, item, behavior, parts }: Session): { item: Item; made: boolean } {
    const bytes = new Uint8Array(Buffer.concat(parts));
    if (item !== undefined) return { item: drive.write(item, bytes), made: false };
    drive.item(parent);
    const there = drive.child(parent, name);
    if (there !== undefined && behavior === "fail") {
      throw new Refusal(409, "nameAlreadyExists", "Another file exists with the same name as the uploaded session.");
    }
    return { item: drive.put(parent, name, bytes), made: there === undefined };
  }

  return {
    get open() {
      return sessions.size;
    },
    create(wanted) {
      const id = randomUUID();
      const until = now() + 24 * 3600 * 1000;
      sessions.set(id, { ...wanted, until, total: undefined, parts: [], length: 0 });
      return { url: `${origin()}/up/${id}`, until };
    },
    async handle(request, describe) {
      const id = request.url.pathname.split("/").at(-1) ?? "";
      const session = sessions.get(id);
      if (request.headers["authorization"] !== undefined) {
        await request.body();
        throw new Refusal(401, "unauthenticated", "The session's address is its own authorisation.");
      }
      if (session === undefined || now() > session.until) {
        await request.body();
        throw new Refusal(404, "itemNotFound", "The upload session was not found.");
      }
      if (request.method === "GET") return json(200, expected(session));
      if (request.method === "DELETE") {
        sessions.delete(id);
        return { status: 204 };
      }
      const reply = await fragment(id, session, request);
      if (!("drive" in reply)) return reply;
      const { item, made } = commit(session);
      sessions.delete(id);
      return json(made ? 201 : 200, describe(session.drive, item));
    },
    expire: () => sessions.clear(),
  };
}
