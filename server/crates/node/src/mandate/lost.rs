//! What becomes of machines that were declared lost: they get no data and no ticket, confirm nothing, and are told so
//! wherever they answer, for as long as the pair exists.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use contract::address::PeerAddress;
use contract::gate::GateAnswer;
use contract::mandate::{Mandate, Tombstone};
use contract::{Denied, Refused, Rule};
use futures_util::future::join_all;
use serde_json::json;

use super::file::Seat;
use super::loss;
use super::rules::Standing;
use crate::cluster::Machine;
use crate::door::Act;
use crate::link::message::Purpose;
use crate::node::Node;

/// How often a machine that was declared lost is looked for where it was.
const TELL: Duration = Duration::from_secs(5);

/// How long after its last word such a machine counts as back: it is looked for often enough.
const BACK: Duration = Duration::from_secs(20);

/// When machines that were declared lost were last heard, by their key, and whether they said that they serve.
#[derive(Debug, Default)]
pub(crate) struct Returned(Mutex<BTreeMap<String, (Instant, bool)>>);

impl Returned {
    fn heard(&self, fingerprint: &str, serves: bool) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.insert(fingerprint.to_owned(), (Instant::now(), serves));
    }

    /// It does not answer where it was: unless it came by itself a moment ago, it is gone again.
    fn silent(&self, fingerprint: &str) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.retain(|key, (at, _)| key != fingerprint || at.elapsed() < TELL);
    }

    /// Whether one is back, and says that it serves; `None` while it is not.
    pub(crate) fn serves(&self, fingerprint: &str) -> Option<bool> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.get(fingerprint).filter(|(at, _)| at.elapsed() < BACK).map(|(_, serves)| *serves)
    }
}

impl Node {
    /// The tombstone of whoever has this key.
    pub(crate) fn tombstone_of(&self, fingerprint: &str) -> Option<Tombstone> {
        let of = |mandate: &Mandate| mandate.retired.iter().find(|lost| lost.fingerprint == fingerprint).cloned();
        self.book.look(|record| record.mandate.as_ref().and_then(of))
    }

    /// That this machine was declared lost itself, as a refusal.
    pub(crate) fn refuse_if_lost(&self) -> Option<Refused> {
        let lost = self.book.look(|record| record.declared_lost.is_some());
        lost.then(|| Refused::new(Rule::PairRetired, &self.info.name, ""))
    }

    /// The tombstones of the machines of the other site, as somebody declares them lost.
    ///
    /// # Errors
    /// [`Denied::Refused`] where this machine is associated with none.
    pub(crate) async fn tombstones(&self, act: &Act<'_>, reason: &str) -> Result<Vec<Tombstone>, Denied> {
        let machines = self.machines_across().await?;
        let lost: Vec<_> = machines.into_iter().filter_map(|machine| self.tombstone(machine, act, reason)).collect();
        if lost.is_empty() { Err(Denied::rule(Rule::PairNotAssociated, &self.info.name, "")) } else { Ok(lost) }
    }

    /// The tombstone of one machine; `None` where this one is not associated with it.
    pub(crate) fn tombstone(&self, machine: Machine, act: &Act<'_>, reason: &str) -> Option<Tombstone> {
        let pair = machine.pair?;
        Some(Tombstone {
            fingerprint: pair.fingerprint,
            node: pair.node_id,
            name: pair.name,
            address: machine.address.to_string(),
            operator: act.actor.name.clone(),
            reason: reason.trim().to_owned(),
            at: self.clock.now(),
        })
    }

    /// What this node says of itself to such a machine: the mandate, and nothing that is shared with it.
    pub(crate) async fn standing_to_the_lost(&self) -> Standing {
        let standing = self.standing(Seat::First).await;
        Standing { session: None, remembered: None, remembered_generation: None, ..standing }
    }

    /// Hears such a machine. Its mandate counts for one thing alone: it may have declared this one lost.
    ///
    /// # Errors
    /// [`Denied::Failed`] when that cannot be written down.
    pub(crate) async fn hear_the_lost(&self, fingerprint: &str, told: &Standing) -> Result<(), Denied> {
        self.link.returned.heard(fingerprint, loss::serves(told));
        let (Some(mandate), serving) = (told.mandate.clone(), loss::serves(told)) else { return Ok(()) };
        if !loss::hear(&mut self.book.record(), &mandate, serving) {
            return Ok(());
        }
        if self.book.change(move |record| loss::hear(record, &mandate, serving)).await? {
            self.tell_that_it_is_lost().await;
            self.mandate_changed();
        }
        Ok(())
    }

    /// Writes down that this machine was declared lost.
    pub(super) async fn tell_that_it_is_lost(&self) {
        self.book.close_questions();
        let Some(lost) = self.book.look(|record| record.declared_lost.clone()) else { return };
        tracing::error!(by = lost.operator, reason = lost.reason, "this machine was declared lost: it stops for good");
        self.note("peer.declared_lost", Some(json!({ "operator": lost.operator, "reason": lost.reason }))).await;
    }

    /// What a gate hears where every machine of the other site was declared lost: there is nobody left to speak against it.
    /// They were told before, and what they answered was heard: one that serves speaks against it all the same.
    pub(crate) fn nobody_is_left(&self) -> Option<GateAnswer> {
        self.book.look(loss::is_left_alone).then_some(GateAnswer::Confirmed)
    }

    /// One word with every machine that was declared lost, where it was; what it answers is heard.
    pub(crate) async fn tell_the_lost(self: &Arc<Self>) {
        let lost = self.book.look(|record| record.mandate.as_ref().map(|head| head.retired.clone()));
        let tells = lost.into_iter().flatten().filter_map(|lost| {
            let address: PeerAddress = lost.address.parse().ok()?;
            let (node, fingerprint) = (Arc::clone(self), lost.fingerprint);
            // It would hear itself say that it is lost.
            if fingerprint == node.identity.fingerprint() {
                return None;
            }
            // Whoever answers there with another key is another machine.
            Some(async move {
                match node.dial(address, Some(&fingerprint), Purpose::Ask).await {
                    // A stranger to it is told no more than that it is there.
                    Ok(dialled) => {
                        let serves = dialled.reply.standing().is_some_and(loss::serves);
                        node.link.returned.heard(&fingerprint, serves);
                    }
                    Err(_) => node.link.returned.silent(&fingerprint),
                }
            })
        });
        join_all(tells).await;
    }

    /// Tells the machines that were declared lost, until the node stops: one that was only cut off goes on serving until it
    /// hears of it, and a Master does not dial by itself.
    pub(crate) async fn keep_telling_the_lost(self: Arc<Self>) {
        let mut book = self.book.watch();
        while !self.stop.is_cancelled() {
            book.mark_unchanged();
            self.tell_the_lost().await;
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = book.changed() => {}
                () = tokio::time::sleep(TELL) => {}
            }
        }
    }
}
