//! The Master's half: what it says to the DR's errands, and how content comes into the store beside its live data.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use contract::{Denied, Lang, NodeRole, Refused, Rule};
use replication::{Limits, PullOptions, Replica, Watch};
use tokio_rustls::server::TlsStream;
use tokio_util::io::SyncIoBridge;

use crate::clock::Clock;
use crate::cluster::Given;
use crate::link::Wire;
use crate::link::errand::{Carried, Errand, Survey, Word};
use crate::link::listener::Visitor;
use crate::link::message;
use crate::mandate::homecoming;
use crate::mandate::rules::Standing;
use crate::node::Node;
use crate::sync::ancestry;
use crate::sync::meter::Meter;
use crate::sync::offer::cut_when;
use crate::sync::pull::RESERVE;
use crate::sync::source::{Feed, kind};
use crate::sync::{denied, told};

/// How often whoever waits hears that work goes on.
const TICK: Duration = Duration::from_millis(500);
/// The generation of what a store is begun with: this machine's own data. What comes has a larger one.
pub(super) const SEEDED: u64 = 1;

impl Node {
    /// Answers an errand of the DR.
    pub(crate) async fn run_errand(self: &Arc<Self>, mut visitor: Visitor, errand: Errand) -> io::Result<()> {
        let standing = visitor.hello.standing.clone();
        let answer = async {
            if self.info.role != NodeRole::Master {
                return Err(Denied::rule(Rule::RoleWrong, &self.info.name, self.info.role.label()));
            }
            match &errand {
                Errand::Survey { datasets } => self.survey(datasets).await.map(Word::Surveyed),
                Errand::Receive { run, past, mandate } => {
                    self.begin_to_receive((run, mandate), past, standing.as_ref()).await.map(|()| Word::Done)
                }
                Errand::Bring { run, dataset } => self.make_ready(run, dataset).await,
                Errand::Compare { run, contents } => self.compare_home(run, contents).await.map(|()| Word::Done),
                Errand::Look => match self.home.trouble() {
                    Some(message) => Ok(Word::Failed { message }),
                    None => Ok(Word::Done),
                },
            }
        };
        let word = match while_working(&mut visitor.stream, answer).await? {
            Ok(word) => word,
            Err(Denied::Refused(refused)) => Word::Refused { refused },
            Err(denied) => Word::Failed { message: denied.text(Lang::En) },
        };
        message::write(&mut visitor.stream, &word).await?;
        match (errand, word) {
            (Errand::Bring { run, dataset }, Word::Ready { .. }) => self.take_delivery(visitor, &run, &dataset).await,
            _ => tokio::io::AsyncWriteExt::shutdown(&mut visitor.stream).await,
        }
    }

    /// What speaks against taking content in, whatever it is.
    fn cannot_receive(&self) -> Vec<Refused> {
        let no = |word: &str| Refused::new(Rule::FailbackMaster, &self.info.name, word);
        let (holder, finding) = self.book.look(|record| (record.is_holder(), !record.findings().is_empty()));
        let mut refused = Vec::new();
        if holder {
            refused.push(no("holder"));
        }
        if finding {
            refused.push(no("finding"));
        }
        if !self.services.manages_any() {
            refused.push(no("no_services"));
        } else if !self.services_are_down() {
            refused.push(no("services_up"));
        }
        refused
    }

    async fn survey(&self, datasets: &BTreeMap<String, Carried>) -> Result<Survey, Denied> {
        let mut survey = Survey { refused: self.cannot_receive(), ..Survey::default() };
        // A machine in the place of one that was lost has offered nothing yet, and nothing of it is the DR's past.
        let recovering = self.book.look(|record| record.recovering);
        // One of two members may have been down while the other one served: what it has is then older, and no stranger's.
        let sibling = self.has_sibling().await?;
        for (name, carried) in datasets {
            let Some(feed) = self.feeds.get(name) else {
                survey.refused.push(Refused::new(Rule::FailbackMaster, &self.info.name, "dataset"));
                continue;
            };
            if !recovering && !sibling && !self.was_offered(name, &carried.base).await? {
                survey.refused.push(Refused::new(Rule::SyncContentUnknown, name, ""));
            }
            let staged = self.homecoming_of(&feed.dataset).exists();
            let (live, bytes) = self.look_at_live(&feed).await;
            let nothing = recovering && bytes == 0;
            let older = match &live {
                Some(live) if sibling => self.was_offered(name, live).await?,
                _ => false,
            };
            let tail =
                |live: &String| !nothing && !older && ancestry::is_tail(live, &carried.base, carried.newest.as_deref());
            survey.tails.insert(name.clone(), live.as_ref().map(tail));
            let more = carried.bytes.saturating_sub(bytes);
            survey.needed_bytes += more + if staged { 0 } else { carried.bytes.max(bytes) };
        }
        survey.needed_bytes += RESERVE;
        survey.free_bytes = free_bytes(self.dir.root());
        if survey.needed_bytes > survey.free_bytes {
            let fact = format!("{} B / {} B", survey.free_bytes, survey.needed_bytes);
            survey.refused.push(Refused::new(Rule::DiskFull, &self.info.name, fact));
        }
        Ok(survey)
    }

