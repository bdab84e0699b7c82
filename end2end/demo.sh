#!/usr/bin/env bash
# A licensed Master and a licensed DR Client on this machine, on sample PBX data
# that is being written, for a person to look at. Uses nothing but the public
# command line: what it does, an administrator can do.
#
#   demo.sh [BINARY]      (make demo passes the release binary)
#   READY=1               pairs them, declares the data and waits for the first copy
#   TLS=1                 the panels as installed: HTTPS with a self-signed certificate
#   DEMO_FOR=SECONDS      stops by itself
#
# Everything is under demo/ in the clone, made anew each time. Ctrl-C stops all of
# it and leaves nothing running.
set -euo pipefail
# shellcheck source=end2end/env.sh
. "$(dirname "$0")/env.sh"
cd "$ROOT"

bin="$(realpath "${1:-$CARGO_TARGET_DIR/release/tvox-dr}")"
[ -x "$bin" ] || die "no binary $bin: run 'make build'"
demo="$ROOT/demo"
pbx="$demo/master-pbx"      # what the Master serves
replica="$demo/client-pbx"  # where the Client keeps its copy

# ---- one demo per clone -------------------------------------------------------

mkdir -p target
exec 9>target/demo.lock
flock -n 9 || die "a demo is already running in this clone"

# ---- nothing stays behind -----------------------------------------------------

# Every node of this demo, also one that a person stopped and started again by hand.
nodes() {
  local proc args
  for proc in /proc/[0-9]*; do
    # The command's words, one a line; a process may end while we look.
    args="$({ tr '\0' '\n' <"$proc/cmdline"; } 2>/dev/null)" || continue
    if grep -qx serve <<<"$args" &&
      grep -qxF -e "$demo/master" -e "$demo/client" -e "--data=$demo/master" -e "--data=$demo/client" <<<"$args"; then
      say "${proc#/proc/}"
    fi
  done
}

sinks=()
stop_all() {
  local status=$? pids n
  trap - EXIT
  trap '' INT TERM HUP
  if [ "${#sinks[@]}" -gt 0 ]; then kill "${sinks[@]}" 2>/dev/null || true; fi
  pids="$(nodes)"
  if [ -n "$pids" ]; then
    say "demo: stopping"
    # shellcheck disable=SC2086 # one word each
    kill $pids 2>/dev/null || true
    for n in {1..100}; do
      pids="$(nodes)"
      [ -z "$pids" ] && break
      sleep 0.1
      # shellcheck disable=SC2086
      [ "$n" = 99 ] && { say "demo: killing what did not stop in 10 s"; kill -9 $pids 2>/dev/null || true; }
    done
  fi
  exit "$status"
}
trap stop_all EXIT
trap 'exit 0' INT # the usual way to end it
trap 'exit 143' TERM HUP

# ---- ports --------------------------------------------------------------------

taken=()
# The first free loopback port from $1 on that was not given out yet → $port
pick_port() {
  port="$1"
  while [[ " ${taken[*]} " == *" $port "* ]] || [ -n "$(ss -Hltn "sport = :$port")" ]; do port=$((port + 1)); done
  taken+=("$port")
}
pick_port 8443; master_panel="127.0.0.1:$port"
pick_port 8444; client_panel="127.0.0.1:$port"
pick_port 5461; master_peer="127.0.0.1:$port"
pick_port 5462; client_peer="127.0.0.1:$port"
pick_port 2525; mail_port="$port"
pick_port 2580; sms_port="$port"

# ---- the two nodes ------------------------------------------------------------

# json EXPRESSION: reads JSON from stdin into `j`, prints the expression.
json() { node -e 'const j = JSON.parse(require("fs").readFileSync(0, "utf8")); const v = eval(process.argv[1]); console.log(v ?? "")' "$1"; }
master() { "$bin" "$@" --data "$demo/master"; }
client() { "$bin" "$@" --data "$demo/client"; }

rm -rf "$demo"
mkdir -p "$demo/licence" "$demo/log" "$demo/mail" "$demo/sms" "$replica"
chmod 0700 "$demo"
end2end/sample.sh "$pbx"

"$bin" licence keygen --out "$demo/licence/vendor.key" >/dev/null
http=(--insecure-http)
scheme=http
if [ -n "${TLS:-}" ]; then http=(); scheme=https; fi
init() { # ROLE NAME PANEL PEER
  "$bin" init --data "$demo/$1" --role "$1" --name "$2" --panel "$3" --peer "$4" "${http[@]}" \
    --licence-key "$demo/licence/vendor.key.pub" --json
}
master_init="$(init master master1 "$master_panel" "$master_peer")"
client_init="$(init client dr1 "$client_panel" "$client_peer")"
issue() { # SERIAL MODULE FILE
  "$bin" licence issue --key "$demo/licence/vendor.key" --serial "$1" --company "Demo S.p.A." --module "$2" \
    --out "$demo/licence/$3" >/dev/null
}
issue DEMO-MASTER DISASTER_RECOVERY master.lic
issue DEMO-CLIENT CLIENT_DISASTER_RECOVERY client.lic

