import type { CallOptions } from "./types.ts";

/** What one machine tells the others, as a service carries it. */
export interface ChannelMessage {
  readonly data: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface ReceivedMessage extends ChannelMessage {
  /** Whether it is surely about this remote: several projects may share a channel, and the Python tool does not say. */
  readonly sure: boolean;
}

export interface ListenOptions {
  readonly signal: AbortSignal;
  /** Called once what others say comes as they say it. */
  onOpen(): void;
  /** One call at a time. What it has taken is not handed over again, except after a crash; what it throws ends the listening. */
  take(message: ReceivedMessage): Promise<void>;
}

/** A service beside the storage that hands every machine of a project what another one says. */
export interface Channel {
  /** All of them or none. Throws BackendError; one whose outcome is unknown may have arrived. */
  publish(messages: readonly ChannelMessage[], options?: CallOptions): Promise<void>;
  /**
   * Hands over what others say, what they said while nobody listened first, until the signal fires; then it returns. What
   * this machine said about the project is left out. Throws BackendError when it cannot go on, and what `take` throws.
   */
  listen(options: ListenOptions): Promise<void>;
  close(): void;
}
