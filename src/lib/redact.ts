export interface RedactOptions {
  /** Absolute home folder, shown as `~`. */
  readonly home?: string;
}

const HIDDEN = "***";

/** Names whose value, in a query, a header, a form, JSON or an assignment, must not be seen. */
const SECRET_NAME =
  "(?:[A-Za-z0-9]{1,40}[-_.]){0,4}(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|access[-_]?key(?:[-_]?id)?|signature|sig|credential|assertion|cookie|session[-_]?id|refresh[-_]?token|access[-_]?token|id[-_]?token|client[-_]?secret|code[-_]?verifier)";

const RULES: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, HIDDEN],
  // `Authorization: Digest username="x", response="y"`: the rest of the line belongs to it.
  [
    /\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key)(["']?\s*[:=]\s*["']?)[^\r\n"'}]+(?:"[^"\r\n]*"[^\r\n"'}]*)*/gi,
    `$1$2${HIDDEN}`,
  ],
  // A digit, `=` or inner capital tells credentials from a word such as in `Basic sign-in`.
  [/\b(Bearer|Basic|Digest|Negotiate)\s+(?=\S{6})(?=\S*(?:[0-9=]|\S[A-Z]))[A-Za-z0-9+/._~-]+=*/g, `$1 ${HIDDEN}`],
  // User and password of a URL. The password may hold `@`: up to the last one before the path.
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#"'<>]*@/gi, `$1${HIDDEN}@`],
  [/(https:\/\/hooks\.slack\.com\/(?:services|workflows)\/)[^\s"'<>]+/gi, `$1${HIDDEN}`],
  [/(https:\/\/(?:\w+\.)?discord(?:app)?\.com\/api\/webhooks\/)[^\s"'<>]+/gi, `$1${HIDDEN}`],
  [new RegExp(`([?&;](?:${SECRET_NAME}|key|code|auth|X-Amz-[A-Za-z-]+)=)[^&\\s"'<>#]+`, "gi"), `$1${HIDDEN}`],
  [
    new RegExp(`(["']${SECRET_NAME}["']\\s*:\\s*)(?:"(?:[^"\\\\]|\\\\.)*"|'(?:[^'\\\\]|\\\\.)*')`, "gi"),
    `$1"${HIDDEN}"`,
  ],
  [new RegExp(`(\\b${SECRET_NAME}=)(?!\\*{3})(?:"[^"]*"|'[^']*'|[^\\s&,;"']+)`, "gi"), `$1${HIDDEN}`],
  [/(\b[a-z0-9]+_(?:password|secret|token|key):[ \t]*)(?![ \t]|\*{3})[^\r\n]+/gi, `$1${HIDDEN}`],
  // Tokens known by their shape: Google, Dropbox, Slack, GitHub, AWS, JSON Web Tokens.
  [
    /\b(?:ya29\.[\w-]{8,}|1\/\/[\w-]{20,}|sl\.[\w-]{20,}|xox[abprs]-[\w-]{8,}|gh[pousr]_\w{20,}|AKIA[0-9A-Z]{16}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)/g,
    HIDDEN,
  ],
];

/** Text fit for an error message or a log: nothing that signs anyone in, the home folder as `~`. */
export function redact(text: string, options: RedactOptions = {}): string {
  let shown = text;
  for (const [pattern, replacement] of RULES) shown = shown.replace(pattern, replacement);
  return options.home ? hideHome(shown, options.home) : shown;
}

/** `redact`, on one line and at most `max` UTF-16 units, the cut marked by `…`: for errors that are kept in a file. */
export function shortError(text: string, options: RedactOptions & { readonly max?: number } = {}): string {
  return capText(redact(text, options).replace(/\s+/g, " ").trim(), options.max ?? 160);
}

/** At most `max` UTF-16 units, the last of which is `…` when something was cut. Never splits a surrogate pair. */
export function capText(text: string, max: number): string {
  if (text.length <= max) return text;
  const cut = text.slice(0, max - 1);
  return `${/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut}…`;
}

function hideHome(text: string, home: string): string {
  const bare = home.replace(/[\\/]+$/, "");
  if (bare === "") return text;
  const escaped = bare.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return text.replace(new RegExp(`(?<![\\w.-])${escaped}(?![\\w-]|\\.\\w)`, "g"), "~");
}
