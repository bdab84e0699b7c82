//! The Master serves a pull: reads the source, gives the content a generation that is on disk before it is offered, and
//! lets the engine answer on the same connection.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use contract::dataset::Group;
use contract::{Denied, Timestamp};
use replication::{ContentId, Paced};
use tokio::io::AsyncReadExt as _;
use tokio_rustls::server::TlsStream;
use tokio_util::io::SyncIoBridge;
use tokio_util::sync::CancellationToken;

use crate::cluster::Given;
use crate::link::Wire;
use crate::link::listener::Visitor;
use crate::link::message::{self, Capture, Hello, Next, Purpose};
use crate::mandate::file::Seat;
use crate::node::Node;
use crate::store::db;
use crate::sync::ancestry;
use crate::sync::meter::Meter;
use crate::sync::source::Feed;
use crate::sync::told;
use crate::sync::worker::SCAN_EVERY;

/// What is left out is told, but a tree of sockets does not fill the link.
const MOST_SKIPPED: usize = 100;

/// Events that follow each other this closely are one change.
const COALESCE: Duration = Duration::from_millis(5);

/// How often a source is looked at of which the kernel tells nothing.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Generations of a dataset that the Master remembers having offered.
const REMEMBERED: i64 = 100_000;
/// How often those before are looked for: at one number in so many.
const FORGET_EVERY: u64 = 1000;

impl Node {
    /// Serves a Client that pulls: what the source holds now, and from then on whatever changes in it, for as long as the
    /// Client asks and may have it.
    pub(crate) async fn offer(self: &Arc<Self>, visitor: Visitor, name: &str, rehash: bool) -> io::Result<()> {
        let Visitor { mut stream, mut hello, .. } = visitor;
        let Some(feed) = self.feeds.get(name) else {
            return fail(&mut stream, "source_missing", format!("no dataset {name} is declared")).await;
        };
        // Another declaration, or none, ends what was offered under this one.
        let stop = feed.gone.child_token();
        // Whoever leaves, or is sent away, takes the work for it along.
        let _ended = stop.clone().drop_guard();
        let _cut = cut_when(stop.clone(), stream.get_ref().0)?;
        let _follower = Follower::of(&feed);
        let mut call = Call { rehash, asks: None };
        while let Some(mut served) = self.offer_once(&feed, call, stream, &hello, &stop).await? {
            let Some(asks) = self.wait_for_change(&feed, &mut served, &mut hello).await? else { return Ok(()) };
            call = Call { rehash: false, asks };
            stream = served;
        }
        Ok(())
    }

    /// Serves one round: reads the source, gives it a generation, and lets the engine answer. Gives the connection back
    /// unless the Client was told why it got nothing.
    async fn offer_once(
        self: &Arc<Self>,
        feed: &Arc<Feed>,
        call: Call,
        mut stream: TlsStream<Wire>,
        hello: &Hello,
        stop: &CancellationToken,
    ) -> io::Result<Option<TlsStream<Wire>>> {
        let mut unserved = Unserved::begin(feed);
        let Some(captured) = self.capture(feed, call.rehash, &mut stream, stop).await? else { return Ok(None) };
        // Reading may have taken long: what held at the dial need not hold any more.
        if let Err(denied) = self.admit_pull(hello).await {
            let code = match &denied {
                Denied::Refused(list) => list.first().map_or("refused", |refused| refused.rule.as_str()),
                _ => "io",
            };
            fail(&mut stream, code, denied.text(contract::Lang::En)).await?;
            return Ok(None);
        }
        let given_up = match &hello.purpose {
            Purpose::Pull { given_up, .. } => *given_up,
            _ => None,
        };
        let (content, at) = (captured.manifest.content_id(), captured.captured_at);
        let generation = match self.give_generation(feed, content, at, given_up).await {
            Ok(generation) => generation,
            Err(error) => {
                fail(&mut stream, "io", error.text(contract::Lang::En)).await?;
                return Ok(None);
            }
        };
        let ready = Capture::Ready { generation, captured_at: captured.captured_at };
        message::write(&mut stream, &ready).await?;
        let recorder = Recorder {
            node: Arc::clone(self),
            feed: Arc::clone(feed),
            captured_at: at,
            runtime: tokio::runtime::Handle::current(),
            meter: Meter::new(stop.clone()),
        };
        let urgent = feed.dataset.kind.group() == Group::Database;
        let mut bridge = Paced::new(SyncIoBridge::new(stream), Arc::clone(&self.pacing.bucket), urgent);
        let mut book = self.book.watch();
        let mut work = tokio::task::spawn_blocking(move || {
            let served = match call.asks {
                Some(asks) => captured.serve_asked(&mut bridge, &asks, generation, &recorder),
                None => captured.serve(&mut bridge, generation, &recorder),
            };
            (served, bridge)
        });
        let served = loop {
            tokio::select! {
                served = &mut work => break served.map_err(io::Error::other)?,
                Ok(()) = book.changed() => if self.admit_pull(hello).await.is_err() { stop.cancel() },
            }
        };
        match served {
            (Ok(_), bridge) => {
                unserved.served = true;
                Ok(Some(bridge.into_inner().into_inner()))
            }
            (Err(error), _) => Err(io::Error::other(told(&error))),
        }
    }

