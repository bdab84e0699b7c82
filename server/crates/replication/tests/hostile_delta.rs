//! A peer that lies about old content, on either side: refused with a typed error, and the last generation stays.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;

use pair::{Pair, options};
use replication::{Capture, ErrorKind, Source, Unwatched};

const SIZE: usize = 600_000;

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32 + 1).to_le_bytes().to_vec();
    out.push(kind);
    out.extend_from_slice(payload);
    out
}

fn block(raw: &[u8]) -> Vec<u8> {
    [&[0u8], (raw.len() as u32).to_le_bytes().as_slice(), raw].concat()
}

/// A whole offer of what was captured, as generation 9.
fn offer(capture: &Capture) -> Vec<u8> {
    let bytes = capture.manifest.encode();
    let mut head = 9u64.to_le_bytes().to_vec();
    head.extend_from_slice(&[0; 12]);
    head.extend_from_slice(capture.manifest.content_id().as_bytes());
    head.extend_from_slice(&(capture.manifest.entries().len() as u64).to_le_bytes());
    head.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    [frame(3, &head), frame(4, &block(&bytes)), frame(5, &[])].concat()
}

fn reference(from: u64, len: u64) -> Vec<u8> {
    [u32::MAX.to_le_bytes().as_slice(), &from.to_le_bytes(), &len.to_le_bytes()].concat()
}

fn literal(bytes: &[u8]) -> Vec<u8> {
    [(bytes.len() as u32).to_le_bytes().as_slice(), bytes].concat()
}

/// Settled, one object of these pieces for entry 1, and the end.
fn content(pieces: &[Vec<u8>], hash: &[u8], id: &[u8]) -> Vec<u8> {
    let object = [[1u8, 1, 0, 0, 0].as_slice(), &[0; 8], &pieces.concat(), &[0; 4], &[0], hash].concat();
    let done = [&[3u8], id].concat();
    [frame(17, &[]), frame(9, &block(&[object, done].concat())), frame(10, &[])].concat()
}

/// A pair that stands at generation 1, a capture of the changed file, and what the file is now.
fn prepared() -> (Pair, Capture, Vec<u8>) {
    let mut pair = Pair::files();
    let mut bytes: Vec<u8> = (0..SIZE as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 9) as u8).collect();
    pair.write("f", &bytes);
    pair.sync().unwrap();
    bytes[0] ^= 1;
    pair.write("f", &bytes);
    let capture = pair.capture();
    (pair, capture, bytes)
}

fn told(pair: &mut Pair, bytes: &[u8]) -> Result<(), ErrorKind> {
    let (mut here, mut there) = UnixStream::pair().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            let _ = there.write_all(bytes);
            let _ = there.shutdown(std::net::Shutdown::Write);
            let _ = there.read_to_end(&mut Vec::new());
        });
        let pulled = pair.replica().pull(&mut here, &options(false), &Unwatched);
        drop(here);
        pulled.map(|_| ()).map_err(|error| error.kind())
    })
}

type Lie = Box<dyn Fn(&Facts) -> Vec<u8>>;

/// What an honest source would say of the changed file.
struct Facts {
    first: Vec<u8>,
    hash: [u8; 32],
    id: [u8; 32],
}

impl Facts {
    fn content(&self, pieces: &[Vec<u8>]) -> Vec<u8> {
        content(pieces, &self.hash, &self.id)
    }

    fn honest(&self) -> Vec<u8> {
        self.content(&[self.first.clone(), reference(1, SIZE as u64 - 1)])
    }
}

/// Content of these references alone.
fn refer(references: &[(u64, u64)]) -> Lie {
    let pieces: Vec<Vec<u8>> = references.iter().map(|(from, len)| reference(*from, *len)).collect();
    Box::new(move |facts| facts.content(&pieces))
}

/// These frames, then what an honest source says.
fn after(frames: Vec<u8>) -> Lie {
    Box::new(move |facts| [frames.clone(), facts.honest()].concat())
}

