import type { CallOptions } from "./types.ts";

/** What one machine tells the others, as a service carries it. */
export interface ChannelMessage {
  readonly data: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A service beside the storage that hands every machine of a project what another one says. */
export interface Channel {
  /** All of them or none. Throws BackendError; one whose outcome is unknown may have arrived. */
  publish(messages: readonly ChannelMessage[], options?: CallOptions): Promise<void>;
  close(): void;
}
