import { type FakeHttp, type FakeReply, type FakeRequest, startFakeHttp } from "../fake-http.ts";
import { type PubsubGrpc, startPubsubGrpc } from "./grpc.ts";
import { type OnePort, startOnePort } from "./one-port.ts";
import { createPubsubStore, PubsubRefusal, type PubsubStore } from "./store.ts";

/**
 * Google Cloud Pub/Sub v1 at one address, REST and gRPC: https://cloud.google.com/pubsub/docs/reference/rest. Counters and
 * faults are those of REST; in the clear gRPC takes calls without a token, as Google's emulator does.
 */
export interface FakePubsub extends FakeHttp, Pick<OnePort, "goDown" | "comeBack"> {
  readonly store: PubsubStore;
  readonly grpc: PubsubGrpc;
  /** Permissions that nobody has. */
  readonly denied: Set<string>;
  /** Cloud projects that exist. */
  readonly projects: Set<string>;
  /** Whether the API is enabled in them. */
  enabled: boolean;
}

export interface FakePubsubOptions {
  /** Whose access token it is. */
  readonly userOf: (token: string) => string | undefined;
  /** `host`: the name that the certificate is for. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly host: string };
}

const STATUS = {
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  PERMISSION_DENIED: 403,
  UNAUTHENTICATED: 401,
  INVALID_ARGUMENT: 400,
};

export async function startFakePubsub({ userOf, tls }: FakePubsubOptions): Promise<FakePubsub> {
  const store = createPubsubStore(() => Date.now());
  const state = { store, denied: new Set<string>(), projects: new Set(["team-project"]), enabled: true };
  const http = await startFakeHttp({
    name: (request) => routeOf(request).permission,
    async handle(request) {
      const bytes = await request.body();
      const body = bytes.length === 0 ? {} : (JSON.parse(bytes.toString()) as Record<string, unknown>);
      try {
        requireUser(request.headers["authorization"] ?? "", userOf);
        const route = routeOf(request);
        requireAllowed(state, route);
        return reply(200, perform(state, route, body));
      } catch (error) {
        if (!(error instanceof PubsubRefusal)) throw error;
        return refusal(error);
      }
    },
  });
  const grpc = await startPubsubGrpc({
    store,
    authorize(authorization, permission) {
      if (tls !== undefined) requireUser(authorization, userOf);
      if (state.denied.has(permission)) throw new PubsubRefusal("PERMISSION_DENIED", "User not authorized.");
    },
  });
  const port = await startOnePort({ http1: Number(new URL(http.origin).port), http2: grpc.port, tls });
  const { goDown, comeBack } = port;
  return Object.assign(state, http, {
    grpc,
    origin: `${tls === undefined ? "http://127.0.0.1" : `https://${tls.host}`}:${port.port}`,
    goDown,
    comeBack,
    async stop() {
      await port.stop();
      grpc.stop();
      await http.stop();
    },
  });
}

function requireUser(authorization: string, userOf: FakePubsubOptions["userOf"]): void {
  if (userOf(authorization.replace(/^Bearer /, "")) === undefined)
    throw new PubsubRefusal("UNAUTHENTICATED", "Request had invalid credentials.");
}

interface Route {
  readonly project: string;
  /** `projects/P/topics/T` */
  readonly resource: string;
  /** The IAM permission that it takes; names the endpoint in counters and faults. */
  readonly permission: string;
}

const VERBS: Readonly<Record<string, string>> = {
  "PUT topics": "pubsub.topics.create",
  "GET topics": "pubsub.topics.get",
  "POST topics:publish": "pubsub.topics.publish",
  "POST topics:testIamPermissions": "testIamPermissions",
  "PUT subscriptions": "pubsub.subscriptions.create",
  "GET subscriptions": "pubsub.subscriptions.get",
  "DELETE subscriptions": "pubsub.subscriptions.delete",
  "POST subscriptions:testIamPermissions": "testIamPermissions",
};

function routeOf({ method, url }: FakeRequest): Route {
  const match = /^\/v1\/(projects\/([^/]+)\/(topics|subscriptions)\/([^/:]+))(:\w+)?$/.exec(
    decodeURIComponent(url.pathname),
  );
  const [, resource = "", project = "", kind = "", , verb = ""] = match ?? [];
  return { project, resource, permission: VERBS[`${method} ${kind}${verb}`] ?? `${method} ${url.pathname}` };
}

type State = Pick<FakePubsub, "store" | "denied" | "projects" | "enabled">;

function requireAllowed({ denied, projects, enabled }: State, { project, permission, resource }: Route): void {
  if (!projects.has(project))
    throw new PubsubRefusal(
      "NOT_FOUND",
      `Requested project not found or user does not have access to it (project=${project}).`,
    );
  if (!enabled) {
    const said = `Cloud Pub/Sub API has not been used in project ${project} before or it is disabled.`;
    throw new PubsubRefusal("PERMISSION_DENIED", said, "SERVICE_DISABLED");
  }
  if (denied.has(permission))
    throw new PubsubRefusal(
      "PERMISSION_DENIED",
      `User not authorized to perform this action. (${resource})`,
      "IAM_PERMISSION_DENIED",
    );
}

function perform(
  { store, denied }: State,
  { resource, permission }: Route,
  body: Readonly<Record<string, unknown>>,
): object {
  switch (permission) {
    case "pubsub.topics.create":
      store.createTopic(resource);
      return { name: resource };
    case "pubsub.topics.get":
      return { name: store.topic(resource) };
    case "pubsub.topics.publish":
      return { messageIds: store.publish(resource, body["messages"] as Parameters<PubsubStore["publish"]>[1]) };
    case "pubsub.subscriptions.create":
      return shown(store.createSubscription(resource, body));
    case "pubsub.subscriptions.get":
      return shown(store.subscription(resource));
    case "pubsub.subscriptions.delete":
      store.deleteSubscription(resource);
      return {};
    case "testIamPermissions": {
      const asked = body["permissions"] as readonly string[];
      const held = asked.filter((one) => !denied.has(one));
      return held.length === 0 ? {} : { permissions: held };
    }
    default:
      throw new PubsubRefusal("NOT_FOUND", `no such method: ${permission}`);
  }
}

function shown({ name, topic, settings }: ReturnType<PubsubStore["subscription"]>): object {
  return { ...settings, name, topic, state: "ACTIVE" };
}

function reply(status: number, body: object): FakeReply {
  return { status, headers: { "Content-Type": "application/json; charset=UTF-8" }, body: JSON.stringify(body) };
}

function refusal({ status, message, reason }: PubsubRefusal): FakeReply {
  const info = { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain: "googleapis.com" };
  const error = { code: STATUS[status], message, status, ...(reason === undefined ? {} : { details: [info] }) };
  return reply(STATUS[status], { error });
}
