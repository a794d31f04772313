import { pythonIso } from "../../lib/clock.ts";
import { UsageError } from "../../lib/errors.ts";
import type { Repair, VerifyResult } from "../../project/model.ts";
import type { Finding, FindingKind } from "../../snapshots/model.ts";
import { verifyLines } from "../../ui/render/verify.ts";
import { CONFIG_OPTIONS, type CommandResult, command, DRY_RUN_OPTION } from "../command.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { withProject } from "../project.ts";

export const verifyCommand = command({
  name: "verify",
  summary: "Read everything that is kept on the remote and find what is damaged",
  about: [
    "Reads every snapshot, every stored content and every live file back and compares the bytes with their SHA-256. That takes as long as downloading all of it.",
    "A snapshot in the full format holds no checksums: its files are compared with the contents that other snapshots or this machine's records name. What nothing knows is reported as unverified. The manifest of a snapshot holds no checksum either; this machine compares it with the one that it saw before.",
    "--repair puts the right bytes back from another backend, from the project, from another file or snapshot, or from the trash. What it replaces goes to the trash; what cannot be repaired stays as it is.",
    "Exit code: 1 when something is corrupted or missing and was not repaired; 3 when nothing is, but a part could not be read; else 0. Files that were changed or deleted there since the last sync (drift), unfinished snapshots and unverified files do not count, except with --strict, which makes them 1.",
  ],
  options: {
    backend: { kind: "text", value: "NAME", help: "Only this backend.", completes: "backend" },
    files: { kind: "flag", negatable: true, help: "Check the live files (the default)." },
    snapshots: { kind: "flag", negatable: true, help: "Check snapshots and stored contents (the default)." },
    strict: { kind: "flag", help: "Exit 1 also for drift and for what cannot be verified." },
    repair: { kind: "flag", help: "Put back what is damaged or missing and exists elsewhere." },
    "dry-run": DRY_RUN_OPTION,
    ...CONFIG_OPTIONS,
  },
  examples: [
    "claude-mirror verify",
    "claude-mirror verify --no-files --strict",
    "claude-mirror verify --repair --dry-run",
  ],
  async run(ctx, { options }) {
    const files = options.files ?? true;
    const snapshots = options.snapshots ?? true;
    if (!files && !snapshots)
      throw new UsageError("verify has nothing to check with both --no-files and --no-snapshots");
    const backend = options.backend === undefined ? {} : { backend: options.backend };
    const repair = options.repair ? ({ repair: options["dry-run"] ? "plan" : "do" } as const) : {};
    return withProject(ctx, { config: options.config }, async (project): Promise<CommandResult> => {
      const result = await project.verify({ ...backend, files, snapshots, ...repair });
      return {
        result: verifyJson(result),
        lines: verifyLines(result, ctx.out.style),
        exit: verifyExit(result, { strict: options.strict ?? false }),
      };
    });
  },
});

/** Damage wins over what could not be read. */
function verifyExit({ findings, left }: VerifyResult, { strict }: { readonly strict: boolean }): ExitCode {
  const kinds = new Set(findings.map(({ kind }) => kind));
  if (left.length > 0 || (strict && (kinds.has("drift") || kinds.has("unverified")))) return EXIT.failed;
  return kinds.has("failed") ? EXIT.partial : EXIT.ok;
}

/** Reference 3.3, with the backend beside every name and three lists more. */
function verifyJson({ checkedAtMs, phases, findings, repairs, dryRun }: VerifyResult): object {
  const listed = (kind: FindingKind) => findings.filter((finding) => finding.kind === kind).map(findingJson);
  return {
    checked_at: pythonIso(checkedAtMs),
    phases: phases.map(({ place, ...phase }) => ({ backend: place, ...phase })),
    drift: listed("drift"),
    corrupted: listed("corrupted"),
    missing: listed("missing"),
    unverified: listed("unverified"),
    failed: listed("failed"),
    ...(repairs === undefined ? {} : { repair: repairJson(repairs, dryRun) }),
  };
}

function findingJson({ place, phase, path, detail, sha256, snapshots, files, count }: Finding): object {
  return {
    backend: place,
    phase,
    path,
    detail,
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(snapshots === undefined ? {} : { snapshots }),
    ...(files === undefined ? {} : { files }),
    ...(count === undefined ? {} : { count }),
  };
}

function repairJson(repairs: readonly Repair[], dryRun: boolean): object {
  const told = (wanted: (repair: Repair) => boolean) =>
    repairs.filter(wanted).map(({ finding, from, error }) => ({
      backend: finding.place,
      path: finding.path,
      ...(from === undefined ? {} : { from }),
      ...(error === undefined ? {} : { message: error }),
    }));
  return {
    dry_run: dryRun,
    planned: told(({ status }) => status === "planned"),
    repaired: told(({ status }) => status === "repaired" || status === "same"),
    failed: told(({ status }) => status === "failed"),
    no_source: told(({ status }) => status === "none"),
  };
}
