# shellcheck shell=bash
# What every part script shares: where its files are, how its packages come, how it waits. Sourced, never run.
#
# CACHE survives between runs (a root file system, a Python environment); STATE does not outlive the parts
# (sockets, process ids). Neither is in the repository, so a fresh clone finds what the last one built.
set -euo pipefail

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
  say "$*"
  exit 1
}

((EUID == 0)) || die "needs root: it installs Debian packages and makes namespaces. Meant for a CI machine."
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/jarvis-ci
STATE=/run/jarvis-ci
mkdir -p "$CACHE" "$STATE"

# need PACKAGE...: Debian packages, only those that are missing. The lists are read at most once an hour.
# Where systemd is not process 1, RUNLEVEL=1 keeps packages from starting daemons: a part starts its own.
need() {
  local missing=() package
  for package; do
    [[ $(dpkg-query -Wf '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
  local apt=(apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
  if [[ -z $(find "$STATE/lists-read" -mmin -60 2>/dev/null) ]]; then
    "${apt[@]}" update >&2
    touch "$STATE/lists-read"
  fi
  say "installing ${missing[*]}"
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >"$STATE/apt.log" 2>&1 || {
    tail -n 30 "$STATE/apt.log" >&2
    die "apt-get could not install ${missing[*]}"
  }
}

# within SECONDS COMMAND...: repeats the command until it succeeds; fails when the time is over.
within() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}

# pid_of NAME PROGRAM: the process id in STATE/NAME.pid, if that process still lives and is that program.
# A number left over from a run that was cut off may meanwhile belong to anything.
pid_of() {
  local pid
  pid=$(cat "$STATE/$1.pid" 2>/dev/null) && [[ $(cat "/proc/$pid/comm" 2>/dev/null) == "$2" ]] && echo "$pid"
}

# end NAME PROGRAM: terminates it, waits 20 seconds at most, then kills it.
end() {
  local pid
  pid=$(pid_of "$1" "$2") || return 0
  kill "$pid" 2>/dev/null || return 0
  within 20 not_running "$pid" || kill -KILL "$pid" 2>/dev/null || true
  rm -f "$STATE/$1.pid"
}
not_running() { [[ ! -e /proc/$1 ]]; }

# dispatch start|stop|env: what every part can do. part_env fails while the part is not up, and start then starts it.
dispatch() {
  case "${1:-}" in
    start) part_env >/dev/null 2>&1 || part_start ;;
    stop) part_stop ;;
    env) part_env || die "not up: start it first" ;;
    *) die "usage: ${0##*/} start|stop|env" ;;
  esac
}
