import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { DropboxLists } from "./dropbox-lists.ts";
import { type Commit, DropboxFailure, DropboxTree, summaryOf, type Tagged, tag } from "./dropbox-tree.ts";
import { checkHash, DropboxUploads, MOST_PAYLOAD } from "./dropbox-uploads.ts";

type Arg = Readonly<Record<string, unknown>>;

/** What happens to one request instead of, or after, the real thing. */
export type Fault =
  /** Answered so and not carried out. */
  | {
      readonly status: number;
      readonly json?: unknown;
      readonly text?: string;
      readonly headers?: Record<string, string>;
    }
  /** The connection breaks: before anything is done, or after everything is done and before the answer. */
  | { readonly cut: "before" | "after" };

export interface FakeDropboxOptions {
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Batches of more entries than this are jobs to be asked about; 1 when left out. */
  readonly asyncAbove?: number;
  /** By whose time access tokens end, milliseconds since 1970. */
  readonly now?: () => number;
}

const APP_KEY = "fakeappkey12345";

/**
 * Dropbox's API v2 as a server in this process, one account, one app. Where document and SDK disagree:
 * - The token endpoint takes its parameters from a form body (OAuth guide) or, as the SDK sends them, from the URL.
 * - `finish_batch_v2` has no asynchronous form in the document; the SDK's comment for it still speaks of a job id.
 * - The SDK types the result of `delete_batch` entries as `success` with `metadata` inside; so does files.stone.
 */
export class FakeDropbox {
  readonly appKey = APP_KEY;
  readonly tree = new DropboxTree();
  readonly lists = new DropboxLists(this.tree);
  readonly uploads = new DropboxUploads(this.tree);
  /** Requests by endpoint (`files/upload`, `oauth2/token`), since the last `reset`. */
  readonly counts = new Map<string, number>();
  /** Query, headers and body of every token request. */
  readonly tokenRequests: { readonly url: string; readonly body: string }[] = [];
  /** True for a family of refresh tokens where each refresh spends the one it used. */
  rotates = false;
  /** Scopes that the app has been given. */
  scopes = new Set(["account_info.read", "files.content.read", "files.content.write", "files.metadata.read"]);
  /** A second write that comes while one is being committed is refused, as under Dropbox's namespace lock. */
  lockMs = 0;
  origin = "";
  /** Trouble at every turn: each nth request, signing in left out, meets the next of these faults. */
  trouble: { readonly nth: number; readonly faults: readonly Fault[] } | undefined;
  private requests = 0;
  /** Called with every request's endpoint before anything is done with it. */
  onRequest: ((endpoint: string) => void) | undefined;
  private readonly faults = new Map<string, Fault[]>();
  private readonly jobs = new Map<string, { readonly result: object; polls: number }>();
  /** How often a job answers in_progress. */
  jobPolls = 0;
  private readonly codes = new Map<string, { readonly challenge: string; used: boolean }>();
  private readonly refreshTokens = new Set<string>();
  private readonly accessTokens = new Map<string, number>();
  private readonly waiting = new Set<() => void>();
  private readonly sockets = new Set<Socket>();
  private writing = 0;
  private answering = 0;
  private server: Server | undefined;
  private readonly asyncAbove: number;
  private readonly now: () => number;

  constructor(options: FakeDropboxOptions) {
    this.asyncAbove = options.asyncAbove ?? 1;
    this.now = options.now ?? (() => Date.now());
  }

