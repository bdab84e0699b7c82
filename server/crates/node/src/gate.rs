//! The return gate: after a boot a machine serves only once the other side has confirmed that it may, or, where the policy
//! says so, after a silence.

mod choice;
mod on_disk;
mod reasons;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use contract::gate::{
    Asked, CheckedBy, GATE_WAIT, GateAnswer, GateCheck, GatePolicy, GateReason, GateReport, GateState, all_in_all,
};
use contract::service::Desired;
use contract::state::NodeState;
use contract::{Denied, SCHEMA, Timestamp};
use futures_util::future::{join, join_all};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use tokio::sync::watch;

use crate::cluster::Machine;
use crate::link::message::Purpose;
use crate::mandate::file::{Opening, Record, Seat};
use crate::mandate::rules::{self, Standing};
use crate::mandate::session::Ear;
use crate::mandate::state;
use crate::node::Node;
use crate::store::{Store, db};
pub use on_disk::gate_on_disk;

/// How often a held machine asks.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Words until a question is answered: the first one brings the ticket that the second one shows.
const MOST_WORDS: u32 = 3;
/// How long the first word with the other side is waited for before anything is started.
const FIRST_WORD: Duration = Duration::from_secs(5);
/// A machine that slept longer than this must ask as after a boot, in seconds.
const NAP: i64 = 5;

/// What the gate is doing at this moment.
#[derive(Debug)]
pub(crate) struct Gate {
    memory: Mutex<Memory>,
    spoken: watch::Sender<bool>,
}

#[derive(Debug, Clone)]
struct Memory {
    policy: GatePolicy,
    wait: u32,
    /// By a person.
    chosen: bool,
    asked: Vec<Asked>,
    silent_since: Option<Instant>,
    /// The last word before a silence was no: it goes on speaking against an opening.
    refused: bool,
    held_since: Option<Timestamp>,
    /// Since when it is known that nobody serves although no run is under way.
    unserved_since: Option<Instant>,
}

impl Default for Gate {
    fn default() -> Self {
        let memory = Memory {
            policy: GatePolicy::default(),
            wait: GATE_WAIT,
            chosen: false,
            asked: Vec::new(),
            silent_since: None,
            refused: false,
            held_since: None,
            unserved_since: None,
        };
        Self { memory: Mutex::new(memory), spoken: watch::Sender::new(false) }
    }
}

impl Gate {
    /// Reads the policy.
    pub(crate) async fn open(store: &Store) -> Result<Self, Denied> {
        let gate = Self::default();
        let row: Option<(String, u32, bool)> = sqlx::query_as("SELECT policy, wait, chosen FROM gate")
            .fetch_optional(store.pool())
            .await
            .map_err(db("read the gate's policy"))?;
        if let Some((policy, wait, chosen)) = row {
            let policy = policy.parse().map_err(|problem| Denied::failed("read the gate's policy", problem))?;
            gate.change(|memory| (memory.policy, memory.wait, memory.chosen) = (policy, wait, chosen));
        }
        Ok(gate)
    }

    /// What happens in silence, and after how many seconds.
    pub(crate) fn policy(&self) -> (GatePolicy, u32) {
        self.change(|memory| (memory.policy, memory.wait))
    }

    /// Whether a person has chosen what happens in silence.
    pub(crate) fn is_chosen(&self) -> bool {
        self.change(|memory| memory.chosen)
    }

