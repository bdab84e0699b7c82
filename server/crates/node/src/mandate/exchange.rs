//! What the two nodes tell each other about the mandate at every contact, and what follows from hearing it.
//!
//! A standing is always the truth of the moment it was made: a node that has just learnt of a newer mandate goes on saying
//! that it serves until its services were seen down. Whoever waits for that reads it here, nobody blocks for it.

use std::time::{Duration, Instant};

use contract::gate::GatePolicy;
use contract::{Denied, NodeRole};
use futures_util::FutureExt as _;
use serde_json::json;

use super::file::{Record, Seat};
use super::loss;
use super::rules::{self, Heard, Learned, Standing};
use super::session::{Ear, Word};
use crate::cluster::Machine;
use crate::node::Node;
use crate::random;

/// A new generation alone is written down at most so often: it is only the memory of how far the other one was.
const GENERATION_PACE: Duration = Duration::from_secs(5);

/// How fresh a word of the other node must be to be taken for its present state.
const FRESH: Duration = Duration::from_secs(3);

/// Whether two records differ in nothing but the memory of generations.
fn only_generation(one: &Record, other: &Record) -> bool {
    let mut same = other.clone();
    same.peer.generation = one.peer.generation;
    same.second.peer.generation = one.second.peer.generation;
    *one == same
}

/// Whether they differ in nothing but what is remembered of the other node: losing that loses no mandate.
fn only_memory(one: &Record, other: &Record) -> bool {
    let mut same = Record { session: one.session.clone(), ..other.clone() };
    same.second.session = one.second.session.clone();
    only_generation(one, &same)
}

impl Node {
    /// What this node says of itself to one machine.
    pub(crate) async fn standing(&self, seat: Seat) -> Standing {
        let boot = self.book.boot();
        // Before the mandate is looked at: whoever says that it sends no more has a mandate that says why.
        let sending = self.runs.sending();
        let record = self.book.record().towards(seat);
        let (policy, wait) = self.gate.policy();
        // Of one moment: nothing is waited for in between.
        let said = rules::standing(&record, &boot, self.services_are_down(), self.run_moving_service().is_some());
        Standing {
            sending,
            up: rules::may_serve(&record, &boot) && self.services.are_up(),
            manages: self.services.manages_any(),
            generation: self.given_generation().await.ok().flatten(),
            gate_chosen: Some(self.gate.is_chosen()),
            opens_after: (policy == GatePolicy::Unverified).then_some(wait),
            panel: self.config.panel.port(),
            state: Some(self.state()),
            serves_site: self.serves_site(),
            contents: self.contents(),
            last_written: self.home.last_written(),
            session: Some(Word {
                talking: self.link.talking(seat),
                able: self.book.remembers(),
                ..record.session.word(&self.link.talk(seat))
            }),
            ..said
        }
    }

    /// The highest generation that this node has given; a Client gives none.
    async fn given_generation(&self) -> Result<Option<u64>, Denied> {
        if self.info.role == NodeRole::Client { Ok(None) } else { self.highest_generation().await }
    }

