#!/bin/sh
# Installs claude-mirror for the current user: curl -fsSL ADDRESS/install.sh | sh
# Works with any POSIX shell (dash, bash, busybox), with curl or wget, without root.
set -eu

# The address of the releases that this script comes with; scripts/build.ts fills it in.
RELEASES=
BASE_URL=${CLAUDE_MIRROR_BASE_URL:-$RELEASES}
VERSION=${CLAUDE_MIRROR_VERSION:-latest}
DIR=${CLAUDE_MIRROR_DIR:-$HOME/.local/bin}
MODIFY_PATH=yes
FORCE=no
UNINSTALL=no
TEMP=

usage() {
  cat <<'END'
Usage: install.sh [OPTIONS]

Installs claude-mirror for the current user, or a newer version over an older one.

  --dir DIR          Where to, ~/.local/bin when left out (CLAUDE_MIRROR_DIR).
  --version VERSION  This version instead of the newest (CLAUDE_MIRROR_VERSION).
  --base-url URL     Where releases are (CLAUDE_MIRROR_BASE_URL): URL/latest/download/FILE and URL/download/vVERSION/FILE.
  --no-modify-path   Leave the start-up file of your shell alone.
  --force            Replace a claude-mirror that this script did not install.
  --uninstall        Remove claude-mirror and all that it has set up. Settings and mirrors of projects stay.
  --help             Show this.
END
}

say() { printf '%s\n' "$*"; }
fail() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}
wrong_usage() {
  printf 'install.sh: %s\nSee install.sh --help.\n' "$*" >&2
  exit 2
}