#[test]
fn a_source_that_refers_to_what_is_not_there_is_refused_and_the_last_generation_stays() {
    use ErrorKind::{ConnectionLost, HashMismatch, PeerProtocol};
    let all = SIZE as u64;
    let torn = || {
        let object = [[1u8, 1, 0, 0, 0].as_slice(), &[0; 8], &u32::MAX.to_le_bytes(), &[1, 2]].concat();
        [frame(17, &[]), frame(9, &block(&object)), frame(10, &[])].concat()
    };
    let thrice = frame(14, &[vec![0u8], 1u32.to_le_bytes().repeat(3)].concat());
    let table: Vec<(&str, Lie, Result<(), ErrorKind>)> = vec![
        ("an honest one", after(Vec::new()), Ok(())),
        ("beyond the end", refer(&[(2, all - 1)]), Err(PeerProtocol)),
        ("far beyond the end", refer(&[(u64::MAX, 1)]), Err(PeerProtocol)),
        ("an end that overflows", refer(&[(2, u64::MAX - 1)]), Err(PeerProtocol)),
        ("more than was announced", refer(&[(0, all), (0, all)]), Err(PeerProtocol)),
        ("again and again", refer(&[(0, all); 1000]), Err(PeerProtocol)),
        ("other content", refer(&[(0, all)]), Err(HashMismatch)),
        ("half of it", refer(&[(1, 5)]), Err(HashMismatch)),
        ("nothing", refer(&[]), Err(HashMismatch)),
        ("an end in the middle of a reference", Box::new(move |_| torn()), Err(PeerProtocol)),
        ("blocks of another entry", after(frame(14, &[0, 0, 0, 0, 0])), Err(PeerProtocol)),
        ("blocks of nobody", after(frame(14, &[0, 77, 0, 0, 0])), Err(PeerProtocol)),
        ("a short question", after(frame(14, &[0, 1])), Err(PeerProtocol)),
        ("an empty question", after(frame(14, &[])), Err(PeerProtocol)),
        ("content before it was settled", Box::new(|facts| facts.honest()[5..].to_vec()), Err(PeerProtocol)),
        ("the same question three times", after(thrice), Ok(())),
        ("an unknown scheme", after(frame(14, &[9, 1, 0, 0, 0])), Ok(())),
        ("only questions", Box::new(|_| frame(14, &[0, 1, 0, 0, 0])), Err(ConnectionLost)),
    ];
    for (name, lie, expected) in table {
        let (mut pair, capture, new) = prepared();
        let old = fs::read(pair.seen("f")).unwrap();
        let (hash, id) = (*blake3::hash(&new).as_bytes(), *capture.manifest.content_id().as_bytes());
        let facts = Facts { first: literal(&new[..1]), hash, id };
        let pulled = told(&mut pair, &[offer(&capture), lie(&facts)].concat());
        assert_eq!(pulled, expected, "{name}");
        let seen = fs::read(pair.seen("f")).unwrap();
        assert!(seen == if expected.is_ok() { new } else { old }, "{name}");
        // An honest source afterwards works, whatever was left behind.
        pair.generation = 20;
        pair.reopen();
        pair.write("g", "x");
        pair.sync().unwrap();
        pair.assert_equal();
    }
}

#[test]
fn a_replica_that_lies_about_its_old_content_is_refused_by_the_source() {
    let (mut pair, capture, _) = prepared();
    // A source that remembers nothing asks for the blocks.
    pair.source = Source::new(pair.source.spec().clone(), pair.dir.path().join("scratch")).unwrap();
    drop(capture);
    let capture = pair.capture();
    let request = frame(1, &[3, 0, 0]);
    let needs = frame(7, &[1u32.to_le_bytes().as_slice(), &[0; 8]].concat());
    let claim = |index: u32, size: u64| [index.to_le_bytes().as_slice(), &size.to_le_bytes(), &[7; 32]].concat();
    let begin =
        |claims: &[Vec<u8>]| [request.clone(), needs.clone(), frame(13, &claims.concat()), frame(8, &[])].concat();
    let blocks =
        |index: u32, hashes: usize| frame(15, &[index.to_le_bytes().as_slice(), &vec![5; hashes * 8]].concat());
    let (size, count) = (SIZE as u64, SIZE.div_ceil(4096));
    let honest = || begin(&[claim(1, size)]);
    let end = || frame(16, &[]);
    use ErrorKind::{ConnectionLost, PeerProtocol};
    let table: Vec<(&str, Vec<u8>, ErrorKind)> = vec![
        ("a claim about nothing", begin(&[claim(9, size)]), PeerProtocol),
        ("the same claim twice", begin(&[claim(1, size), claim(1, size)]), PeerProtocol),
        ("half a claim", [request.clone(), frame(13, &[1, 0, 0])].concat(), PeerProtocol),
        ("blocks that nobody asked for", [honest(), blocks(0, 1)].concat(), PeerProtocol),
        ("too many blocks", [honest(), blocks(1, count + 1)].concat(), PeerProtocol),
        ("an answer without an entry", [honest(), frame(15, &[1])].concat(), PeerProtocol),
        ("something else", [honest(), frame(8, &[])].concat(), PeerProtocol),
        ("no answer", honest(), ConnectionLost),
        // What follows is believable: the content travels, and only the acknowledgement is missing.
        ("too few blocks", [honest(), blocks(1, 3), end()].concat(), ConnectionLost),
        ("wrong blocks, and no chunks", [honest(), blocks(1, count), end(), end()].concat(), ConnectionLost),
        ("an empty answer", [honest(), end()].concat(), ConnectionLost),
        ("an exabyte, of which nothing is asked", begin(&[claim(1, 1 << 60)]), ConnectionLost),
    ];
    for (name, bytes, kind) in table {
        let (mut here, mut there) = UnixStream::pair().unwrap();
        let error = thread::scope(|scope| {
            scope.spawn(move || {
                let _ = here.write_all(&bytes);
                let _ = here.shutdown(std::net::Shutdown::Write);
                let _ = here.read_to_end(&mut Vec::new());
            });
            let served = capture.serve(&mut there, 1, &Unwatched);
            drop(there);
            served.unwrap_err()
        });
        assert_eq!(error.kind(), kind, "{name}: {}", error.chain());
    }
}