serve() { # ROLE: ends with this shell, even when that is killed outright
  setpriv --pdeathsig TERM "$bin" serve --data "$demo/$1" >>"$demo/log/$1.log" 2>&1 9>&- </dev/null &
}
await_node() { # ROLE PID
  local n
  for n in {1..300}; do
    if "$1" status --json >/dev/null 2>&1; then return; fi
    kill -0 "$2" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 20 "$demo/log/$1.log" >&2
  die "the $1 does not answer: see demo/log/$1.log"
}
serve master; master_pid=$!
serve client; client_pid=$!
disown -a # their end is told below, not by the shell
await_node master "$master_pid"
await_node client "$client_pid"
master licence load "$demo/licence/master.lic" >/dev/null
client licence load "$demo/licence/client.lic" >/dev/null

# Where the alarms go: servers that keep what they are given in files.
sink() { # NAME PORT
  setpriv --pdeathsig TERM node "end2end/counterparts/$1-sink.mjs" --folder "$demo/${1/smtp/mail}" --port "$2" \
    >>"$demo/log/$1.log" 2>&1 9>&- </dev/null &
}
sink smtp "$mail_port"; sinks+=($!)
sink sms "$sms_port"; sinks+=($!)
disown -a
for log in smtp sms; do
  for n in {1..100}; do grep -qsx ready "$demo/log/$log.log" && continue 2; sleep 0.1; done
  die "the $log server of the demo did not start: see demo/log/$log.log"
done
for node in master client; do
  "$node" smtp set --server 127.0.0.1 --port "$mail_port" --security none --from tvox-dr@demo.example >/dev/null
  "$node" sms account add demo --url "http://127.0.0.1:$sms_port/" --header 'Content-Type: application/json' \
    --body '{"to":"{to}","text":"{text}","ref":"{ref}"}' >/dev/null
done

# The PBX at work, as a service of each machine: a call a second where it is up.
service() { # ROLE DATABASE
  local call="'$ROOT/end2end/pbx.sh' %s '$2' '$demo/$1.pbx' $$" start stop check
  # shellcheck disable=SC2059 # the format is ours
  printf -v start "$call" start && printf -v stop "$call" stop && printf -v check "$call" check
  "$1" service add centralino --start "$start" --stop "$stop" --check "$check" >/dev/null
}
service master "$pbx/db/kamailio.sqlite"
service client "$replica/db/kamailio.sqlite"

# The worst day, to be had at any time: the machine dies with its telephones, and comes back as after a boot.
cat >"$demo/kill-master" <<SCRIPT
#!/bin/sh
pkill -9 -xf '$bin serve --data $demo/master'
'$ROOT/end2end/pbx.sh' stop '$pbx/db/kamailio.sqlite' '$demo/master.pbx' $$
echo 'The Master is dead, its telephones too. The DR Client will notice within seconds.'
SCRIPT
cat >"$demo/start-master" <<SCRIPT
#!/bin/sh
TVOX_DR_BOOT_ID=\$(cat /proc/sys/kernel/random/uuid) setsid '$bin' serve --data '$demo/master' \\
  >>'$demo/log/master.log' 2>&1 </dev/null &
echo 'The Master boots.'
SCRIPT
chmod +x "$demo/kill-master" "$demo/start-master"

# ---- READY=1: what a person would otherwise do in the browser -----------------

datasets=(conf sounds calls)
declare -A kind=([conf]=files [sounds]=files [calls]=sqlite)
declare -A source=([conf]="$pbx/etc" [sounds]="$pbx/sounds" [calls]="$pbx/db/kamailio.sqlite")
declare -A target=([conf]="$replica/etc" [sounds]="$replica/sounds" [calls]="$replica/db/kamailio.sqlite")

await() { # WHAT SECONDS COMMAND…
  local what="$1" left="$2"
  shift 2
  until "$@"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || die "$what did not happen: see demo/log/"
    sleep 1
  done
}
associated() { [ "$("$1" status --json | json 'j.pair && j.pair.associated')" = true ]; }
copied() {
  [ "$(client sync status --json | json "j.datasets.filter(d => d.state === 'current').length")" = "${#datasets[@]}" ]
}

