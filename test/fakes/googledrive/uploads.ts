import { CutConnection, type FakeReply, type FakeRequest } from "../fake-http.ts";
import { Refusal } from "./store.ts";

/** Multipart and simple uploads are for files up to 5 MB. https://developers.google.com/drive/api/guides/manage-uploads */
const MOST_SIMPLE = 5 * 1024 * 1024;
/** What a resumable session keeps of a body that was cut, and what its chunks are multiples of. */
const GRAIN = 256 * 1024;
const WEEK_MS = 7 * 24 * 3600 * 1000;

export interface Uploaded {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly mimeType: string | undefined;
  readonly content: Buffer;
}

/** Reads `uploadType=media` and `uploadType=multipart`. */
export async function readUpload(request: FakeRequest): Promise<Uploaded> {
  const body = await request.body();
  const type = request.headers["content-type"] ?? "";
  if (request.url.searchParams.get("uploadType") === "media") {
    requireSmall(body);
    return { metadata: {}, mimeType: type || undefined, content: body };
  }
  const boundary = /boundary="?([^";]+)"?/.exec(type)?.[1];
  if (!type.startsWith("multipart/related") || boundary === undefined) {
    throw new Refusal(400, "badContent", `Unsupported content with type: ${type}`);
  }
  const [first, second, ...more] = splitParts(body, boundary);
  if (first === undefined || second === undefined || more.length > 0) {
    throw new Refusal(400, "badRequest", "Missing end boundary in multipart body.");
  }
  requireSmall(second.body);
  const text = first.body.toString().trim();
  const metadata = text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
  return { metadata, mimeType: second.headers["content-type"], content: second.body };
}

function requireSmall(content: Buffer): void {
  if (content.length > MOST_SIMPLE) throw new Refusal(413, "uploadTooLarge", "Request Entity Too Large");
}

export interface Part {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** The parts of a MIME multipart body, RFC 2046 5.1. */
export function splitParts(body: Buffer, boundary: string): Part[] {
  const mark = Buffer.from(`--${boundary}`);
  const parts: Part[] = [];
  let start = body.indexOf(mark);
  while (start >= 0) {
    const next = body.indexOf(mark, start + mark.length);
    if (next < 0) break;
    const piece = body.subarray(start + mark.length + 2, next - 2);
    const end = piece.indexOf("\r\n\r\n");
    const head = end < 0 ? "" : piece.subarray(0, end).toString();
    const headers = Object.fromEntries(
      head.split("\r\n").flatMap((line) => {
        const colon = line.indexOf(":");
        return colon < 0 ? [] : [[line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()]];
      }),
    );
    parts.push({ headers, body: piece.subarray(end < 0 ? 0 : end + 4) });
    start = next;
  }
  return parts;
}

interface Session {
  readonly total: number | undefined;
  readonly startedAt: number;
  content: Buffer;
  done: FakeReply | undefined;
  finish(content: Buffer): FakeReply;
}

/** Resumable sessions. https://developers.google.com/drive/api/guides/manage-uploads#resumable */
export interface Sessions {
  readonly open: ReadonlyMap<string, { readonly content: Buffer }>;
  /** The next chunk is cut off after so many bytes have arrived. */
  cutAfter: number | undefined;
  start(request: FakeRequest, finish: (content: Buffer) => FakeReply): FakeReply;
  receive(request: FakeRequest): Promise<FakeReply>;
  /** All sessions are forgotten, as the service does after a week. */
  expire(): void;
}

export function createSessions(now: () => number): Sessions {
  const open = new Map<string, Session>();
  let serial = 0;
  const sessions: Sessions = {
    open,
    cutAfter: undefined,
    start(request, finish) {
      const id = `session-${++serial}`;
      const length = request.headers["x-upload-content-length"];
      const total = length === undefined ? undefined : Number(length);
      open.set(id, { total, startedAt: now(), content: Buffer.alloc(0), done: undefined, finish });
      const location = new URL(request.url);
      location.searchParams.set("upload_id", id);
      return { status: 200, headers: { Location: location.href } };
    },
    async receive(request) {
      const session = open.get(request.url.searchParams.get("upload_id") ?? "");
      if (session === undefined || now() - session.startedAt > WEEK_MS) {
        await request.body().catch(() => undefined);
        throw new Refusal(404, "notFound", "Upload session not found");
      }
      if (session.done !== undefined) {
        await request.body();
        return session.done;
      }
      const range = /^bytes (\*|(\d+)-(\d+))\/(\*|\d+)$/.exec(request.headers["content-range"] ?? "");
      if (range?.[1] === "*") return incomplete(session);
      const from = range === null ? 0 : Number(range[2]);
      const last = range === null ? undefined : Number(range[3]);
      const total = range === null || range[4] === "*" ? session.total : Number(range[4]);
      if (from !== session.content.length) {
        await request.body();
        throw new Refusal(400, "badRequest", "Invalid request. The range does not continue what was received.");
      }
      const before = session.content;
      await take(sessions, session, request);
      const size = session.content.length;
      const whole = total === undefined || size >= total;
      if (!whole && size % GRAIN !== 0) {
        session.content = before;
        throw new Refusal(400, "badRequest", "Chunks must be multiples of 256 KiB.");
      }
      if (last !== undefined && size !== last + 1)
        throw new Refusal(400, "badRequest", "The body is not as long as its range.");
      if (!whole) return incomplete(session);
      if (total !== undefined && size > total) throw new Refusal(400, "badRequest", "More bytes than announced.");
      session.done = session.finish(session.content);
      return session.done;
    },
    expire: () => open.clear(),
  };
  return sessions;
}

async function take(sessions: Sessions, session: Session, request: FakeRequest): Promise<void> {
  const chunks: Uint8Array[] = [session.content];
  let size = session.content.length;
  const keep = (): void => {
    session.content = Buffer.concat(chunks).subarray(0, Math.floor(size / GRAIN) * GRAIN);
  };
  const limit = sessions.cutAfter;
  try {
    for await (const chunk of request.chunks()) {
      chunks.push(chunk);
      size += chunk.length;
      if (limit !== undefined && size >= limit) {
        sessions.cutAfter = undefined;
        throw new CutConnection("cut");
      }
    }
  } catch (error) {
    keep();
    throw new CutConnection(String(error));
  }
  const announced = request.headers["content-length"];
  if (announced !== undefined && size - (chunks[0]?.length ?? 0) < Number(announced)) {
    keep();
    throw new CutConnection("the body ended early");
  }
  session.content = Buffer.concat(chunks);
}

function incomplete({ content }: Session): FakeReply {
  return { status: 308, headers: content.length === 0 ? {} : { Range: `bytes=0-${content.length - 1}` } };
}
