import { posix } from "node:path";
import { codeOnly, type Import, importsOf } from "./source-scan.ts";

/** Paths below `src/` to their text. */
export type Sources = ReadonlyMap<string, string>;

/** The storage contract: what a room that stores things may know of backends. */
const CONTRACT = [
  "backends/types.ts",
  "backends/errors.ts",
  "backends/channel.ts",
  "backends/layout.ts",
  "backends/in-flight.ts",
];
/** What the clouds share besides. */
const CLOUD = [
  "backends/module.ts",
  "backends/access-token.ts",
  "backends/endpoints.ts",
  "backends/http-trouble.ts",
  "backends/whole-body.ts",
  "backends/nodes/",
];
const MODELS = [
  "project/model.ts",
  "setup/model.ts",
  "install/model.ts",
  "sync/model.ts",
  "snapshots/model.ts",
  "activity/model.ts",
  "settings/model.ts",
];
const SETUP_NEEDS = ["ignore", "include", "files", "journal", "manifest-file", "pattern-hints", "trash"];

/**
 * Who may import what, types included (design 3). The first area whose prefix fits a file is its own. A target ending
 * in `/` stands for the whole folder. An area may always import itself.
 */
const ARROWS: readonly { readonly area: string; readonly may: readonly string[] }[] = [
  {
    area: "app-prompt.ts",
    may: [
      "sync/",
      "activity/event.ts",
      "activity/inbox-files.ts",
      "settings/",
      "setup/config-file.ts",
      "setup/remote.ts",
      "project/envelope-store.ts",
      "lib/",
    ],
  },
  { area: "main.ts", may: ["cli/", "activity/inbox-files.ts", "settings/index-fast.ts", "lib/errors.ts"] },
  {
    area: "app.ts",
    may: [
      "project/",
      "setup/",
      "sync/",
      "snapshots/",
      "activity/",
      "settings/",
      "backends/",
      "claude/",
      "platform/",
      "lib/",
    ],
  },
  {
    area: "app-watch.ts",
    may: [
      "app.ts",
      "project/",
      "setup/",
      "sync/",
      "snapshots/",
      "activity/",
      "settings/",
      "backends/",
      "claude/",
      "platform/",
      "lib/",
    ],
  },
  {
    area: "app-health.ts",
    may: ["app.ts", "project/", "setup/", "sync/", "settings/", "backends/", "lib/"],
  },
  {
    area: "cli/",
    may: [
      "app.ts",
      "app-watch.ts",
      "app-prompt.ts",
      "app-health.ts",
      "ui/",
      "project/service.ts",
      "settings/discovery.ts",
      "settings/index-fast.ts",
      "setup/",
      "install/",
      "backends/errors.ts",
      "backends/registry.ts",
      "platform/",
      ...MODELS,
      "lib/",
    ],
  },
  { area: "ui/", may: [...MODELS, "lib/"] },
  {
    area: "project/",
    may: ["sync/", "snapshots/", "activity/", "settings/model.ts", "backends/module.ts", ...CONTRACT, "lib/"],
  },
  {
    area: "setup/",
    may: [
      "settings/",
      "project/model.ts",
      "project/lock.ts",
      "activity/heartbeat.ts",
      ...SETUP_NEEDS.map((name) => `sync/${name}.ts`),
      "backends/module.ts",
      "backends/registry.ts",
      ...CONTRACT,
      "lib/",
    ],
  },
  { area: "install/", may: ["claude/", "platform/", "lib/"] },
  { area: "sync/", may: [...CONTRACT, "lib/"] },
  { area: "snapshots/", may: [...CONTRACT, "lib/"] },
  { area: "activity/", may: [...CONTRACT, "lib/"] },
  { area: "settings/", may: ["backends/types.ts", "lib/"] },
  { area: "backends/registry.ts", may: ["backends/", "lib/"] },
  { area: "backends/wrap/", may: [...CONTRACT, "backends/module.ts", "lib/"] },
  { area: "backends/nodes/", may: [...CONTRACT, "lib/"] },
  { area: "backends/local/", may: [...CONTRACT, "backends/module.ts", "lib/"] },
  {
    area: "backends/webdav/",
    may: [...CONTRACT, "backends/module.ts", "backends/http-trouble.ts", "backends/whole-body.ts", "lib/"],
  },
  { area: "backends/googledrive/", may: [...CONTRACT, ...CLOUD, "lib/"] },
  { area: "backends/dropbox/", may: [...CONTRACT, ...CLOUD, "lib/"] },
  { area: "backends/onedrive/", may: [...CONTRACT, ...CLOUD, "lib/"] },
  { area: "backends/", may: [...CONTRACT, "backends/module.ts", "lib/"] },
  { area: "claude/", may: ["lib/"] },
  { area: "platform/", may: ["lib/"] },
  { area: "lib/", may: [] },
];