main() {
  read_options "$@"
  [ -n "${HOME:-}" ] || fail 'cannot find your home folder: HOME is not set'
  case $DIR in
    /*) ;;
    *) DIR=$PWD/$DIR ;;
  esac
  if [ "$UNINSTALL" = yes ]; then
    uninstall
  else
    install
  fi
}

read_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --dir | --version | --base-url)
        [ -n "${2:-}" ] || wrong_usage "$1 needs a value"
        case $1 in
          --dir) DIR=$2 ;;
          --version) VERSION=${2#v} ;;
          --base-url) BASE_URL=$2 ;;
        esac
        shift
        ;;
      --no-modify-path) MODIFY_PATH=no ;;
      --force) FORCE=yes ;;
      --uninstall) UNINSTALL=yes ;;
      --help | -h)
        usage
        exit 0
        ;;
      *) wrong_usage "there is no option \"$1\"" ;;
    esac
    shift
  done
  BASE_URL=${BASE_URL%/}
  case $BASE_URL in
    '') [ "$UNINSTALL" = yes ] || wrong_usage 'where are the releases? Name their address with --base-url' ;;
    https://* | http://127.0.0.1[:/]* | http://localhost[:/]*) ;;
    *) wrong_usage "\"$BASE_URL\" is not https" ;;
  esac
  case $VERSION in
    latest) ;;
    *[!0-9A-Za-z.+-]* | '') wrong_usage "\"$VERSION\" is no version" ;;
  esac
}

install() {
  file=claude-mirror-$(target)
  refuse_foreign "$DIR/claude-mirror"
  refuse_foreign "$DIR/claude-mirror-install"
  had=$(version_of "$DIR/claude-mirror")
  mkdir -p "$DIR" || fail "cannot make the folder \"$DIR\""
  # In the target folder: only so is the last step one rename.
  TEMP=$(mktemp -d "$DIR/.claude-mirror-install.XXXXXX") || fail "cannot write to \"$DIR\""
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  say "Getting $file ($VERSION) from $BASE_URL ..."
  download SHA256SUMS
  download "$file"
  verify "$file"
  chmod 755 "$TEMP/$file"
  "$TEMP/$file" --version >"$TEMP/version" 2>"$TEMP/said" || does_not_run
  ln -s claude-mirror "$TEMP/claude-mirror-install"
  mv -f "$TEMP/$file" "$DIR/claude-mirror"
  mv -f "$TEMP/claude-mirror-install" "$DIR/claude-mirror-install"
  say "Installed $(cat "$TEMP/version") in $DIR${had:+ (it was $had)}."
  if [ "$MODIFY_PATH" = yes ]; then put_on_path; fi
  # A version from before the manual page has none.
  PATH=$DIR:$PATH "$DIR/claude-mirror" install --only man --yes >/dev/null 2>&1 || :
  tell_next
}

does_not_run() {
  if grep -q 'libstdc++\|libgcc' "$TEMP/said"; then
    fail 'the program needs the C++ library: install it (on Alpine: apk add libstdc++), then run this again'
  fi
  fail "the program does not run here: $(head -n 3 "$TEMP/said")"
}

# Linux or macOS, the processor, and the C library: the names of the release files.
target() {
  libc=
  case $(uname -s) in
    Linux) os=linux ;;
    Darwin) os=macos ;;
    *) fail "there is no program for $(uname -s): build it from its sources" ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) cpu=x64 ;;
    aarch64 | arm64) cpu=arm64 ;;
    *) fail "there is no program for $(uname -s) on $(uname -m): build it from its sources" ;;
  esac
  # Rosetta says x86_64 on a processor by Apple.
  if [ "$os" = macos ] && [ "$(sysctl -n hw.optional.arm64 2>/dev/null || :)" = 1 ]; then cpu=arm64; fi
  if [ "$os" = linux ] && is_musl; then libc=-musl; fi
  printf '%s-%s%s\n' "$os" "$cpu" "$libc"
}

is_musl() {
  case ${CLAUDE_MIRROR_LIBC:-} in
    musl) return 0 ;;
    glibc) return 1 ;;
  esac
  for loader in /lib/ld-linux-*.so* /lib64/ld-linux-*.so*; do
    [ -e "$loader" ] && return 1
  done
  for loader in /lib/ld-musl-*.so*; do
    [ -e "$loader" ] && return 0
  done
  ldd --version 2>&1 | grep -qi musl
}

download() {
  from=$BASE_URL/latest/download/$1
  to=$TEMP/$1
  [ "$VERSION" = latest ] || from=$BASE_URL/download/v$VERSION/$1
  if have curl; then
    # A redirection must not lead away from https.
    curl -fsSL --proto "=${BASE_URL%%:*}" --connect-timeout 20 -o "$to" "$from" || fail "cannot get $from: nothing was installed"
  elif have wget; then
    tries=
    if wget --version 2>/dev/null | grep -q GNU; then tries=--tries=2; fi
    wget -q $tries -O "$to" "$from" || fail "cannot get $from: nothing was installed"
  else
    fail 'cannot get anything: neither curl nor wget is here'
  fi
}

verify() {
  wanted=$(awk -v name="$1" '$2 == name || $2 == "*" name { print $1 }' "$TEMP/SHA256SUMS")
  [ ${#wanted} -eq 64 ] || fail "SHA256SUMS of this release has no line for $1: nothing was installed"
  found=$(sha256 "$TEMP/$1")
  [ "$wanted" = "$found" ] || fail "$1 is damaged: its SHA-256 is $found and should be $wanted; nothing was installed"
}

sha256() {
  if have sha256sum; then
    sha256sum "$1" | awk '{ print $1 }'
  elif have shasum; then
    shasum -a 256 "$1" | awk '{ print $1 }'
  elif have openssl; then
    openssl dgst -sha256 -r "$1" | awk '{ print $1 }'
  else
    fail 'cannot check the download: neither sha256sum, shasum nor openssl is here'
  fi
}

have() { command -v "$1" >/dev/null 2>&1; }

# A program of ours answers `version --json` in its own envelope; the Python tool knows no such command.
is_ours() {
  [ -f "$1" ] && [ -x "$1" ] || return 1
  name=$("$1" version --json 2>/dev/null </dev/null | tr -d ' \n') || return 1
  case $name in
    '{"version":1,"command":"version",'*) return 0 ;;
  esac
  return 1
}

refuse_foreign() {
  if [ ! -e "$1" ] && [ ! -L "$1" ]; then return; fi
  [ "$FORCE" = yes ] && return
  # Our link points to the program beside it.
  if [ -L "$1" ] && [ "$(readlink "$1")" = claude-mirror ] && is_ours "$(dirname "$1")/claude-mirror"; then return; fi
  if [ ! -L "$1" ] && is_ours "$1"; then return; fi
  fail "\"$1\" is another program (the Python tool claude-mirror?): remove it first (pipx uninstall claude-mirror), choose another folder with --dir, or replace it with --force"
}

version_of() {
  if is_ours "$1"; then "$1" --version; fi
}

put_on_path() {
  case ":$PATH:" in
    *:"$DIR":*) return ;;
  esac
  "$DIR/claude-mirror" install --only path --yes || say "Put $DIR on your PATH yourself."
}

tell_next() {
  if have systemctl && systemctl --user is-active --quiet claude-mirror-watch 2>/dev/null; then
    say "A watcher of the old version runs: systemctl --user restart claude-mirror-watch"
  fi
  say ''
  say 'Next: claude-mirror-install sets up the Claude Code skill and hook, the watcher and completion; it asks before each.'
  case ":$PATH:" in
    *:"$DIR":*) ;;
    *) say "In this shell first: PATH=\"$DIR:\$PATH\"" ;;
  esac
  say "To undo all of it: claude-mirror-install --uninstall && rm '$DIR/claude-mirror' '$DIR/claude-mirror-install'"
  say '(install.sh --uninstall does both.)'
}

uninstall() {
  if [ ! -e "$DIR/claude-mirror" ]; then fail "there is no claude-mirror in \"$DIR\": name its folder with --dir"; fi
  refuse_foreign "$DIR/claude-mirror"
  PATH=$DIR:$PATH "$DIR/claude-mirror" install --uninstall --yes || fail "not everything could be removed, see above; the program stays until it can"
  for name in claude-mirror-install claude-mirror; do rm -f "$DIR/$name"; done
  rmdir "$DIR" 2>/dev/null || :
  say "Removed claude-mirror from $DIR. Settings stay in ~/.config/claude_mirror, records in ~/.local/state/claude-mirror and ~/.local/share/claude-mirror."
}

clean_up() {
  [ -z "$TEMP" ] || rm -rf "$TEMP"
}

# Everything is read before anything runs: a script that was cut off on its way does nothing.
main "$@"
