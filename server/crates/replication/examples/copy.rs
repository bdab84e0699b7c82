//! A directory to a directory, by the engine alone: one process, or two over TCP (without TLS: for measuring, and for
//! machines that trust the wire).
//!
//! ```text
//! copy SOURCE STORE [--watch]               both ends here
//! copy --serve ADDRESS SOURCE [--watch]     the end that has the data; serves one pull after the other
//! copy --pull ADDRESS STORE [--watch]       the end that keeps the copy
//! ```
//!
//! Readers find the copy at `STORE/current`. With `--watch` it goes on for ever: each change becomes a generation; the
//! last five, and those that readers may still be in, are kept. Each round is told in one line.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program of its own: it prints, has the clock of the machine, and rests by itself"
)]

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use notify::{EventKind, RecursiveMode, Watcher};
use replication::{Limits, PullOptions, Replica, Source, SourceKind, SourceSpec, Unwatched};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// Events that follow each other this closely are one change.
const COALESCE: Duration = Duration::from_millis(5);
/// How long a reader may stay in a generation that was superseded.
const GRACE: Duration = Duration::from_secs(60);
const KEEP: usize = 5;

fn main() -> Outcome {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let all = words.len();
    words.retain(|word| word != "--watch");
    let watch = words.len() < all;
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--serve", address, source] => {
            let listener = TcpListener::bind(address)?;
            let mut offered = Offered::new(Path::new(source))?;
            println!("listening on {}", listener.local_addr()?);
            loop {
                let (mut stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                if let Err(error) = offered.serve(&mut stream, watch) {
                    eprintln!("a pull ended early: {error}");
                }
            }
        }
        ["--pull", address, store] => {
            let mut stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            pull(PathBuf::from(store), &mut stream, watch)
        }
        [source, store] => {
            let (mut here, mut there) = UnixStream::pair()?;
            thread::scope(|scope| {
                let serving = scope.spawn(move || Offered::new(Path::new(source))?.serve(&mut there, watch));
                let pulled = pull(PathBuf::from(store), &mut here, watch);
                drop(here);
                let served = serving.join().unwrap_or_else(|_| Err("the serving thread died".into()));
                pulled.and(served)
            })
        }
        _ => Err("copy SOURCE STORE | --serve ADDRESS SOURCE | --pull ADDRESS STORE, each with [--watch]".into()),
    }
}

/// The source, with what was learned of it by earlier captures.
struct Offered {
    path: PathBuf,
    source: Source,
    _scratch: tempfile::TempDir,
}

impl Offered {
    fn new(path: &Path) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let scratch = tempfile::tempdir()?;
        let spec = SourceSpec { kind: SourceKind::Files, path: path.to_owned(), excludes: vec![], forbidden: vec![] };
        let source = Source::new(spec, scratch.path().to_owned())?;
        Ok(Self { path: path.to_owned(), source, _scratch: scratch })
    }

    /// Offers the source as it is, and with `watch` again after each change.
    fn serve(&mut self, stream: &mut (impl Read + Write), watch: bool) -> Outcome {
        let (changed, changes) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Our own reading is no change.
            if event.as_ref().map_or(true, |event| !matches!(event.kind, EventKind::Access(_))) {
                let _ = changed.send(());
            }
        })?;
        if watch {
            watcher.watch(&self.path, RecursiveMode::Recursive)?;
        }
        loop {
            let now = Timestamp::now();
            let capture = self.source.capture(now, false, &Unwatched)?;
            // Larger than any before it, also after a restart.
            let generation = u64::try_from(now.as_microsecond())?;
            capture.serve(stream, generation, &Unwatched)?;
            if !watch {
                return Ok(());
            }
            changes.recv()?;
            while changes.recv_timeout(COALESCE).is_ok() {}
        }
    }
}

/// Takes what is offered, and with `watch` whatever is offered after it.
fn pull(store: PathBuf, stream: &mut (impl Read + Write), watch: bool) -> Outcome {
    let mut replica = Replica::open(store, SourceKind::Files)?;
    let now = &Timestamp::now;
    let options = PullOptions {
        heal: false,
        reserve_bytes: 64 << 20,
        now,
        limits: Limits::default(),
        keep_older: None,
        forget_older: false,
        asked: None,
    };
    loop {
        let began = Instant::now();
        let pulled = replica.pull(stream, &options, &Unwatched)?;
        println!(
            "generation {} · {} files, {} bytes · {} files travelled in {} bytes · {:.1} ms",
            pulled.commit.generation,
            pulled.commit.files,
            pulled.commit.bytes,
            pulled.received_files,
            pulled.received_bytes,
            began.elapsed().as_secs_f64() * 1000.0,
        );
        if !watch {
            return Ok(());
        }
        let rest = replica.rest(now(), GRACE, KEEP);
        replica.prune(KEEP, now(), GRACE)?;
        while replica.stock_up(&Unwatched)? {}
        thread::sleep(rest.saturating_sub(began.elapsed()));
    }
}