    /// Waits until the Client asks again and there is something to say: a change, or after a while that there is none.
    /// Gives what its engine has asked ahead; `None` when the Client left, or may have nothing any more: dialling again,
    /// it is told why.
    async fn wait_for_change(
        &self,
        feed: &Feed,
        stream: &mut TlsStream<Wire>,
        hello: &mut Hello,
    ) -> io::Result<Option<Option<Vec<u8>>>> {
        let mut book = self.book.watch();
        let next: Next = match message::read(stream).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            next => next?,
        };
        self.hear_standing(Seat::First, &next.standing)
            .await
            .map_err(|e| io::Error::other(e.text(contract::Lang::En)))?;
        hello.standing = Some(next.standing);
        if let Purpose::Pull { content, given_up, .. } = &mut hello.purpose {
            *content = next.content;
            // What was given up has been replaced.
            *given_up = None;
        }
        let begun = Instant::now();
        loop {
            if feed.may_have_changed() || begun.elapsed() >= SCAN_EVERY {
                return Ok(self.admit_pull(hello).await.is_ok().then_some(next.asks));
            }
            tokio::select! {
                () = feed.touched.notified() => tokio::time::sleep(COALESCE).await,
                () = tokio::time::sleep(BETWEEN_LOOKS) => {}
                Ok(()) = book.changed() => if self.admit_pull(hello).await.is_err() { return Ok(None) },
                // It has nothing to say before it was answered: it left.
                _ = stream.read_u8() => return Ok(None),
            }
        }
    }

    /// Serves the bare list of a source's content, read and hashed anew.
    pub(crate) async fn offer_manifest(self: &Arc<Self>, mut visitor: Visitor, name: &str) -> io::Result<()> {
        let Some(feed) = self.feeds.get(name) else {
            return fail(&mut visitor.stream, "source_missing", format!("no dataset {name} is declared")).await;
        };
        let stop = self.stop.child_token();
        let _ended = stop.clone().drop_guard();
        // What is captured here is not offered: the next pull captures for itself.
        let _unserved = Unserved::begin(&feed);
        let _cut = cut_when(stop.clone(), visitor.stream.get_ref().0)?;
        let Some(captured) = self.capture(&feed, true, &mut visitor.stream, &stop).await? else { return Ok(()) };
        let ready = Capture::Ready { generation: 0, captured_at: captured.captured_at };
        message::write(&mut visitor.stream, &ready).await?;
        let mut bridge = SyncIoBridge::new(visitor.stream);
        let work = tokio::task::spawn_blocking(move || captured.serve_manifest(&mut bridge, &Meter::new(stop)));
        work.await.map_err(io::Error::other)?.map_err(|error| io::Error::other(told(&error)))
    }

    /// Reads a source on a thread of its own and tells the Client how far it is; `None` when it could not be read and
    /// the Client was told why.
    async fn capture(
        &self,
        feed: &Arc<Feed>,
        rehash: bool,
        stream: &mut TlsStream<Wire>,
        stop: &CancellationToken,
    ) -> io::Result<Option<replication::Capture>> {
        let meter = Arc::new(Meter::new(stop.clone()));
        let (source, seen, now) = (Arc::clone(feed), Arc::clone(&meter), self.clock.now());
        // Cleared before reading: what changes from here on is the next generation's.
        feed.dirty.store(false, Ordering::SeqCst);
        let mut work = tokio::task::spawn_blocking(move || source.capture(now, rehash, &*seen));
        let mut ticks = tokio::time::interval(Duration::from_millis(500));
        ticks.tick().await;
        let captured = loop {
            tokio::select! {
                captured = &mut work => break captured.map_err(io::Error::other)?,
                _ = ticks.tick() => {
                    let raw = meter.raw();
                    let (files, bytes) = raw.map_or((0, 0), |raw| (raw.files_done, raw.bytes_done));
                    message::write(stream, &Capture::Reading { files, bytes }).await?;
                }
            }
        };
        match captured {
            Ok(captured) => {
                let told = |one: &replication::Skipped| (one.path.clone(), skip_word(one.why).to_owned());
                // Copied all the same, as a plain file: worth a word before anything that is left out.
                let torn = |one: &&replication::Warning| one.what == replication::WarningKind::UndeclaredDatabase;
                let torn = captured.warnings.iter().filter(torn).map(|one| (one.path.clone(), "database".to_owned()));
                let skipped = torn.chain(captured.skipped.iter().map(told)).take(MOST_SKIPPED).collect();
                *feed.skipped.lock().unwrap_or_else(PoisonError::into_inner) = skipped;
                let size = replication::Measure { files: captured.manifest.files(), bytes: captured.manifest.bytes() };
                *feed.size.lock().unwrap_or_else(PoisonError::into_inner) = Some((size, Instant::now()));
                Ok(Some(captured))
            }
            Err(error) => {
                tracing::warn!(dataset = feed.dataset.name, error = told(&error), "the source could not be captured");
                fail(stream, error.kind().code(), told(&error)).await?;
                Ok(None)
            }
        }
    }

    /// The number of this content: the last one where nothing changed, else the next, on disk before it is offered.
    pub(crate) async fn give_generation(
        &self,
        feed: &Feed,
        content: ContentId,
        at: Timestamp,
        given_up: Option<u64>,
    ) -> Result<u64, Denied> {
        let number = |number: i64| u64::try_from(number).map_err(|error| Denied::failed("give a generation", error));
        let mut tx = self.store.begin().await?;
        let (highest, last, known): (Option<i64>, Option<i64>, Option<String>) = sqlx::query_as(
            "SELECT (SELECT max(number) FROM generation), number, content_id FROM (SELECT 1) \
             LEFT JOIN (SELECT number, content_id FROM generation WHERE dataset = ? ORDER BY number DESC LIMIT 1)",
        )
        .bind(&feed.dataset.name)
        .fetch_one(&mut *tx)
        .await
        .map_err(db("read the generations"))?;
        let last = last.map(number).transpose()?.zip(known);
        let number = match last {
            Some((last, known)) if known == content.to_string() && given_up.is_none_or(|up| last > up) => last,
            _ => {
                let next = ancestry::next_generation(highest.map(number).transpose()?, given_up);
                let stored = i64::try_from(next).map_err(|error| Denied::failed("give a generation", error))?;
                sqlx::query("INSERT INTO generation (number, dataset, content_id, captured_at) VALUES (?, ?, ?, ?)")
                    .bind(stored)
                    .bind(&feed.dataset.name)
                    .bind(content.to_string())
                    .bind(at.to_string())
                    .execute(&mut *tx)
                    .await
                    .map_err(db("give a generation"))?;
                next
            }
        };
        // The record of what was offered is kept long, not for ever. It is the dataset's own that are counted: numbers are
        // the pair's, and what the Client holds of a quiet dataset is as far back as a busy one has come.
        let forgetful = if number.is_multiple_of(FORGET_EVERY) { self.feeds.all() } else { Vec::new() };
        for feed in forgetful {
            sqlx::query(
                "DELETE FROM generation WHERE dataset = ?1 AND number < \
                 (SELECT number FROM generation WHERE dataset = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
            )
            .bind(&feed.dataset.name)
            .bind(REMEMBERED - 1)
            .execute(&mut *tx)
            .await
            .map_err(db("give a generation"))?;
        }
        let done = tx.commit().await.map_err(db("give a generation"));
        match &done {
            Ok(()) => self.feeds.highest.update(|highest| *highest = (*highest).max(Some(number))),
            Err(_) => self.feeds.highest.forget(),
        }
        done?;
        *feed.given.lock().unwrap_or_else(PoisonError::into_inner) = Some(content);
        let (dataset, content) = (feed.dataset.name.clone(), content.to_string());
        self.tell_sibling(Given { number, dataset, content, captured_at: at }).await;
        *feed.generation.lock().unwrap_or_else(PoisonError::into_inner) = Some(number);
        Ok(number)
    }
}

