import type { Channel } from "../../channel.ts";
import { NotFoundError } from "../../errors.ts";
import type { BackendConfig, BackendDeps } from "../../module.ts";
import { connectPubsub, withoutTopic } from "./connection.ts";
import { machineId } from "./machine-id.ts";
import { MACHINE_ID, REMOTE } from "./marks.ts";
import { inAddress, type PubsubPlace } from "./place.ts";
import { findSubscription } from "./subscription.ts";

/** Machines tell one another by a topic of Google Cloud Pub/Sub. Asks nothing. */
export function pubsubChannel(place: PubsubPlace, { machineName }: BackendConfig, deps: BackendDeps): Channel {
  const connection = connectPubsub(place, deps);
  const { rest, close } = connection;
  return {
    async publish(messages, { signal } = {}) {
      const own = { [MACHINE_ID]: machineId(deps.stateFolder), [REMOTE]: place.remote };
      const body = {
        messages: messages.map(({ data, attributes }) => ({
          data: Buffer.from(data).toString("base64"),
          attributes: { ...attributes, ...own },
        })),
      };
      const what = `publish to the topic "${place.topicId}"`;
      try {
        await rest({ method: "POST", path: `${inAddress(place.topic)}:publish`, body, what, signal });
      } catch (error) {
        throw error instanceof NotFoundError ? withoutTopic(place, error) : error;
      }
    },
    async listen(options) {
      const id = machineId(deps.stateFolder);
      const { signal } = options;
      const { name } = await findSubscription(connection, { machineName, machineId: id }, { make: true, signal });
      const { listenTo } = await import("./listen.ts");
      await listenTo(connection, { name, machineId: id }, options);
    },
    close,
  };
}