  static async start(options: FakeDropboxOptions = {}): Promise<FakeDropbox> {
    const fake = new FakeDropbox(options);
    const act = (request: IncomingMessage, response: ServerResponse) => void fake.serve(request, response);
    const { tls } = options;
    // The arguments of a batch of a thousand appends stand in a header.
    const limits = { maxHeaderSize: 1 << 20 };
    const server = tls
      ? createTlsServer({ ...limits, cert: readFileSync(tls.certificate), key: readFileSync(tls.key) }, act)
      : createServer(limits, act);
    server.on("connection", (socket: Socket) => {
      fake.sockets.add(socket);
      socket.on("close", () => fake.sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    fake.origin = tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
    fake.server = server;
    return fake;
  }

  /** The variables that send the program here. */
  env(): Record<string, string> {
    const names = ["API", "UPLOAD", "AUTH", "NOTIFY"].map((role) => `CLAUDE_MIRROR_ENDPOINT_DROPBOX_${role}`);
    return Object.fromEntries(names.map((name) => [name, this.origin]));
  }

  /** The text of a token file that signs in here. */
  tokenFile(): string {
    return JSON.stringify({ app_key: this.appKey, refresh_token: this.grant() });
  }

  /** What a person does with the address that sign-in prints: allows the app and is shown a code. */
  consent(address: string): string {
    const query = new URL(address).searchParams;
    const right =
      query.get("client_id") === this.appKey &&
      query.get("response_type") === "code" &&
      query.get("token_access_type") === "offline" &&
      query.get("code_challenge_method") === "S256";
    if (!right) throw new Error(`Dropbox would show an error page for ${address}`);
    const code = `code_${randomBytes(12).toString("hex")}`;
    this.codes.set(code, { challenge: query.get("code_challenge") ?? "", used: false });
    return code;
  }

  expireCodes(): void {
    this.codes.clear();
  }

  expireAccessTokens(): void {
    for (const token of this.accessTokens.keys()) this.accessTokens.set(token, 0);
  }

  /** As when the person disconnects the app on dropbox.com. */
  revoke(): void {
    this.refreshTokens.clear();
    this.accessTokens.clear();
  }

  /** The next requests to an endpoint (`*` for any but sign-in) go wrong, one fault each. */
  fail(endpoint: string, ...faults: readonly Fault[]): void {
    const queue = this.faults.get(endpoint) ?? [];
    queue.push(...faults);
    this.faults.set(endpoint, queue);
  }

  reset(): void {
    this.counts.clear();
    this.faults.clear();
  }

  /** Requests since the last reset, those for tokens left out. */
  total(): number {
    let sum = 0;
    for (const [endpoint, count] of this.counts) if (!endpoint.startsWith("oauth2/")) sum += count;
    return sum;
  }

  count(endpoint: string): number {
    return this.counts.get(endpoint) ?? 0;
  }

  async stop(): Promise<void> {
    for (const wake of this.waiting) wake();
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server?.close(() => resolve()));
  }

  private grant(): string {
    const token = `refresh_${randomBytes(12).toString("hex")}`;
    this.refreshTokens.add(token);
    return token;
  }

  /** Requests that are being answered right now, longpolls left out. */
  open(): number {
    return this.answering - this.waiting.size;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.answering++;
    await this.react(request, response).finally(() => this.answering--);
  }

  private async react(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://fake");
    const endpoint = url.pathname.replace(/^\/2\//, "").replace(/^\//, "");
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return; // The caller has gone.
    }
    const body = Buffer.concat(chunks);
    this.counts.set(endpoint, this.count(endpoint) + 1);
    this.onRequest?.(endpoint);
    const always = isAuth(endpoint) ? undefined : (this.faults.get("*")?.shift() ?? this.turn());
    const fault = this.faults.get(endpoint)?.shift() ?? always;
    if (fault && "status" in fault) return send(response, fault);
    if (fault && "cut" in fault && fault.cut === "before") return void request.socket.destroy();
    try {
      const answer = await this.answer({ endpoint, url, headers: request.headers, body, response });
      if (fault) return void request.socket.destroy();
      if (answer) send(response, answer);
    } catch (error) {
      if (fault) return void request.socket.destroy();
      if (error instanceof DropboxFailure) {
        return send(response, { status: 409, json: { error_summary: summaryOf(error.tagged), error: error.tagged } });
      }
      if (error instanceof Refusal) return send(response, error.answer);
      send(response, { status: 500, text: String(error) });
    }
  }

  private turn(): Fault | undefined {
    if (this.trouble === undefined || ++this.requests % this.trouble.nth !== 0) return undefined;
    return this.trouble.faults[(this.requests / this.trouble.nth) % this.trouble.faults.length];
  }

  private async answer(call: Call): Promise<Answer | undefined> {
    const { endpoint, headers, body } = call;
    if (endpoint === "oauth2/token") return this.token(call);
    if (call.url.searchParams.size > 0) throw badRequest(endpoint, "unexpected URL parameters");
    if (endpoint === "files/list_folder/longpoll") return this.longpoll(JSON.parse(body.toString("utf8")) as Arg);
    this.authorise(headers.authorization, endpoint);
    if (CONTENT.has(endpoint)) {
      if (body.length > MOST_PAYLOAD) return { status: 413, text: "payload too large" };
      if (headers["content-type"] !== undefined && headers["content-type"] !== "application/octet-stream") {
        throw badRequest(endpoint, `Bad HTTP "Content-Type" header: ${headers["content-type"]}`);
      }
      return this.locked(endpoint, () => this.content(call, argOf(headers["dropbox-api-arg"], endpoint)));
    }
    const arg = body.length === 0 ? {} : (parse(body.toString("utf8"), endpoint) as Arg);
    return this.locked(endpoint, () => ({ status: 200, json: this.rpc(endpoint, arg) }));
  }

  /** Writes take their time, and Dropbox refuses those that meet. */
  private async locked(endpoint: string, act: () => Answer | undefined): Promise<Answer | undefined> {
    if (this.lockMs === 0 || !WRITES.has(endpoint)) return act();
    if (this.writing > 0) return RATE_LIMITS.writes(1);
    this.writing++;
    try {
      await new Promise((done) => setTimeout(done, this.lockMs));
      return act();
    } finally {
      this.writing--;
    }
  }

  private rpc(endpoint: string, arg: Arg): object | null {
    const { tree, lists, uploads } = this;
    const changed = this.tree.journal.length;
    try {
      switch (endpoint) {
        case "files/list_folder":
          return lists.start(arg);
        case "files/list_folder/continue":
          return lists.more(arg["cursor"]);
        case "files/list_folder/get_latest_cursor":
          return lists.latest(arg);
        case "files/get_metadata":
          return this.getMetadata(arg);
        case "files/create_folder_v2":
          return { metadata: tree.metadata(tree.createFolder(arg["path"])) };
        case "files/delete_v2":
          return { metadata: tree.metadata(tree.remove(arg as unknown as { path: string })) };
        case "files/delete_batch":
          return this.job(
            arg,
            (entry) => ({ metadata: tree.metadata(tree.remove(entry as { path: unknown })) }),
            (failure) => failure,
          );
        case "files/copy_v2":
          return { metadata: tree.metadata(tree.relocate(arg["from_path"], arg["to_path"], "copy")) };
        case "files/move_v2":
          return { metadata: tree.metadata(tree.relocate(arg["from_path"], arg["to_path"], "move")) };
        case "files/copy_batch_v2":
        case "files/move_batch_v2": {
          const how = endpoint.startsWith("files/copy") ? "copy" : "move";
          const act = (entry: Arg) => ({
            success: tree.metadata(tree.relocate(entry["from_path"], entry["to_path"], how)),
          });
          return this.job(arg, act, (failure) => tag("relocation_error", { relocation_error: failure }));
        }
        case "files/delete_batch/check":
        case "files/copy_batch/check_v2":
        case "files/move_batch/check_v2":
          return this.check(arg);
        case "files/upload_session/start_batch":
          if (Number(arg["num_sessions"]) > 1000) throw badRequest(endpoint, "num_sessions: 1000 at most");
          return uploads.startBatch(arg);
        case "files/upload_session/finish_batch_v2":
          tooMany(endpoint, arg);
          return uploads.finishBatch(arg);
        case "users/get_current_account":
          return ACCOUNT;
        case "users/get_space_usage":
          return { used: tree.used(), allocation: tag("individual", { allocated: Math.min(tree.quota, 2 ** 41) }) };
        default:
          throw new Refusal({ status: 404, text: `no such endpoint: ${endpoint}` });
      }
    } finally {
      if (tree.journal.length > changed) this.wakeWaiters();
    }
  }

  private content(call: Call, arg: Arg): Answer | undefined {
    const { endpoint, body } = call;
    const changed = this.tree.journal.length;
    try {
      switch (endpoint) {
        case "files/upload": {
          checkHash(arg, body);
          const write = (reason: Tagged) => tag("path", { path: undefined, reason, upload_session_id: "AAAAAAfake" });
          return ok({
            ...this.tree.metadata(this.tree.commit(arg as unknown as Commit, body, write)),
            ".tag": undefined,
          });
        }
        case "files/upload_session/start":
          return ok(this.uploads.start(arg, body));
        case "files/upload_session/append_v2":
          return ok(this.uploads.append(arg, body));
        case "files/upload_session/append_batch":
          tooMany(endpoint, arg);
          return ok(this.uploads.appendBatch(arg, body));
        case "files/upload_session/finish":
          return ok(this.uploads.finish(arg, body));
        case "files/download":
          return this.download(call, arg);
        default:
          throw new Refusal({ status: 404, text: `no such endpoint: ${endpoint}` });
      }
    } finally {
      if (this.tree.journal.length > changed) this.wakeWaiters();
    }
  }

  private getMetadata(arg: Arg): object {
    const lookup = (reason: Tagged) => tag("path", { path: reason });
    const path = this.tree.parse(arg["path"], lookup);
    if (path === "") throw badRequest("files/get_metadata", "path: The root folder is unsupported.");
    const there = this.tree.get(path);
    if (there === undefined) throw new DropboxFailure(lookup(tag("not_found")));
    return this.tree.metadata(there);
  }

  private download({ response, headers }: Call, arg: Arg): undefined {
    const lookup = (reason: Tagged) => tag("path", { path: reason });
    const wanted = String(arg["path"]);
    const there = wanted.startsWith("rev:")
      ? this.byRev(wanted.slice(4))
      : this.tree.get(this.tree.parse(wanted, lookup));
    if (there === undefined) throw new DropboxFailure(lookup(tag("not_found")));
    if (there.is === "folder") throw new DropboxFailure(lookup(tag("not_file")));
    const { ".tag": _tag, ...metadata } = this.tree.metadata(there);
    // "These endpoints also support ... HTTP range requests" (HTTP documentation, content-download endpoints).
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
    if (from > 0 && from >= there.bytes.length)
      throw new Refusal({ status: 416, text: "Requested Range Not Satisfiable" });
    const body = there.bytes.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      "Content-Type": "application/octet-stream",
      "Content-Length": body.length,
      "Dropbox-Api-Result": asciiJson(metadata),
    });
    response.end(body);
    return undefined;
  }

