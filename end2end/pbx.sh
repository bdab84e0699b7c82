#!/usr/bin/env bash
# The telephone system of the demo: a call a second into a PBX's database. It is
# what a service of tvox-dr starts, stops and checks.
#
#   pbx.sh start|stop|check DB PIDFILE PARENT     ends with PARENT, too
set -euo pipefail
# shellcheck source=end2end/env.sh
. "$(dirname "$0")/env.sh"

verb="$1" db="$2" pidfile="$3" parent="$4"
alive() { [ -s "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null; }

case "$verb" in
  start)
    [ -e "$db" ] || die "there is no database $db"
    alive && exit 0
    setsid "$ROOT/end2end/sample.sh" --writer "$(realpath "$db")" 1 "$parent" </dev/null >/dev/null 2>&1 &
    echo $! >"$pidfile"
    ;;
  stop)
    alive && kill -- "-$(cat "$pidfile")"
    rm -f "$pidfile"
    ;;
  check) alive ;;
  *) die "usage: pbx.sh start|stop|check DB PIDFILE PARENT" ;;
esac
