import { clearTimeout, setTimeout } from "node:timers";
import { exactly, type HttpBody } from "./http-body.ts";
import { HttpError, httpErrorFrom } from "./http-error.ts";
import { type BodyReader, bodyReader } from "./http-framing.ts";
import { malformed, parseHead, type ResponseHead } from "./http-head.ts";
import { IncomingBody } from "./http-incoming.ts";
import { type HttpResponse, httpResponse } from "./http-response.ts";

export interface HttpTimeouts {
  /** Until the connection stands, handshake included. */
  readonly connectMs: number;
  /** Without a byte in either direction while bytes are due. */
  readonly idleMs: number;
}

/** What is sent, and how long may be waited. */
export interface Asked {
  readonly method: string;
  /** The request up to its body, the empty line included. */
  readonly head: string;
  readonly body: Uint8Array | HttpBody | undefined;
  readonly signal: AbortSignal | undefined;
  /** Milliseconds that the answer may take once the request is sent. */
  readonly answerMs: number;
  readonly timeouts: HttpTimeouts;
  /** True when this is sent for the second time. */
  readonly repeated: boolean;
}

/** What an exchange needs of the connection that carries it. */
export interface Wire {
  readonly isConnected: boolean;
  /** It has carried an exchange before this one. */
  readonly isReused: boolean;
  /** False when the bytes wait, until {@link Exchange.onDrain}. */
  write(bytes: Uint8Array): boolean;
  pause(): void;
  resume(): void;
  /** The exchange is over; `next` when another one may follow. Called once. */
  over(next: { readonly keepMs: number | undefined } | undefined): void;
}

/** What a kept connection that the server had closed meanwhile ends with: the request may be sent again on a new one. */
export type Answered = HttpResponse | "stale";

/** So many bytes of heads are read before an answer counts as malformed. */
const MOST_HEAD = 64 * 1024;
/** Bodies up to this size go out in one piece with their head. */
const JOINED_BYTES = 64 * 1024;

/** One request and its answer on one connection, whose events it is told. Settles as `HttpClient.request` says. */
export class Exchange {
  readonly answer: Promise<Answered>;
  readonly #asked: Asked;
  readonly #wire: Wire;
  readonly #body: IncomingBody;
  #settle!: { readonly resolve: (answer: Answered) => void; readonly reject: (error: unknown) => void };
  #isAnswered = false;
  #isSent = false;
  #isOver = false;
  #heard = false;
  #unread: Buffer | undefined;
  #head: ResponseHead | undefined;
  #reader: BodyReader | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #drained: (() => void) | undefined;

  constructor(asked: Asked, wire: Wire) {
    this.#asked = asked;
    this.#wire = wire;
    this.answer = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    const flow = {
      pause: () => !this.#isOver && wire.pause(),
      resume: () => !this.#isOver && wire.resume(),
      drop: () => this.#finish(),
    };
    this.#body = new IncomingBody(flow, { idleMs: asked.timeouts.idleMs });
    asked.signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (wire.isConnected) this.onConnect();
    else this.#arm(asked.timeouts.connectMs, "no connection came about");
  }

