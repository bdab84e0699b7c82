//! Reading only what was touched gives what reading everything gives, whatever happens to the tree. Referee: a whole walk
//! of the same tree, and rsync for the replica.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};

use pair::{Pair, Small, now, set_mtime};
use proptest::collection::vec;
use proptest::prelude::*;
use replication::{ErrorKind, Hearing, Progress, Source, SourceKind, SourceSpec, Touched, Unwatched, Watch};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, lsetxattr};

/// A pair whose source listens.
struct Live {
    pair: Pair,
    /// Reads the same tree whole each time.
    whole: Source,
    hearing: Option<Hearing>,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    fn new() -> Self {
        Self::over(Pair::files())
    }

    fn over(pair: Pair) -> Self {
        let whole = Source::new(pair.source.spec().clone(), pair.dir.path().join("other-scratch")).unwrap();
        let mut live = Self { pair, whole, hearing: None, thread: None };
        live.listen(|| {});
        live
    }

    fn listen(&mut self, told: impl FnMut() + Send + 'static) {
        let (listener, hearing) = self.pair.source.listen().unwrap();
        self.hearing = Some(hearing);
        self.thread = Some(thread::spawn(move || listener.run(told).unwrap()));
    }

    fn hearing(&self) -> &Hearing {
        self.hearing.as_ref().unwrap()
    }

    /// Captures what was touched, and holds it against a whole walk. Gives what was touched.
    #[track_caller]
    fn check(&mut self, when: &str) -> Touched {
        let touched = self.hearing().take();
        let part = self.pair.source.capture_touched(now(), &touched, &Unwatched).unwrap();
        let whole = self.whole.capture(now(), false, &Unwatched).unwrap();
        assert_eq!(part.manifest.entries(), whole.manifest.entries(), "{when}: after {touched:?}");
        assert_eq!(part.manifest.content_id(), whole.manifest.content_id(), "{when}");
        assert_eq!((&part.skipped, &part.warnings), (&whole.skipped, &whole.warnings), "{when}");
        assert_eq!((part.manifest.files(), part.manifest.bytes()), (whole.manifest.files(), whole.manifest.bytes()));
        touched
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.hearing = None;
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the listener ends when nobody hears it any more");
        }
    }
}

/// What somebody does to a tree.
#[derive(Debug, Clone)]
enum Deed {
    Write(usize, u8),
    Append(usize),
    Truncate(usize),
    Replace(usize, u8),
    MakeDir(usize),
    Remove(usize),
    Rename(usize, usize),
    Link(usize, usize),
    Symlink(usize),
    Pipe(usize),
    Mode(usize, u32),
    Time(usize, i64),
    Attribute(usize, u8),
    Fill(usize),
}

const PLACES: &[&str] = &["a", "a/b", "a/b/c", "a/b/c/f", "a/f", "a.d", "a.d/f", "d", "d/e", "d/e/f", "d/f", "f", "g"];

fn deed() -> impl Strategy<Value = Deed> {
    let place = || 0..PLACES.len();
    prop_oneof![
        3 => (place(), any::<u8>()).prop_map(|(at, byte)| Deed::Write(at, byte)),
        1 => place().prop_map(Deed::Append),
        1 => place().prop_map(Deed::Truncate),
        2 => (place(), any::<u8>()).prop_map(|(at, byte)| Deed::Replace(at, byte)),
        3 => place().prop_map(Deed::MakeDir),
        2 => place().prop_map(Deed::Remove),
        3 => (place(), place()).prop_map(|(from, to)| Deed::Rename(from, to)),
        2 => (place(), place()).prop_map(|(from, to)| Deed::Link(from, to)),
        1 => place().prop_map(Deed::Symlink),
        1 => place().prop_map(Deed::Pipe),
        1 => (place(), prop_oneof![Just(0o700), Just(0o755), Just(0o6750)]).prop_map(|(at, mode)| Deed::Mode(at, mode)),
        1 => (place(), 0i64..100).prop_map(|(at, time)| Deed::Time(at, time)),
        1 => (place(), any::<u8>()).prop_map(|(at, byte)| Deed::Attribute(at, byte)),
        2 => place().prop_map(Deed::Fill),
    ]
}

