import { type Fault as DropboxFault, FakeDropbox, RATE_LIMITS } from "../fakes/dropbox.ts";
import { tag } from "../fakes/dropbox-tree.ts";
import type { FakeHttp, FakeReply, Fault } from "../fakes/fake-http.ts";
import { startFakeDrive } from "../fakes/googledrive/server.ts";
import { startFakeOneDrive } from "../fakes/onedrive/server.ts";
import { dropboxPlace } from "./dropbox-place.ts";
import { googledrivePlace } from "./googledrive-place.ts";
import { oneDrivePlace } from "./onedrive-place.ts";
import type { RemotePlace } from "./remote-place.ts";

/** What an endpoint does to every request until it is over. */
export const TROUBLES = [
  "is down",
  "asks to slow down",
  "has ended the sign-in",
  "is full",
  "forbids it",
  "rejects it",
  "answers with a page of the network's",
  "loses its answers",
] as const;
export type Trouble = (typeof TROUBLES)[number];

/** A cloud in this process whose endpoints can be given trouble one by one. */
export interface FaultyCloud {
  readonly name: string;
  /** A file of this size goes in an upload session of more than one request. */
  readonly largeBytes: number;
  /** Endpoints whose addresses carry their own authorisation: that one of them refuses says nothing of the account. */
  readonly lent: readonly string[];
  place(): RemotePlace;
  /** No room for another byte, until called with false. */
  setFull(isFull: boolean): void;
  /** How many requests came since the last `calm`, those for tokens left out. */
  requests(): number;
  /** Every endpoint asked since the last `calm`; calls inside a batch as `batch: NAME`. */
  asked(): ReadonlySet<string>;
  /** False where this endpoint has no such answer; `*` is any. */
  begin(endpoint: string, trouble: Trouble): boolean;
  /** All is well again. */
  calm(): void;
  /** The access tokens given so far are void. */
  expireAccess(): void;
  stop(): Promise<void>;
}

const PAGE: FakeReply = {
  status: 200,
  headers: { "Content-Type": "text/html" },
  body: "<html>Sign in to Wi-Fi</html>",
};
const WAIT = { "Retry-After": "3" };
const CUTS: Partial<Record<Trouble, Fault>> = {
  "answers with a page of the network's": { reply: PAGE },
  "loses its answers": { cut: "reply" },
};
const json = (status: number, value: unknown, headers: Record<string, string> = {}): Fault => ({
  reply: { status, headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(value) },
});
/** RFC 6749: the endpoint for tokens knows no files. */
const TOKEN: Partial<Record<Trouble, Fault>> = {
  "is down": json(503, { error: "temporarily_unavailable" }),
  "asks to slow down": json(429, {}, WAIT),
  "has ended the sign-in": json(400, { error: "invalid_grant", error_description: "AADSTS700082: it is over" }),
  "answers with a page of the network's": { reply: PAGE },
};

interface Refusing extends Pick<FakeHttp, "requests" | "count" | "fault" | "endFaults" | "reset" | "stop"> {
  readonly calls: ReadonlyMap<string, number>;
}

/** A service of `startFakeHttp` with refusals of single calls. */
function overHttp(
  fake: Refusing,
  {
    refusal,
    refuse,
    ...rest
  }: {
    readonly refusal: (trouble: Trouble) => Fault | undefined;
    /** Inside of a batch, where there is no connection of its own. */
    readonly refuse: (call: string, trouble: Trouble) => boolean;
  } & Pick<FaultyCloud, "name" | "largeBytes" | "lent" | "place" | "setFull" | "expireAccess">,
): FaultyCloud {
  return {
    ...rest,
    requests: () => fake.count(),
    asked: () =>
      new Set([
        ...fake.requests.keys(),
        ...[...fake.calls.keys()].filter((call) => !fake.requests.has(call)).map((call) => `batch: ${call}`),
      ]),
    begin(endpoint, trouble) {
      if (endpoint.startsWith("batch: ")) return refuse(endpoint.slice("batch: ".length), trouble);
      const fault = endpoint === "token" ? TOKEN[trouble] : (CUTS[trouble] ?? refusal(trouble));
      if (fault === undefined) return false;
      fake.fault(endpoint, { ...fault, times: Number.POSITIVE_INFINITY });
      return true;
    },
    calm() {
      fake.endFaults();
      fake.reset();
    },
    stop: () => fake.stop(),
  };
}

const GOOGLE: Partial<Record<Trouble, { readonly status: number; readonly reason: string }>> = {
  "is down": { status: 503, reason: "backendError" },
  "asks to slow down": { status: 403, reason: "userRateLimitExceeded" },
  "has ended the sign-in": { status: 401, reason: "authError" },
  "is full": { status: 403, reason: "storageQuotaExceeded" },
  "forbids it": { status: 403, reason: "insufficientFilePermissions" },
  "rejects it": { status: 400, reason: "invalid" },
};