  /** Nothing is given to the connection before: over https the server's certificate has been accepted by then. */
  onConnect(): void {
    if (this.#isOver) return;
    this.#due();
    this.#send().catch((error: unknown) => this.#fail(error));
  }

  onDrain(): void {
    this.#drained?.();
  }

  onData(bytes: Buffer): void {
    this.#heard = true;
    try {
      if (this.#reader === undefined) this.#readHead(bytes);
      else this.#reader.push(bytes);
      if (this.#reader?.isOver) this.#complete();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The server has closed the connection. */
  onEnd(): void {
    if (this.#reader?.endsWithConnection) {
      this.#body.end();
      this.#finish();
      return;
    }
    const text = this.#heard
      ? "the connection ended in the middle of the answer"
      : "the server closed the connection without an answer";
    this.onBreak(new HttpError(text, { failure: "cut", reached: this.#wire.isConnected }));
  }

  /** The connection broke. */
  onBreak(error: unknown): void {
    const isStale = !this.#heard && this.#wire.isReused && !this.#asked.repeated;
    if (isStale && !this.#isOver && !this.#asked.signal?.aborted) {
      this.#isAnswered = true;
      this.#settle.resolve("stale");
    }
    this.#fail(httpErrorFrom(error, this.#wire.isConnected));
  }

  readonly #onAbort = (): void => this.#fail(this.#asked.signal?.reason);

  #readHead(bytes: Buffer): void {
    let unread = this.#unread === undefined ? bytes : Buffer.concat([this.#unread, bytes]);
    this.#unread = undefined;
    for (;;) {
      const end = unread.indexOf("\r\n\r\n");
      if (end > MOST_HEAD || (end < 0 && unread.length > MOST_HEAD)) throw malformed("its headers are too long");
      if (end < 0) {
        if (!looksLikeHttp(unread)) throw malformed("it is not HTTP");
        this.#unread = unread;
        return;
      }
      const head = parseHead(unread.toString("latin1", 0, end), this.#asked.method);
      unread = unread.subarray(end + 4);
      if (head.status < 200) {
        if (head.status === 101) throw malformed("the server changes the protocol");
        continue;
      }
      this.#onHead(head);
      this.#reader?.push(unread);
      return;
    }
  }

  #onHead(head: ResponseHead): void {
    clearTimeout(this.#timer);
    this.#head = head;
    this.#reader = bodyReader(head.framing, (chunk) => this.#body.push(chunk));
    this.#isAnswered = true;
    this.#settle.resolve(httpResponse(head, this.#body, this.#asked.repeated));
  }

  #complete(): void {
    const { keepsConnection = false, keepMs } = this.#head ?? {};
    const isClean = keepsConnection && this.#isSent && !this.#reader?.hasSurplus;
    this.#body.end();
    this.#finish(isClean ? { keepMs } : undefined);
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    const reason = this.#asked.signal?.aborted ? this.#asked.signal.reason : error;
    if (this.#isAnswered) this.#body.fail(reason);
    else this.#settle.reject(reason);
    this.#finish();
  }

  #finish(next?: { readonly keepMs: number | undefined }): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#asked.signal?.removeEventListener("abort", this.#onAbort);
    this.#wire.over(next);
    this.#drained?.();
  }

  async #send(): Promise<void> {
    const { body } = this.#asked;
    const head = Buffer.from(this.#asked.head, "latin1");
    if (body === undefined || body instanceof Uint8Array) {
      if (body !== undefined && body.length <= JOINED_BYTES) this.#wire.write(Buffer.concat([head, body]));
      else {
        this.#wire.write(head);
        if (body !== undefined) this.#wire.write(body);
      }
    } else {
      this.#wire.write(head);
      for await (const chunk of exactly(body)) {
        if (this.#isOver) return;
        if (!this.#wire.write(chunk)) await this.#untilDrained();
        if (this.#isOver) return;
        if (!this.#isAnswered) this.#due();
      }
    }
    this.#isSent = true;
    if (!this.#isAnswered) this.#due();
  }

  #untilDrained(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve;
    });
  }

  /** Everything that is done starts the wait for what comes next; nothing is due before the connection stands. */
  #due(): void {
    if (!this.#wire.isConnected) return;
    const { answerMs, timeouts } = this.#asked;
    if (this.#isSent) this.#arm(answerMs, "no answer came");
    else this.#arm(timeouts.idleMs, "the server took none of the data");
  }

  #arm(ms: number, what: string): void {
    clearTimeout(this.#timer);
    if (this.#isOver) return;
    this.#timer = setTimeout(() => {
      const text = `${what} within ${Math.round(ms / 100) / 10} s`;
      this.#fail(new HttpError(text, { failure: "timeout", reached: this.#wire.isConnected }));
    }, ms);
  }
}

/** So that a server of another protocol is not waited for: its first bytes tell. */
function looksLikeHttp(bytes: Buffer): boolean {
  const due = "HTTP/1.";
  return due.startsWith(bytes.toString("latin1", 0, due.length));
}
