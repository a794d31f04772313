import { parseRetryAfter } from "../../../lib/http.ts";
import { BackendError, type ErrorClass, NotFoundError } from "../../errors.ts";
import { isSlowDown, type Refused, reasonOf, saidBy } from "../errors.ts";

/** Whose request it was, for what a person is to do. */
export interface Asked {
  /** What was attempted, with its subject quoted. */
  readonly what: string;
  /** The Cloud project. */
  readonly project: string;
  /** Who is signed in, `""` when unknown. */
  readonly account: string;
}

interface Known {
  readonly class: ErrorClass;
  readonly text: string;
  readonly hint: string;
}

/** What is to be done about a refusal for want of rights. https://cloud.google.com/pubsub/docs/access-control */
export function rightsHint({ project, account }: Pick<Asked, "project" | "account">): string {
  const whom = account === "" ? "the account that is signed in" : account;
  return `Have an owner of the Cloud project grant ${whom} the role Pub/Sub Editor: https://console.cloud.google.com/iam-admin/iam?project=${encodeURIComponent(project)}`;
}

/** The error for an answer of Pub/Sub that refuses. https://cloud.google.com/pubsub/docs/reference/error-codes */
export function fromPubsubRefusal(refused: Refused, asked: Asked, nowMs: number): BackendError {
  const { status, body } = refused;
  const { what } = asked;
  const reason = reasonOf(body);
  if (isSlowDown(refused)) {
    const pauseMs = parseRetryAfter(refused.retryAfter, nowMs);
    const pause = pauseMs === undefined ? {} : { pauseMs };
    return new BackendError(`Could not ${what}: Pub/Sub asks to slow down (${status})`, {
      ...pause,
      class: "TRANSIENT",
      status,
    });
  }
  if (status === 404) return new NotFoundError(`Could not ${what}: it is not there (404)`, { status });
  const known = knownRefusal(status, reason, asked);
  if (known !== undefined) {
    const { text, hint } = known;
    return new BackendError(`Could not ${what}: ${text}`, { class: known.class, status, hint });
  }
  return new BackendError(`Could not ${what}: Pub/Sub answered ${status}${saidBy(body)}`, {
    class: status >= 500 || status === 408 ? "TRANSIENT" : "FILE_REJECTED",
    status,
    outcomeUnknown: status >= 500,
  });
}

function knownRefusal(status: number, reason: string, asked: Asked): Known | undefined {
  const { project } = asked;
  if (status === 401) return { class: "AUTH", text: "the sign-in is no longer valid", hint: "Run claude-mirror auth." };
  if (status !== 403) return undefined;
  if (reason === "SERVICE_DISABLED" || reason === "accessNotConfigured") {
    const hint = `Enable it, then wait a few minutes: https://console.cloud.google.com/apis/library/pubsub.googleapis.com?project=${encodeURIComponent(project)}`;
    return { class: "PERMISSION", text: `the Cloud Pub/Sub API is not enabled in the project "${project}"`, hint };
  }
  if (reason === "ACCESS_TOKEN_SCOPE_INSUFFICIENT" || reason === "insufficientPermissions") {
    const hint = "Run claude-mirror auth and tick every box of the consent page.";
    return { class: "AUTH", text: "the sign-in does not cover Pub/Sub", hint };
  }
  const who = asked.account === "" ? "the account" : `"${asked.account}"`;
  const text = `${who} has no right to do that in the Cloud project "${project}"`;
  return { class: "PERMISSION", text, hint: rightsHint(asked) };
}
