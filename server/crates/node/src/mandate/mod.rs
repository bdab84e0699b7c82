//! The mandate as this node knows it: one record, durable before anybody hears of it, changed under one lock.

pub mod evidence;
mod exchange;
pub mod file;
pub mod flow;
pub mod homecoming;
pub mod loss;
pub(crate) mod lost;
pub mod mission;
pub mod rules;
pub mod session;
mod settle;
pub mod state;
mod tally;

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use contract::mandate::{Mandate, MandateKind, Tombstone};
use contract::status::MandateInfo;
use contract::{Denied, NodeRole, Timestamp};
use tokio::sync::watch;

use crate::data_dir::DataDir;
use crate::error::OpenError;
use crate::node::Node;
use crate::random;
use file::{Files, Opened, Opening, Record, Seat};
use session::Tally;

/// Replaces the kernel's boot id, so that a test can let a machine die and boot again.
const BOOT_ID: &str = "TVOX_DR_BOOT_ID";

/// Which boot of the machine this is.
#[must_use]
pub fn boot_id() -> String {
    std::env::var(BOOT_ID)
        .ok()
        .filter(|id| !id.is_empty())
        .or_else(|| fs::read_to_string("/proc/sys/kernel/random/boot_id").ok())
        .map_or_else(random::id, |id| id.trim().to_owned())
}

/// The record, its files, and who waits for a change of it.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    files: Files,
    boot: Mutex<String>,
    record: Mutex<Record>,
    changed: watch::Sender<u64>,
    /// Counts what closes questions that are open: an answer to an older one opens nothing.
    question: AtomicU64,
    /// The last signs of life of the machines that it talks with.
    lives: Mutex<[Life; 2]>,
    /// When the record was last written.
    written: Mutex<Option<Instant>>,
    /// What the database knows of the session ticket.
    tallied: Mutex<Option<Tally>>,
    /// The last attempt to write a mere memory down came to nothing.
    forgetful: AtomicBool,
}

/// The last that was heard of a machine.
#[derive(Debug, Clone, Copy, Default)]
struct Life {
    /// When it last proved to be alive.
    last: Option<Instant>,
    /// When it last said that it stands down; `None` once it has said otherwise.
    stood_down: Option<Instant>,
}

