//! `kill -9` at random moments, now the side that has the data, now the side that keeps the copy: two processes of the
//! example `copy` over TCP. Whatever dies, the replica is exactly one of the states that the source was in.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pair::Pair;
use replication::{ContentId, Replica, SourceKind, Unwatched};

/// The example, which is built with the tests.
fn copy() -> PathBuf {
    let beside = || std::env::current_exe().unwrap().parent().unwrap().with_file_name("examples").join("copy");
    let copy = std::env::var_os("TVOX_DR_COPY").map_or_else(beside, PathBuf::from);
    assert!(copy.exists(), "no {}: cargo build -p replication --example copy", copy.display());
    copy
}

/// A process that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The side that has the data, and where it listens.
fn serve(source: &Path) -> (Running, String) {
    let mut command = Command::new(copy());
    command.args(["--serve", "127.0.0.1:0"]).arg(source).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = Running(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    (child, address)
}

/// The side that keeps the copy.
fn keep(address: &str, store: &Path) -> Running {
    let mut command = Command::new(copy());
    command.args(["--pull", address]).arg(store).stdout(Stdio::null()).stderr(Stdio::null());
    Running(command.spawn().unwrap())
}

/// The seed of all moments and sides; another one by `TVOX_DR_SEED`.
fn seed() -> u64 {
    std::env::var("TVOX_DR_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_123)
}

/// Numbers that look random and are the same for the same seed.
fn chance(seed: u64, round: u32) -> [u64; 2] {
    let hash = blake3::Hasher::new().update(&seed.to_le_bytes()).update(&round.to_le_bytes()).finalize();
    let halves = hash.as_bytes().as_chunks::<8>().0;
    [u64::from_le_bytes(halves[0]), u64::from_le_bytes(halves[1])]
}

/// A tree in which every round changes files, names, a link and a part of something large.
fn shape(pair: &Pair, round: u32) {
    for i in (0..60).filter(|i| round == 0 || i % 3 == round % 3) {
        pair.write(&format!("dir-{}/file-{i}", i % 5), format!("{i} in round {round}"));
    }
    let mut large: Vec<u8> = (0..3_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let from = (round as usize * 70_001) % 2_000_000;
    large[from..from + 400_000].fill(round as u8);
    pair.write("large", large);
    let _ = fs::remove_file(pair.at(&format!("only-{}", round.wrapping_sub(1))));
    pair.write(&format!("only-{round}"), "x");
    let _ = fs::remove_file(pair.at("linked"));
    fs::hard_link(pair.at(&format!("dir-0/file-{}", (round % 12) * 5)), pair.at("linked")).unwrap();
}

/// A socket on which nothing comes is a clock that needs no sleep.
fn wait(moment: Duration) {
    let (mut silent, _other) = UnixStream::pair().unwrap();
    silent.set_read_timeout(Some(moment.max(Duration::from_micros(1)))).unwrap();
    let _ = silent.read(&mut [0]);
}

fn kill_either_side(rounds: u32) {
    let seed = seed();
    println!("{rounds} kills with TVOX_DR_SEED={seed}");
    let mut pair = Pair::files();
    pair.replica = None;
    let (source, store) = (pair.at(""), pair.dir.path().join("store"));
    shape(&pair, 0);
    let mut known: HashSet<ContentId> = HashSet::from([pair.capture().manifest.content_id()]);
    // What a whole round takes on this machine at this moment: kills are spread over that.
    let began = Instant::now();
    let (server, address) = serve(&source);
    assert!(keep(&address, &store).0.wait().unwrap().success(), "seed {seed}");
    let mut whole = began.elapsed();
    drop(server);
    let (mut interrupted, mut advanced) = ([0, 0], 0);
    let mut last = None;
    for round in 1..=rounds {
        shape(&pair, round);
        known.insert(pair.capture().manifest.content_id());
        let [moment, side] = chance(seed, round);
        let began = Instant::now();
        let (mut server, address) = serve(&source);
        let mut client = keep(&address, &store);
        wait(whole.mul_f64((moment % 1000) as f64 / 1000.0));
        let victim = if side.is_multiple_of(2) { &mut server } else { &mut client };
        victim.0.kill().unwrap();
        // The other one ends by itself: it has nobody to talk to.
        let done = client.0.wait().unwrap().success();
        if done {
            whole = (whole * 3 + began.elapsed()) / 4;
        } else {
            interrupted[usize::from(side.is_multiple_of(2))] += 1;
        }
        drop(server);
        let replica = Replica::open(store.clone(), SourceKind::Files).unwrap();
        let commit = replica.committed().unwrap();
        assert!(known.contains(&commit.content_id), "seed {seed}, round {round}: a state that never was");
        assert_eq!(replica.verify(&Unwatched).unwrap(), [], "seed {seed}, round {round}");
        let shown = PathBuf::from(format!("generations/{}/tree", commit.generation));
        assert_eq!(fs::read_link(replica.visible_path()).unwrap(), shown, "seed {seed}, round {round}");
        assert!(last <= Some(commit.generation), "seed {seed}, round {round}: it went back");
        advanced += u32::from(last < Some(commit.generation));
        last = Some(commit.generation);
        // Old generations would fill the disk in the long run.
        drop(replica);
        if round.is_multiple_of(20) {
            let mut replica = Replica::open(store.clone(), SourceKind::Files).unwrap();
            replica.prune(2, pair::now(), Duration::ZERO).unwrap();
        }
    }
    println!(
        "interrupted: {} times by the death of the source, {} of the replica; {advanced} generations",
        interrupted[1], interrupted[0]
    );
    let (_server, address) = serve(&source);
    assert!(keep(&address, &store).0.wait().unwrap().success(), "seed {seed}");
    pair.replica = Some(Replica::open(store, SourceKind::Files).unwrap());
    pair.assert_equal();
    pair.assert_same_to_rsync("at the end");
}

#[test]
fn ten_kills_of_either_side_leave_a_whole_generation_each() {
    kill_either_side(10);
}

#[test]
#[ignore = "minutes long: `make soak`"]
fn two_hundred_kills_of_either_side_leave_a_whole_generation_each() {
    kill_either_side(200);
}
