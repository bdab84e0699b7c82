//! Evidence that the other site does not serve: gathered, kept in memory only, and worth nothing after a restart, after a
//! few seconds, or after a sign of life. Silence is no evidence; an operator's word is.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use contract::isolation::{Attestation, IsolationOutcome, MachineIsolation};
use contract::power::PowerState;
use contract::preflight::Override;
use contract::{Denied, Lang, Refused, Rule, Text};
use futures_util::future::join_all;

use super::Run;
use super::log::{Event, Plan};
use super::procedure::Step;
use super::step::Stop;
use crate::cluster::Machine;
use crate::isolation::{self, Look, Pace};
use crate::mandate::Book;
use crate::mandate::evidence::{self, Ground, Since};
use crate::mandate::file::{Record, Seat};
use crate::node::Node;

/// How long what the probes saw is worth something.
const FRESH: Duration = Duration::from_secs(15);
/// How long ago the machines may have been looked at before the press, to be only glanced at for its run.
const MOMENT: Duration = Duration::from_secs(5);
/// How long ago the other side may have said that it stands down: it says so with each beat.
const SAID: Duration = Duration::from_secs(3);
/// How long the other side may take to stop its services.
const YIELDING: Duration = Duration::from_secs(120);

/// What this process knows of the other site, for one run.
#[derive(Debug, Default)]
pub(super) struct Testimony {
    words: Vec<Word>,
    /// Words that were given before were lost with the process.
    restarted: bool,
    /// What was seen when the button was pressed.
    pressed: Option<Look>,
    held: Option<Held>,
}

/// An operator's word for one machine.
#[derive(Debug, Clone)]
struct Word {
    ip: IpAddr,
    text: String,
    given: Instant,
}

/// Evidence as it was found.
#[derive(Debug, Clone)]
pub(super) struct Held {
    found: Instant,
    machines: Vec<MachineIsolation>,
    /// What it stands on, for each machine.
    grounds: Vec<Basis>,
    /// The mandate that was known when it was found: whoever has learnt of another one begins anew.
    head: Option<String>,
}

/// What the evidence about one machine stands on, and since when.
#[derive(Debug, Clone, Copy)]
struct Basis {
    seat: Seat,
    ground: Option<Ground>,
    since: Instant,
}

impl Basis {
    /// What was heard of that machine since.
    fn heard(&self, book: &Book) -> Since {
        let lived = book.last_life(self.seat).is_some_and(|life| life > self.since);
        Since { lived, stands_down: book.stands_down(self.seat, SAID) }
    }
}

impl Held {
    /// Whether it still is evidence.
    ///
    /// # Errors
    /// The rule that says why not.
    pub(super) fn holds(&self, book: &Book, record: &Record) -> Result<(), Denied> {
        let name = || self.machines.iter().map(|machine| machine.ip.to_string()).collect::<Vec<_>>().join(", ");
        let found = self.grounds.iter().map(|basis| (basis.ground, basis.heard(book)));
        if !evidence::holds(self.head.as_deref(), record, found) {
            return Err(Denied::rule(Rule::EvidenceVoid, name(), "life"));
        }
        if self.found.elapsed() > FRESH {
            return Err(Denied::failed("rely on the evidence", "it is too old by now"));
        }
        Ok(())
    }

    /// One sentence for each machine, for the mandate.
    pub(super) fn sentences(&self) -> Vec<String> {
        let sentence = |machine: &MachineIsolation| {
            let word = machine.attestation.as_ref().map(|text| format!("; attested: {text}")).unwrap_or_default();
            let seen = isolation::seen_off(machine).map(|by| format!(", seen by {by}")).unwrap_or_default();
            format!("{}: {}{seen}{word}", machine.ip, machine.outcome.label(Lang::En))
        };
        self.machines.iter().map(sentence).collect()
    }
}

impl Testimony {
    pub(super) fn after_restart() -> Self {
        Self { restarted: true, ..Self::default() }
    }

    /// Takes an operator's words, each for a machine; a later one replaces an earlier one.
    pub(super) fn vouch(&mut self, attest: &[Attestation]) {
        let given = Instant::now();
        for attestation in attest {
            let Ok(ip) = attestation.ip.trim().parse() else { continue };
            self.words.retain(|word| word.ip != ip);
            self.words.push(Word { ip, text: attestation.text.trim().to_owned(), given });
        }
        (self.pressed, self.held) = (None, None);
    }

    /// Takes what was seen when the button was pressed.
    pub(super) fn saw(&mut self, look: Look) {
        self.pressed = Some(look);
    }

