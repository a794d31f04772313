import { BackendError } from "../backends/errors.ts";
import { comparePaths } from "../lib/path.ts";
import type { Finding, FindingKind, PhaseTally, Verification, VerifyPhase } from "./model.ts";

/** So many things in a row that could not be looked at mean that the remote is gone, not they. */
const MOST_IN_A_ROW = 10;

export type NewFinding = Omit<Finding, "place" | "phase">;

/** Counts what one phase of a verification looks at. */
export interface Tally {
  /** It is as it should be; several things at once with `count`. */
  verified(count?: number): void;
  found(finding: NewFinding): void;
  /**
   * It could not be looked at. Throws `error` again when it concerns more than this one thing: a refused sign-in, Ctrl-C,
   * or many in a row.
   */
  failed(path: Finding["path"], error: unknown): void;
  /** Takes back findings that later looks have cleared; what is left of them keeps its place. */
  revise(change: (finding: Finding) => Finding | undefined): void;
  readonly findings: readonly Finding[];
  result(): Verification;
}

export function tally(place: string, name: VerifyPhase): Tally {
  let verified = 0;
  let inARow = 0;
  let findings: Finding[] = [];
  return {
    verified(count = 1) {
      inARow = 0;
      verified += count;
    },
    found(finding) {
      inARow = 0;
      findings.push({ place, phase: name, ...finding });
    },
    failed(path, error) {
      if (!(error instanceof BackendError) || error.class === "AUTH" || ++inARow === MOST_IN_A_ROW) throw error;
      findings.push({ place, phase: name, kind: "failed", path, detail: error.message });
    },
    revise(change) {
      findings = findings.flatMap((finding) => change(finding) ?? []);
    },
    get findings() {
      return findings;
    },
    result() {
      const sorted = [...findings].sort((a, b) => comparePaths(a.path, b.path));
      return { findings: sorted, phases: [countsOf(place, name, verified, sorted)] };
    },
  };
}

/** Several verifications as one. */
export function joinVerifications(parts: readonly Verification[]): Verification {
  return { phases: parts.flatMap(({ phases }) => phases), findings: parts.flatMap(({ findings }) => findings) };
}

function countsOf(place: string, name: VerifyPhase, verified: number, findings: readonly Finding[]): PhaseTally {
  const counts: Record<FindingKind, number> = { corrupted: 0, missing: 0, drift: 0, unverified: 0, failed: 0 };
  for (const { kind, count = 1 } of findings) counts[kind] += count;
  const checked = Object.values(counts).reduce((sum, count) => sum + count, verified);
  return { place, name, checked, verified, ...counts };
}
