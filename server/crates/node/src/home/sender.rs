//! The DR's half: it dials, asks, and is the source from which the Master takes. It reads the copies that serve, and
//! changes nothing in them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::dataset::{DatasetKind, Group};
use contract::mandate::MandateFinding;
use contract::{Denied, Rule};
use replication::{Capture, ContentId, DATABASE_NAME, ErrorKind, Paced, Source, SourceSpec};
use tokio_rustls::client::TlsStream;
use tokio_util::io::SyncIoBridge;
use tokio_util::sync::CancellationToken;

use crate::cluster::{Given, Machine};
use crate::link::Wire;
use crate::link::errand::{Carried, Errand, Survey, Word};
use crate::link::message::{self, Purpose, Reply};
use crate::mandate::{flow, rules};
use crate::node::Node;
use crate::sync::denied;
use crate::sync::meter::Meter;
use crate::sync::offer::cut_when;
use crate::sync::own;
use crate::sync::replica::Copy;
use crate::sync::source::kind;

/// How long the Master may be silent while it works on an errand.
const SILENCE: Duration = Duration::from_secs(30);

/// A dataset whose copy serves here.
#[derive(Debug, Clone)]
pub(crate) struct Serving {
    /// The dataset.
    pub(crate) copy: Arc<Copy>,
    /// The content that the copy was made from.
    base: ContentId,
    /// The newest content of the Master that is here: another one than `base` where the service went back to an older.
    newest: Option<ContentId>,
    /// The generation that the copy was made from.
    generation: u64,
    tree: PathBuf,
}

impl Serving {
    /// What came from the Master last, before this copy served.
    pub(crate) fn last_of_master(&self) -> Option<Given> {
        self.copy.standing(|standing| {
            let commit = standing.commit.as_ref()?;
            Some(Given {
                number: commit.generation,
                dataset: self.copy.dataset.name.clone(),
                content: commit.content_id.to_string(),
                captured_at: commit.captured_at,
            })
        })
    }
}

impl Node {
    /// The datasets whose copies serve here, by name.
    pub(crate) async fn serving(&self) -> BTreeMap<String, Serving> {
        let mut serving = BTreeMap::new();
        for copy in self.copies.all() {
            let found = self.with_engine(&copy, |replica| {
                let promoted = replica.promoted()?.clone();
                // Where more is kept here than the Master offered, it knows only what it offered.
                let points = replica.restore_points().unwrap_or_default();
                let from = points.iter().find(|point| point.generation == promoted.generation);
                let base = from.map_or(promoted.content_id, |point| point.offered_id);
                let newest = replica.committed().map(replication::Commit::offered_id);
                Some((base, newest, promoted.generation, promoted.tree))
            });
            if let Some((base, newest, generation, tree)) = found.await.flatten() {
                serving.insert(copy.dataset.name.clone(), Serving { copy, base, newest, generation, tree });
            }
        }
        serving
    }

    async fn source_home(&self, serving: &Serving) -> Result<Arc<Mutex<Source>>, Denied> {
        if let Some(source) = self.home.sources.lock().unwrap_or_else(PoisonError::into_inner).get(&serving.tree) {
            return Ok(Arc::clone(source));
        }
        let generation = serving.generation;
        let way = self.with_engine(&serving.copy, move |replica| replica.way_home(generation)).await;
        let way = way
            .transpose()
            .map_err(denied(format!("tell the owners in {} to the Master", serving.copy.dataset.name)))?;
        let mut sources = self.home.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let dataset = &serving.copy.dataset;
        let path = match dataset.kind {
            DatasetKind::Files => serving.tree.clone(),
            DatasetKind::Sqlite => serving.tree.join(DATABASE_NAME),
        };
        // It lies in this node's own directory, and is what it serves; a machine's own is left out on the way back, too.
        let excludes = own::excludes(dataset);
        let spec = SourceSpec { kind: kind(dataset), path, excludes, forbidden: Vec::new() };
        // What is captured there is as secret as its source; what goes wrong shows in the next line.
        let _ = fs::DirBuilder::new().recursive(true).mode(0o700).create(self.dir.scratch());
        let source = Source::new(spec, self.dir.scratch().join(&dataset.name));
        let mut source = source.map_err(denied(format!("read the copy of {}", dataset.name)))?;
        if let Some(way) = way.flatten() {
            source.number_owners_as_at_home(way);
        }
        Ok(Arc::clone(sources.entry(serving.tree.clone()).or_insert_with(|| Arc::new(Mutex::new(source)))))
    }

    /// What a copy that serves holds now.
    pub(crate) async fn capture_home(&self, serving: &Serving, stop: &CancellationToken) -> Result<Capture, Denied> {
        let name = &serving.copy.dataset.name;
        let (source, now, meter) = (self.source_home(serving).await?, self.clock.now(), Meter::new(stop.clone()));
        let work = tokio::task::spawn_blocking(move || {
            source.lock().unwrap_or_else(PoisonError::into_inner).capture(now, false, &meter)
        });
        let captured = work.await.map_err(|error| Denied::failed(format!("read the copy of {name}"), error))?;
        captured.map_err(denied(format!("read the copy of {name}")))
    }