impl Book {
    /// Reads the record, or makes the first one. A node that is paired and has no whole record stays held.
    pub(crate) fn open(dir: &DataDir, fresh: Record, paired: bool) -> Result<Self, OpenError> {
        let files = Files::of(dir.root());
        let boot = boot_id();
        let record = match files.read() {
            Some(mut record) => {
                if !files.agree() {
                    tracing::warn!("one of the two mandate files was behind or damaged: it is written again");
                    if let Err(error) = files.write(&record) {
                        tracing::error!(%error, "the mandate files cannot be made alike");
                    }
                }
                // A gate that was opened in an earlier boot is closed.
                record.opened = record.opened.filter(|opened| opened.boot == boot);
                record
            }
            None => {
                let lost = paired || files.exist();
                if lost {
                    tracing::error!("the mandate is missing or cannot be read: this machine stays held");
                }
                let record = Record { missing: lost, ..fresh };
                files.write(&record).map_err(|error| OpenError::Unusable {
                    dir: dir.root().to_owned(),
                    why: format!("its mandate cannot be written: {error}"),
                })?;
                record
            }
        };
        let inner = Inner {
            files,
            boot: Mutex::new(boot),
            record: Mutex::new(record),
            changed: watch::Sender::new(0),
            question: AtomicU64::new(0),
            lives: Mutex::default(),
            written: Mutex::new(None),
            tallied: Mutex::new(None),
            forgetful: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The record as it stands on disk.
    pub(crate) fn record(&self) -> Record {
        self.inner.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at the record without copying it.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Record) -> T) -> T {
        look(&self.inner.record.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the record. When this returns, the change is on disk; after an error nothing has changed.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Record) -> T + Send + 'static,
    ) -> Result<T, Denied> {
        let inner = Arc::clone(&self.inner);
        let work = tokio::task::spawn_blocking(move || {
            let mut record = inner.record.lock().unwrap_or_else(PoisonError::into_inner);
            let mut next = record.clone();
            let outcome = change(&mut next);
            if next != *record {
                next.revision += 1;
                inner.files.write(&next).map_err(|error| Denied::failed("write the mandate down", error))?;
                *record = next;
                *inner.written.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                drop(record);
                inner.changed.send_modify(|version| *version += 1);
            }
            Ok(outcome)
        });
        work.await.map_err(|error| Denied::failed("write the mandate down", error))?
    }

    /// Whether a mere memory can be written down.
    pub(crate) fn remembers(&self) -> bool {
        !self.inner.forgetful.load(Ordering::SeqCst)
    }

    fn could_remember(&self, could: bool) {
        self.inner.forgetful.store(!could, Ordering::SeqCst);
    }

    /// Whether the database knows the session ticket that is held.
    fn is_tallied(&self) -> bool {
        let ours = self.look(Tally::of);
        *self.inner.tallied.lock().unwrap_or_else(PoisonError::into_inner) == ours
    }

    fn keep_tally(&self, tally: Option<Tally>) {
        *self.inner.tallied.lock().unwrap_or_else(PoisonError::into_inner) = tally;
    }

    /// Whether the last writing was so long ago that a mere memory may be written again.
    fn generation_is_due(&self, pace: Duration) -> bool {
        self.inner.written.lock().unwrap_or_else(PoisonError::into_inner).is_none_or(|at| at.elapsed() >= pace)
    }

    /// Wakes at each change.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// Which boot of the machine this is.
    pub(crate) fn boot(&self) -> String {
        self.inner.boot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The machine was asleep: what was verified before does not hold any more, as after a boot. On disk, so that a restart
    /// of this process does not take it for verified again; where the disk does not take it, this process knows it still.
    pub(crate) async fn woke_up(&self) {
        self.close_questions();
        let closed = self.change(|record| record.opened = None).await;
        if let Err(error) = closed {
            tracing::error!(?error, "that the machine was asleep cannot be written down");
            *self.inner.boot.lock().unwrap_or_else(PoisonError::into_inner) = random::id();
            self.inner.changed.send_modify(|version| *version += 1);
        }
    }

    /// The number of the question that may be open now.
    pub(crate) fn question(&self) -> u64 {
        self.inner.question.load(Ordering::SeqCst)
    }

    /// Closes every open question.
    pub(crate) fn close_questions(&self) {
        self.inner.question.fetch_add(1, Ordering::SeqCst);
    }

    /// A machine has just proven to be alive, and said whether it stands down.
    pub(crate) fn note_life(&self, seat: Seat, stands_down: bool) {
        let now = Instant::now();
        self.inner.lives.lock().unwrap_or_else(PoisonError::into_inner)[seat.index()] =
            Life { last: Some(now), stood_down: stands_down.then_some(now) };
    }

    /// Whether its last word was that it stands down, and no longer ago than that.
    pub(crate) fn stands_down(&self, seat: Seat, within: Duration) -> bool {
        self.life(seat).stood_down.is_some_and(|at| at.elapsed() < within)
    }

    /// When it last proved to be alive.
    pub(crate) fn last_life(&self, seat: Seat) -> Option<Instant> {
        self.life(seat).last
    }

    fn life(&self, seat: Seat) -> Life {
        self.inner.lives.lock().unwrap_or_else(PoisonError::into_inner)[seat.index()]
    }
}

/// What a new mandate says beside its lineage.
#[derive(Debug, Clone)]
pub struct Raise {
    /// Chosen beforehand, so that whoever asks again after a crash finds it.
    pub id: String,
    /// How it comes to be.
    pub kind: MandateKind,
    /// The site that may serve by it.
    pub holder: NodeRole,
    /// Who decided.
    pub operator: String,
    /// Why.
    pub reason: String,
    /// What the decision stands on.
    pub evidence: Vec<String>,
    /// The content that the holder begins with, per dataset; `None` for whatever it has.
    pub base: Option<BTreeMap<String, String>>,
    /// The machines that it declares lost.
    pub retired: Vec<Tombstone>,
}

impl Raise {
    /// The mandate that follows from a record.
    #[must_use]
    pub fn mandate(self, record: &Record, pair: &str, at: Timestamp) -> Mandate {
        let parents: Vec<&Mandate> = record.mandate.iter().chain(&record.rival).collect();
        let mut retired = Mandate::bury(&parents, self.retired);
        // Whoever writes a mandate for itself is not dead: it would tell itself that it is.
        retired.retain(|lost| lost.node != record.node);
        let (parents, ancestors, epoch) = Mandate::descend(&parents);
        Mandate {
            pair: pair.to_owned(),
            epoch,
            id: self.id,
            parents,
            ancestors,
            holder: self.holder,
            issuer: record.node.clone(),
            kind: self.kind,
            base: self.base,
            operator: self.operator,
            reason: self.reason,
            evidence: self.evidence,
            at,
            retired,
        }
    }
}

impl Node {
    /// Writes a new mandate, unless it is written already. `check` runs under the lock under which it is written: it may
    /// still say no. When this returns, the mandate is on disk.
    ///
    /// # Errors
    /// What `check` says; [`Denied::Failed`] when the disk does not take it.
    pub(crate) async fn raise_mandate(
        &self,
        raise: Raise,
        check: impl FnOnce(&Record) -> Result<(), Denied> + Send + 'static,
    ) -> Result<Mandate, Denied> {
        let pair = self.pair_id().await?;
        let (at, boot, buries) = (self.clock.now(), self.book.boot(), !raise.retired.is_empty());
        let raised = self.book.change(move |record| {
            if let Some(head) = record.mandate.as_ref().filter(|head| head.id == raise.id) {
                return Ok(head.clone());
            }
            check(record)?;
            let pair = record.mandate.as_ref().map(|head| head.pair.clone()).or(pair);
            let pair = pair.ok_or_else(|| Denied::rule(contract::Rule::PairNotAssociated, &record.name, ""))?;
            let mandate = raise.mandate(record, &pair, at);
            match mandate.kind {
                MandateKind::Retirement => loss::retire(record, mandate.clone()),
                _ => rules::raise(record, mandate.clone(), &boot, at),
            }
            Ok(mandate)
        });
        let mandate = raised.await??;
        self.book.close_questions();
        if buries {
            // Whoever was the other machine is a stranger from here on.
            self.pair_changed();
        }
        self.mandate_changed();
        Ok(mandate)
    }

    /// The first mandate of a new pair: the Master serves.
    pub(crate) async fn begin_mandate(&self, pair: &str) -> Result<Mandate, Denied> {
        let (pair, at, boot) = (pair.to_owned(), self.clock.now(), self.book.boot());
        let raise = Raise {
            id: random::id(),
            kind: MandateKind::Initial,
            holder: NodeRole::Master,
            operator: "system".into(),
            reason: String::new(),
            evidence: Vec::new(),
            base: None,
            retired: Vec::new(),
        };
        let begun = self.book.change(move |record| {
            if let Some(head) = record.mandate.as_ref().filter(|head| head.pair == pair) {
                return head.clone();
            }
            let fresh = Record { revision: record.revision, ..Record::new(&record.node, &record.name, record.site) };
            *record = fresh;
            let mandate = raise.mandate(record, &pair, at);
            record.mandate = Some(mandate.clone());
            record.opened = record.is_holder().then_some(Opened { boot, at, how: Opening::Verified });
            mandate
        });
        let mandate = begun.await?;
        self.mandate_changed();
        Ok(mandate)
    }

    /// The association is dissolved: nothing is known any more.
    pub(crate) async fn end_mandate(&self) -> Result<(), Denied> {
        let forget = |record: &mut Record| {
            *record = Record { revision: record.revision, ..Record::new(&record.node, &record.name, record.site) };
        };
        self.book.change(forget).await?;
        self.mandate_changed();
        Ok(())
    }

    /// The mandate as shown.
    pub(crate) fn mandate_info(&self) -> Option<MandateInfo> {
        self.book.look(|record| {
            record.mandate.as_ref().map(|mandate| MandateInfo {
                epoch: mandate.epoch,
                id: mandate.id.clone(),
                holder: mandate.holder,
                kind: mandate.kind,
                findings: record.findings(),
                retired: mandate.retired.clone(),
            })
        })
    }

    /// Who serves may have changed: whoever starts, stops, asks or draws looks again.
    pub(crate) fn mandate_changed(&self) {
        self.copies.wake_all();
        self.verdict_is_stale();
        self.poke();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_machine_that_was_asleep_must_ask_also_after_a_restart_of_the_node() {
        let root = tempfile::tempdir().unwrap();
        let dir = DataDir::create(&root.path().join("data")).unwrap();
        let opened = Opened { boot: boot_id(), at: Timestamp::UNIX_EPOCH, how: Opening::Verified };
        let fresh = Record { opened: Some(opened.clone()), ..Record::new("n", "master1", NodeRole::Master) };
        let book = Book::open(&dir, fresh.clone(), false).unwrap();
        assert_eq!(book.look(|record| record.opened.clone()), Some(opened));
        let question = book.question();
        book.woke_up().await;
        assert_ne!(book.question(), question, "an answer to a question of before the sleep opens nothing");
        for book in [book, Book::open(&dir, fresh, false).unwrap()] {
            assert_eq!(book.look(|record| record.opened.clone()), None);
            assert_eq!(book.boot(), boot_id(), "what is verified from now on holds for this boot");
        }
    }
}
