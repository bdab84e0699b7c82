//! A list of names travels as what changed since the one that the replica has, and a source that lies about that is
//! refused like one that lies about a whole list.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pair::{Bomb, Pair, options, pull};
use replication::{
    Entry, EntryKind, ErrorKind, Limits, Manifest, Point, PullOptions, Source, SourceKind, SourceSpec, TreeChanges,
    TreePath, Unwatched, Watch,
};

fn many() -> Pair {
    let pair = Pair::files();
    for i in 0..1500 {
        pair.write(&format!("dir-{}/a-file-with-a-name-{i}", i % 20), format!("{i}"));
    }
    pair
}

#[test]
fn nothing_new_and_a_small_change_cost_the_wire_next_to_nothing() {
    let mut pair = many();
    let first = pair.sync().unwrap();
    let (idle, served) = pair.sync_watched(false, &Unwatched, &Unwatched);
    let (idle, served) = (idle.unwrap(), served.unwrap().unwrap());
    assert!(!idle.changed && served.unchanged);
    assert!(idle.received_bytes + served.sent_bytes < 200, "{idle:?}");
    pair.write("dir-7/a-file-with-a-name-7", "changed");
    let (small, served) = pair.sync_watched(false, &Unwatched, &Unwatched);
    let (small, served) = (small.unwrap(), served.unwrap().unwrap());
    assert!(small.changed && served.sent_files == 1);
    assert!(small.received_bytes < 1000, "{} bytes, the first time {}", small.received_bytes, first.received_bytes);
    pair.assert_equal();
}

#[test]
fn a_source_that_does_not_remember_sends_the_whole_list() {
    let mut pair = many();
    let first = pair.sync().unwrap();
    let spec = SourceSpec { kind: SourceKind::Files, path: pair.at(""), excludes: vec![], forbidden: vec![] };
    pair.source = Source::new(spec, pair.dir.path().join("scratch")).unwrap();
    pair.write("new", "x");
    let again = pair.sync().unwrap();
    assert!(again.received_bytes > first.received_bytes / 10, "{}", again.received_bytes);
    pair.write("newer", "x");
    assert!(pair.sync().unwrap().received_bytes < 1000, "from here on it remembers");
    pair.assert_equal();
}

#[test]
fn an_answer_that_was_lost_and_files_that_moved_on_do_not_lose_the_thread() {
    let mut pair = many();
    pair.sync().unwrap();
    pair.write("dir-1/new", "x");
    let lost = pair.sync_watched(false, &Bomb::new(Point::Cleaned, 1), &Unwatched).0;
    assert!(lost.is_err(), "committed here, and the source never heard of it");
    pair.write("dir-2/new", "x");
    assert!(pair.sync().unwrap().received_bytes < 1000);
    // Captured, then changed before it travels: what was agreed on in the end is the base of the next list.
    pair.write("dir-3/new", "one");
    let capture = pair.capture();
    pair.write("dir-3/new", "and another content");
    pair.generation += 1;
    let generation = pair.generation;
    let (pulled, served) = pull(pair.replica(), &capture, generation, false, &Unwatched, &Unwatched);
    assert_eq!((pulled.is_ok(), served.unwrap().amended), (true, 1));
    pair.write("dir-4/new", "x");
    assert!(pair.sync().unwrap().received_bytes < 1000);
    pair.assert_equal();
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32 + 1).to_le_bytes().to_vec();
    out.push(kind);
    out.extend_from_slice(payload);
    out
}

/// An offer of changes that make this content of that many entries.
fn changes(id: &[u8; 32], entries: u64, bytes: &[u8]) -> Vec<u8> {
    with_along(id, entries, bytes, None)
}

/// The same, and this content along with it.
fn with_along(id: &[u8; 32], entries: u64, bytes: &[u8], along: Option<&[u8]>) -> Vec<u8> {
    let mut head = 9u64.to_le_bytes().to_vec();
    head.extend_from_slice(&[0; 12]);
    head.extend_from_slice(id);
    head.extend_from_slice(&entries.to_le_bytes());
    head.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    let block = |bytes: &[u8]| [&[0u8], (bytes.len() as u32).to_le_bytes().as_slice(), bytes].concat();
    let along = along.map_or(Vec::new(), |along| frame(21, &block(along)));
    [frame(18, &head), frame(4, &block(bytes)), along, frame(5, &[])].concat()
}

