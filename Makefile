# One word per thing a person wants to do. Each target works in a clean clone, as
# the only command typed; the scripts in end2end/ do the work.
#
#   make demo      a licensed Master and DR Client on this machine, with sample data
#   make test      everything that must be green before a change lands
#   make bench     replication beside rsync and lsyncd, in figures
#   make build     the product: one binary with the site inside
#   make install   binary and systemd unit (DESTDIR and PREFIX are respected)
#
# cargo's output goes to CARGO_TARGET_DIR, by default outside the clone, so that
# every clone and `make` target starts warm; the site is built in target/site.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export CARGO_TARGET_DIR ?= $(HOME)/.cache/tvox-dr/target
export CARGO_INCREMENTAL := 0

ENV := . end2end/env.sh
RELEASE_BINARY = $(CARGO_TARGET_DIR)/release/tvox-dr
DEV_BINARY = $(CARGO_TARGET_DIR)/debug/tvox-dr

PREFIX ?= /usr/local
UNITDIR ?= /etc/systemd/system
# Fixed by the unit (StateDirectory=).
STATEDIR := /var/lib/tvox-dr

.PHONY: help
help:
	@sed -n 's/^#   //p' Makefile
	echo "also: setup site dev fmt clippy deny unit doc e2e soak audit uninstall clean"

# What the other targets need, installed only where it is missing.
.PHONY: setup
setup:
	@end2end/setup.sh

# What the browser loads.
.PHONY: site
site: setup
	@end2end/site.sh

# The product. Refuses to embed a site that is not there.
.PHONY: build
build: site
	@$(ENV)
	[ -s target/site/pkg/tvox-dr_bg.wasm ] || die "no site in target/site: run 'make site'"
	cargo build --release -p server --bin tvox-dr
	echo "built $(RELEASE_BINARY) ($$(stat -c %s "$(RELEASE_BINARY)") bytes)"

# The binary that the tests run: the same, compiled quickly.
.PHONY: dev
dev: site
	@$(ENV)
	cargo build -p server --bin tvox-dr

.PHONY: demo
demo: build
	@exec end2end/demo.sh "$(RELEASE_BINARY)"

# Order: what fails fastest comes first. No release build.
.PHONY: test
test: setup site
	@for part in fmt clippy deny unit doc e2e; do
		printf '\n== %s\n' "$$part"
		start=$$SECONDS
		$(MAKE) "$$part" SKIP_SITE=1
		printf '== %s: %s s\n' "$$part" "$$((SECONDS - start))"
	done

# The parts can be called alone; `make test` has built the site already.
ifndef SKIP_SITE
clippy unit doc e2e: site
deny: setup
endif

.PHONY: fmt
fmt:
	@$(ENV)
	cargo fmt --all --check

# Never --all-features: `ssr` and `hydrate` are two halves of one crate, compiled apart.
.PHONY: clippy
clippy:
	@$(ENV)
	cargo clippy --workspace --all-targets -- -D warnings
	if [ "$$(wasm_cargo)" = rustup ]; then
		cargo clippy -p app --lib --features hydrate --target "$$WASM_TARGET" -- -D warnings
	else
		cargo clippy -p app --lib --features hydrate -- -D warnings
	fi

# The advisory database needs the Internet: see `audit`.
.PHONY: deny
deny:
	@$(ENV)
	cargo deny --offline --log-level error check bans licenses sources

.PHONY: unit
unit:
	@$(ENV)
	if cargo nextest --version >/dev/null 2>&1; then
		cargo nextest run --workspace --no-fail-fast --no-tests=pass
	else
		cargo test --workspace --lib --bins --tests --no-fail-fast
	fi

.PHONY: doc
doc:
	@$(ENV)
	cargo test --workspace --doc

# Two real processes, a real browser, on the development binary.
# STORY=part-of-a-name runs only those.
.PHONY: e2e
e2e:
	@$(ENV)
	cargo build -p server --bin tvox-dr
	cargo build -p replication --example copy
	TVOX_DR_BIN="$(DEV_BINARY)" TVOX_DR_COPY="$(CARGO_TARGET_DIR)/debug/examples/copy" node end2end/run.mjs $(STORY)

# The product beside rsync and lsyncd, as root, on a quiet machine: about six minutes a round.
# ROUNDS=5; SCALE=1 instead measures what one change costs as the tree grows; README=1 puts the table there.
.PHONY: bench
bench: build
	@$(ENV)
	cargo build --release -p replication --example copy
	TVOX_DR_BIN="$(RELEASE_BINARY)" TVOX_DR_COPY="$(CARGO_TARGET_DIR)/release/examples/copy" \
		node end2end/bench/run.mjs --rounds $(or $(ROUNDS),5) $(if $(SCALE),--scale) $(if $(README),--readme)

# Long crash and load runs, an hour of lost packets, and the wide models: hours, not part of `make test`.
# TEST=part-of-a-name runs only those.
.PHONY: soak
soak: site
	@$(ENV)
	if cargo nextest --version >/dev/null 2>&1; then
		cargo nextest run --profile soak --workspace --run-ignored only --no-tests=pass $(TEST)
	else
		cargo test --workspace --no-fail-fast -- --ignored $(TEST)
	fi

# Known vulnerabilities in what we depend on; needs the advisory database.
.PHONY: audit
audit: setup
	@$(ENV)
	cargo deny check advisories

# Installs what `make build` made and starts nothing: building as a user and
# installing as root is two commands on purpose.
.PHONY: install
install:
	@if [ ! -x "$(RELEASE_BINARY)" ]; then echo "no $(RELEASE_BINARY): run 'make build' first (with the same HOME or CARGO_TARGET_DIR)" >&2; exit 1; fi
	install -D -m 0755 "$(RELEASE_BINARY)" "$(DESTDIR)$(PREFIX)/bin/tvox-dr"
	install -d -m 0755 "$(DESTDIR)$(UNITDIR)"
	sed 's#@BINDIR@#$(PREFIX)/bin#g' server/systemd/tvox-dr.service > "$(DESTDIR)$(UNITDIR)/tvox-dr.service"
	chmod 0644 "$(DESTDIR)$(UNITDIR)/tvox-dr.service"
	install -d -m 0711 "$(DESTDIR)$(STATEDIR)"
	if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
	echo "installed $(DESTDIR)$(PREFIX)/bin/tvox-dr; next: tvox-dr init --data $(STATEDIR) …, then systemctl enable --now tvox-dr"

# Takes away the program, never its state.
.PHONY: uninstall
uninstall:
	rm -f "$(DESTDIR)$(PREFIX)/bin/tvox-dr" "$(DESTDIR)$(UNITDIR)/tvox-dr.service"
	if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi

# What this clone made. The shared cache stays: rm -rf ~/.cache/tvox-dr is yours to type.
.PHONY: clean
clean:
	rm -rf target demo end2end/node_modules end2end/output
