#!/usr/bin/env bash
# Builds what the browser loads into target/site, inside the clone: the release
# binary embeds that folder, so it belongs to these sources and to no other
# clone's, wherever cargo's own output may be.
#
#   target/site/pkg/tvox-dr.js, tvox-dr_bg.wasm   the islands (names: leptos' HydrationScripts)
#   target/site/style.css                         style/main.css
#   target/site/*                                 the rest of style/, as it is
#   each text or wasm file beside its .br and .gz
#
# Does nothing when nothing that goes in has changed.
set -euo pipefail
# shellcheck source=end2end/env.sh
. "$(dirname "$0")/env.sh"
cd "$ROOT"

site=target/site
name=tvox-dr

# -Oz for size; only encodings that every supported browser reads (never --all-features).
wasm_opt_flags=(
  -Oz --enable-bulk-memory --enable-bulk-memory-opt --enable-call-indirect-overlong
  --enable-multivalue --enable-mutable-globals --enable-nontrapping-float-to-int
  --enable-reference-types --enable-sign-ext
)

inputs() {
  # File names and contents; the compiler; this recipe.
  find app style server/crates/contract Cargo.toml Cargo.lock rust-toolchain.toml end2end/site.sh end2end/compress.mjs \
    -type f ! -path '*/tests/*' ! -name '*.md' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
  if [ "$(wasm_cargo)" = debian ]; then /usr/bin/rustc --version; else rustc --version; fi
  wasm-bindgen --version
}

hash="$(inputs | sha256sum | cut -d' ' -f1)"
if [ "$(cat "$site.inputs" 2>/dev/null || true)" = "$hash" ]; then
  say "site: up to date"
  exit 0
fi

say "site: compiling the islands ($(wasm_cargo))"
cargo_wasm build -p app --lib --features hydrate --profile wasm-release

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
wasm-bindgen --target web --no-typescript --out-name "$name" --out-dir "$work/pkg" \
  "$(wasm_target_dir)/$WASM_TARGET/wasm-release/app.wasm"
end2end/node_modules/.bin/wasm-opt "${wasm_opt_flags[@]}" "$work/pkg/${name}_bg.wasm" -o "$work/pkg/opt.wasm"
mv "$work/pkg/opt.wasm" "$work/pkg/${name}_bg.wasm"

[ -d style ] && cp -R style/. "$work/"
[ -f "$work/main.css" ] && mv "$work/main.css" "$work/style.css"
find "$work" -name '*.md' -delete
node end2end/compress.mjs "$work"

# The stamp goes in last, and beside: an interrupted copy is built again, and the
# embedded folder holds only what is served.
mkdir -p "$site"
rm -f "$site.inputs"
rsync -rlc --delete --chmod=D755,F644 "$work/" "$site/"
printf '%s\n' "$hash" >"$site.inputs"