    /// What the live data is now, and how large it is.
    pub(super) async fn look_at_live(&self, feed: &Arc<Feed>) -> (Option<String>, u64) {
        let stop = self.stop.child_token();
        let _ended = stop.clone().drop_guard();
        let (engine, now) = (Arc::clone(&feed.engine), self.clock.now());
        let work = tokio::task::spawn_blocking(move || {
            let mut engine = engine.lock().unwrap_or_else(PoisonError::into_inner);
            let seen = Meter::new(stop);
            match engine.capture(now, false, &seen) {
                Ok(capture) => (Some(capture.manifest.content_id()), capture.manifest.bytes()),
                Err(_) => (None, engine.measure(&seen).map_or(0, |measure| measure.bytes)),
            }
        });
        let (content, bytes) = work.await.unwrap_or_default();
        (content.map(|content| content.to_string()), bytes)
    }

    /// Writes down that content comes in: from here on nothing is served until that is over.
    async fn begin_to_receive(
        self: &Arc<Self>,
        (run, promised): (&str, &str),
        past: &[Given],
        told: Option<&Standing>,
    ) -> Result<(), Denied> {
        let refused = self.cannot_receive();
        if !refused.is_empty() {
            return Err(Denied::Refused(refused));
        }
        let _busy = self.home.busy.lock().await;
        if let Some(other) = self.book.look(|record| record.receiving.clone()).filter(|other| other != run) {
            self.give_up_receiving(&other).await?;
        }
        let (named, promised) = (run.to_owned(), promised.to_owned());
        let (name, told, past) = (self.info.name.clone(), told.cloned(), past.to_vec());
        let sibling = self.has_sibling().await?;
        let marked = self.book.change(move |record| {
            // Under the lock: nobody may have become the holder meanwhile.
            let begun = homecoming::begin(record, &named, &past, told.as_ref());
            if !begun {
                return Err(Denied::rule(Rule::FailbackMaster, name, "holder"));
            }
            record.promised = Some(promised);
            if sibling {
                // Of two members this one may have missed what the other one gave.
                record.past = past;
            }
            Ok(())
        });
        marked.await??;
        self.note("home.receiving", Some(serde_json::json!({ "run": run }))).await;
        self.mandate_changed();
        Ok(())
    }

    fn is_receiving(&self, run: &str) -> Result<(), Denied> {
        let (receiving, holder) =
            self.book.look(|record| (record.receiving.as_deref() == Some(run), record.is_holder()));
        let refuse = |word| Err(Denied::rule(Rule::FailbackMaster, &self.info.name, word));
        match (receiving, holder) {
            (_, true) => refuse("holder"),
            (false, _) => refuse("not_receiving"),
            (true, false) => Ok(()),
        }
    }

    fn feed_home(&self, dataset: &str) -> Result<Arc<Feed>, Denied> {
        let missing = || Denied::rule(Rule::FailbackMaster, &self.info.name, "dataset");
        self.feeds.get(dataset).ok_or_else(missing)
    }

    /// Begins the store of a dataset with what lies here, so that only what differs must travel.
    async fn make_ready(self: &Arc<Self>, run: &str, dataset: &str) -> Result<Word, Denied> {
        let _busy = self.home.busy.lock().await;
        self.is_receiving(run)?;
        let feed = self.feed_home(dataset)?;
        let stop = self.stop.child_token();
        let _ended = stop.clone().drop_guard();
        let meter = Arc::new(Meter::new(stop));
        self.home.begin(dataset, &meter);
        let (store, clock) = (self.homecoming_of(&feed.dataset), Arc::clone(&self.clock));
        let work = tokio::task::spawn_blocking(move || {
            let mut replica = open_store(&store, &feed)?;
            if replica.committed().is_none()
                && let Err(error) = seed(&mut replica, &feed, &*clock, &meter)
            {
                // Everything travels then; what cannot be read here is replaced all the same.
                if error.kind() == replication::ErrorKind::Cancelled || error.kind() == replication::ErrorKind::DiskFull
                {
                    return Err(error);
                }
                tracing::warn!(dataset = feed.dataset.name, error = told(&error), "nothing here can be built upon");
            }
            Ok(replica.committed().map_or(SEEDED, |commit| commit.generation) + 1)
        });
        let ready = work.await.map_err(|error| Denied::failed("prepare to receive", error))?;
        self.home.end();
        ready.map(|generation| Word::Ready { generation }).map_err(denied(format!("prepare to receive {dataset}")))
    }

