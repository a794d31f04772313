import type { ChannelMessage } from "../backends/channel.ts";
import { dumpPython } from "../lib/json.ts";
import type { LogEvent } from "./model.ts";

/** An event as other machines are sent it, in the Python tool's form (reference 1.10). */
export function messageOf({ machine, user, timestamp, files, action, project }: LogEvent): ChannelMessage {
  const event = { machine, user, timestamp, files, action, project };
  return { data: dumpPython(event), attributes: { machine, user, project } };
}
