/**
 * The headers that make a request fail unless its URL has this version.
 *
 * An `If` list without a tag (RFC 4918 section 10.4) speaks of every resource that a request touches: for DELETE and
 * MOVE Apache holds the folder above against it too and answers 424. So there it names the file.
 */
export function guardHeaders(
  guard: "if-etag" | "if-match",
  method: "PUT" | "DELETE" | "COPY" | "MOVE",
  url: string,
  etag: string,
): Readonly<Record<string, string>> {
  if (guard === "if-match") return { "If-Match": `"${etag}"` };
  return { If: method === "PUT" ? `(["${etag}"])` : `<${url}> (["${etag}"])` };
}