export async function faultyDrive(): Promise<FaultyCloud> {
  const fake = await startFakeDrive();
  return overHttp(fake, {
    name: "Google Drive",
    lent: [],
    largeBytes: 5_300_000,
    place: () => ({ ...googledrivePlace(fake), inProcess: true }),
    refusal(trouble) {
      const { status, reason } = GOOGLE[trouble] ?? {};
      return status === undefined
        ? undefined
        : json(status, { error: { code: status, message: `planned: ${reason}`, errors: [{ reason }] } });
    },
    refuse(call, trouble) {
      const refusal = GOOGLE[trouble];
      if (refusal !== undefined) fake.refuse(call, { ...refusal, times: Number.POSITIVE_INFINITY });
      return refusal !== undefined;
    },
    setFull(isFull) {
      fake.store.free = isFull ? 0 : Number.POSITIVE_INFINITY;
    },
    expireAccess: () => fake.oauth.expireAccess(),
  });
}

const GRAPH: Partial<
  Record<Trouble, { readonly status: number; readonly code: string; readonly headers?: typeof WAIT }>
> = {
  "is down": { status: 504, code: "gatewayTimeout" },
  "asks to slow down": { status: 429, code: "activityLimitReached", headers: WAIT },
  "has ended the sign-in": { status: 401, code: "InvalidAuthenticationToken" },
  "is full": { status: 507, code: "insufficientStorage" },
  "forbids it": { status: 403, code: "accessDenied" },
  "rejects it": { status: 400, code: "invalidRequest" },
};

export async function faultyOneDrive(): Promise<FaultyCloud> {
  const fake = await startFakeOneDrive();
  return overHttp(fake, {
    name: "OneDrive",
    lent: ["download", "monitor"],
    largeBytes: 4_200_000,
    place: () => ({ ...oneDrivePlace(fake), inProcess: true }),
    refusal(trouble) {
      const { status, code, headers } = GRAPH[trouble] ?? {};
      return status === undefined ? undefined : json(status, { error: { code, message: "planned" } }, headers);
    },
    refuse(call, trouble) {
      const refusal = GRAPH[trouble];
      if (refusal !== undefined) fake.refuse(call, { ...refusal, times: Number.POSITIVE_INFINITY });
      return refusal !== undefined;
    },
    setFull(isFull) {
      fake.drive.quota = isFull ? fake.drive.used() : Number.POSITIVE_INFINITY;
    },
    expireAccess: () => fake.identity.expireAccess(),
  });
}

const pathError = (reason: string) => ({ status: 409, json: { error: tag("path", { path: tag(reason) }) } });
const DROPBOX: Readonly<Record<Trouble, DropboxFault>> = {
  "is down": { status: 503, text: "down" },
  "asks to slow down": RATE_LIMITS.requests(3),
  "has ended the sign-in": { status: 401, json: { error: tag("invalid_access_token") } },
  "is full": pathError("insufficient_space"),
  "forbids it": { status: 403, json: { error: tag("access_error") } },
  "rejects it": { status: 400, text: "Error in call to API function" },
  "answers with a page of the network's": {
    status: 200,
    text: String(PAGE.body),
    headers: { "Content-Type": "text/html" },
  },
  "loses its answers": { cut: "after" },
};
const DROPBOX_TOKEN: Partial<Record<Trouble, DropboxFault>> = {
  "is down": { status: 503, text: "down" },
  "asks to slow down": RATE_LIMITS.requests(3),
  "has ended the sign-in": { status: 400, json: { error: "invalid_grant", error_description: "it is over" } },
  "answers with a page of the network's": DROPBOX["answers with a page of the network's"],
};

export async function faultyDropbox(): Promise<FaultyCloud> {
  const fake = await FakeDropbox.start();
  return {
    name: "Dropbox",
    lent: [],
    largeBytes: 9_000_000,
    place: () => ({ ...dropboxPlace(fake), inProcess: true }),
    setFull(isFull) {
      fake.tree.quota = isFull ? fake.tree.used() : Number.POSITIVE_INFINITY;
    },
    requests: () => fake.total(),
    asked: () => new Set(fake.counts.keys()),
    begin(endpoint, trouble) {
      const fault = endpoint === "oauth2/token" ? DROPBOX_TOKEN[trouble] : DROPBOX[trouble];
      if (fault !== undefined) fake.fail(endpoint, ...Array.from({ length: 500 }, () => fault));
      return fault !== undefined;
    },
    calm: () => fake.reset(),
    expireAccess: () => fake.expireAccessTokens(),
    stop: () => fake.stop(),
  };
}