/// What a round is asked for.
struct Call {
    /// Everything is read and hashed anew.
    rehash: bool,
    /// What the Client's engine has asked ahead.
    asks: Option<Vec<u8>>,
}

/// A capture under way. Unless it was served to its end, the source still counts as changed.
struct Unserved {
    feed: Arc<Feed>,
    served: bool,
}

impl Unserved {
    fn begin(feed: &Arc<Feed>) -> Self {
        feed.reading.fetch_add(1, Ordering::SeqCst);
        Self { feed: Arc::clone(feed), served: false }
    }
}

impl Drop for Unserved {
    fn drop(&mut self) {
        if !self.served {
            self.feed.dirty.store(true, Ordering::SeqCst);
        }
        self.feed.reading.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Somebody who hears of changes on a connection of its own: the control conversation need not carry each of them.
struct Follower(Arc<Feed>);

impl Follower {
    fn of(feed: &Arc<Feed>) -> Self {
        feed.followers.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(feed))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.followers.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Gives a number to what changed while it was sent, from the engine's own thread.
struct Recorder {
    node: Arc<Node>,
    feed: Arc<Feed>,
    captured_at: Timestamp,
    runtime: tokio::runtime::Handle,
    meter: Meter,
}

impl replication::Watch for Recorder {
    fn progress(&self, progress: replication::Progress) {
        replication::Watch::progress(&self.meter, progress);
    }

    fn cancelled(&self) -> bool {
        self.meter.cancelled()
    }

    fn amending(&self, content: ContentId) -> io::Result<Option<u64>> {
        // What was offered first may be what the Client holds: it stays known under its number.
        let given = self.runtime.block_on(self.node.give_generation(&self.feed, content, self.captured_at, None));
        given.map(Some).map_err(|error| io::Error::other(error.text(contract::Lang::En)))
    }
}

fn skip_word(why: replication::SkipReason) -> &'static str {
    match why {
        replication::SkipReason::Socket => "socket",
        replication::SkipReason::Device => "device",
        replication::SkipReason::Forbidden => "own_data",
        _ => "other",
    }
}

async fn fail(stream: &mut TlsStream<Wire>, code: &str, message: String) -> io::Result<()> {
    message::write(stream, &Capture::Failed { code: code.to_owned(), message }).await
}

/// Ends a connection when the token says so, although a thread may be blocked in it.
pub(crate) fn cut_when(stop: CancellationToken, stream: &Wire) -> io::Result<tokio_util::task::AbortOnDropHandle<()>> {
    use std::os::fd::AsFd as _;
    let fd = stream.get_ref().as_fd().try_clone_to_owned()?;
    Ok(tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
        stop.cancelled().await;
        let _ = rustix::net::shutdown(&fd, rustix::net::Shutdown::Both);
    })))
}