impl Deed {
    /// Whatever cannot be done is not.
    fn go(&self, root: &Path) {
        let at = |place: &usize| root.join(PLACES[*place]);
        let plain = |path: &Path| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file());
        let _ = match self {
            Self::Write(place, byte) if plain(&at(place)) || !at(place).exists() => fs::write(at(place), [*byte; 8]),
            Self::Append(place) if plain(&at(place)) => {
                OpenOptions::new().append(true).open(at(place)).and_then(|mut file| file.write_all(b"more"))
            }
            Self::Truncate(place) if plain(&at(place)) => {
                OpenOptions::new().write(true).open(at(place)).and_then(|file| file.set_len(3))
            }
            Self::Replace(place, byte) => {
                fs::write(root.join("tmp"), [*byte; 8]).unwrap();
                fs::rename(root.join("tmp"), at(place)).or_else(|_| fs::remove_file(root.join("tmp")))
            }
            Self::MakeDir(place) => fs::create_dir(at(place)),
            Self::Remove(place) => fs::remove_file(at(place)).or_else(|_| fs::remove_dir_all(at(place))),
            Self::Rename(from, to) => fs::rename(at(from), at(to)),
            Self::Link(from, to) => fs::hard_link(at(from), at(to)),
            Self::Symlink(place) => symlink("f", at(place)),
            Self::Pipe(place) => rustix::fs::mknodat(CWD, at(place), FileType::Fifo, Mode::RUSR, 0).map_err(Into::into),
            Self::Mode(place, mode) if !at(place).is_symlink() => {
                fs::set_permissions(at(place), PermissionsExt::from_mode(*mode))
            }
            Self::Time(place, time) if at(place).symlink_metadata().is_ok() => {
                set_mtime(&at(place), *time, 5);
                Ok(())
            }
            Self::Attribute(place, byte) if plain(&at(place)) || at(place).is_dir() => {
                lsetxattr(at(place), "user.mark", &[*byte], XattrFlags::empty()).map_err(Into::into)
            }
            Self::Fill(place) => fs::create_dir_all(at(place).join("x/y/z")).and_then(|()| {
                fs::write(at(place).join("x/1"), "1")?;
                fs::write(at(place).join("x/y/z/2"), "2")?;
                fs::hard_link(at(place).join("x/1"), at(place).join("x/y/1"))
            }),
            _ => Ok(()),
        };
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_was_touched_makes_the_tree_that_a_whole_walk_finds(rounds in vec(vec(deed(), 1..4), 1..14)) {
        let mut live = Live::new();
        live.check("at first");
        for (round, deeds) in rounds.iter().enumerate() {
            deeds.iter().for_each(|deed| deed.go(&live.pair.at("")));
            let touched = live.check(&format!("round {round}, {deeds:?}"));
            prop_assert!(!touched.is_everything());
        }
        // Nothing has happened since.
        prop_assert!(live.check("at last").is_nothing());
        live.pair.sync().unwrap();
        live.pair.assert_same_to_rsync("at last");
        live.pair.assert_equal();
    }
}

/// Counts the files that were looked at.
#[derive(Default)]
struct Looked(AtomicU64);

impl Watch for Looked {
    fn progress(&self, progress: Progress) {
        self.0.fetch_max(progress.files_done, Ordering::SeqCst);
    }
}

#[test]
fn a_change_costs_its_own_name_and_not_the_tree() {
    let mut live = Live::new();
    for i in 0..300 {
        live.pair.write(&format!("{}/{}/{i}", i % 3, i % 7), "x");
    }
    live.check("at first");
    live.pair.write("1/2/16", "y");
    live.pair.write("1/2/new", "y");
    fs::remove_file(live.pair.at("2/2/2")).unwrap();
    let touched = live.hearing().take();
    let looked = Looked::default();
    let capture = live.pair.source.capture_touched(now(), &touched, &looked).unwrap();
    assert_eq!(capture.manifest.files(), 300);
    assert_eq!(looked.0.load(Ordering::SeqCst), 2, "the files that are there of those that were touched");
    assert_eq!(capture.hashed_bytes, 2);
    let capture = live.pair.source.capture_touched(now(), &Touched::nothing(), &Unwatched).unwrap();
    assert_eq!(capture.hashed_bytes, 0);
    live.check("afterwards");
}

#[test]
fn a_file_rewritten_at_once_in_the_same_size_is_never_stale() {
    let mut live = Live::new();
    let mut known = None;
    for round in 0..10u8 {
        live.pair.write("same/size", [b'a' + round; 64]);
        // As rsync's quick check would see it: same size, same second.
        set_mtime(&live.pair.at("same/size"), 1_700_000_000, 0);
        let touched = live.hearing().take();
        let capture = live.pair.source.capture_touched(now(), &touched, &Unwatched).unwrap();
        assert_ne!(known.replace(capture.manifest.content_id()), Some(capture.manifest.content_id()), "round {round}");
        let generation = u64::from(round) + 1;
        let (pulled, served) =
            pair::pull(live.pair.replica.as_mut().unwrap(), &capture, generation, false, &Unwatched, &Unwatched);
        served.unwrap();
        assert!(pulled.unwrap().changed, "round {round}");
        assert_eq!(fs::read(live.pair.seen("same/size")).unwrap(), [b'a' + round; 64], "round {round}");
    }
}

#[test]
fn a_tree_that_is_made_while_it_is_noticed_is_whole() {
    let mut live = Live::new();
    live.check("at first");
    for round in 0..20 {
        let deep = format!("{round}/a/b/c/d");
        for level in [3, 5, 7, 9] {
            live.pair.write(&format!("{}/file", &deep[..deep.len() - 9 + level]), "x");
        }
        fs::rename(live.pair.at(&format!("{round}/a/b")), live.pair.at(&format!("{round}/moved"))).unwrap();
        live.pair.write(&format!("{round}/moved/c/late"), "x");
        assert!(!live.check(&format!("round {round}")).is_everything());
    }
    assert_eq!(live.hearing().watches(), 1 + 20 * 5);
    fs::remove_dir_all(live.pair.at("7")).unwrap();
    fs::rename(live.pair.at("8"), live.pair.dir.path().join("elsewhere")).unwrap();
    live.check("removed and moved away");
    assert_eq!(live.hearing().watches(), 1 + 18 * 5, "what is not in the tree is not watched");
    fs::write(live.pair.dir.path().join("elsewhere/outside"), "x").unwrap();
    assert!(live.hearing().take().is_nothing());
}

