//! A source that moves while it is served, and a caller that watches and stops: each file whole, both sides agree.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::Mutex;

use pair::{Pair, list};
use replication::{ContentId, ErrorKind, Phase, Progress, Unwatched, Watch};

/// Writes down what it is told; changes a file at the right moment.
#[derive(Default)]
struct Meddler {
    seen: Mutex<Vec<Progress>>,
    offered: Mutex<Vec<ContentId>>,
    at_offer: Option<Box<dyn Fn() + Send + Sync>>,
    cancel_in: Option<Phase>,
    /// The number that amended content gets.
    renumber: Option<u64>,
}

impl Watch for Meddler {
    fn progress(&self, progress: Progress) {
        self.seen.lock().unwrap().push(progress);
    }
    fn cancelled(&self) -> bool {
        self.seen.lock().unwrap().last().is_some_and(|last| Some(last.phase) == self.cancel_in)
    }
    fn offering(&self, content: ContentId) -> std::io::Result<()> {
        self.offered.lock().unwrap().push(content);
        Ok(())
    }
    fn amending(&self, content: ContentId) -> std::io::Result<Option<u64>> {
        self.offering(content).map(|()| self.renumber)
    }
    fn reached(&self, point: replication::Point) -> bool {
        if let (replication::Point::Offered, Some(meddle)) = (point, &self.at_offer) {
            meddle();
        }
        true
    }
}

#[test]
fn a_file_changed_between_scan_and_transfer_is_amended_and_one_that_vanished_is_gone() {
    let mut pair = Pair::files();
    for name in ["steady", "changed", "grown", "vanished", "dir/now-a-link", "hard"] {
        pair.write(name, name.repeat(100));
    }
    fs::hard_link(pair.at("hard"), pair.at("hard-2")).unwrap();
    fs::hard_link(pair.at("hard"), pair.at("hard-3")).unwrap();
    let root = pair.at("");
    let theirs = Meddler {
        at_offer: Some(Box::new(move || {
            fs::write(root.join("changed"), "something else").unwrap();
            fs::write(root.join("grown"), vec![b'g'; 2_000_000]).unwrap();
            fs::remove_file(root.join("vanished")).unwrap();
            fs::remove_file(root.join("hard")).unwrap();
            fs::write(root.join("hard-3"), "still two names").unwrap();
            fs::remove_dir_all(root.join("dir")).unwrap();
            symlink("/etc", root.join("dir")).unwrap();
        })),
        ..Meddler::default()
    };
    let (pulled, served) = pair.sync_watched(false, &Unwatched, &theirs);
    let (pulled, served) = (pulled.unwrap(), served.unwrap().unwrap());
    assert_eq!(served.amended, 7);
    assert_eq!(served.content_id, pulled.commit.content_id);
    let offered = theirs.offered.into_inner().unwrap();
    assert_eq!(offered.len(), 2, "the amended id is recorded as well");
    assert_eq!(offered[1], pulled.commit.content_id);
    assert_eq!(fs::read(pair.seen("changed")).unwrap(), b"something else");
    assert_eq!(fs::metadata(pair.seen("grown")).unwrap().len(), 2_000_000);
    assert!(!pair.seen("vanished").exists());
    assert_eq!(list(&pair.seen("dir")), [""; 0]);
    assert_eq!(fs::metadata(pair.seen("hard-2")).unwrap().ino(), fs::metadata(pair.seen("hard-3")).unwrap().ino());
    assert_eq!(pair.replica().verify(&Unwatched).unwrap(), []);
    pair.sync().unwrap();
    pair.assert_equal();
}

#[test]
fn a_healing_during_which_the_file_changes_ends_at_a_generation_of_its_own() {
    let mut pair = Pair::files();
    for name in ["a", "b"] {
        pair.write(name, name);
    }
    let first = pair.sync().unwrap().commit;
    fs::write(pair.seen("b"), "x").unwrap();
    let file = pair.at("b");
    let theirs = Meddler {
        at_offer: Some(Box::new(move || fs::write(&file, "changed meanwhile").unwrap())),
        renumber: Some(2),
        ..Meddler::default()
    };
    // The source's content has not changed: it is offered under the number that the replica stands at.
    pair.generation = 0;
    let (healed, served) = pair.sync_watched(true, &Unwatched, &theirs);
    let (healed, served) = (healed.unwrap(), served.unwrap().unwrap());
    assert_eq!((served.generation, healed.commit.generation, healed.offered_generation), (2, 2, 2));
    assert_eq!(theirs.offered.into_inner().unwrap(), [first.content_id, healed.commit.content_id]);
    assert_eq!(fs::read(pair.seen("b")).unwrap(), b"changed meanwhile");
    pair.generation = 2;
    pair.assert_equal();
    assert!(!pair.sync().unwrap().changed);
}

#[test]
fn a_source_that_goes_away_while_it_is_sent_empties_nothing() {
    let mut pair = Pair::files();
    pair.write("a", "one");
    pair.sync().unwrap();
    // Too large to come along with the list.
    pair.write("a", vec![2u8; 100_000]);
    let (root, away) = (pair.dir.path().join("source"), pair.dir.path().join("away"));
    let meddle = move || {
        fs::rename(&root, &away).unwrap();
        fs::remove_file(away.join("a")).unwrap();
    };
    let theirs = Meddler { at_offer: Some(Box::new(meddle)), ..Meddler::default() };
    let (pulled, served) = pair.sync_watched(false, &Unwatched, &theirs);
    let error = pulled.unwrap_err();
    assert_eq!((error.kind(), error.peer_kind()), (ErrorKind::PeerFailed, Some(ErrorKind::SourceMissing)));
    assert_eq!(served.unwrap().unwrap_err().kind(), ErrorKind::SourceMissing);
    assert_eq!(fs::read(pair.seen("a")).unwrap(), b"one");
}

#[test]
fn progress_knows_its_totals_and_reaches_them() {
    let mut pair = Pair::files();
    for i in 0..300 {
        pair.write(&format!("f{i}"), vec![i as u8; 10_000]);
    }
    let ours = Meddler::default();
    pair.sync_watched(false, &ours, &Unwatched).0.unwrap();
    let seen = ours.seen.into_inner().unwrap();
    let transfer: Vec<_> = seen.iter().filter(|p| p.phase == Phase::Transferring).collect();
    // f0 and f256 have the same content: it travels once.
    assert!(transfer.iter().all(|p| (p.files_total, p.bytes_total) == (Some(256), Some(2_560_000))));
    assert!(transfer.len() > 3);
    assert_eq!(transfer.last().map(|p| (p.files_done, p.bytes_done)), Some((256, 2_560_000)));
}

#[test]
fn a_cancelled_pull_stops_and_the_next_goes_on() {
    for phase in [Phase::Planning, Phase::Transferring, Phase::Building, Phase::Committing] {
        let mut pair = Pair::files();
        pair.write("a", vec![1u8; 5_000_000]);
        let ours = Meddler { cancel_in: Some(phase), ..Meddler::default() };
        let error = pair.sync_watched(false, &ours, &Unwatched).0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{phase:?}");
        assert!(pair.replica().committed().is_none());
        pair.sync().unwrap();
        pair.assert_equal();
    }
}
