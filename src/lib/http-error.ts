/** Why no usable answer came. */
export type HttpFailure =
  | "name" // the host name is unknown
  | "refused" // nothing listens there, or no route
  | "tls" // the certificate or the handshake was not accepted
  | "timeout" // silence for too long
  | "cut" // the connection broke
  | "protocol"; // what came was not HTTP

/** A request that got no complete answer. Status codes are answers, not errors. */
export class HttpError extends Error {
  readonly failure: HttpFailure;
  /** False when the server surely never saw the request. */
  readonly reached: boolean;

  constructor(
    message: string,
    options: { readonly failure: HttpFailure; readonly reached: boolean; readonly cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.name = "HttpError";
    this.failure = options.failure;
    this.reached = options.reached;
  }
}

/** Sorts a socket's error by its code, and by its message where a runtime (Deno) gives no code. */
export function httpErrorFrom(error: unknown, reached: boolean): HttpError {
  if (error instanceof HttpError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  const failure = failureOf(`${code} ${text}`);
  return new HttpError(code && !text.includes(code) ? `${text} (${code})` : text, {
    failure,
    reached: reached && failure !== "name" && failure !== "refused" && failure !== "tls",
    cause: error,
  });
}

function failureOf(text: string): HttpFailure {
  if (/ENOTFOUND|EAI_|getaddrinfo|dns error|failed to lookup|name or service not known/i.test(text)) return "name";
  if (/ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENETDOWN|connection refused|unreachable/i.test(text)) return "refused";
  if (/WRONG_VERSION_NUMBER|packet length too long|InvalidContentType|corrupt message/i.test(text)) return "protocol";
  if (/cert|ssl|tls|self.signed|UNABLE_TO_|altname|unknown ?issuer|handshake/i.test(text)) return "tls";
  if (/ETIMEDOUT|timed? ?out/i.test(text)) return "timeout";
  if (/HPE_|parse error|invalid http|malformed/i.test(text)) return "protocol";
  return "cut";
}

function codeOf(error: unknown): string {
  const code = error !== null && typeof error === "object" && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
}