/** Each npm package and the files that may import it. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "@clack/prompts": ["ui/prompt.ts"],
  "@google-cloud/pubsub": ["backends/googledrive/pubsub/listen.ts"],
  "@azure/msal-node": ["backends/onedrive/sign-in.ts"],
  diff: ["ui/render/", "project/left-conflicts.ts", "project/snapshot-diff.ts"],
  googleapis: ["backends/googledrive/"],
  "hash-wasm": ["lib/hash.ts"],
  "node-diff3": ["sync/"],
  dropbox: ["backends/dropbox/"],
  webdav: ["backends/webdav/"],
  yaml: ["settings/"],
};

/** What reaches outside of what a function was given, and where that is the file's job. */
const RESTRICTED: readonly { readonly what: string; readonly pattern: RegExp; readonly only: readonly string[] }[] = [
  { what: "console", pattern: /\bconsole\s*[.[]/, only: ["main.ts"] },
  { what: "process.exit", pattern: /\bprocess\s*\.\s*exit\s*\(/, only: ["main.ts"] },
  { what: "process.exitCode", pattern: /\bprocess\s*\.\s*exitCode\b/, only: ["main.ts"] },
  {
    what: "process.env",
    pattern: /\bprocess\s*\.\s*env\b/,
    only: ["main.ts", "app.ts", "cli/process.ts", "lib/fault.ts"],
  },
  { what: "process.cwd", pattern: /\bprocess\s*\.\s*cwd\b/, only: ["main.ts", "cli/process.ts"] },
  { what: "process.stdout", pattern: /\bprocess\s*\.\s*(stdout|stderr|stdin)\b/, only: ["cli/process.ts"] },
  { what: "Date.now", pattern: /\bDate\s*\.\s*now\b/, only: ["lib/clock.ts"] },
  { what: "new Date()", pattern: /\bnew\s+Date\s*\(\s*\)/, only: ["lib/clock.ts"] },
  { what: "performance.now", pattern: /\bperformance\s*\./, only: ["lib/clock.ts"] },
  { what: "Math.random", pattern: /\bMath\s*\.\s*random\b/, only: [] },
  {
    what: "setTimeout",
    pattern: /\b(setTimeout|setInterval|setImmediate)\b/,
    only: ["lib/clock.ts", "lib/http-exchange.ts", "lib/http-incoming.ts"],
  },
  { what: "fetch", pattern: /(?<![.\w$])fetch\s*\(|\bglobalThis\s*\.\s*fetch\b/, only: [] },
  { what: "Bun", pattern: /(?<![.\w$"'])Bun\s*[.[]/, only: ["lib/hash.ts"] },
  { what: "Deno", pattern: /(?<![.\w$"'])Deno\s*[.[]/, only: [] },
];

/** Forms that this house does without. */
const FORBIDDEN: readonly { readonly what: string; readonly pattern: RegExp }[] = [
  { what: "export default", pattern: /\bexport\s+default\b/ },
  { what: "export *", pattern: /\bexport\s*\*/ },
  { what: "enum", pattern: /^\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w/m },
  { what: "namespace", pattern: /^\s*(?:export\s+)?(?:declare\s+)?namespace\s+\w/m },
  { what: "any", pattern: /[:<,|&]\s*any\b|\bas\s+any\b/ },
  { what: "a decorator", pattern: /^\s*@\w+(?:\(.*\))?\s*$/m },
  { what: "require", pattern: /(?<![.\w$])require\s*\(/ },
];

const FORBIDDEN_FOLDERS = ["utils", "helpers", "common", "shared", "core", "manager"];
const MOST_LINES = 400;

/** Every breach of the house rules in these sources, one sentence each, sorted. */
export function breaches(sources: Sources): readonly string[] {
  const found: string[] = [];
  for (const [file, source] of sources) {
    found.push(...nameBreaches(file), ...codeBreaches(file, source), ...importBreaches(file, source, sources));
  }
  return [...found, ...cycles(sources)].sort();
}

/** Every file that is read when `entry` starts, dynamic and type imports left out, and the packages it pulls in. */
export function staticClosure(
  entry: string,
  sources: Sources,
): { readonly files: string[]; readonly packages: string[] } {
  const files = new Set([entry]);
  const packages = new Set<string>();
  for (const file of files) {
    for (const { specifier, kind } of importsOf(sources.get(file) ?? "")) {
      if (kind !== "static") continue;
      if (specifier.startsWith(".")) files.add(resolveFrom(file, specifier));
      else packages.add(specifier);
    }
  }
  return { files: [...files].sort(), packages: [...packages].sort() };
}

function nameBreaches(file: string): string[] {
  const found: string[] = [];
  const folders = file.split("/").slice(0, -1);
  const bad = folders.find((folder) => FORBIDDEN_FOLDERS.includes(folder));
  if (bad !== undefined) found.push(`${file}: a folder must not be called ${bad}`);
  if (!/^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(file))
    found.push(`${file}: names are kebab-case`);
  if (!ARROWS.some(({ area }) => inArea(file, area))) found.push(`${file}: belongs to no room`);
  return found;
}

function codeBreaches(file: string, source: string): string[] {
  const code = codeOnly(source);
  const lines = source.split("\n").length - 1;
  const found = lines > MOST_LINES ? [`${file}: ${lines} lines, at most ${MOST_LINES}`] : [];
  if (/@ts-(?:ignore|nocheck|expect-error)/.test(source)) found.push(`${file}: no @ts-ignore and its kin`);
  if (/\b(?:TODO|FIXME|XXX|HACK)\b/.test(source)) found.push(`${file}: no note of work left over`);
  for (const { what, pattern } of FORBIDDEN) if (pattern.test(code)) found.push(`${file}: no ${what}`);
  for (const { what, pattern, only } of RESTRICTED) {
    if (pattern.test(code) && !only.some((area) => inArea(file, area))) found.push(`${file}: ${what} is not used here`);
  }
  return found;
}

function importBreaches(file: string, source: string, sources: Sources): string[] {
  return importsOf(source).flatMap((each) => {
    const { specifier } = each;
    if (specifier.startsWith("node:")) return builtinBreach(file, each);
    if (!specifier.startsWith(".")) return packageBreach(file, specifier);
    const target = resolveFrom(file, specifier);
    if (!specifier.endsWith(".ts")) return [`${file}: imports name the file with .ts: ${specifier}`];
    if (!sources.has(target)) return [`${file}: imports ${target}, which is not there`];
    return mayImport(file, target) ? [] : [`${file}: must not import ${target}`];
  });
}

/** What only describes or draws has no business with the machine. */
function builtinBreach(file: string, { specifier, kind }: Import): string[] {
  const pure = MODELS.includes(file) || file.startsWith("ui/render/");
  return pure && kind !== "type" ? [`${file}: must not import ${specifier}`] : [];
}

function packageBreach(file: string, specifier: string): string[] {
  const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
  const allowed = PACKAGES[name];
  if (!allowed) return [`${file}: ${name} is no package of this house`];
  return allowed.some((area) => inArea(file, area)) ? [] : [`${file}: must not import ${name}`];
}

function mayImport(file: string, target: string): boolean {
  const arrow = ARROWS.find(({ area }) => inArea(file, area));
  return arrow !== undefined && [arrow.area, ...arrow.may].some((area) => inArea(target, area));
}

function inArea(file: string, area: string): boolean {
  return area.endsWith("/") ? file.startsWith(area) : file === area;
}

function resolveFrom(file: string, specifier: string): string {
  return posix.join(posix.dirname(file), specifier);
}

/** Files that need each other to start: the order in which they run would depend on who asks first. */
function cycles(sources: Sources): string[] {
  const state = new Map<string, "open" | "done">();
  const found = new Set<string>();
  const visit = (file: string, trail: readonly string[]) => {
    if (state.get(file) === "done") return;
    if (state.get(file) === "open") {
      found.add([...trail.slice(trail.indexOf(file))].sort().join(", "));
      return;
    }
    state.set(file, "open");
    for (const { specifier, kind } of importsOf(sources.get(file) ?? "")) {
      if (kind === "static" && specifier.startsWith(".")) visit(resolveFrom(file, specifier), [...trail, file]);
    }
    state.set(file, "done");
  };
  for (const file of sources.keys()) visit(file, []);
  return [...found].map((files) => `a circle of imports: ${files}`);
}
