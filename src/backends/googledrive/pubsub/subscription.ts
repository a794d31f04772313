import { BackendError, NotFoundError } from "../../errors.ts";
import { type Connection, withoutTopic } from "./connection.ts";
import { inAddress, type PubsubPlace } from "./place.ts";

/** Longest name of a resource. https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names */
const MOST_LETTERS = 255;
const NAME = /^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$/;

/** Who subscribes. */
export interface Subscriber {
  readonly machineName: string;
  /** Undefined where this machine has none yet: then it has no subscription of its own either. */
  readonly machineId: string | undefined;
}

/** The name of our own: ends in 8 hex digits of the machine id, so that machines of one name do not share it. */
export function ownSubscription({ project, topicId }: PubsubPlace, machineName: string, machineId: string): string {
  const machine = machineName.toLowerCase().replace(/[^a-z0-9-]/g, "-");
  const end = `-${machineId.slice(0, 8)}`;
  const start = `${topicId}-${machine}`.slice(0, MOST_LETTERS - end.length);
  return `projects/${project}/subscriptions/${start}${end}`;
}

/** What the Python tool calls its subscription (reference 1.10); undefined where that is no name. */
export function oldSubscription({ project, topicId }: PubsubPlace, machineName: string): string | undefined {
  const id = `${topicId}-${machineName.replace(/[. ]/g, "-").toLowerCase()}`;
  return NAME.test(id) ? `projects/${project}/subscriptions/${id}` : undefined;
}

export interface FoundSubscription {
  /** `adrift`: its topic was deleted. */
  readonly state: "there" | "made" | "missing" | "adrift";
  readonly name: string;
}

/**
 * The subscription that this machine listens to: its own, else one of the old name, else, where `make` says so, a new one.
 * One of our own whose topic is gone is made anew. Throws BackendError.
 */
export async function findSubscription(
  connection: Connection,
  { machineName, machineId }: Subscriber,
  { make, signal }: { readonly make: boolean; readonly signal?: AbortSignal | undefined },
): Promise<FoundSubscription> {
  const { place } = connection;
  const own = machineId === undefined ? undefined : ownSubscription(place, machineName, machineId);
  const topic = own && (await topicOf(connection, own, signal));
  if (own !== undefined && topic === place.topic) return { state: "there", name: own };
  const old = oldSubscription(place, machineName);
  if (old !== undefined && (await topicOf(connection, old, signal)) === place.topic)
    return { state: "there", name: old };
  if (own === undefined || !make) return { state: topic === undefined ? "missing" : "adrift", name: own ?? "" };
  if (topic !== undefined) await remove(connection, own, signal);
  await create(connection, own, signal);
  return { state: "made", name: own };
}

/** Undefined where there is no such subscription. */
async function topicOf({ rest }: Connection, name: string, signal?: AbortSignal): Promise<string | undefined> {
  const what = `look at the subscription "${idOf(name)}"`;
  try {
    return String((await rest({ method: "GET", path: inAddress(name), what, signal }))["topic"]);
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

async function create({ rest, place }: Connection, name: string, signal?: AbortSignal): Promise<void> {
  const body = { topic: place.topic, ackDeadlineSeconds: 60 };
  const what = `make the subscription "${idOf(name)}"`;
  try {
    await rest({ method: "PUT", path: inAddress(name), body, what, signal });
  } catch (error) {
    if (error instanceof NotFoundError) throw withoutTopic(place, error);
    // Another process of this machine was faster.
    if (!(error instanceof BackendError && error.status === 409)) throw error;
  }
}

async function remove({ rest }: Connection, name: string, signal?: AbortSignal): Promise<void> {
  const what = `remove the subscription "${idOf(name)}", whose topic is gone`;
  await rest({ method: "DELETE", path: inAddress(name), what, signal });
}

/** The last component of a resource's name. */
export function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
