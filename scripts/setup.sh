# shellcheck shell=bash
# Sourced by test.sh and quickstart.sh: puts the right Bun first on PATH and installs the packages.
# Needs nothing but node and npm; honours a Bun that is already there in the right version.

BUN_VERSION=1.4.5

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# Bun's npm package wants a postinstall script to put its binary in place, which many machines forbid. The binary lies
# in the package for this platform all the same, so it is taken from there.
use_bun() {
  if [ "$(bun --version 2>/dev/null)" = "$BUN_VERSION" ]; then return; fi
  local cache="${XDG_CACHE_HOME:-$HOME/.cache}/claude-mirror-build/bun-$BUN_VERSION" candidate
  if [ ! -x "$cache/bin/bun" ]; then
    command -v npm >/dev/null || die "cannot get Bun $BUN_VERSION: npm is not installed; install Node 20 or newer first"
    say "Getting Bun $BUN_VERSION from the npm registry ..."
    mkdir -p "$cache/bin"
    npm install --prefix "$cache" --no-save --no-audit --no-fund --no-update-notifier --ignore-scripts --loglevel=error "bun@$BUN_VERSION"
    for candidate in "$cache"/node_modules/@oven/bun-*/bin/bun; do
      if [ "$("$candidate" --version 2>/dev/null)" = "$BUN_VERSION" ]; then
        ln -sf "$candidate" "$cache/bin/bun"
        break
      fi
    done
    [ -x "$cache/bin/bun" ] || die "cannot use Bun $BUN_VERSION: npm has no package of it that runs on this machine"
  fi
  PATH="$cache/bin:$PATH"
  export PATH
}

install_packages() {
  bun install --frozen-lockfile --silent || die "cannot install the packages of bun.lock: see above"
}
