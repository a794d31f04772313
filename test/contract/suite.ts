import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import type { Backend, Capabilities } from "../../src/backends/types.ts";
import { bodyChapters } from "./body-chapters.ts";
import { followChapters } from "./follow-chapters.ts";
import { guardChapters } from "./guard-chapters.ts";
import { listChapters } from "./list-chapters.ts";
import { pollChapters } from "./poll-chapters.ts";
import { raceChapters } from "./race-chapters.ts";

/** A new, empty remote folder that exists, and clients of it. */
export interface ContractRoot {
  readonly backend: Backend;
  /** Another client of the same remote folder, as another machine would open it. */
  second(): Promise<Backend>;
  /** Takes the remote folder away, as an unmounted disk or a deleted share would. */
  removeRoot?(): Promise<void>;
  /** Called after each test. */
  close(): Promise<void>;
}

export type Chapter =
  | "list"
  | "names"
  | "dot names"
  | "bodies"
  | "all or nothing"
  | "read"
  | "parts"
  | "guards"
  | "edit"
  | "remove"
  | "copy"
  | "move"
  | "clash"
  | "changes"
  | "follow"
  | "poll"
  | "vanished root"
  | "races"
  | "abort"
  | "scale";

export interface ContractSetup {
  open(): Promise<ContractRoot>;
  /** Chapters that this storage cannot pass, each with the reason, which stands in their place. */
  readonly optOuts?: Partial<Record<Chapter, string>>;
}

/** What the chapters work with. `at()` is the root of the running test. */
export interface ContractContext {
  readonly can: Capabilities;
  readonly has: {
    readonly edit: boolean;
    readonly copy: boolean;
    readonly move: boolean;
    readonly changes: boolean;
    readonly waitForChange: boolean;
    readonly poll: boolean;
    readonly removeFolder: boolean;
    readonly removeRoot: boolean;
  };
  at(): ContractRoot;
  /** `describe` for one chapter; its reason instead when opted out. */
  chapter(name: Chapter, body: () => void): void;
}

/**
 * The storage contract of `src/backends/types.ts` as tests. Call it with `await` at the top of a test file. It opens
 * one root at once to learn what the backend can do, then one for every test.
 */
export async function contractSuite(name: string, setup: ContractSetup): Promise<void> {
  const probe = await setup.open();
  const { backend } = probe;
  const has = {
    edit: backend.edit !== undefined,
    copy: backend.copy !== undefined,
    move: backend.move !== undefined,
    changes: backend.changes !== undefined,
    waitForChange: backend.waitForChange !== undefined,
    poll: backend.poll !== undefined,
    removeFolder: backend.removeFolder !== undefined,
    removeRoot: probe.removeRoot !== undefined,
  };
  const can = backend.can;
  await probe.close();

  let root: ContractRoot | undefined;
  const context: ContractContext = {
    can,
    has,
    at() {
      if (!root) throw new Error("no root is open: call at() inside a test");
      return root;
    },
    chapter(chapter, body) {
      const reason = setup.optOuts?.[chapter];
      if (reason === undefined) describe(chapter, body);
      else test(`${chapter}: left out, ${reason}`, () => expect(reason.length).toBeGreaterThan(20));
    },
  };
  describe(`contract of ${name}`, () => {
    const close = async (): Promise<void> => {
      await root?.close();
      root = undefined;
    };
    beforeEach(async () => {
      await close();
      root = await setup.open();
    });
    afterAll(close);
    listChapters(context);
    bodyChapters(context);
    guardChapters(context);
    raceChapters(context);
    followChapters(context);
    pollChapters(context);
  });
}