#[test]
fn more_changes_than_the_kernel_remembers_touch_everything() {
    let limit: u64 = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse().unwrap();
    if limit > 100_000 {
        println!("skipped: {limit} events are remembered here");
        return;
    }
    let mut pair = Pair::files();
    pair.write("a", "x");
    pair.write("b", "x");
    let whole = Source::new(pair.source.spec().clone(), pair.dir.path().join("other-scratch")).unwrap();
    pair.capture();
    let mut live = Live { pair, whole, hearing: None, thread: None };
    // Whoever listens is held up from the first event on.
    let (held, go_on) = (Arc::new(Mutex::new(())), mpsc::channel::<()>());
    let (holding, entered) = (Arc::clone(&held), go_on.0);
    live.listen(move || {
        let _ = entered.send(());
        drop(holding.lock().unwrap());
    });
    live.check("at first");
    {
        let _hold = held.lock().unwrap();
        live.pair.write("first", "x");
        go_on.1.recv().unwrap();
        for _ in 0..=limit / 2 {
            set_mtime(&live.pair.at("a"), 1, 1);
            set_mtime(&live.pair.at("b"), 1, 1);
        }
        live.pair.write("unheard/of", "x");
    }
    assert!(live.check("after the overflow").is_everything());
    // And it goes on, also in what was made unheard.
    let heard = (0..20).any(|round| {
        live.pair.write("unheard/of", [round]);
        !live.check("later").is_everything()
    });
    assert!(heard);
}

#[test]
fn a_root_that_is_exchanged_ends_the_listening_and_is_read_anew() {
    let mut live = Live::new();
    live.pair.write("old", "x");
    live.check("at first");
    fs::rename(live.pair.at(""), live.pair.dir.path().join("away")).unwrap();
    live.thread.take().unwrap().join().unwrap();
    assert!(live.hearing().is_over());
    assert!(live.hearing().take().is_everything());
    let error = live.pair.source.capture_touched(now(), &Touched::nothing(), &Unwatched).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SourceMissing, "{}", error.chain());
    live.pair.write("new", "x");
    // Even if somebody says that nothing was touched.
    let capture = live.pair.source.capture_touched(now(), &Touched::nothing(), &Unwatched).unwrap();
    assert_eq!(
        capture.manifest.content_id(),
        live.whole.capture(now(), false, &Unwatched).unwrap().manifest.content_id()
    );
    live.listen(|| {});
    live.check("listening anew");
    live.pair.write("newer", "x");
    assert!(!live.check("heard anew").is_everything());
}

#[test]
fn a_mount_that_comes_or_goes_unheard_is_noticed() {
    let mut live = Live::new();
    fs::create_dir(live.pair.at("volume")).unwrap();
    live.pair.write("file", "x");
    live.check("at first");
    let status = Command::new("mount").args(["-t", "tmpfs", "none"]).arg(live.pair.at("volume")).status();
    if !status.is_ok_and(|status| status.success()) {
        println!("skipped: mounting is not permitted here");
        return;
    }
    let volume = Small(live.pair.at("volume"));
    fs::write(live.pair.at("volume/on-it"), "x").unwrap();
    let capture = live.pair.source.capture_touched(now(), &Touched::nothing(), &Unwatched).unwrap();
    assert_eq!(capture.manifest.files(), 2);
    drop(volume);
    let error = live.pair.source.capture_touched(now(), &Touched::nothing(), &Unwatched).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SourceMissing, "{}", error.chain());
}

#[test]
fn what_is_left_out_is_not_listened_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("source");
    fs::create_dir_all(path.join("own/deep")).unwrap();
    fs::create_dir_all(path.join("cache/deep")).unwrap();
    let excludes = vec!["cache/".to_owned(), "*.tmp".to_owned()];
    let spec = SourceSpec { kind: SourceKind::Files, forbidden: vec![path.join("own")], path, excludes };
    let mut live = Live::over(Pair::over(dir, spec));
    live.check("at first");
    assert_eq!(live.hearing().watches(), 1);
    live.pair.write("own/deep/file", "x");
    live.pair.write("cache/deep/file", "x");
    assert!(live.check("in what is left out").is_nothing());
    live.pair.write("x.tmp", "comes, and with it another time of its directory");
    live.pair.write("file", "x");
    live.check("beside it");
    fs::rename(live.pair.at("cache"), live.pair.at("kept")).unwrap();
    live.pair.write("kept/deep/late", "x");
    live.check("renamed to what is kept");
    fs::rename(live.pair.at("kept"), live.pair.at("cache")).unwrap();
    live.check("renamed to what is left out");
    assert_eq!(live.hearing().watches(), 1);
}
