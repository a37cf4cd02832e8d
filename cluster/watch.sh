#!/usr/bin/env bash
# Starts preemption_watch.py in the background, once: watch.sh aws|gcp|azure. On a machine that is not spot it waits for ever.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/node.env"
log=${TMPDIR:-/tmp}/preemption_watch.log
# One that runs for the Ray before this one would do as well: it asks for the Ray of the day when it tells.
nohup setsid flock --nonblock "$log.lock" python "$here/preemption_watch.py" --cloud "$1" >>"$log" 2>&1 </dev/null &