    /// Asks the Master whether it could take these in.
    pub(crate) async fn survey_home(
        &self,
        to: &Machine,
        datasets: &BTreeMap<String, Serving>,
    ) -> Result<Survey, Denied> {
        let mut carried = BTreeMap::new();
        for (name, serving) in datasets {
            let (source, meter) = (self.source_home(serving).await?, Meter::new(self.stop.child_token()));
            let work = tokio::task::spawn_blocking(move || {
                source.lock().unwrap_or_else(PoisonError::into_inner).measure(&meter)
            });
            let measured = work.await.map_err(|error| Denied::failed(format!("measure {name}"), error))?;
            let bytes = measured.map_err(denied(format!("measure {name}")))?.bytes;
            let newest = serving.newest.map(|newest| newest.to_string());
            carried.insert(name.clone(), Carried { base: serving.base.to_string(), newest, bytes });
        }
        match self.errand(to, Errand::Survey { datasets: carried }).await? {
            Word::Surveyed(survey) => Ok(survey),
            other => Err(unexpected(&other)),
        }
    }

    /// Lets the Master take one dataset in; the content that it stands at then.
    pub(crate) async fn bring_home(
        &self,
        to: &Machine,
        run: &str,
        serving: &Serving,
        stop: &CancellationToken,
    ) -> Result<ContentId, Denied> {
        let stop = &stop.child_token();
        let _ended = stop.clone().drop_guard();
        let name = serving.copy.dataset.name.clone();
        let (word, stream) =
            self.visit_master(to, Errand::Bring { run: run.to_owned(), dataset: name.clone() }).await?;
        let Word::Ready { generation } = word else { return Err(unexpected(&word)) };
        let _cut = cut_when(stop.clone(), stream.get_ref().0)
            .map_err(|error| Denied::failed(format!("bring {name} home"), error))?;
        let captured = self.capture_home(serving, stop).await?;
        let meter = Arc::new(Meter::new(stop.clone()));
        self.home.begin(&name, &meter);
        let urgent = serving.copy.dataset.kind.group() == Group::Database;
        let mut bridge = Paced::new(SyncIoBridge::new(stream), Arc::clone(&self.pacing.bucket), urgent);
        let work = tokio::task::spawn_blocking(move || captured.serve(&mut bridge, generation, &*meter));
        let served = work.await.map_err(|error| Denied::failed(format!("bring {name} home"), error))?;
        self.home.end();
        let served = served.map_err(|error| match error.kind() {
            ErrorKind::ConnectionLost => Denied::rule(Rule::FailbackMaster, to.name(), "silent"),
            _ => denied(format!("bring {name} home"))(error),
        });
        Ok(served?.content_id)
    }

    /// Runs an errand that is answered with a word.
    pub(crate) async fn errand(&self, to: &Machine, errand: Errand) -> Result<Word, Denied> {
        self.visit_master(to, errand).await.map(|(word, _)| word)
    }

    /// Dials the Master for an errand and waits for its answer. It gets nothing that would not be allowed to flow.
    async fn visit_master(&self, to: &Machine, errand: Errand) -> Result<(Word, TlsStream<Wire>), Denied> {
        let silent = |name: &str| Denied::rule(Rule::FailbackMaster, name, "silent");
        let (address, Some(pair)) = (to.address, &to.pair) else {
            return Err(Denied::rule(Rule::PairNotAssociated, &self.info.name, ""));
        };
        // To ask how it stands, once the Master holds the mandate, carries no data.
        let carries = errand != Errand::Look;
        let dialled = self.dial(address, Some(&pair.fingerprint), Purpose::Home(errand)).await;
        let dialled = dialled.map_err(|error| {
            if error.is_other_machine() {
                Denied::rule(Rule::PeerWrongAddress, address.to_string(), "")
            } else {
                silent(&pair.name)
            }
        })?;
        let standing = dialled.reply.standing().cloned();
        if let Reply::Refused { refused, .. } = dialled.reply {
            return Err(Denied::Refused(refused));
        }
        let told = standing.ok_or_else(|| silent(&pair.name))?;
        // It may be on its way down: what it says of its services it says with its answer.
        let told = rules::Standing { serving: false, ..told };
        if let Some(rule) = self.book.look(|record| flow::refusal(record, &told)).filter(|_| carries) {
            let findings = self.book.look(|record| record.findings()).into_iter().chain(told.findings);
            let first = findings.map(MandateFinding::as_str).next().unwrap_or_default();
            return Err(Denied::rule(rule, &pair.name, first));
        }
        let mut stream = dialled.stream;
        loop {
            let next = tokio::time::timeout(SILENCE, message::read::<Word>(&mut stream)).await;
            match next.map_err(|_| silent(&pair.name))?.map_err(|_| silent(&pair.name))? {
                Word::Working => {}
                Word::Refused { refused } => return Err(Denied::Refused(refused)),
                Word::Failed { message } => return Err(Denied::failed(format!("do this on {}", pair.name), message)),
                word => return Ok((word, stream)),
            }
        }
    }
}

fn unexpected(word: &Word) -> Denied {
    Denied::failed("talk to the Master", format!("an unexpected answer: {word:?}"))
}