  private byRev(rev: string) {
    for (const entry of this.tree.entries.values()) if (entry.is === "file" && entry.rev === rev) return entry;
    return this.tree.removedRevs.get(rev);
  }

  /** Per-item results of a batch, at once or by a job id. */
  private job(arg: Arg, act: (entry: Arg) => object, failed: (failure: Tagged) => Tagged): object {
    const entries = arg["entries"] as readonly Arg[];
    tooMany("a batch", arg);
    const results = entries.map((entry) => {
      try {
        return { ".tag": "success", ...act(entry) };
      } catch (error) {
        if (!(error instanceof DropboxFailure)) throw error;
        return tag("failure", { failure: failed(error.tagged) });
      }
    });
    const result = { ".tag": "complete", entries: results };
    if (entries.length <= this.asyncAbove) return result;
    const id = `dbjid:${randomBytes(12).toString("hex")}`;
    this.jobs.set(id, { result, polls: this.jobPolls });
    return tag("async_job_id", { async_job_id: id });
  }

  private check(arg: Arg): object {
    const job = this.jobs.get(String(arg["async_job_id"]));
    if (job === undefined) throw new DropboxFailure(tag("invalid_async_job_id"));
    return job.polls-- > 0 ? tag("in_progress") : job.result;
  }

  private authorise(header: string | undefined, endpoint: string): void {
    const token = /^Bearer (.+)$/.exec(header ?? "")?.[1] ?? "";
    const expires = this.accessTokens.get(token);
    if (expires === undefined) throw unauthorised(tag("invalid_access_token"));
    if (expires < this.now()) throw unauthorised(tag("expired_access_token"));
    const scope = scopeOf(endpoint);
    if (!this.scopes.has(scope)) throw unauthorised(tag("missing_scope", { required_scope: scope }));
  }

