/** What is wrong with an address that a secret or a program travels over; undefined for one that is sound. */
export function addressTrouble(url: URL | undefined): string | undefined {
  if (url === undefined) return "it is no web address";
  if (url.username !== "" || url.password !== "") return "a username or password stands in it";
  if (url.search !== "" || url.hash !== "") return 'a "?" or "#" and more follows the path';
  if (url.protocol === "https:") return undefined;
  return url.protocol === "http:" && isLoopback(url.hostname)
    ? undefined
    : "it must be https, or http to this machine itself";
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** Undefined for what is no web address. */
export function parseAddress(text: string): URL | undefined {
  try {
    return new URL(text.trim());
  } catch {
    return undefined;
  }
}