    /// What the evidence says, where there is any.
    pub(super) fn summary(&self) -> Option<String> {
        self.held.as_ref().filter(|held| held.found.elapsed() <= FRESH).map(|held| held.sentences().join("; "))
    }

    pub(super) fn held(&self) -> Option<Held> {
        self.held.clone()
    }

    fn word(&self, ip: IpAddr) -> Option<Word> {
        self.words.iter().find(|word| word.ip == ip).cloned()
    }
}

impl Node {
    /// Whether a machine is seen off now; what is read, in words.
    pub(super) async fn is_powered_off(&self, ip: &str) -> Option<String> {
        let reading = self.read_power(ip.parse().ok()?, false).await.ok()??;
        (reading.state == PowerState::Off).then(|| reading.text(Lang::En))
    }

    /// Switches a machine off, and returns when it was seen off.
    pub(super) async fn power_off(&self, ip: &str) -> Result<String, Stop> {
        let ip: IpAddr = ip.parse().map_err(|_| Stop::new(format!("{ip} is no machine"), cut_off_by_hand()))?;
        match self.switch_off(ip).await {
            Ok(reading) => Ok(reading.text(Lang::En)),
            Err(fault) => Err(Stop::new(fault.text(Lang::En), cut_off_by_hand())),
        }
    }

    /// The machines of which a run needs evidence: those of the other site, or the one member that it declares lost.
    async fn at_stake(&self, plan: &Plan) -> Result<Vec<Machine>, Denied> {
        let Some(member) = plan.retired_member() else { return self.machines_across().await };
        let mut machines = self.machines().await?;
        machines.retain(|machine| machine.pair.as_ref().is_some_and(|pair| pair.node_id == member));
        Ok(machines)
    }

    /// The machines as they are found now. One that this run has switched off is told as that.
    async fn probe_for(&self, plan: &Plan, at_stake: &[Machine]) -> Vec<MachineIsolation> {
        let mut machines = match plan.retired_member() {
            Some(_) => join_all(at_stake.iter().map(|machine| self.probe_machine(machine, Pace::Now))).await,
            None => self.probe_machines(Pace::Now).await,
        };
        let ours = |ip: IpAddr| plan.steps.contains(&Step::PowerOff(ip.to_string()));
        for machine in &mut machines {
            if machine.outcome == IsolationOutcome::AlreadyDown && ours(machine.ip) {
                machine.outcome = IsolationOutcome::PoweredOff;
            }
        }
        machines
    }

    /// What the press stood on, where every machine was silent then, that is a moment ago, and still is.
    async fn still_silent(&self, run: &Run, plan: &Plan) -> Option<Look> {
        let look = run.testify(|testimony| testimony.pressed.take())?;
        // What a run switches off itself is to be seen off after that.
        let switched = plan.steps.iter().any(|step| matches!(step, Step::PowerOff(_)));
        if switched || look.age() > MOMENT {
            return None;
        }
        self.glance_at_silence(&look).await.map(|_| look)
    }

