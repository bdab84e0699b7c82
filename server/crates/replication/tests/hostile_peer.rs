//! A peer that lies, on either side: refused with a typed error, nothing visible, nothing outside of the tree.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;

use pair::{Pair, list, options};
use replication::{ErrorKind, Limits, PullOptions, Unwatched};

const UNCHANGED: u8 = 2;
const OFFER: u8 = 3;
const PART: u8 = 4;
const PART_END: u8 = 5;
const DATA: u8 = 9;
const DATA_END: u8 = 10;

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32 + 1).to_le_bytes().to_vec();
    out.push(kind);
    out.extend_from_slice(payload);
    out
}

fn block(raw: &[u8]) -> Vec<u8> {
    [&[0u8], (raw.len() as u32).to_le_bytes().as_slice(), raw].concat()
}

/// One entry as it stands in a manifest.
fn entry(kind: u8, path: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend_from_slice(&(path.len() as u32).to_le_bytes());
    out.extend_from_slice(path);
    out.extend_from_slice(&0o755u32.to_le_bytes());
    out.extend_from_slice(&[0; 8 + 12]);
    out.extend_from_slice(rest);
    out.extend_from_slice(&[0; 2]);
    out
}

fn dir(path: &[u8]) -> Vec<u8> {
    entry(1, path, &[])
}

fn file(path: &[u8], content: &[u8]) -> Vec<u8> {
    let mut rest = (content.len() as u64).to_le_bytes().to_vec();
    rest.extend_from_slice(blake3::hash(content).as_bytes());
    rest.extend_from_slice(&0u32.to_le_bytes());
    entry(2, path, &rest)
}

/// A named pipe, but for its list of extended attributes.
fn fifo(path: &[u8]) -> Vec<u8> {
    let mut out = entry(4, path, &[0; 4]);
    out.truncate(out.len() - 2);
    out
}

/// A named pipe with extended attributes in this order.
fn with_xattrs(path: &[u8], xattrs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut out = fifo(path);
    out.extend_from_slice(&(xattrs.len() as u16).to_le_bytes());
    for field in xattrs.iter().flat_map(|(name, value)| [name, value]) {
        out.extend_from_slice(&(field.len() as u32).to_le_bytes());
        out.extend_from_slice(field);
    }
    out
}

fn encoded(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"TVDM\x02".to_vec();
    out.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    out.extend(entries.concat());
    out
}

fn head(id: &[u8], entries: u64, bytes: u64) -> Vec<u8> {
    let mut out = 1u64.to_le_bytes().to_vec();
    out.extend_from_slice(&[0; 12]);
    out.extend_from_slice(id);
    out.extend_from_slice(&entries.to_le_bytes());
    out.extend_from_slice(&bytes.to_le_bytes());
    out
}

/// The id of these entries: a hash over the hashes of the runs, each of which begins with a directory.
fn id(entries: &[Vec<u8>]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"TVDM\x02");
    let mut rest = entries;
    while let Some((first, more)) = rest.split_first() {
        let files = more.iter().position(|entry| entry[0] == 1).unwrap_or(more.len());
        let run = [first.as_slice(), &more[..files].concat()].concat();
        hasher.update(blake3::hash(&run).as_bytes());
        rest = &more[files..];
    }
    *hasher.finalize().as_bytes()
}

/// A whole offer of these entries, believable but for what is in them.
fn offer(entries: &[Vec<u8>]) -> Vec<u8> {
    let bytes = encoded(entries);
    let head = head(&id(entries), entries.len() as u64, bytes.len() as u64);
    [frame(OFFER, &head), frame(PART, &block(&bytes)), frame(PART_END, &[])].concat()
}

fn data(raw: &[u8]) -> Vec<u8> {
    [frame(DATA, &block(raw)), frame(DATA_END, &[])].concat()
}

/// An object operation.
fn object(index: u32, offset: u64, content: &[u8], verdict: u8, hash: &[u8]) -> Vec<u8> {
    let mut out = vec![1];
    out.extend_from_slice(&index.to_le_bytes());
    out.extend_from_slice(&offset.to_le_bytes());
    if !content.is_empty() {
        out.extend_from_slice(&(content.len() as u32).to_le_bytes());
        out.extend_from_slice(content);
    }
    out.extend_from_slice(&[0; 4]);
    out.push(verdict);
    out.extend_from_slice(hash);
    out
}

