//! What it costs to learn what a tree holds: all of it, what was touched, and the way from one manifest to the next.
//! `cargo bench -p replication --bench scan`

#![allow(clippy::unwrap_used, reason = "a benchmark")]

use std::fs;

use divan::Bencher;
use jiff::Timestamp;
use replication::{Entry, Manifest, Source, SourceKind, SourceSpec, Touched, TreeChanges, Unwatched};
use tempfile::TempDir;

fn main() {
    divan::main();
}

/// Files of 4 kB in three levels, and their source, read once.
fn tree(files: usize) -> (TempDir, Source) {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..files {
        let parent = dir.path().join(format!("source/{}/{}", i % 20, i / 20 % 20));
        fs::create_dir_all(&parent).unwrap();
        fs::write(parent.join(i.to_string()), i.to_string().repeat(1000)).unwrap();
    }
    let path = dir.path().join("source");
    let spec = SourceSpec { kind: SourceKind::Files, path, excludes: vec![], forbidden: vec![] };
    let mut source = Source::new(spec, dir.path().join("scratch")).unwrap();
    source.capture(Timestamp::MAX, false, &Unwatched).unwrap();
    (dir, source)
}

#[divan::bench(args = [2_000, 20_000], sample_count = 20)]
fn whole_walk(bencher: Bencher<'_, '_>, files: usize) {
    let (_dir, mut source) = tree(files);
    bencher.bench_local(|| source.capture(Timestamp::MAX, false, &Unwatched).unwrap());
}

#[divan::bench(args = [2_000, 20_000], sample_count = 20)]
fn one_touched_name(bencher: Bencher<'_, '_>, files: usize) {
    let (dir, mut source) = tree(files);
    let mut touched = Touched::nothing();
    touched.name(b"0/0/0");
    let mut round = 0u64;
    bencher.bench_local(|| {
        round += 1;
        fs::write(dir.path().join("source/0/0/0"), round.to_string()).unwrap();
        source.capture_touched(Timestamp::MAX, &touched, &Unwatched).unwrap()
    });
}

/// A manifest and its successor, in which one file is newer.
fn manifests() -> (Manifest, Manifest) {
    let (_dir, mut source) = tree(20_000);
    let manifest = source.capture(Timestamp::MAX, false, &Unwatched).unwrap().manifest;
    let newer: Vec<Entry> = manifest.entries().last().cloned().into_iter().collect();
    let newer = newer.into_iter().map(|entry| Entry { mode: 0o600, ..entry }).collect();
    let next = manifest.apply(&TreeChanges::new(vec![], newer)).unwrap();
    (manifest, next)
}

#[divan::bench(sample_count = 20)]
fn changes_between(bencher: Bencher<'_, '_>) {
    let (old, new) = manifests();
    bencher.bench_local(|| new.changes_from(&old));
}

#[divan::bench(sample_count = 20)]
fn apply_changes(bencher: Bencher<'_, '_>) {
    let (old, new) = manifests();
    let changes = new.changes_from(&old);
    bencher.bench_local(|| old.apply(&changes).unwrap());
}

#[divan::bench(sample_count = 20)]
fn decode(bencher: Bencher<'_, '_>) {
    let bytes = manifests().0.encode();
    bencher.bench_local(|| Manifest::decode(&bytes, 100_000).unwrap());
}
