#!/usr/bin/env bash
# Sets up and passes every gate. The last line is `N passed, N failed`; the exit code is 0 when nothing failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
# shellcheck source=scripts/setup.sh
. scripts/setup.sh

passed=0
failed=0
summary=()
broken=()

# gate NAME COMMAND...: one gate is one passed or one failed.
gate() {
  local name=$1
  shift
  say "== $name"
  if "$@"; then
    passed=$((passed + 1))
    summary+=("ok      $name")
  else
    failed=$((failed + 1))
    summary+=("FAILED  $name")
  fi
}

# Real servers and shells that the tests drive.
install_tools() {
  local missing=() pair
  for pair in apache2:apache2 htpasswd:apache2-utils nginx:nginx-light zsh:zsh fish:fish dash:dash busybox:busybox systemd-analyze:systemd python3:python3 curl:curl wget:wget shellcheck:shellcheck git:git tmux:tmux mandoc:mandoc openssl:openssl; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  [ -e /usr/lib/nginx/modules/ngx_http_dav_ext_module.so ] || missing+=(libnginx-mod-http-dav-ext)
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    say "missing: ${missing[*]}; install these packages (Debian names)"
    return 1
  fi
  say "Installing ${missing[*]} ..."
  export DEBIAN_FRONTEND=noninteractive
  # A fresh Debian starts the servers it installs; the tests start their own on free ports.
  apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

shell_scripts() {
  shellcheck --external-sources scripts/*.sh .ci/run install.sh
}

# Runs the whole suite and adds its own counts. Nothing may be skipped.
suite() {
  local log times pass fail left
  log=$(mktemp)
  times=$(mktemp)
  bun test --timeout 60000 --reporter=junit --reporter-outfile="$times" 2>&1 | tee "$log"
  local code=${PIPESTATUS[0]}
  slowest_files "$times"
  rm -f "$times"
  pass=$(count pass "$log")
  fail=$(count fail "$log")
  left=$(($(count skip "$log") + $(count todo "$log")))
  # The names stand at the end as well, where whoever reads only the last lines of a long log finds them.
  [ "$fail" -gt 0 ] && mapfile -t broken < <(sed -n 's/^(fail) /        /p' "$log" | sort -u | head -n 40)
  rm -f "$log"
  [ "$code" -ne 0 ] && [ "$fail" -eq 0 ] && fail=1
  [ "$pass" -eq 0 ] && [ "$fail" -eq 0 ] && fail=1
  passed=$((passed + pass))
  failed=$((failed + fail))
  if [ "$left" -gt 0 ]; then
    failed=$((failed + left))
    summary+=("FAILED  tests: $left skipped, none may be")
  fi
  if [ "$fail" -eq 0 ]; then summary+=("ok      tests: $pass"); else summary+=("FAILED  tests: $fail of $((pass + fail))"); fi
}

# slowest_files REPORT: the ten test files of a JUnit report that took longest, in seconds.
slowest_files() {
  say "== slowest test files"
  sed -n 's/^  <testsuite name="[^"]*" file="\([^"]*\)".* time="\([0-9.]*\)".*/\2 \1/p' "$1" | sort -rn | head -n 10 |
    while read -r seconds file; do printf '%7.1f s  %s\n' "$seconds" "$file"; done
}

# count WORD FILE: N of the line ` N WORD` in the summary of bun test, 0 without one.
count() {
  sed -n "s/^ *\([0-9][0-9]*\) $1\$/\1/p" "$2" | tail -n 1 | grep . || echo 0
}

# The sources pass Deno's own type check, run there as they are and say the same.
deno_run() {
  local words
  node_modules/.bin/deno check --quiet src/main.ts || return 1
  for words in --version help "help push" "completion bash"; do
    # shellcheck disable=SC2086
    [ "$(node_modules/.bin/deno run --quiet -A src/main.ts $words)" = "$(bun src/main.ts $words)" ] || {
      say "claude-mirror $words differs between Deno and Bun"
      return 1
    }
  done
}

use_bun
gate "packages" install_packages
gate "tools" install_tools
gate "lint" node_modules/.bin/biome check .
gate "types" node_modules/.bin/tsc --noEmit
gate "unused code" node_modules/.bin/knip
gate "shell scripts" shell_scripts
gate "build" bun scripts/build.ts
gate "deno" deno_run
say "== tests"
suite

say ""
printf '%s\n' "${summary[@]}"
[ ${#broken[@]} -eq 0 ] || printf '%s\n' "${broken[@]}"
say "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