/// What the replica says to a source that sends exactly these bytes.
fn told(pair: &mut Pair, bytes: &[u8]) -> ErrorKind {
    let (mut here, mut there) = UnixStream::pair().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            let _ = there.write_all(bytes);
            let _ = there.shutdown(std::net::Shutdown::Write);
            let _ = there.read_to_end(&mut Vec::new());
        });
        let options = PullOptions { limits: Limits { entries: 1000, manifest_bytes: 1 << 20 }, ..options(false) };
        let error = pair.replica().pull(&mut here, &options, &Unwatched).unwrap_err();
        // The liar waits for us to hang up.
        drop(here);
        error.kind()
    })
}

#[test]
fn a_lying_source_is_refused_and_nothing_is_visible() {
    use ErrorKind::{ConnectionLost, HashMismatch, PeerProtocol};
    let root = || dir(b"");
    let x = blake3::hash(b"x");
    let honest = || offer(&[root(), file(b"f", b"x")]);
    let with = |ops: &[Vec<u8>]| [honest(), data(&ops.concat())].concat();
    let unknown_group = {
        let mut rest = 1u64.to_le_bytes().to_vec();
        rest.extend_from_slice(x.as_bytes());
        rest.extend_from_slice(&1u32.to_le_bytes());
        entry(2, b"f", &rest)
    };
    let bomb = {
        let packed = zstd::bulk::compress(&vec![0u8; 64 << 20], 1).unwrap();
        let payload = [&[1u8], (1u32 << 20).to_le_bytes().as_slice(), &packed].concat();
        [frame(OFFER, &head(&[0; 32], 1, 1 << 19)), frame(PART, &payload)].concat()
    };
    let deep = vec!["d"; 401].join("/");
    let table: Vec<(&str, Vec<u8>, ErrorKind)> = vec![
        ("dot-dot", offer(&[root(), file(b"..", b"x")]), PeerProtocol),
        ("dot-dot within", offer(&[root(), dir(b"a"), file(b"a/../../b", b"x")]), PeerProtocol),
        ("dot", offer(&[root(), file(b"./a", b"x")]), PeerProtocol),
        ("absolute", offer(&[root(), file(b"/etc/passwd", b"x")]), PeerProtocol),
        ("empty name", offer(&[root(), dir(b"a"), file(b"a//b", b"x")]), PeerProtocol),
        ("slash at the end", offer(&[root(), dir(b"a/")]), PeerProtocol),
        ("NUL", offer(&[root(), file(b"a\0b", b"x")]), PeerProtocol),
        ("name of 256", offer(&[root(), file(&[b'n'; 256], b"x")]), PeerProtocol),
        ("too deep", offer(&[root(), file(deep.as_bytes(), b"x")]), PeerProtocol),
        ("below a file", offer(&[root(), file(b"a", b"x"), file(b"a/b", b"x")]), PeerProtocol),
        ("below a symlink", offer(&[root(), entry(3, b"a", b"\x01\0\0\0/\0\0\0\0"), file(b"a/b", b"x")]), PeerProtocol),
        ("below nothing", offer(&[root(), file(b"a/b", b"x")]), PeerProtocol),
        ("twice", offer(&[root(), file(b"a", b"x"), file(b"a", b"x")]), PeerProtocol),
        ("out of order", offer(&[root(), file(b"b", b"x"), file(b"a", b"x")]), PeerProtocol),
        ("a device", offer(&[root(), entry(5, b"a", &[0; 8])]), PeerProtocol),
        (
            "attributes out of order",
            offer(&[root(), with_xattrs(b"a", &[(b"user.b", b""), (b"user.a", b"")])]),
            PeerProtocol,
        ),
        (
            "an attribute twice",
            offer(&[root(), with_xattrs(b"a", &[(b"user.a", b"1"), (b"user.a", b"2")])]),
            PeerProtocol,
        ),
        ("an attribute of the system", offer(&[root(), with_xattrs(b"a", &[(b"system.nfs4_acl", b"")])]), PeerProtocol),
        ("a large attribute", offer(&[root(), with_xattrs(b"a", &[(b"user.a", &[0; (64 << 10) + 1])])]), PeerProtocol),
        ("65,535 attributes, announced", offer(&[root(), [fifo(b"a").as_slice(), &[0xff; 2]].concat()]), PeerProtocol),
        ("no root", offer(&[file(b"a", b"x")]), PeerProtocol),
        ("root twice", offer(&[root(), root()]), PeerProtocol),
        ("nothing at all", offer(&[]), PeerProtocol),
        ("a hardlink of one", offer(&[root(), unknown_group]), PeerProtocol),
        ("ten million entries", frame(OFFER, &head(&[0; 32], 10_000_000, 1 << 19)), PeerProtocol),
        ("a terabyte of manifest", frame(OFFER, &head(&[0; 32], 10, 1 << 40)), PeerProtocol),
        (
            "more manifest than announced",
            [frame(OFFER, &head(&[0; 32], 1, 3)), frame(PART, &block(b"four"))].concat(),
            PeerProtocol,
        ),
        (
            "another id",
            {
                let bytes = encoded(&[root()]);
                [
                    frame(OFFER, &head(&[7; 32], 1, bytes.len() as u64)),
                    frame(PART, &block(&bytes)),
                    frame(PART_END, &[]),
                ]
                .concat()
            },
            HashMismatch,
        ),
        ("a bomb", bomb, PeerProtocol),
        ("a frame of 4 GB", [u32::MAX.to_le_bytes().as_slice(), &[3]].concat(), PeerProtocol),
        ("a frame of nothing", vec![0; 4], PeerProtocol),
        ("an unknown frame", frame(200, b"?"), PeerProtocol),
        ("a frame that is not due", frame(DATA, &block(b"x")), PeerProtocol),
        ("a short frame", frame(OFFER, b"x"), PeerProtocol),
        ("unchanged, though nothing is here", frame(UNCHANGED, &[0; 52]), PeerProtocol),
        ("noise", (0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 7) as u8).collect(), PeerProtocol),
        ("silence", Vec::new(), ConnectionLost),
        ("half a frame", honest()[..30].to_vec(), ConnectionLost),
        ("no content", honest(), ConnectionLost),
        ("content that ends in the middle", with(&[vec![1, 1, 0]]), PeerProtocol),
        ("wrong content", with(&[object(1, 0, b"y", 0, x.as_bytes())]), HashMismatch),
        (
            "wrong content, honestly announced",
            with(&[object(1, 0, b"y", 0, blake3::hash(b"y").as_bytes())]),
            HashMismatch,
        ),
        ("changed content, wrong hash", with(&[object(1, 0, b"y", 1, x.as_bytes())]), HashMismatch),
        ("unknown verdict", with(&[object(1, 0, b"x", 9, x.as_bytes())]), PeerProtocol),
        ("content of a directory", with(&[object(0, 0, b"x", 0, x.as_bytes())]), PeerProtocol),
        ("content of nobody", with(&[object(77, 0, b"x", 0, x.as_bytes())]), PeerProtocol),
        ("content from an offset", with(&[object(1, 5, b"x", 0, x.as_bytes())]), PeerProtocol),
        ("an unknown operation", with(&[vec![42]]), PeerProtocol),
        ("an amendment of the root", with(&[vec![2, 0, 0, 0, 0, 0]]), PeerProtocol),
        (
            "an amended path",
            with(&[{
                let e = file(b"../g", b"x");
                [&[2, 1, 0, 0, 0, 1], (e.len() as u32).to_le_bytes().as_slice(), &e].concat()
            }]),
            PeerProtocol,
        ),
        (
            "an amendment to a symlink",
            with(&[{
                let e = entry(3, b"f", b"\x01\0\0\0/\0\0\0\0");
                [&[2, 1, 0, 0, 0, 1], (e.len() as u32).to_le_bytes().as_slice(), &e].concat()
            }]),
            PeerProtocol,
        ),
        (
            "done without the content",
            with(&[[&[3u8], id(&[root(), file(b"f", b"x")]).as_slice()].concat()]),
            HashMismatch,
        ),
        (
            "another end",
            with(&[object(1, 0, b"x", 0, x.as_bytes()), [&[3u8], [9u8; 32].as_slice()].concat()]),
            HashMismatch,
        ),
        (
            "more after the end",
            with(&[object(1, 0, b"x", 0, x.as_bytes()), [&[3u8], [9u8; 32].as_slice()].concat(), vec![1]]),
            PeerProtocol,
        ),
    ];
    for (name, bytes, kind) in table {
        let mut pair = Pair::files();
        assert_eq!(told(&mut pair, &bytes), kind, "{name}");
        assert!(pair.reopen().committed().is_none(), "{name}");
        assert_eq!(list(pair.dir.path()), ["scratch", "source", "store"], "{name}: something appeared outside");
        assert_eq!(
            list(&pair.dir.path().join("store")),
            ["generations", "lock", "manifests", "spares", "staged"],
            "{name}"
        );
        // An honest source afterwards works.
        pair.write("honest", "x");
        pair.sync().unwrap();
        pair.assert_equal();
    }
}

