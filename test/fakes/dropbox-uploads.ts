import { type Commit, contentHashOf, DropboxFailure, type DropboxTree, type Tagged, tag } from "./dropbox-tree.ts";

type Arg = Readonly<Record<string, unknown>>;

interface Session {
  readonly parts: Buffer[];
  length: number;
  closed: boolean;
}

/** Most bytes of one request. */
export const MOST_PAYLOAD = 150 * 1024 * 1024;

/** files/upload_session/*: sequential sessions only. */
export class DropboxUploads {
  private readonly tree: DropboxTree;
  private readonly sessions = new Map<string, Session>();
  private count = 0;
  /** Paths of the next commits in a batch that fail, with their error. */
  readonly failNext = new Map<string, Tagged>();

  constructor(tree: DropboxTree) {
    this.tree = tree;
  }

  /** As after seven days. */
  expireSessions(): void {
    this.sessions.clear();
  }

  /** Bytes that open sessions hold. */
  held(): number {
    let sum = 0;
    for (const { length } of this.sessions.values()) sum += length;
    return sum;
  }

  start(arg: Arg, body: Buffer): object {
    checkHash(arg, body);
    return { session_id: this.open(body, arg["close"] === true) };
  }

  startBatch(arg: Arg): object {
    const count = Number(arg["num_sessions"]);
    return { session_ids: Array.from({ length: count }, () => this.open(Buffer.alloc(0), false)) };
  }

  append(arg: Arg, body: Buffer): null {
    checkHash(arg, body);
    const failure = this.appendOne(arg["cursor"] as Arg, body, arg["close"] === true);
    if (failure) throw new DropboxFailure(failure);
    return null;
  }

  appendBatch(arg: Arg, body: Buffer): object {
    const entries = arg["entries"] as readonly Arg[];
    const total = entries.reduce((sum, entry) => sum + Number(entry["length"]), 0);
    if (total !== body.length) throw new DropboxFailure(tag("length_mismatch"));
    checkHash(arg, body);
    let at = 0;
    return {
      entries: entries.map((entry) => {
        const length = Number(entry["length"]);
        const part = Buffer.from(body.subarray(at, at + length));
        at += length;
        const failure = this.appendOne(entry["cursor"] as Arg, part, entry["close"] === true);
        return failure ? tag("failure", { failure }) : tag("success");
      }),
    };
  }

  finish(arg: Arg, body: Buffer): object {
    checkHash(arg, body);
    const cursor = arg["cursor"] as Arg;
    const session = this.lookup(cursor);
    if (body.length > 0) {
      const failure = this.appendOne(cursor, body, true);
      if (failure) throw new DropboxFailure(tag("lookup_failed", { lookup_failed: failure }));
    }
    return this.commitSession(String(cursor["session_id"]), session, arg["commit"] as Commit);
  }

  finishBatch(arg: Arg): object {
    const entries = arg["entries"] as readonly Arg[];
    return {
      entries: entries.map((entry) => {
        try {
          const cursor = entry["cursor"] as Arg;
          const session = this.lookup(cursor);
          if (!session.closed) throw new DropboxFailure(tag("lookup_failed", { lookup_failed: tag("not_closed") }));
          return this.commitSession(String(cursor["session_id"]), session, entry["commit"] as Commit);
        } catch (error) {
          if (!(error instanceof DropboxFailure)) throw error;
          return tag("failure", { failure: error.tagged });
        }
      }),
    };
  }

  private open(body: Buffer, closed: boolean): string {
    const id = `AAAAAA${(++this.count).toString(36).padStart(15, "0")}w`;
    this.sessions.set(id, { parts: [body], length: body.length, closed });
    return id;
  }

  private appendOne(cursor: Arg, body: Buffer, close: boolean): Tagged | undefined {
    const session = this.sessions.get(String(cursor["session_id"]));
    if (session === undefined) return tag("not_found");
    if (session.closed) return tag("closed");
    if (cursor["offset"] !== session.length) return tag("incorrect_offset", { correct_offset: session.length });
    session.parts.push(body);
    session.length += body.length;
    session.closed = close;
    return undefined;
  }

  private lookup(cursor: Arg): Session {
    const session = this.sessions.get(String(cursor["session_id"]));
    const failed = (reason: Tagged): never => {
      throw new DropboxFailure(tag("lookup_failed", { lookup_failed: reason }));
    };
    if (session === undefined) return failed(tag("not_found"));
    if (cursor["offset"] !== session.length) failed(tag("incorrect_offset", { correct_offset: session.length }));
    return session;
  }

  /** A session that was committed is not found any more; a refused commit leaves it for another try. */
  private commitSession(id: string, session: Session, commit: Commit): object {
    const forced = this.failNext.get(commit.path);
    if (forced) {
      this.failNext.delete(commit.path);
      throw new DropboxFailure(forced);
    }
    const entry = this.tree.commit(commit, Buffer.concat(session.parts), (path) => tag("path", { path }));
    this.sessions.delete(id);
    return { ...this.tree.metadata(entry), ".tag": "success" };
  }
}

/** Throws content_hash_mismatch where the caller's hash is not that of what came. */
export function checkHash(arg: Arg, body: Buffer): void {
  const wanted = arg["content_hash"];
  if (wanted !== undefined && wanted !== contentHashOf(body)) throw new DropboxFailure(tag("content_hash_mismatch"));
}