  private token({ url, body }: Call): Answer {
    this.tokenRequests.push({ url: url.href, body: body.toString("utf8") });
    const given = body.length > 0 ? new URLSearchParams(body.toString("utf8")) : url.searchParams;
    const refuse = (error: string, description: string): Answer => {
      return { status: 400, json: { error, error_description: description } };
    };
    if (given.get("client_id") !== this.appKey) return refuse("invalid_client", "Invalid client_id or client_secret");
    let refresh = given.get("refresh_token") ?? "";
    if (given.get("grant_type") === "authorization_code") {
      const code = this.codes.get(given.get("code") ?? "");
      if (code === undefined || code.used) return refuse("invalid_grant", "code doesn't exist or has expired");
      code.used = true;
      const proof = createHash("sha256")
        .update(given.get("code_verifier") ?? "")
        .digest("base64url");
      if (proof !== code.challenge) return refuse("invalid_grant", "invalid code verifier");
      refresh = this.grant();
    } else if (given.get("grant_type") !== "refresh_token") {
      return refuse("unsupported_grant_type", "grant_type is not supported");
    } else if (!this.refreshTokens.has(refresh)) {
      return refuse("invalid_grant", "refresh token is invalid or revoked");
    } else if (this.rotates) {
      this.refreshTokens.delete(refresh);
      refresh = this.grant();
    }
    const token = `sl.${randomBytes(16).toString("hex")}`;
    this.accessTokens.set(token, this.now() + 14_400_000);
    const first = given.get("grant_type") === "authorization_code";
    return ok({
      access_token: token,
      token_type: "bearer",
      expires_in: 14_400,
      ...(first || this.rotates ? { refresh_token: refresh } : {}),
      ...(first ? { scope: [...this.scopes].join(" "), uid: "12345", account_id: ACCOUNT.account_id } : {}),
    });
  }

