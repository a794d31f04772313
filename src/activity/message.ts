import type { ChannelMessage, ReceivedMessage } from "../backends/channel.ts";
import { dumpPython } from "../lib/json.ts";
import { parseEvent, type StoredEvent } from "./log.ts";
import type { LogEvent } from "./model.ts";

/** An event as other machines are sent it, in the Python tool's form (reference 1.10). */
export function messageOf({ machine, user, timestamp, files, action, project }: LogEvent): ChannelMessage {
  const event = { machine, user, timestamp, files, action, project };
  return { data: dumpPython(event), attributes: { machine, user, project } };
}

/** Characters; an event of 101 long paths stays below. */
const MOST_LETTERS = 512 * 1024;

/**
 * What a message says: an event; that the log may have news, where it could be about another project of the same channel;
 * or nothing that anybody understands. Unknown keys are dropped.
 */
export function readMessage({ data, sure }: ReceivedMessage, project: string): StoredEvent | "look" | "nothing" {
  if (data.length > MOST_LETTERS) return "nothing";
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return "nothing";
  }
  const event = parseEvent(value);
  if (event === undefined) return "nothing";
  return sure || event.project === project ? event : "look";
}
