/** What of the environment decides where our folders are. */
export type Env = Readonly<Record<string, string | undefined>>;

/**
 * Folder of the project YAMLs and token files: `CLAUDE_MIRROR_CONFIG_DIR`, else `~/.config/claude_mirror` (reference
 * 1.1; the Python tool knows no XDG_CONFIG_HOME, so neither do we). `home` is absolute.
 */
export function configDir(env: Env, home: string): string {
  const given = env["CLAUDE_MIRROR_CONFIG_DIR"];
  return given ? withoutEndSlash(expandHome(given, home)) : `${withoutEndSlash(home)}/.config/claude_mirror`;
}

/** Folder of what may be lost at the cost of time only: indexes, listings, probe results, locks. */
export function stateDir(env: Env, home: string): string {
  return xdgDir(env["XDG_STATE_HOME"], home, ".local/state");
}

/** Folder of what must not be lost: the trash (decision 13). */
export function dataDir(env: Env, home: string): string {
  return xdgDir(env["XDG_DATA_HOME"], home, ".local/share");
}

/** The home folder that the environment names, absolute; undefined where it names none and the system has to be asked. */
export function homeFrom(env: Env): string | undefined {
  return [env["HOME"], env["USERPROFILE"]].find((home) => home !== undefined && isAbsolute(home));
}

/** `~` and `~/x` below `home`; everything else, `~name` included, as it is. */
export function expandHome(path: string, home: string): string {
  if (path === "~") return home;
  if (path.startsWith("~/") || path.startsWith("~\\")) return `${withoutEndSlash(home)}/${path.slice(2)}`;
  return path;
}

/** A value that is not absolute is ignored, as the XDG Base Directory Specification 0.8 demands. */
function xdgDir(given: string | undefined, home: string, fallback: string): string {
  const base = given && isAbsolute(given) ? withoutEndSlash(given) : `${withoutEndSlash(home)}/${fallback}`;
  return `${base}/claude-mirror`;
}

function isAbsolute(path: string): boolean {
  return path.startsWith("/") || /^[A-Za-z]:[\\/]/.test(path);
}

function withoutEndSlash(path: string): string {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}
