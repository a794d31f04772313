import type { Machine } from "../../src/settings/machine.ts";

/** The machine on which the fixtures were written. */
export const ALICE: Machine = {
  home: "/home/alice",
  configDir: "/home/alice/.config/claude_mirror",
  hostName: "workstation",
  userName: "alice",
};
