# shellcheck shell=bash
# Where everything is, said once: sourced by the Makefile's recipes and by every
# script here, so that a tool is looked for in the place where it was put.
#
# Each of these may be set from outside:
#   CARGO_TARGET_DIR     cargo's output; outside the clone, so that clones share it
#   TVOX_DR_TOOLS        wasm-bindgen, cargo-deny, a Node.js where the system's is too old
#   TVOX_DR_SAMPLE       sample PBX data, unpacked from Debian's packages
#   TVOX_DR_KANNEL       an SMS gateway for the tests, unpacked from Debian's packages
#   TVOX_DR_BMC          a management controller for the tests, unpacked from Debian's packages
#   TVOX_DR_BIND         a DNS server for the tests, unpacked from Debian's packages
#   TVOX_DR_KAMAILIO     a telephone system for the tests, unpacked from Debian's packages
#   TVOX_DR_WASM_CARGO   who compiles the wasm: rustup | debian (found out if unset)

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
export ROOT
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HOME/.cache/tvox-dr/target}"
export TVOX_DR_TOOLS="${TVOX_DR_TOOLS:-$HOME/.cache/tvox-dr/tools}"
export TVOX_DR_SAMPLE="${TVOX_DR_SAMPLE:-$HOME/.cache/tvox-dr/sample}"
export TVOX_DR_KANNEL="${TVOX_DR_KANNEL:-$HOME/.cache/tvox-dr/kannel}"
export TVOX_DR_BMC="${TVOX_DR_BMC:-$HOME/.cache/tvox-dr/bmc}"
export TVOX_DR_BIND="${TVOX_DR_BIND:-$HOME/.cache/tvox-dr/bind}"
export TVOX_DR_KAMAILIO="${TVOX_DR_KAMAILIO:-$HOME/.cache/tvox-dr/kamailio}"
export CARGO_INCREMENTAL=0

# With this set, the server would ask the browser for another wasm file name.
unset LEPTOS_OUTPUT_NAME

# A shell that never sourced ~/.cargo/env still has a cargo.
case ":$PATH:" in
  *":$HOME/.cargo/bin:"*) ;;
  *) [ -d "$HOME/.cargo/bin" ] && PATH="$PATH:$HOME/.cargo/bin" ;;
esac
PATH="$TVOX_DR_TOOLS/bin:$PATH"
# A Node.js of our own is there only if the system's was too old (setup.sh).
if [ -d "$TVOX_DR_TOOLS/node/bin" ]; then PATH="$TVOX_DR_TOOLS/node/bin:$PATH"; fi
export PATH

WASM_TARGET=wasm32-unknown-unknown
export WASM_TARGET

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "${BASH_SOURCE[-1]}")" "$*" >&2; exit 1; }

# Does the default rustc have a standard library for the browser?
rustup_has_wasm() {
  local libdir
  libdir="$(cd "$ROOT" && rustc --print target-libdir --target "$WASM_TARGET" 2>/dev/null)" || return 1
  compgen -G "$libdir/libstd-*.rlib" >/dev/null
}

# Debian's rustc-web builds that library from its source package.
debian_has_wasm() {
  [ -x /usr/bin/cargo ] && [ -x /usr/bin/rustc ] && command -v wasm-ld-19 >/dev/null &&
    [ -d "$(/usr/bin/rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library" ]
}

wasm_cargo() {
  if [ -n "${TVOX_DR_WASM_CARGO:-}" ]; then
    case "$TVOX_DR_WASM_CARGO" in rustup | debian) say "$TVOX_DR_WASM_CARGO" ;; *) return 1 ;; esac
  elif rustup_has_wasm; then say rustup
  elif debian_has_wasm; then say debian
  else return 1; fi
}

# cargo for the browser's half, whichever toolchain can do it.
cargo_wasm() {
  case "$(wasm_cargo)" in
    rustup) cargo "$@" --target "$WASM_TARGET" ;;
    debian)
      # Beside the other artefacts, not among them: two compilers, one folder each.
      RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
        CARGO_TARGET_DIR="$CARGO_TARGET_DIR/debian" \
        CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19 \
        /usr/bin/cargo "$@" --target "$WASM_TARGET" -Zbuild-std=std,panic_abort
      ;;
    *) die "no compiler for $WASM_TARGET: run 'make setup'" ;;
  esac
}

# Where cargo_wasm leaves its output.
wasm_target_dir() {
  if [ "$(wasm_cargo)" = debian ]; then say "$CARGO_TARGET_DIR/debian"; else say "$CARGO_TARGET_DIR"; fi
}

# The version of a crate in Cargo.lock, so that no version is written down twice.
locked_version() {
  awk -v want="$1" '$1 == "name" { name = $3 } $1 == "version" && name == "\"" want "\"" { gsub(/"/, "", $3); print $3; exit }' "$ROOT/Cargo.lock"
}