    /// Looks at every machine of the other site and keeps what may count as evidence.
    pub(super) async fn gather_evidence(self: &Arc<Self>, run: &Run, plan: &Plan) -> Result<(), Stop> {
        run.testify(|testimony| testimony.held = None);
        let head = self.book.look(|record| record.mandate.as_ref().map(|head| head.id.clone()));
        let now = Instant::now();
        let across = self.at_stake(plan).await?;
        let (mut found, mut machines) = match self.still_silent(run, plan).await {
            Some(look) => (look.began, look.machines),
            None => (now, self.probe_for(plan, &across).await),
        };
        if machines.is_empty() {
            return Err(Stop::refused(&[Refused::new(Rule::PeerUnset, &self.info.name, "")]));
        }
        let mut refused = Vec::new();
        // Also where it has stood down already: that may have been for another run, and be taken back by now.
        let answers =
            |machine: &MachineIsolation| matches!(machine.outcome, IsolationOutcome::Alive | IsolationOutcome::Fenced);
        if machines.iter().any(answers) {
            let living = machines.iter().filter(|machine| answers(machine)).map(|machine| machine.ip);
            // Alive is no obstacle once it has stopped its services and said so: each that answers is asked.
            let asked = living.filter_map(|ip| across.iter().find(|machine| machine.address.ip == ip));
            let why = join_all(asked.map(|machine| async {
                let why = self.ask_to_yield(machine, YIELDING).await.err().map(|denied| denied.text(Lang::En));
                (machine.address.ip, why.unwrap_or_default())
            }));
            let why: BTreeMap<IpAddr, String> = why.await.into_iter().collect();
            // A telephone system takes its time to stop: what counts is how it looks now.
            found = Instant::now();
            machines = self.probe_for(plan, &across).await;
            let alive = machines.iter().filter(|machine| machine.outcome == IsolationOutcome::Alive);
            let blocking = alive.filter(|machine| !is_passed(&plan.overrides, machine)).map(|machine| {
                let why = why.get(&machine.ip).map(String::as_str).unwrap_or_default();
                Refused::new(Rule::PeerNotYielding, machine.ip.to_string(), why)
            });
            refused.extend(blocking);
        }
        let mut grounds = Vec::new();
        for machine in &mut machines {
            let seat = across.iter().find(|one| one.address.ip == machine.ip).map_or(Seat::First, |one| one.seat);
            let mut since = found;
            let mut vouched = false;
            if machine.outcome == IsolationOutcome::Unreachable {
                match self.word_for(run, seat, machine.ip) {
                    Ok(word) => {
                        machine.attestation = Some(word.text);
                        (since, vouched) = (found.min(word.given), true);
                    }
                    Err(why) => refused.push(why),
                }
            }
            // Of one that is alive and was not passed it is said above why not.
            let ground = Ground::of(machine.outcome, vouched, is_passed(&plan.overrides, machine));
            grounds.push(Basis { seat, ground, since });
        }
        self.log_run(run, vec![Event::Isolation { machines: machines.clone() }]).await?;
        if refused.is_empty() {
            run.testify(|testimony| testimony.held = Some(Held { found, machines, grounds, head }));
            Ok(())
        } else {
            Err(Stop::refused(&refused))
        }
    }

    /// The operator's word for a machine that does not answer, if it is still worth something.
    fn word_for(&self, run: &Run, seat: Seat, ip: IpAddr) -> Result<Word, Refused> {
        let (word, restarted) = run.testify(|testimony| (testimony.word(ip), testimony.restarted));
        let subject = ip.to_string();
        match word {
            Some(word) if self.book.last_life(seat).is_some_and(|life| life > word.given) => {
                Err(Refused::new(Rule::EvidenceVoid, subject, "life"))
            }
            Some(word) => Ok(word),
            None if restarted => Err(Refused::new(Rule::EvidenceVoid, subject, "restart")),
            None => Err(Refused::new(Rule::IsolationUnattested, subject, "")),
        }
    }

    /// Evidence to write a mandate on: what is held, or found anew where it is too old or was lost.
    pub(super) async fn fresh_evidence(self: &Arc<Self>, run: &Run, plan: &Plan) -> Result<Held, Stop> {
        let held = run
            .testify(|testimony| testimony.held())
            .filter(|held| held.holds(&self.book, &self.book.record()).is_ok());
        if let Some(held) = held {
            return Ok(held);
        }
        self.gather_evidence(run, plan).await?;
        let held = run.testify(|testimony| testimony.held());
        held.ok_or_else(|| Stop::refused(&[Refused::new(Rule::EvidenceVoid, &self.info.name, "restart")]))
    }
}

/// What can be done about a machine that does not let itself be switched off.
fn cut_off_by_hand() -> Text {
    Text::new(
        "Correggere la causa, oppure spegnere la macchina a mano, poi premere Riprendi (tvox-dr run resume). Se l'alimentazione non si può leggere, annullare (tvox-dr run abort) e ricominciare senza spegnerla da qui, dichiarando chi l'ha vista spenta.",
        "Correct the cause, or switch the machine off by hand, then resume (tvox-dr run resume). If its power cannot be read, abort (tvox-dr run abort) and begin again without switching it off from here, stating who saw it off.",
    )
}

impl Run {
    /// Whether a mandate may still be written for it.
    pub(super) fn goes_on(&self) -> Result<(), Denied> {
        let given_up = self.giving_up.load(Ordering::SeqCst);
        if given_up { Err(Denied::failed("write the mandate", "the run is being given up")) } else { Ok(()) }
    }
}

/// Whether an operator passes the guard for a machine that is alive. One whose `tvox-dr` answers must stand down: passing
/// that takes an override of its own.
fn is_passed(overrides: &[Override], machine: &MachineIsolation) -> bool {
    let rule = if isolation::talks(machine) { Rule::PeerNotYielding } else { Rule::IsolationAlive };
    let ip = machine.ip.to_string();
    let about = |subject: &Option<String>| subject.as_ref().is_none_or(|subject| *subject == ip);
    overrides.iter().any(|passed| passed.rule == rule.as_str() && about(&passed.subject))
}
