//! What it costs to read content and to know it by its hash: large, small, and mostly holes.
//! `cargo bench -p replication --bench hash`

#![allow(clippy::unwrap_used, reason = "a benchmark")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use divan::{Bencher, counter::BytesCount};
use jiff::Timestamp;
use replication::{Source, SourceKind, SourceSpec, Unwatched};

fn main() {
    divan::main();
}

/// Reads everything below a directory again, round after round.
fn rehash(bencher: Bencher<'_, '_>, bytes: usize, fill: impl FnOnce(&Path)) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("source");
    fs::create_dir(&path).unwrap();
    fill(&path);
    let spec = SourceSpec { kind: SourceKind::Files, path, excludes: vec![], forbidden: vec![] };
    let mut source = Source::new(spec, dir.path().join("scratch")).unwrap();
    let capture = || source.capture(Timestamp::MAX, true, &Unwatched).unwrap();
    bencher.counter(BytesCount::new(bytes)).bench_local(capture);
}

#[divan::bench(sample_count = 20)]
fn one_large_file(bencher: Bencher<'_, '_>) {
    const SIZE: usize = 64 << 20;
    rehash(bencher, SIZE, |dir| fs::write(dir.join("large"), vec![7; SIZE]).unwrap());
}

#[divan::bench(args = [1_000, 10_000], sample_count = 20)]
fn small_files(bencher: Bencher<'_, '_>, files: usize) {
    const SIZE: usize = 4 << 10;
    rehash(bencher, files * SIZE, |dir| {
        (0..files).for_each(|i| fs::write(dir.join(i.to_string()), vec![i as u8; SIZE]).unwrap());
    });
}

#[divan::bench(sample_count = 20)]
fn one_file_of_holes(bencher: Bencher<'_, '_>) {
    const SIZE: usize = 64 << 20;
    rehash(bencher, SIZE, |dir| {
        let file = File::create(dir.join("sparse")).unwrap();
        file.set_len(SIZE as u64).unwrap();
        file.write_all_at(b"in the middle", SIZE as u64 / 2).unwrap();
    });
}