fn told(pair: &mut Pair, bytes: &[u8]) -> ErrorKind {
    let (mut here, mut there) = UnixStream::pair().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            let _ = there.write_all(bytes);
            let _ = there.shutdown(std::net::Shutdown::Write);
            let _ = there.read_to_end(&mut Vec::new());
        });
        let options = PullOptions { limits: Limits { entries: 50, manifest_bytes: 1 << 20 }, ..options(false) };
        let error = pair.replica().pull(&mut here, &options, &Unwatched).unwrap_err();
        drop(here);
        error.kind()
    })
}

#[test]
fn lies_about_what_changed_are_refused_and_what_is_here_stays() {
    use ErrorKind::{HashMismatch, PeerProtocol};
    let mut pair = Pair::files();
    pair.write("dir/a", "x");
    pair.write("b", "x");
    let held = pair.capture().manifest;
    let path = |text: &str| TreePath::parse(text.as_bytes()).unwrap();
    let like = |text: &str| Entry { path: path(text), ..held.get(&path("b")).unwrap().clone() };
    let gone = |names: &[&str]| TreeChanges::new(names.iter().map(|name| path(name)).collect(), vec![]).encode();
    let put = |entries: Vec<Entry>| TreeChanges::new(vec![], entries).encode();
    let outside = {
        let (mut bytes, hidden) = (put(vec![like("up/x")]), b"up/x");
        let at = bytes.windows(4).position(|four| four == hidden).unwrap();
        bytes[at..at + 4].copy_from_slice(b"../x");
        bytes
    };
    let crowd: Vec<Entry> = (0..60).map(|i| like(&format!("b-{i}"))).collect();
    let announced = [10_000_000u64.to_le_bytes(), 0u64.to_le_bytes()].concat();
    let dir = Entry { kind: EntryKind::Dir, ..like("b") };
    let honest = |changes: &[u8]| -> Manifest { held.apply(&TreeChanges::decode(changes, 50).unwrap()).unwrap() };
    let true_id = *honest(&put(vec![like("c")])).content_id().as_bytes();
    let table: Vec<(&str, Vec<u8>, ErrorKind)> = vec![
        ("gone although never there", changes(&[1; 32], 5, &gone(&["nowhere"])), PeerProtocol),
        ("a directory gone from above its files", changes(&[1; 32], 5, &gone(&["dir"])), PeerProtocol),
        ("no root", changes(&[1; 32], 5, &gone(&[""])), PeerProtocol),
        ("below a file", changes(&[1; 32], 5, &put(vec![like("b/below")])), PeerProtocol),
        ("below nothing", changes(&[1; 32], 5, &put(vec![like("none/below")])), PeerProtocol),
        ("outside", changes(&[1; 32], 5, &outside), PeerProtocol),
        ("too many", changes(&[1; 32], 50, &put(crowd.clone())), PeerProtocol),
        ("more than announced", changes(&[1; 32], 4, &put(vec![like("c")])), PeerProtocol),
        ("ten million announced", changes(&[1; 32], 5, &announced), PeerProtocol),
        ("ten million in the end", changes(&[1; 32], 10_000_000, &put(vec![])), PeerProtocol),
        ("bytes left over", changes(&[1; 32], 5, &[put(vec![]), vec![1]].concat()), PeerProtocol),
        ("noise", changes(&[1; 32], 5, &[7; 100]), PeerProtocol),
        ("another id", changes(&[1; 32], 5, &put(vec![dir])), HashMismatch),
        ("the id of something else", changes(&true_id, 5, &put(vec![like("d")])), HashMismatch),
    ];
    assert_eq!(told(&mut pair, &changes(&true_id, 5, &put(vec![like("c")]))), PeerProtocol, "nothing is here yet");
    pair.sync().unwrap();
    for (name, bytes, kind) in table {
        assert_eq!(told(&mut pair, &bytes), kind, "{name}");
        pair.assert_equal();
    }
    // The same bytes with the truth in them go on to content that is not here.
    pair.write("other", "zz");
    let other = Entry { path: path("c"), ..pair.capture().manifest.get(&path("other")).unwrap().clone() };
    fs::remove_file(pair.at("other")).unwrap();
    let new = put(vec![other]);
    let (id, position) = (
        honest(&new).content_id(),
        honest(&new).entries().iter().position(|one| one.path == path("c")).unwrap() as u32,
    );
    let told_along = |pair: &mut Pair, along: &[u8]| told(pair, &with_along(id.as_bytes(), 5, &new, Some(along)));
    let child = |index: u32, content: &[u8]| {
        [index.to_le_bytes().as_slice(), &(content.len() as u32).to_le_bytes(), content].concat()
    };
    assert_eq!(told(&mut pair, &changes(id.as_bytes(), 5, &new)), ErrorKind::ConnectionLost);
    assert_eq!(told_along(&mut pair, &child(position, b"not")), HashMismatch);
    assert_eq!(told_along(&mut pair, &child(0, b"zz")), PeerProtocol, "the root has no content");
    assert_eq!(told_along(&mut pair, &child(77, b"zz")), PeerProtocol, "there is no such entry");
    assert_eq!(told_along(&mut pair, &child(position, b"zz")[..9]), PeerProtocol, "cut off");
    assert_eq!(told_along(&mut pair, &child(position, &vec![7; 1 << 20])), PeerProtocol, "more than may");
    pair.write("honest", "x");
    pair.sync().unwrap();
    pair.assert_equal();
}

