import { createHttpClient } from "../../../lib/http-client.ts";
import { randomFraction } from "../../../lib/random.ts";
import { type BackendError, NotFoundError } from "../../errors.ts";
import type { BackendDeps } from "../../module.ts";
import { driveHosts } from "../hosts.ts";
import { createSession, type DriveSession } from "../session.ts";
import type { PubsubPlace } from "./place.ts";
import { type PubsubRest, pubsubRest } from "./rest.ts";

/** One project's Pub/Sub, signed in. */
export interface Connection {
  readonly place: PubsubPlace;
  readonly session: DriveSession;
  readonly rest: PubsubRest;
  /** Where Pub/Sub answers, without a slash at its end. */
  readonly host: string;
  close(): void;
}

/** Asks nothing. */
export function connectPubsub(place: PubsubPlace, { clock, env, tokens, log, authLog = log }: BackendDeps): Connection {
  const hosts = driveHosts(env);
  const http = createHttpClient();
  const session = createSession({ tokens, http, address: hosts.token, clock, random: randomFraction, log: authLog });
  const rest = pubsubRest({ http, session, clock, host: hosts.notify, project: place.project });
  return { place, session, rest, host: hosts.notify, close: () => http.close() };
}

/** Pub/Sub answers the same for a topic and for a Cloud project that is not there. */
export function withoutTopic({ topicId, project }: PubsubPlace, cause: NotFoundError): BackendError {
  return new NotFoundError(
    `Could not use the topic "${topicId}": the Cloud project "${project}" has none of this name`,
    {
      status: 404,
      hint: "Check gcp_project_id and pubsub_topic_id, then run claude-mirror auth: it makes the topic.",
      cause,
    },
  );
}
