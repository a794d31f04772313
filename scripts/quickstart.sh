#!/usr/bin/env bash
# Shows claude-mirror at work, from nothing to a restored version, in under a minute.
#   ./scripts/quickstart.sh                              a sample project in a new temporary folder
#   ./scripts/quickstart.sh PROJECT_DIR [MIRROR_DIR]     your own project; its mirror is PROJECT_DIR-mirror unless given
set -euo pipefail

case "${1:-}" in
  -h | --help)
    sed -n '2,4s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
esac
[ $# -le 2 ] || { echo "usage: quickstart.sh [PROJECT_DIR [MIRROR_DIR]]" >&2; exit 2; }

started=$PWD
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$here"
# shellcheck source=scripts/setup.sh
. scripts/setup.sh

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\033[1m' plain=$'\033[0m'; else bold='' plain=''; fi
step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
# show WORDS...: the command as a person would type it, then what it does.
show() {
  printf '$ claude-mirror'
  printf ' %q' "$@"
  printf '\n'
  "$binary" "$@"
}
absolute() {
  case "$1" in
    /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "$started" "$1" ;;
  esac
}

step "Installing what is needed and building"
use_bun
install_packages
bun scripts/build.ts
binary=$here/dist/claude-mirror

sandbox=$(mktemp -d "${TMPDIR:-/tmp}/claude-mirror-quickstart.XXXXXX")
restored=$sandbox/restored
if [ $# -eq 0 ]; then
  project=$sandbox/my-project
  mirror=$sandbox/mirror
  # The sample leaves your own settings alone.
  export CLAUDE_MIRROR_CONFIG_DIR=$sandbox/config XDG_STATE_HOME=$sandbox/state XDG_DATA_HOME=$sandbox/data
  note=memory/decisions.md
  mkdir -p "$project/memory"
  printf '# My project\n\nA small web shop. Prices are in cents everywhere.\n' >"$project/CLAUDE.md"
  printf '# Decisions\n\n- Orders are kept for ten years.\n' >"$project/$note"
  printf '# Glossary\n\n- SKU: the number of one article in one size.\n' >"$project/memory/glossary.md"
else
  project=$(absolute "$1")
  [ -d "$project" ] || die "cannot use \"$1\" as the project: it is not a folder"
  project=$(cd "$project" && pwd -P)
  mirror=$(absolute "${2:-$project-mirror}")
  note=claude-mirror-quickstart.md
  if config=$(cd "$project" && "$binary" find-config 2>/dev/null); then
    die "\"$project\" is already set up ($config): use claude-mirror status, push and pull there"
  fi
  [ ! -e "$project/$note" ] || die "cannot write \"$project/$note\": it is already there; move it away first"
  printf '# Quickstart\n\n- This file was written by quickstart.sh.\n' >"$project/$note"
fi
mkdir -p "$mirror"
cd "$project"

step "1. Set the project up: its mirror is a folder (a second disk, a NAS, a synced folder)"
show init --backend local --project "$project" --local-folder "$mirror"

step "2. Push: every file goes to the mirror, and a snapshot is taken"
show push

step "3. Edit a file and push again"
printf -- '- Changed a moment later.\n' >>"$note"
show status
show push "$note"

step "4. Both versions are in the history"
show status
show history "$note"

step "5. Bring the older version back, into a folder of its own"
older=$("$binary" history "$note" --json | bun -e 'const { result } = JSON.parse(await Bun.stdin.text()); console.log(result.versions.at(-1).timestamp)')
show restore "$older" "$note" --output "$restored"

step "6. What changed between the older version and now"
diff -u --label "$note at $older" --label "$note now" "$restored/$note" "$note" || [ $? -eq 1 ]

step "Done. What happened, and where everything is"
cat <<TEXT
The project was mirrored file by file into a folder. After each push a snapshot kept every version, so the older
version of $note could be brought back while the project itself stayed as it is.

  project       $project
  mirror        $mirror
  snapshots     $mirror/_claude_mirror_snapshots
  config        $("$binary" find-config)
  old version   $restored/$note
  program       $binary
TEXT
if [ $# -eq 0 ]; then
  cat <<TEXT

To go on playing with the sample:
  export CLAUDE_MIRROR_CONFIG_DIR=$sandbox/config XDG_STATE_HOME=$sandbox/state XDG_DATA_HOME=$sandbox/data
  cd $project && $binary status
To remove it all: rm -r $sandbox
TEXT
else
  cat <<TEXT

Only $note was added to your project; delete it whenever you like and push.
From now on: cd $project && $binary push
TEXT
fi
