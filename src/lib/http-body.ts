import { wholeOf } from "./streams.ts";

/** A body that can be opened again. `size` is sent as Content-Length; a body of another length fails the request. */
export interface HttpBody {
  readonly size: number;
  open(): ReadableStream<Uint8Array>;
}

/** The body to send was not as long as announced: it changed while it was read. */
export class BodyLengthError extends Error {
  constructor(announced: number, seen: number) {
    super(seen > announced ? `more than the announced ${announced} bytes` : `${seen} bytes instead of ${announced}`);
    this.name = "BodyLengthError";
  }
}

/** Bodies up to this size are read before anything is sent: one write, and a wrong length is known in time. */
const WHOLE_BODY_BYTES = 256 * 1024;

/** The body as it is sent: a short one in one piece. Throws BodyLengthError and what its stream throws. */
export async function readyBody(body: Uint8Array | HttpBody | undefined): Promise<Uint8Array | HttpBody | undefined> {
  if (body === undefined || body instanceof Uint8Array || body.size > WHOLE_BODY_BYTES) return body;
  const stream = body.open();
  const here = wholeOf(stream);
  if (here !== undefined) {
    void stream.cancel();
    if (here.length !== body.size) throw new BodyLengthError(body.size, here.length);
    return here;
  }
  const whole = new Uint8Array(body.size);
  let at = 0;
  for await (const chunk of exactly(body, stream)) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** The body's bytes, failing where they are more or fewer than announced. */
export async function* exactly(body: HttpBody, stream = body.open()): AsyncGenerator<Uint8Array, void, void> {
  const reader = stream.getReader();
  let seen = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      seen += value.length;
      if (seen > body.size) throw new BodyLengthError(body.size, seen);
      if (value.length > 0) yield value;
    }
    if (seen !== body.size) throw new BodyLengthError(body.size, seen);
  } finally {
    await reader.cancel().catch(() => {});
  }
}
