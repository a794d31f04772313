import { BackendError, NotFoundError } from "../../errors.ts";
import type { BackendConfig, BackendDeps, Finding } from "../../module.ts";
import { type Connection, connectPubsub } from "./connection.ts";
import { rightsHint } from "./errors.ts";
import { knownMachineId, machineId } from "./machine-id.ts";
import { inAddress, type PubsubPlace } from "./place.ts";
import { findSubscription, idOf } from "./subscription.ts";

const TOPIC = "Pub/Sub topic";
const RIGHTS = "Pub/Sub rights";
const SUBSCRIPTION = "Pub/Sub subscription";

interface Look {
  readonly make: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * How topic, rights and this machine's subscription stand; what is missing is made where `make` says so. What is wrong is a
 * warning with the next step: without Pub/Sub changes are still found by looking. Throws only the signal's reason.
 */
export async function checkPubsub(
  place: PubsubPlace,
  { config, deps, make }: { readonly config: BackendConfig; readonly deps: BackendDeps; readonly make: boolean },
): Promise<readonly Finding[]> {
  const connection = connectPubsub(place, deps);
  const look = { make, signal: deps.signal };
  try {
    const topic = await finding(TOPIC, look, () => checkTopic(connection, look));
    if (topic.state !== "ok") return [topic];
    const rights = await finding(RIGHTS, look, () => checkRights(connection, look));
    return [
      topic,
      rights,
      await finding(SUBSCRIPTION, look, () => checkSubscription(connection, { config, deps, look })),
    ];
  } finally {
    connection.close();
  }
}

async function finding(name: string, { signal }: Look, check: () => Promise<Finding>): Promise<Finding> {
  try {
    return await check();
  } catch (error) {
    signal?.throwIfAborted();
    const hint = error instanceof BackendError && error.hint !== undefined ? { hint: error.hint } : {};
    return { name, state: "warning", detail: error instanceof Error ? error.message : String(error), ...hint };
  }
}

async function checkTopic({ rest, place }: Connection, { make, signal }: Look): Promise<Finding> {
  const { topicId, project, topic } = place;
  const detail = `${topicId} in the Cloud project ${project}`;
  const path = inAddress(topic);
  try {
    await rest({ method: "GET", path, what: `look at the topic "${topicId}"`, signal });
    return { name: TOPIC, state: "ok", detail };
  } catch (error) {
    // Who may only publish may not look either: what may be done is asked next.
    if (error instanceof BackendError && error.status === 403 && (await held(place, rest, signal)).length > 0)
      return { name: TOPIC, state: "ok", detail };
    if (!(error instanceof NotFoundError)) throw error;
  }
  if (!make) {
    const hint = "Run claude-mirror auth: it makes the topic.";
    return { name: TOPIC, state: "warning", detail: `there is none called ${detail}`, hint };
  }
  try {
    await rest({ method: "PUT", path, body: {}, what: `make the topic "${topicId}"`, signal });
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    throw new NotFoundError(
      `Could not make the topic "${topicId}": the Cloud project "${project}" is not known, or not to this account`,
      {
        status: 404,
        hint: "Check gcp_project_id: it is the project's ID, not its name. For a new one: https://console.cloud.google.com/projectcreate",
        cause: error,
      },
    );
  }
  return { name: TOPIC, state: "ok", detail: `${detail}, just made` };
}

/** What it takes to tell others and to hear of them. */
const NEEDED = { "pubsub.topics.publish": "publish", "pubsub.topics.attachSubscription": "subscribe" };

async function checkRights({ rest, place, session }: Connection, { signal }: Look): Promise<Finding> {
  const mine = await held(place, rest, signal);
  const missing = Object.entries(NEEDED).filter(([permission]) => !mine.includes(permission));
  if (missing.length === 0) return { name: RIGHTS, state: "ok", detail: "to publish and to subscribe" };
  const account = session.account();
  const detail = `${account === "" ? "the account" : account} may not ${missing.map(([, word]) => word).join(" or ")}`;
  return { name: RIGHTS, state: "warning", detail, hint: rightsHint({ project: place.project, account }) };
}

async function held(place: PubsubPlace, rest: Connection["rest"], signal: AbortSignal | undefined): Promise<string[]> {
  const { permissions } = await rest({
    method: "POST",
    path: `${inAddress(place.topic)}:testIamPermissions`,
    body: { permissions: Object.keys(NEEDED) },
    what: `ask for the rights on the topic "${place.topicId}"`,
    signal,
  });
  return Array.isArray(permissions) ? permissions.filter((one) => typeof one === "string") : [];
}

async function checkSubscription(
  connection: Connection,
  { config, deps, look }: { readonly config: BackendConfig; readonly deps: BackendDeps; readonly look: Look },
): Promise<Finding> {
  const { stateFolder } = deps;
  const id = look.make ? machineId(stateFolder) : knownMachineId(stateFolder);
  const who = { machineName: config.machineName, machineId: id };
  const { state, name } = await findSubscription(connection, who, look);
  const hint = "Run claude-mirror auth, or start claude-mirror watch-all: both make it.";
  switch (state) {
    case "there":
      return { name: SUBSCRIPTION, state: "ok", detail: idOf(name) };
    case "made":
      return { name: SUBSCRIPTION, state: "ok", detail: `${idOf(name)}, just made` };
    case "missing":
      return { name: SUBSCRIPTION, state: "warning", detail: "this machine has none yet", hint };
    case "adrift":
      return { name: SUBSCRIPTION, state: "warning", detail: `the topic of ${idOf(name)} was deleted`, hint };
    default:
      return state satisfies never;
  }
}