/// The replica's end of a stream, on which nothing may be said before the commit.
struct Mute<'a> {
    stream: UnixStream,
    committed: &'a AtomicBool,
}

impl Read for Mute<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Mute<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        assert!(self.committed.load(Ordering::SeqCst), "nothing is said before the commit");
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

struct Committed<'a>(&'a AtomicBool);

impl Watch for Committed<'_> {
    fn reached(&self, point: Point) -> bool {
        self.0.fetch_or(point == Point::Committed, Ordering::SeqCst);
        true
    }
}

#[test]
fn small_changes_arrive_without_a_word_of_whoever_asked_ahead() {
    let mut pair = many();
    pair.sync().unwrap();
    let shapes: [&dyn Fn(&Pair); 4] = [
        &|pair| pair.write("dir-1/new", "a small file"),
        &|pair| pair.write("dir-1/new", "another content"),
        &|pair| fs::rename(pair.at("dir-1/new"), pair.at("dir-2/new")).unwrap(),
        &|pair| fs::remove_file(pair.at("dir-2/new")).unwrap(),
    ];
    for (at, shape) in shapes.into_iter().enumerate() {
        shape(&pair);
        let capture = pair.capture();
        pair.generation += 1;
        let (generation, committed) = (pair.generation, AtomicBool::new(false));
        let (here, mut there) = UnixStream::pair().unwrap();
        let request = pair.replica().request().unwrap();
        let (pulled, served) = thread::scope(|scope| {
            let served = scope.spawn(|| capture.serve_asked(&mut there, &request, generation, &Unwatched));
            let mut mute = Mute { stream: here, committed: &committed };
            let options = PullOptions { asked: Some(&request), ..options(false) };
            let pulled = pair.replica().pull(&mut mute, &options, &Committed(&committed));
            drop(mute);
            (pulled.unwrap(), served.join().unwrap().unwrap())
        });
        let travelled = u64::from(at < 2);
        assert_eq!((pulled.received_files, served.sent_files), (travelled, travelled), "shape {at}");
        pair.assert_equal();
    }
}

#[test]
fn what_was_asked_ahead_and_is_not_lacking_any_more_is_refused() {
    let mut pair = many();
    pair.sync().unwrap();
    let request = pair.replica().request().unwrap();
    pair.write("dir-1/new", "x");
    pair.sync().unwrap();
    assert_ne!(pair.replica().request().unwrap(), request);
    let (mut here, there) = UnixStream::pair().unwrap();
    let refused = pair.replica().pull(&mut here, &PullOptions { asked: Some(&request), ..options(false) }, &Unwatched);
    drop(there);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::PeerProtocol);
    pair.write("dir-1/newer", "x");
    pair.sync().unwrap();
    pair.assert_equal();
}
