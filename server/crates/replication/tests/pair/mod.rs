//! A source and a replica on one machine, joined by a socket pair and two threads. Refuses to know how either works.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    dead_code,
    unreachable_pub,
    reason = "test code; each test binary uses its own part of this room"
)]

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use jiff::Timestamp;
use replication::{
    Capture, Limits, Point, PullOptions, Pulled, Replica, Result, Served, Source, SourceKind, SourceSpec, Unwatched,
    Watch,
};
use tempfile::TempDir;

/// Late enough that nothing made by a test is "racily clean" by the caller's clock alone.
pub fn now() -> Timestamp {
    Timestamp::from_second(4_000_000_000).unwrap()
}

pub struct Pair {
    pub dir: TempDir,
    pub source: Source,
    pub replica: Option<Replica>,
    pub generation: u64,
    pub kind: SourceKind,
}

impl Pair {
    /// A tree to replicate, empty.
    pub fn files() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("source")).unwrap();
        let path = dir.path().join("source");
        Self::over(dir, SourceSpec { kind: SourceKind::Files, path, excludes: vec![], forbidden: vec![] })
    }

    /// A database to replicate; the file does not exist yet.
    pub fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("live")).unwrap();
        let path = dir.path().join("live/pbx.db");
        Self::over(dir, SourceSpec { kind: SourceKind::Sqlite, path, excludes: vec![], forbidden: vec![] })
    }

    pub fn over(dir: TempDir, spec: SourceSpec) -> Self {
        let kind = spec.kind;
        let source = Source::new(spec, dir.path().join("scratch")).unwrap();
        let replica = Replica::open(dir.path().join("store"), kind).unwrap();
        Self { dir, source, replica: Some(replica), generation: 0, kind }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join("source").join(name)
    }

    /// A file below the source, with its directories.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn replica(&mut self) -> &mut Replica {
        self.replica.as_mut().unwrap()
    }

    /// Where a reader looks.
    pub fn seen(&self, name: &str) -> PathBuf {
        self.dir.path().join("store/current").join(name)
    }

    /// The replica closed and opened again, as after a restart.
    pub fn reopen(&mut self) -> &mut Replica {
        self.replica = None;
        self.replica = Some(Replica::open(self.dir.path().join("store"), self.kind).unwrap());
        self.replica()
    }

    pub fn capture(&mut self) -> Capture {
        self.source.capture(now(), false, &Unwatched).unwrap()
    }

    /// Captures and pulls once.
    pub fn sync(&mut self) -> Result<Pulled> {
        self.sync_watched(false, &Unwatched, &Unwatched).0
    }

    pub fn sync_watched(
        &mut self,
        heal: bool,
        ours: &dyn Watch,
        theirs: &dyn Watch,
    ) -> (Result<Pulled>, Option<Result<Served>>) {
        self.generation += 1;
        let capture = match self.source.capture(now(), false, theirs) {
            Ok(capture) => capture,
            Err(error) => return (Err(error), None),
        };
        let generation = self.generation;
        let (pulled, served) = pull(self.replica.as_mut().unwrap(), &capture, generation, heal, ours, theirs);
        (pulled, Some(served))
    }

    /// Source and replica agree by their own account, and the tree on disk agrees with its manifest.
    pub fn assert_equal(&mut self) {
        let capture = self.source.capture(now(), true, &Unwatched).unwrap();
        let replica = self.replica();
        assert_eq!(replica.compare(&capture.manifest, &Unwatched).unwrap(), []);
        assert_eq!(replica.verify(&Unwatched).unwrap(), []);
    }
}

impl Pair {
    /// What rsync, comparing everything it knows, finds to differ between source and replica: nothing.
    pub fn assert_same_to_rsync(&self, when: &str) {
        let mut rsync = Command::new("rsync");
        rsync.args(["-aHAX", "--checksum", "--delete", "--dry-run", "--itemize-changes"]);
        let Ok(output) = rsync.arg(self.at("")).arg(self.seen("")).output() else {
            println!("skipped: there is no rsync here");
            return;
        };
        assert!(output.status.success(), "{when}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{when}");
    }
}

pub fn options(heal: bool) -> PullOptions<'static> {
    PullOptions {
        heal,
        reserve_bytes: 0,
        now: &now,
        limits: Limits::default(),
        keep_older: None,
        forget_older: false,
        asked: None,
    }
}

pub fn pull(
    replica: &mut Replica,
    capture: &Capture,
    generation: u64,
    heal: bool,
    ours: &dyn Watch,
    theirs: &dyn Watch,
) -> (Result<Pulled>, Result<Served>) {
    let (mut here, mut there) = UnixStream::pair().unwrap();
    thread::scope(|scope| {
        let serving = scope.spawn(move || capture.serve(&mut there, generation, theirs));
        let pulled = replica.pull(&mut here, &options(heal), ours);
        drop(here);
        (pulled, serving.join().unwrap())
    })
}

/// Stops at the n-th time a point is reached: by an error that cleans nothing up, or by the death of the process.
pub struct Bomb {
    point: Point,
    left: AtomicU32,
    abort: bool,
}

impl Bomb {
    pub fn new(point: Point, nth: u32) -> Self {
        Self { point, left: AtomicU32::new(nth), abort: false }
    }

    pub fn deadly(point: Point) -> Self {
        Self { abort: true, ..Self::new(point, 1) }
    }
}

impl Watch for Bomb {
    fn reached(&self, point: Point) -> bool {
        if point != self.point || self.left.fetch_sub(1, Ordering::SeqCst) != 1 {
            return true;
        }
        if self.abort {
            std::process::abort();
        }
        false
    }
}

/// A small file system for the store; gone with the value.
pub struct Small(pub PathBuf);

impl Small {
    pub fn mount(at: PathBuf) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "none"]).arg(&at).status();
        if status.is_ok_and(|status| status.success()) {
            return Some(Self(at));
        }
        println!("skipped: mounting is not permitted here");
        None
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Fills the disk at one point.
pub struct Filler(pub PathBuf, pub Point);

impl Watch for Filler {
    fn reached(&self, point: Point) -> bool {
        if point == self.1 {
            let _ = fs::write(&self.0, vec![0u8; 32 << 20]);
        }
        true
    }
}

/// The names in a directory, sorted.
pub fn list(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|item| item.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Sets the modification time of a name, never through a symlink.
pub fn set_mtime(path: &Path, seconds: i64, nanoseconds: i64) {
    let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
}