    /// Hears a machine of the pair. When this returns, what was learnt is on disk, and whoever is not named any more
    /// has been told to stop.
    ///
    /// # Errors
    /// [`Denied::Failed`] when it cannot be written down: then it must not be answered either.
    pub(crate) async fn hear_standing(&self, seat: Seat, told: &Standing) -> Result<(), Denied> {
        self.book.note_life(seat, rules::has_stood_down(told));
        self.link.keep_standing(seat, told.clone(), FRESH);
        // Not knowing it is not having none: that would look like a machine that was set back.
        let generation = self.given_generation().await?;
        self.tally().await;
        let ear = self.ear(seat);
        let hear = if self.is_sibling(seat) { rules::hear_sibling } else { rules::hear };
        let now = self.book.record();
        let mut next = now.clone();
        next.facing(seat, |record| hear(record, told, generation, &ear));
        let paced = only_generation(&now, &next) && !self.book.generation_is_due(GENERATION_PACE);
        if next == now || paced {
            return Ok(());
        }
        let (told_too, ear_too, boot) = (told.clone(), ear.clone(), self.book.boot());
        let heard = self
            .book
            .change(move |record| {
                let served = rules::may_serve(record, &boot);
                let heard = record.facing(seat, |record| hear(record, &told_too, generation, &ear_too));
                if heard.learned == Learned::Adopted {
                    let elsewhere = record.mandate.as_ref().filter(|head| head.holder != record.site);
                    record.overlapped = elsewhere.filter(|_| served).map(|head| head.id.clone());
                }
                heard
            })
            .await;
        self.book.could_remember(heard.is_ok());
        let heard = match heard {
            Ok(heard) => heard,
            // A full disk must not make the other side look dead: what is lost is a memory, not a mandate.
            Err(error) if only_memory(&now, &next) => {
                tracing::debug!(?error, "what the other side said of itself could not be remembered");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if next.session.held != now.session.held {
            self.tally().await;
        }
        if only_memory(&now, &next) {
            return Ok(());
        }
        self.tell_what_was_heard(&heard, told).await;
        let retired = |record: &Record| record.mandate.as_ref().map_or(0, |head| head.retired.len());
        if self.book.look(retired) > retired(&now) {
            // One of the machines that this one talks with may be among them.
            self.pair_changed();
        }
        Ok(())
    }

    /// What this node brings along when it hears a machine. The database counts the tickets of the first one: that it was
    /// put back alone is found by them, whoever else there is.
    pub(crate) fn ear(&self, seat: Seat) -> Ear {
        Ear {
            talk: self.link.talk(seat),
            talking: self.link.talking(seat),
            fresh: random::id(),
            tallied: seat == Seat::Second || self.book.is_tallied(),
        }
    }

    async fn tell_what_was_heard(&self, heard: &Heard, told: &Standing) {
        if heard.declared_lost {
            self.tell_that_it_is_lost().await;
        }
        if heard.learned == Learned::Adopted {
            self.book.close_questions();
            let mandate = told.mandate.as_ref();
            tracing::warn!(
                epoch = mandate.map(|m| m.epoch),
                holder = mandate.map(|m| m.holder.as_str()),
                "a newer mandate was learnt"
            );
            let after = mandate.map(|m| json!({ "epoch": m.epoch, "holder": m.holder, "kind": m.kind, "id": m.id }));
            self.note("mandate.learned", after).await;
        }
        for finding in heard.findings.1.iter().filter(|finding| !heard.findings.0.contains(finding)) {
            tracing::error!(
                finding = finding.as_str(),
                "something speaks against the mandate: sync and gate are closed"
            );
            self.note("mandate.finding", Some(json!({ "finding": finding }))).await;
        }
        if heard.gave_way {
            tracing::error!("both sides serve under different mandates: this one gives way");
            self.note("mandate.gave_way", None).await;
        }
        if heard.confirmed {
            self.note("gate.confirmed", None).await;
        }
        self.mandate_changed();
    }

    /// What a machine last said of itself, if that was just now.
    pub(crate) fn standing_of(&self, seat: Seat) -> Option<Standing> {
        self.link.standing(seat, FRESH)
    }

    /// The same of the machine across: of two, of the one that the content comes from.
    pub(crate) fn peer_standing(&self) -> Option<Standing> {
        self.standing_of(self.link.source().unwrap_or(Seat::First))
    }

    /// Whether a machine has stopped at our request and says so now.
    pub(crate) fn has_yielded(&self, seat: Seat) -> bool {
        self.standing_of(seat).as_ref().is_some_and(rules::has_stood_down)
    }

    /// Where a machine's panel listens, as it once said.
    pub(crate) fn panel_port_of(&self, seat: Seat) -> Option<u16> {
        self.book.look(|record| match seat {
            Seat::First => record.peer.panel,
            Seat::Second => record.second.peer.panel,
        })
    }

    /// Takes the mandate of a new pair from its Master's answer; where this side has it, the Master takes it instead.
    pub(crate) async fn adopt_pair(
        &self,
        machine: &Machine,
        pair: &str,
        told: Option<&Standing>,
    ) -> Result<(), Denied> {
        // One that joins once more, with the same key, is remembered as it was.
        let (seat, anew) = (machine.seat, machine.pair.is_none());
        let (pair, mandate, told) = (pair.to_owned(), told.and_then(|told| told.mandate.clone()), told.cloned());
        let sibling = self.is_sibling(seat);
        self.book
            .change(move |record| {
                if record.mandate.as_ref().is_none_or(|head| head.pair != pair) {
                    *record =
                        Record { revision: record.revision, ..Record::new(&record.node, &record.name, record.site) };
                }
                if let Some(mandate) = mandate.filter(|mandate| mandate.pair == pair) {
                    match record.mandate {
                        Some(_) => drop(rules::learn(record, &mandate)),
                        None => {
                            loss::inherit(record, mandate, sibling);
                            if sibling {
                                loss::join_beside(record, told.as_ref());
                            }
                        }
                    }
                }
                if anew {
                    loss::welcome(record, seat, told.as_ref());
                }
            })
            .await?;
        self.mandate_changed();
        Ok(())
    }

    /// Writes down what this node did by itself.
    pub(crate) async fn note(&self, action: &str, after: Option<serde_json::Value>) {
        let actor = contract::Actor::system();
        let epoch = self.book.look(|record| record.mandate.as_ref().map(|mandate| mandate.epoch));
        let event = crate::audit::Event {
            after,
            epoch,
            ..crate::audit::Event::done(&actor, action, Some(self.info.name.clone()))
        };
        // At the bottom of much that waits for it: as a type of its own, so that the compiler need not look through it all.
        let written = async {
            let mut tx = self.store.begin().await?;
            crate::audit::append(&mut tx, self.clock.now(), event).await?;
            tx.commit().await.map_err(crate::store::db("commit an audit row"))
        }
        .boxed();
        if let Err(error) = written.await {
            tracing::error!(?error, action, "what happened could not be written into the audit log");
        }
    }

    /// Asks a reachable machine of the other site to stop, and waits until it says that its services are down. `limit`
    /// bounds the whole.
    ///
    /// # Errors
    /// [`Denied::Refused`] with `peer.not_yielding`.
    pub(crate) async fn ask_to_yield(&self, machine: &Machine, limit: Duration) -> Result<(), Denied> {
        let Some(pair) = &machine.pair else {
            return Err(Denied::rule(contract::Rule::PairNotAssociated, &self.info.name, ""));
        };
        let refused = |why: String| Denied::rule(contract::Rule::PeerNotYielding, &pair.name, why);
        let purpose = crate::link::message::Purpose::Yield;
        let begun = Instant::now();
        let dialled = self.dial(machine.address, Some(&pair.fingerprint), purpose).await;
        let dialled = dialled.map_err(|error| refused(error.to_string()))?;
        if let crate::link::message::Reply::Refused { refused: reasons, .. } = dialled.reply {
            return Err(Denied::Refused(reasons));
        }
        let mut stream = dialled.stream;
        while begun.elapsed() < limit {
            let next = crate::link::message::read::<Standing>(&mut stream);
            let told = tokio::time::timeout(crate::link::control::SILENCE, next).await;
            let told = told.map_err(|_| refused("timeout".into()))?.map_err(|error| refused(error.to_string()))?;
            self.hear_standing(machine.seat, &told).await?;
            if rules::has_stood_down(&told) {
                return Ok(());
            }
            if told.yielded && !told.serving && !told.manages {
                return Err(refused("no services are declared there".into()));
            }
        }
        Err(refused(format!("{} s", limit.as_secs())))
    }

    /// The other side is about to take the service: the gate closes and stays closed until that side says otherwise.
    pub(crate) async fn give_up_serving(&self) -> Result<(), Denied> {
        let book = self.book.clone();
        let given_up = self.book.change(move |record| {
            // Under the lock: an answer that comes now must not open the gate again.
            book.close_questions();
            rules::give_up(record)
        });
        let yielded = given_up.await?;
        if yielded {
            tracing::warn!("the other side takes the service: this one stops");
            self.note("mandate.yielded", None).await;
        }
        self.mandate_changed();
        Ok(())
    }
}