    /// Whether it opens by itself if nothing but silence comes.
    pub(crate) fn opens_in_silence(&self, record: &Record) -> bool {
        let allows = self.change(|memory| memory.policy == GatePolicy::Unverified && !memory.refused);
        allows && rules::may_open_in_silence(record)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> T {
        change(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether nobody has served for longer than a gate waits, given whether nobody does now.
    pub(crate) fn is_long_unserved(&self, unserved: bool) -> bool {
        self.change(|memory| {
            memory.unserved_since = unserved.then(|| memory.unserved_since.unwrap_or_else(Instant::now));
            let wait = Duration::from_secs(memory.wait.into());
            memory.unserved_since.is_some_and(|since| since.elapsed() > wait)
        })
    }

    /// Nobody is asked any more.
    fn rest(&self) {
        self.change(|memory| {
            memory.silent_since = None;
            memory.held_since = None;
        });
    }

    /// Takes down what each machine answered, and what that comes to.
    fn heard(&self, asked: Vec<Asked>, answer: GateAnswer, now: Timestamp) {
        self.change(|memory| {
            memory.held_since.get_or_insert(now);
            if answer != GateAnswer::Silent {
                memory.refused = answer != GateAnswer::Confirmed;
            }
            memory.silent_since = match answer {
                GateAnswer::Silent => Some(memory.silent_since.unwrap_or_else(Instant::now)),
                _ => None,
            };
            memory.asked = asked;
        });
    }

    /// For how long nobody has answered, and whether the policy lets the gate open now.
    fn silence_is_over(&self) -> bool {
        self.change(|memory| {
            let waited =
                memory.silent_since.is_some_and(|since| since.elapsed() >= Duration::from_secs(memory.wait.into()));
            memory.policy == GatePolicy::Unverified && waited && !memory.refused
        })
    }
}

/// What one machine answered.
#[derive(Debug)]
struct Answered {
    machine: Machine,
    told: Option<Standing>,
    answer: GateAnswer,
}

impl Answered {
    fn said(&self) -> Asked {
        Asked { ip: self.machine.address.ip, sibling: self.machine.sibling, answer: Some(self.answer) }
    }
}

/// What a machine's answer means to this node.
fn what_it_means(record: Record, machine: &Machine, told: &Standing, ear: &Ear) -> GateAnswer {
    if machine.sibling {
        rules::answer_of_sibling(&record, told)
    } else {
        rules::answer(&record.towards(machine.seat), told, ear)
    }
}

/// How long the machine has slept since it booted, in seconds.
fn slept() -> i64 {
    clock_gettime(ClockId::Boottime).tv_sec - clock_gettime(ClockId::Monotonic).tv_sec
}

impl Node {
    /// Asks while this machine is held, until the node stops.
    pub(crate) async fn keep_gate(self: Arc<Self>) {
        let mut changed = self.book.watch();
        let mut naps = slept();
        self.speak_first().await;
        while !self.stop.is_cancelled() {
            let slept = slept();
            if slept - naps > NAP {
                tracing::warn!(seconds = slept - naps, "the machine was asleep: it must be confirmed as after a boot");
                self.book.woke_up().await;
                self.speak_first().await;
            }
            naps = slept;
            let boot = self.book.boot();
            if self.book.look(|record| rules::must_ask(record, &boot)) && self.runs.lets_the_gate_ask() {
                self.ask_once().await;
            } else {
                self.gate.rest();
            }
            changed.mark_unchanged();
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = changed.changed() => {}
                () = tokio::time::sleep(ASK_EVERY) => {}
            }
        }
    }

    /// One word with every other machine before anything is started: whoever was replaced while it was down learns it now.
    /// Also with those that were declared lost: one of them may serve all the same, and is heard before the gate opens.
    async fn speak_first(self: &Arc<Self>) {
        let machines = self.machines().await.unwrap_or_default();
        let words = machines.iter().filter_map(|machine| {
            let pair = machine.pair.as_ref()?;
            Some(self.dial(machine.address, Some(&pair.fingerprint), Purpose::Ask))
        });
        let _ = tokio::time::timeout(FIRST_WORD, join(join_all(words), self.tell_the_lost())).await;
        self.gate.spoken.send_replace(true);
    }

    /// Waits until the other side had the chance to say who holds the mandate.
    pub(crate) async fn first_word(&self) {
        let mut spoken = self.gate.spoken.subscribe();
        let _ = spoken.wait_for(|spoken| *spoken).await;
    }

    /// Asks one machine.
    async fn ask_machine(&self, machine: Machine, fingerprint: &str) -> Answered {
        let mut told = None;
        let mut answer = GateAnswer::Silent;
        for _ in 0..MOST_WORDS {
            let dialled = self.dial(machine.address, Some(fingerprint), Purpose::Ask).await;
            // The connection is the question: what comes over another one answers nothing.
            told = dialled.ok().and_then(|dialled| dialled.reply.standing().cloned());
            answer = match &told {
                Some(told) => {
                    let (record, ear) = (self.book.record(), self.ear(machine.seat));
                    what_it_means(record, &machine, told, &ear)
                }
                None => GateAnswer::Silent,
            };
            if answer != GateAnswer::Hold {
                break;
            }
        }
        if let (GateAnswer::Confirmed, Some(told)) = (answer, &told)
            && !self.knows_contents(&told.contents).await
        {
            answer = GateAnswer::Stale;
        }
        Answered { machine, told, answer }
    }

    async fn ask_once(self: &Arc<Self>) {
        let question = self.book.question();
        let Ok(machines) = self.machines().await else { return };
        let asks = machines.into_iter().filter_map(|machine| {
            let fingerprint = machine.pair.as_ref()?.fingerprint.clone();
            Some(async move { self.ask_machine(machine, &fingerprint).await })
        });
        let asked = join_all(asks).await;
        let said: Vec<Asked> = asked.iter().map(Answered::said).collect();
        let Some(answer) = all_in_all(&said).or_else(|| self.nobody_is_left()) else { return };
        self.gate.heard(said, answer, self.clock.now());
        let how = match answer {
            GateAnswer::Confirmed => Opening::Verified,
            GateAnswer::Silent if self.gate.silence_is_over() => Opening::Unverified,
            _ => return self.poke(),
        };
        let (boot, at, book) = (self.book.boot(), self.clock.now(), self.book.clone());
        let ears = Seat::ALL.map(|seat| self.ear(seat));
        let opened = self.book.change(move |record| {
            // Under the lock: the question may have been closed, or an answer overtaken, meanwhile.
            let confirmed = |one: &Answered, told: &Standing| {
                let ear = &ears[one.machine.seat.index()];
                what_it_means(record.clone(), &one.machine, told, ear) == GateAnswer::Confirmed
            };
            let holds = asked.iter().all(|one| one.told.as_ref().is_none_or(|told| confirmed(one, told)));
            book.question() == question && holds && rules::open(record, &boot, at, how)
        });
        match opened.await {
            Ok(true) => {
                tracing::warn!(?how, "the gate is open: this machine serves");
                self.note("gate.opened", Some(json!({ "how": how }))).await;
                self.mandate_changed();
            }
            Ok(false) => {}
            Err(error) => tracing::error!(?error, "the gate cannot be opened"),
        }
    }

    /// What the services of this machine are to be; `None` while a run starts and stops them itself.
    pub(crate) fn desired(&self) -> Option<Desired> {
        let boot = self.book.boot();
        let running = self.runs.has_the_services();
        self.book.look(|record| rules::desired(record, &boot, running))
    }

    /// What this node is doing.
    pub(crate) fn state(&self) -> NodeState {
        let (boot, run) = (self.book.boot(), self.run_moving_service().map(|run| run.kind));
        self.book.look(|record| state::state(record, &boot, run))
    }

    pub(crate) fn gate_report(&self) -> GateReport {
        let boot = self.book.boot();
        let memory = self.gate.change(|memory| memory.clone());
        self.book.look(|record| {
            let opened = record.opened.as_ref().filter(|opened| opened.boot == boot);
            let answer = reasons::answer(record, &boot);
            let held = answer == GateState::Held;
            let left = memory
                .silent_since
                .map(|since| Duration::from_secs(memory.wait.into()).saturating_sub(since.elapsed()));
            let opens = held && self.gate.opens_in_silence(record);
            GateReport {
                policy: memory.policy,
                wait_seconds: memory.wait,
                chosen: Some(memory.chosen),
                answer,
                unverified: opened.is_some_and(|opened| opened.how == Opening::Unverified),
                since: opened.map(|opened| opened.at).or(memory.held_since),
                opens_at: left.filter(|_| opens).and_then(|left| self.clock.now().checked_add(left).ok()),
                asked: memory.asked,
                because: reasons::because(record, &boot),
                held_by: record.held_by.clone(),
                declared_lost: record.declared_lost.clone(),
            }
        })
    }

    /// Whether a service may be started now: what whoever starts one outside of `tvox-dr` is to ask.
    pub(crate) fn gate_check(&self) -> GateCheck {
        let (mut gate, boot) = (self.gate_report(), self.book.boot());
        let open = match self.desired() {
            Some(desired) => desired == Desired::Up,
            // A run starts and stops them itself: what it starts must start, what it has stopped stays down.
            None if self.runs.stops_services() => {
                gate.because.push(GateReason::HandingBack);
                false
            }
            // Its services are up again before it is written down that nobody is suspended.
            None if self.runs.takes_suspension_back() => {
                gate.because.retain(|reason| *reason != GateReason::Suspended);
                true
            }
            None => self.book.look(|record| reasons::may_start(record, &boot)),
        };
        let (name, role) = (self.info.name.clone(), self.info.role);
        GateCheck { schema: SCHEMA, open, name, role, by: CheckedBy::Node, gate }
    }
}