#[test]
fn the_honest_bytes_of_these_tests_are_accepted() {
    let x = blake3::hash(b"x");
    let end = id(&[dir(b""), file(b"f", b"x")]);
    let ops = [object(1, 0, b"x", 0, x.as_bytes()), [&[3u8], end.as_slice()].concat()];
    let bytes = [offer(&[dir(b""), file(b"f", b"x")]), data(&ops.concat())].concat();
    let mut pair = Pair::files();
    let (mut here, mut there) = UnixStream::pair().unwrap();
    there.write_all(&bytes).unwrap();
    let pulled = pair.replica().pull(&mut here, &options(false), &Unwatched).unwrap();
    assert_eq!(pulled.commit.files, 1);
    assert_eq!(std::fs::read(pair.seen("f")).unwrap(), b"x");
}

#[test]
fn a_lying_replica_is_refused_by_the_source() {
    let mut pair = Pair::files();
    pair.write("a", "x");
    let capture = pair.capture();
    let request = frame(1, &[3, 0, 0]);
    let need = |index: u32, offset: u64| {
        let payload = [index.to_le_bytes().as_slice(), &offset.to_le_bytes()].concat();
        [request.clone(), frame(7, &payload), frame(8, &[])].concat()
    };
    let table: Vec<(&str, Vec<u8>, ErrorKind)> = vec![
        ("another version", frame(1, &[1, 0, 0]), ErrorKind::PeerVersion),
        ("a short request", frame(1, &[3, 0, 1, 5]), ErrorKind::PeerProtocol),
        ("a long request", frame(1, &[3, 0, 0, 5]), ErrorKind::PeerProtocol),
        ("a frame of 4 GB", u32::MAX.to_le_bytes().to_vec(), ErrorKind::PeerProtocol),
        ("a directory is needed", need(0, 0), ErrorKind::PeerProtocol),
        ("nobody is needed", need(9, 0), ErrorKind::PeerProtocol),
        ("beyond the end", need(1, 2), ErrorKind::PeerProtocol),
        (
            "needed without end",
            [request.clone(), frame(7, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].repeat(5))].concat(),
            ErrorKind::PeerProtocol,
        ),
        ("another acknowledgement", [need(1, 0), frame(11, &[3; 32])].concat(), ErrorKind::PeerProtocol),
        ("no acknowledgement", need(1, 0), ErrorKind::ConnectionLost),
        ("silence", Vec::new(), ErrorKind::ConnectionLost),
    ];
    for (name, bytes, kind) in table {
        let (mut here, mut there) = UnixStream::pair().unwrap();
        here.write_all(&bytes).unwrap();
        here.shutdown(std::net::Shutdown::Write).unwrap();
        let error = capture.serve(&mut there, 1, &Unwatched).unwrap_err();
        assert_eq!(error.kind(), kind, "{name}: {}", error.chain());
    }
}

#[test]
fn a_bare_manifest_travels_and_tells_the_differences() {
    let mut pair = Pair::files();
    pair.write("same", "x");
    pair.write("changed", "one");
    pair.write("deleted", "x");
    pair.sync().unwrap();
    pair.write("changed", "two");
    pair.write("new", "x");
    std::fs::remove_file(pair.at("deleted")).unwrap();
    let capture = pair.capture();
    let (mut here, mut there) = UnixStream::pair().unwrap();
    capture.serve_manifest(&mut there, &Unwatched).unwrap();
    let manifest = replication::read_manifest(&mut here, Limits::default(), &Unwatched).unwrap();
    assert_eq!(manifest.content_id(), capture.manifest.content_id());
    let found = pair.replica().compare(&manifest, &Unwatched).unwrap();
    let found: Vec<String> = found.iter().map(|d| format!("{}:{:?}", d.path, d.what)).collect();
    for expected in ["changed:Content", "new:Missing", "deleted:Extra"] {
        assert!(found.iter().any(|line| line == expected), "{found:?}");
    }
    assert!(!found.iter().any(|line| line.starts_with("same")), "{found:?}");
}
