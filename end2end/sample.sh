#!/usr/bin/env bash
# Lays out a PBX's data in a folder, from what setup.sh unpacked of Debian's
# packages: kamailio's configuration, Italian prompts, and a SQLite database with
# kamailio's own schema and some extensions. Nothing is installed or started.
#
#   sample.sh FOLDER          →  FOLDER/etc  FOLDER/sounds  FOLDER/db/kamailio.sqlite
#   sample.sh --write DB      one call more in DB: a row of accounting, and the
#                             registration of the extension that called
#   sample.sh --writer DB SECONDS PARENT
#                             that, again and again, until PARENT has ended
set -euo pipefail
# shellcheck source=end2end/env.sh
. "$(dirname "$0")/env.sh"

# What kamailio's own `kamdbctl create` loads for every installation.
tables=(standard acc lcr domain group permissions registrar usrloc msilo alias_db uri_db
  speeddial avpops auth_db pdt dialog dispatcher dialplan topos)

lay_out() {
  local at="$1" sample="$TVOX_DR_SAMPLE" table
  [ -d "$sample/etc/kamailio" ] || die "no sample data in $sample: run 'make setup'"
  mkdir -p "$at/etc/kamailio" "$at/sounds" "$at/db"
  cp -R "$sample/etc/kamailio/." "$at/etc/kamailio/"
  cp -R "$sample/usr/share/doc/kamailio/examples" "$at/etc/kamailio/examples"
  cp -R "$sample/usr/share/asterisk/sounds/it_IT_m_Carlo" "$at/sounds/it"
  # What a file tree has besides plain files.
  ln -sfn it "$at/sounds/default"
  mkdir -p "$at/etc/kamailio/certs" && chmod 0750 "$at/etc/kamailio/certs"

  local db="$at/db/kamailio.sqlite"
  rm -f "$db" "$db-wal" "$db-shm"
  {
    echo "PRAGMA journal_mode=WAL;"
    echo "BEGIN;"
    for table in "${tables[@]}"; do cat "$sample/usr/share/kamailio/db_sqlite/$table-create.sql"; done
    cat <<'SQL'
WITH RECURSIVE extension(n) AS (SELECT 200 UNION ALL SELECT n + 1 FROM extension WHERE n < 299)
INSERT INTO subscriber (username, domain) SELECT n, 'pbx.example' FROM extension;
COMMIT;
SQL
  } | sqlite3 -bail "$db" >/dev/null
}

write_once() {
  sqlite3 -bail -cmd '.timeout 5000' "$1" <<'SQL'
BEGIN IMMEDIATE;
INSERT INTO acc (method, from_tag, to_tag, callid, sip_code, sip_reason, time)
  VALUES ('INVITE', lower(hex(randomblob(4))), lower(hex(randomblob(4))),
          lower(hex(randomblob(16))) || '@pbx.example', '200', 'OK', datetime('now'));
WITH caller(n) AS (SELECT 200 + abs(random() % 100))
INSERT INTO location (ruid, username, domain, contact, expires, callid, last_modified, user_agent)
  SELECT 'sample-' || n, n, 'pbx.example', 'sip:' || n || '@192.0.2.' || (n - 199) || ':5060',
         datetime('now', '+1 hour'), 'reg-' || n, datetime('now'), 'sample phone' FROM caller
  WHERE true
  ON CONFLICT (ruid) DO UPDATE SET expires = excluded.expires, last_modified = excluded.last_modified;
COMMIT;
SQL
}

case "${1:-}" in
  --write) write_once "$2" ;;
  --writer)
    while kill -0 "$4" 2>/dev/null && [ -f "$2" ]; do
      write_once "$2" || true
      sleep "$3"
    done
    ;;
  "" | -*) die "usage: sample.sh FOLDER | --write DB | --writer DB SECONDS PARENT" ;;
  *) lay_out "$1" ;;
esac
