/** A page of `help TOPIC`. Text between two `\`` is code: typed, or shown by the program, as it stands. */
export interface Topic {
  readonly name: string;
  /** As a heading: `Exit codes`. */
  readonly title: string;
  /** One sentence without a full stop, for the list of topics. */
  readonly summary: string;
  readonly parts: readonly TopicPart[];
}

export type TopicPart =
  | { readonly kind: "heading"; readonly text: string }
  | { readonly kind: "text"; readonly text: string }
  /** Each row is a name and what is said of it; `heads` stand above them where a page draws tables. */
  | {
      readonly kind: "rows";
      readonly heads: readonly [string, string];
      readonly rows: readonly (readonly [string, string])[];
    };

export interface TopicEntry {
  /** Kept equal to the topic's own by a test; here so that the list needs no topic loaded. */
  readonly summary: string;
  readonly load: () => Promise<Topic>;
}

/** Every topic, in the order in which help lists them. */
export const TOPICS: Readonly<Record<string, TopicEntry>> = {
  "exit-codes": {
    summary: "What the exit codes mean",
    load: async () => (await import("./topics/exit-codes.ts")).exitCodesTopic,
  },
  files: {
    summary: "Where settings, records and copies are kept",
    load: async () => (await import("./topics/files.ts")).filesTopic,
  },
  environment: {
    summary: "Environment variables that are read",
    load: async () => (await import("./topics/environment.ts")).environmentTopic,
  },
  troubleshooting: {
    summary: "What messages mean, and what to do",
    load: async () => (await import("./topics/troubleshooting.ts")).troubleshootingTopic,
  },
};

/** `text` cut where code begins and ends: every second piece, the first one not, is code. */
export function codePieces(text: string): readonly string[] {
  return text.split("`");
}