  /** The document's shortest wait is 30 s; here the end of the wait is the test's to say. */
  private async longpoll(arg: Arg): Promise<Answer> {
    const timeout = Number(arg["timeout"] ?? 30);
    if (timeout < 30 || timeout > 480) throw badRequest("files/list_folder/longpoll", "timeout: 30 to 480");
    if (!this.lists.hasNews(arg["cursor"])) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.waiting.delete(wake);
          resolve();
        };
        this.waiting.add(wake);
      });
    }
    return ok({ changes: this.lists.hasNews(arg["cursor"]) });
  }

  /** Ends every longpoll, as when its time is over. */
  wakeWaiters(): void {
    for (const wake of [...this.waiting]) wake();
  }

  waiters(): number {
    return this.waiting.size;
  }
}

/** The two answers by which Dropbox asks to slow down. */
export const RATE_LIMITS = {
  requests: (seconds: number): Answer => ({
    status: 429,
    text: "Too many requests",
    headers: { "Retry-After": String(seconds) },
  }),
  writes: (seconds: number): Answer => ({
    status: 429,
    json: {
      error_summary: "too_many_write_operations/..",
      error: { reason: tag("too_many_write_operations"), retry_after: seconds },
    },
    headers: { "Retry-After": String(seconds) },
  }),
};

const ACCOUNT = {
  account_id: "dbid:AAfake",
  name: { given_name: "Ada", surname: "L", familiar_name: "Ada", display_name: "Ada L", abbreviated_name: "AL" },
  email: "ada@example.com",
  email_verified: true,
  disabled: false,
  locale: "en",
  referral_link: "",
  is_paired: false,
  account_type: tag("basic"),
  root_info: tag("user", { root_namespace_id: "1", home_namespace_id: "1" }),
};

interface Call {
  readonly endpoint: string;
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
  readonly response: ServerResponse;
}

interface Answer {
  readonly status: number;
  readonly json?: unknown;
  readonly text?: string;
  readonly headers?: Record<string, string>;
}

class Refusal extends Error {
  readonly answer: Answer;
  constructor(answer: Answer) {
    super(JSON.stringify(answer));
    this.answer = answer;
  }
}

const CONTENT = new Set([
  "files/upload",
  "files/download",
  "files/upload_session/start",
  "files/upload_session/append_v2",
  "files/upload_session/append_batch",
  "files/upload_session/finish",
]);

/** What takes the namespace's lock. */
const WRITES = new Set([
  "files/upload",
  "files/upload_session/finish",
  "files/upload_session/finish_batch_v2",
  "files/delete_v2",
  "files/delete_batch",
  "files/create_folder_v2",
  "files/copy_v2",
  "files/move_v2",
  "files/copy_batch_v2",
  "files/move_batch_v2",
]);

function isAuth(endpoint: string): boolean {
  return endpoint.startsWith("oauth2/");
}

function scopeOf(endpoint: string): string {
  if (endpoint.startsWith("users/")) return "account_info.read";
  if (endpoint === "files/download") return "files.content.read";
  return /list_folder|get_metadata/.test(endpoint) ? "files.metadata.read" : "files.content.write";
}

function ok(json: unknown): Answer {
  return { status: 200, json };
}

function unauthorised(error: Tagged): Refusal {
  return new Refusal({ status: 401, json: { error_summary: summaryOf(error), error } });
}

/** A request that does not fit the document is answered in plain text. */
function badRequest(endpoint: string, why: string): Refusal {
  return new Refusal({ status: 400, text: `Error in call to API function "${endpoint}": ${why}` });
}

function tooMany(endpoint: string, arg: Arg): void {
  const entries = arg["entries"];
  if (!Array.isArray(entries) || entries.length === 0) throw badRequest(endpoint, "entries: list expected");
  if (entries.length > 1000) throw badRequest(endpoint, "entries: 1000 at most");
}

function argOf(header: string | string[] | undefined, endpoint: string): Arg {
  if (typeof header !== "string") throw badRequest(endpoint, 'Must provide HTTP header "Dropbox-API-Arg"');
  if (/[^\x20-\x7e]/.test(header)) throw badRequest(endpoint, 'HTTP header "Dropbox-API-Arg": not HTTP header safe');
  return parse(header, endpoint) as Arg;
}

function parse(text: string, endpoint: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest(endpoint, "could not decode input as JSON");
  }
}

function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\x7f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function send(response: ServerResponse, answer: Answer): void {
  const { status, json, text, headers } = answer;
  const body = json === undefined ? (text ?? "") : JSON.stringify(json);
  const type = json === undefined ? "text/plain; charset=utf-8" : "application/json";
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(body), ...headers });
  response.end(body);
}
