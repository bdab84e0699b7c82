//! What it costs to put content into frames, without a network: what a replica once said is said again to the source, and
//! what the source answers goes nowhere. `cargo bench -p replication --bench frame`

#![allow(clippy::unwrap_used, reason = "a benchmark")]

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

use divan::{Bencher, counter::BytesCount};
use jiff::Timestamp;
use replication::{Capture, Limits, PullOptions, Replica, Source, SourceKind, SourceSpec, Unwatched};

const GENERATION: u64 = 1;

fn main() {
    divan::main();
}

/// A stream that remembers what was written to it.
struct Overheard(UnixStream, Vec<u8>);

impl Read for Overheard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Overheard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write(bytes)?;
        self.1.extend_from_slice(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A replica that says what one said before, and listens to nothing.
struct Parrot<'a>(&'a [u8]);

impl Read for Parrot<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Parrot<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(divan::black_box(bytes).len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All that a replica says while it takes everything in.
fn overhear(capture: &Capture, store: &Path) -> Vec<u8> {
    let (here, mut there) = UnixStream::pair().unwrap();
    let mut here = Overheard(here, Vec::new());
    let now = || Timestamp::MAX;
    let options = PullOptions {
        heal: false,
        reserve_bytes: 0,
        now: &now,
        limits: Limits::default(),
        keep_older: None,
        forget_older: false,
        asked: None,
    };
    thread::scope(|scope| {
        scope.spawn(move || capture.serve(&mut there, GENERATION, &Unwatched).unwrap());
        let mut replica = Replica::open(store.to_owned(), SourceKind::Files).unwrap();
        replica.pull(&mut here, &options, &Unwatched).unwrap();
    });
    here.1
}

fn serve(bencher: Bencher<'_, '_>, bytes: usize, fill: impl FnOnce(&Path)) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("source");
    fs::create_dir(&path).unwrap();
    fill(&path);
    let spec = SourceSpec { kind: SourceKind::Files, path, excludes: vec![], forbidden: vec![] };
    let mut source = Source::new(spec, dir.path().join("scratch")).unwrap();
    let capture = source.capture(Timestamp::MAX, false, &Unwatched).unwrap();
    let said = overhear(&capture, &dir.path().join("store"));
    let again = || capture.serve(&mut Parrot(&said), GENERATION, &Unwatched).unwrap();
    bencher.counter(BytesCount::new(bytes)).bench_local(again);
}

/// Bytes that do not compress.
fn noise(len: usize, seed: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

#[divan::bench(sample_count = 20)]
fn one_large_file(bencher: Bencher<'_, '_>) {
    const SIZE: usize = 64 << 20;
    serve(bencher, SIZE, |dir| fs::write(dir.join("large"), noise(SIZE, 0)).unwrap());
}

#[divan::bench(sample_count = 20)]
fn one_log(bencher: Bencher<'_, '_>) {
    let line = b"2026-11-23 09:12:44 NOTICE[4211] chan_sip.c: a line of a log like any other\n";
    let text = line.repeat((64 << 20) / line.len());
    serve(bencher, text.len(), |dir| fs::write(dir.join("log"), text).unwrap());
}

#[divan::bench(args = [1_000, 10_000], sample_count = 20)]
fn small_files(bencher: Bencher<'_, '_>, files: usize) {
    const SIZE: usize = 4 << 10;
    serve(bencher, files * SIZE, |dir| {
        (0..files).for_each(|i| fs::write(dir.join(i.to_string()), noise(SIZE, i)).unwrap());
    });
}
