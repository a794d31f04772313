import { hashBytes } from "../../../lib/hash.ts";
import type { BackendConfig } from "../../module.ts";

/** The topic of a project. */
export interface PubsubPlace {
  readonly project: string;
  readonly topicId: string;
  /** `projects/P/topics/T` */
  readonly topic: string;
  /** Tells this Drive folder from others that share the topic: 16 hex digits. */
  readonly remote: string;
}

/** Undefined where the settings name no topic. */
export function pubsubPlace({ gcpProjectId, pubsubTopicId, driveFolderId }: BackendConfig): PubsubPlace | undefined {
  if (gcpProjectId === "" || pubsubTopicId === "") return undefined;
  return {
    project: gcpProjectId,
    topicId: pubsubTopicId,
    topic: `projects/${gcpProjectId}/topics/${pubsubTopicId}`,
    remote: hashBytes("sha256", driveFolderId).slice(0, 16),
  };
}

/** A resource's name as a part of an address: its slashes stay. */
export function inAddress(name: string): string {
  return name.split("/").map(encodeURIComponent).join("/");
}
