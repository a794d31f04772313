/** How a server wants requests signed. */
export type AuthScheme = "none" | "basic" | "digest";

interface Challenge {
  readonly scheme: string;
  readonly text: string;
}

/**
 * The scheme to use for the challenges of a 401 (RFC 9110 section 11.6.1), undefined when there is none that we speak.
 * Basic comes first on https, where it costs one request less; on http Digest, which does not show the password.
 */
export function chooseScheme(challenges: string | null, protocol: string): Exclude<AuthScheme, "none"> | undefined {
  const offered = splitChallenges(challenges ?? "");
  const basic = offered.some((one) => one.scheme === "basic");
  const digest = offered.some(isMd5Digest);
  if (basic && (protocol === "https:" || !digest)) return "basic";
  return digest ? "digest" : undefined;
}

/** The Digest challenge among several, alone: what a client that looks at the first one only can read. */
export function digestChallenge(challenges: string | null): string | null {
  return splitChallenges(challenges ?? "").find(isMd5Digest)?.text ?? null;
}

function isMd5Digest(one: Challenge): boolean {
  if (one.scheme !== "digest") return false;
  const algorithm = /[\s,]algorithm\s*=\s*"?([A-Za-z0-9-]+)/i.exec(one.text)?.[1];
  return algorithm === undefined || /^md5(-sess)?$/i.test(algorithm);
}

function splitChallenges(text: string): Challenge[] {
  const starts = [...text.matchAll(/(?:^|,)\s*([A-Za-z][A-Za-z0-9-]*)(?=\s+[A-Za-z0-9-]+\s*=|\s*(?:,|$))/g)];
  return starts.map((match, i) => ({
    scheme: (match[1] ?? "").toLowerCase(),
    text: text.slice(match.index, starts[i + 1]?.index ?? text.length).replace(/^[,\s]+/, ""),
  }));
}