if [ -n "${READY:-}" ]; then
  say "demo: pairing the two"
  master peer set "$client_peer" >/dev/null
  client peer set "$master_peer" >/dev/null
  master peer token --json | json j.token | client peer join - >/dev/null
  await "the association" 30 associated master
  await "the association" 30 associated client
  for name in "${datasets[@]}"; do
    master dataset add "$name" --kind "${kind[$name]}" --source "${source[$name]}" --target "${target[$name]}" >/dev/null
  done
  for node in master client; do
    "$node" recipient add email operatore@demo.example >/dev/null
    "$node" recipient add sms 3471234567 >/dev/null
  done
  say "demo: first copy"
  client sync start >/dev/null
  await "the first copy" 120 copied
fi

# ---- what to look at ----------------------------------------------------------

user() { json j.user <<<"$1"; }
password() { json j.password <<<"$1"; }

# For scripts; the passwords are first passwords, changed at the first login.
umask_before="$(umask)"
umask 077
cat >"$demo/demo.json" <<JSON
{"schema":1,
 "master":{"url":"$scheme://$master_panel/","user":"$(user "$master_init")","password":"$(password "$master_init")","peer":"$master_peer","data":"$demo/master","pid":$master_pid},
 "client":{"url":"$scheme://$client_panel/","user":"$(user "$client_init")","password":"$(password "$client_init")","peer":"$client_peer","data":"$demo/client","pid":$client_pid}}
JSON
umask "$umask_before"

cat <<BANNER

  TVox DR is running.

    Master      $scheme://$master_panel/    $(user "$master_init") / $(password "$master_init")
    DR Client   $scheme://$client_panel/    $(user "$client_init") / $(password "$client_init")
    (each asks for a new password at the first login)
BANNER
if [ -n "${TLS:-}" ]; then
  cat <<BANNER

    The certificates are self-signed; their fingerprints:
    Master      $(json j.fingerprint <<<"$master_init")
    DR Client   $(json j.fingerprint <<<"$client_init")
BANNER
fi
if [ -n "${READY:-}" ]; then
  cat <<BANNER

  They are paired and in sync:
BANNER
else
  cat <<BANNER

  To pair them: on the Master's page Disaster Recovery set the Client's address
  $client_peer and copy the join token; on the Client's page set the Master's
  address $master_peer and paste it (or run this again with READY=1).
  Then declare on the Master, under Dati da replicare:
BANNER
fi
for name in "${datasets[@]}"; do
  printf '\n    %-7s %-7s %s\n                 →  %s\n' "$name" "${kind[$name]}" "${source[$name]}" "${target[$name]}"
done
cat <<BANNER

  The telephones work on the Master (service centralino: a call a second). Try:
    echo '# changed' >> $pbx/etc/kamailio/kamailio.cfg
    $bin sync status --data $demo/client

  The worst day (README, "The worst day in five minutes"):
    demo/kill-master          the machine dies with its telephones
                              → Attivazione on the DR Client: state who saw it off, press
    demo/start-master         it boots, learns who serves, and stays down
                              → Attivazione on the DR Client: roll back

  Logs: demo/log/   Logins for scripts: demo/demo.json
BANNER
cat <<BANNER
  While the Master is dead look at Monitor di sistema and Allarmi of the DR Client. Mail
  and SMS of alarms land in demo/mail/ and demo/sms/; who gets them is set on its page
  Disaster Recovery$([ -n "${READY:-}" ] && echo " (one of each is)"), the servers under SMTP and SMS, the limits under Soglie.
BANNER
say ""
say "  Ctrl-C stops everything.${DEMO_FOR:+ (By itself after $DEMO_FOR s.)}"

# ---- until told to stop -------------------------------------------------------

# A node that ends is told, not restarted: seeing what happens then is the point.
until_told() {
  local until=$((SECONDS + ${DEMO_FOR:-2147483647})) role was now
  declare -A up=([master]=1 [client]=1)
  while [ "$SECONDS" -lt "$until" ]; do
    # In the background and waited for, so that a signal is not kept waiting.
    sleep 1 9>&- & wait $! || true
    for role in master client; do
      was="${up[$role]}"
      now=; "$role" status --json >/dev/null 2>&1 && now=1
      up[$role]="$now"
      if [ -n "$was" ] && [ -z "$now" ]; then
        say "demo: the $role does not answer any more; to start it again: $bin serve --data $demo/$role"
      elif [ -z "$was" ] && [ -n "$now" ]; then
        say "demo: the $role answers again"
      fi
    done
  done
}
until_told