    /// The engine takes one dataset in from the DR.
    async fn take_delivery(self: &Arc<Self>, visitor: Visitor, run: &str, dataset: &str) -> io::Result<()> {
        let gone = |error: Denied| io::Error::other(error.text(Lang::En));
        let _busy = self.home.busy.lock().await;
        self.is_receiving(run).map_err(gone)?;
        let feed = self.feed_home(dataset).map_err(gone)?;
        let stop = self.stop.child_token();
        let _ended = stop.clone().drop_guard();
        let _cut = cut_when(stop.clone(), visitor.stream.get_ref().0)?;
        let meter = Arc::new(Meter::new(stop));
        self.home.begin(dataset, &meter);
        let (store, clock) = (self.homecoming_of(&feed.dataset), Arc::clone(&self.clock));
        let mut bridge = SyncIoBridge::new(visitor.stream);
        let work = tokio::task::spawn_blocking(move || {
            let mut replica = open_store(&store, &feed)?;
            pull(&mut replica, &mut bridge, &*clock, &meter)?;
            replica.prune(1, clock.now(), Duration::ZERO)
        });
        let taken = work.await.map_err(io::Error::other)?;
        self.home.end();
        self.poke();
        taken.map_err(|error| io::Error::other(told(&error)))
    }

    /// Whether exactly this content lies here, whole, and finds room in its place.
    async fn compare_home(self: &Arc<Self>, run: &str, contents: &BTreeMap<String, String>) -> Result<(), Denied> {
        let _busy = self.home.busy.lock().await;
        self.is_receiving(run)?;
        for (name, content) in contents {
            let feed = self.feed_home(name)?;
            let (store, now, name) = (self.homecoming_of(&feed.dataset), self.clock.now(), name.clone());
            let stop = self.stop.child_token();
            let _ended = stop.clone().drop_guard();
            let work = tokio::task::spawn_blocking(move || {
                let replica = open_store(&store, &feed)?;
                let held = replica.committed().map(|commit| commit.content_id.to_string());
                let mut source = feed.engine.lock().unwrap_or_else(PoisonError::into_inner);
                let needed = match held {
                    Some(_) => source.bytes_to_take_in(&replica.manifest()?, now, &Meter::new(stop))?,
                    None => 0,
                };
                let free = free_bytes(&source.spec().path);
                Ok((held, needed.saturating_add(RESERVE), free))
            });
            let looked = work.await.map_err(|error| Denied::failed("compare the copies", error))?;
            let (held, needed, free) = looked.map_err(denied(format!("compare the copies of {name}")))?;
            if held.as_ref() != Some(content) {
                return Err(Denied::rule(Rule::FailbackMaster, &self.info.name, "content"));
            }
            if needed > free {
                return Err(Denied::rule(Rule::DiskFull, &self.info.name, format!("{free} B / {needed} B")));
            }
        }
        Ok(())
    }
}

/// Opens the store in which a dataset waits.
pub(super) fn open_store(path: &Path, feed: &Feed) -> replication::Result<Replica> {
    if let Some(parent) = path.parent() {
        // As secret as the source. What goes wrong here shows at the store itself.
        let _ = fs::DirBuilder::new().recursive(true).mode(0o700).create(parent);
    }
    Replica::open(path.to_owned(), kind(&feed.dataset))
}

/// Copies the live data into the store, over a stream like any other.
fn seed(replica: &mut Replica, feed: &Feed, clock: &dyn Clock, meter: &Arc<Meter>) -> replication::Result<()> {
    let capture = {
        let mut source = feed.engine.lock().unwrap_or_else(PoisonError::into_inner);
        source.capture(clock.now(), false, &**meter)?
    };
    let Ok((mut ours, mut theirs)) = UnixStream::pair() else { return Ok(()) };
    std::thread::scope(|threads| {
        let served = threads.spawn(move || capture.serve(&mut theirs, SEEDED, &**meter).map(drop));
        let pulled = pull(replica, &mut ours, clock, meter);
        drop(ours);
        pulled.and(served.join().unwrap_or(Ok(())))
    })
}

fn pull<S: io::Read + io::Write>(
    replica: &mut Replica,
    stream: &mut S,
    clock: &dyn Clock,
    meter: &Arc<Meter>,
) -> replication::Result<()> {
    let now = || clock.now();
    let watch: &dyn Watch = &**meter;
    let options = PullOptions {
        heal: false,
        reserve_bytes: RESERVE,
        now: &now,
        limits: Limits::default(),
        keep_older: None,
        forget_older: false,
        asked: None,
    };
    replica.pull(stream, &options, watch).map(drop)
}

/// Bytes free for us where this path lies; 0 where that cannot be learned.
fn free_bytes(path: &Path) -> u64 {
    rustix::fs::statvfs(path).map_or(0, |told| told.f_bavail.saturating_mul(told.f_frsize))
}

/// Does something and says meanwhile that it goes on. Whoever asked and left takes the work along.
async fn while_working<T>(
    stream: &mut TlsStream<Wire>,
    work: impl Future<Output = Result<T, Denied>>,
) -> io::Result<Result<T, Denied>> {
    tokio::pin!(work);
    let mut ticks = tokio::time::interval(TICK);
    ticks.tick().await;
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            _ = ticks.tick() => message::write(stream, &Word::Working).await?,
        }
    }
}
