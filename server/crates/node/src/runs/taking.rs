//! The steps by which this site takes the service: inbound sync closed, mandate written, data made writable.

use std::sync::Arc;
use std::time::Duration;

use contract::mandate::MandateKind;
use contract::run::RunKind;
use contract::{Denied, Lang, NodeRole, Rule, Text};
use replication::{Difference, ErrorKind, Promoted, Replica, Unwatched};

use super::Run;
use super::giving::not_open;
use super::log::{Event, Plan};
use super::older_point::Chosen;
use super::procedure::Step;
use super::step::{Seen, Stop, try_again};
use crate::mandate::Raise;
use crate::mandate::file::Record;
use crate::mandate::mission;
use crate::mandate::rules;
use crate::node::Node;
use crate::sync::pull::RESERVE_OF_SERVING;
use crate::sync::replica::Copy;
use crate::sync::told;

/// How often a pull that is cut off is looked at.
const LOOK: Duration = Duration::from_millis(50);

impl Node {
    /// Cuts off the pulls that run. None begins while a run is open.
    pub(super) async fn close_inbound(&self) -> Result<(), Stop> {
        self.copies.cancel_pulls(|_, _| true);
        while self.inbound_is_closed()?.is_none() {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    pub(super) fn inbound_is_closed(&self) -> Result<Seen, Stop> {
        let pulls = self.copies.all().iter().any(|copy| copy.standing(|standing| standing.pulling.is_some()));
        Ok((!pulls).then(String::new))
    }

    pub(super) fn mandate_is_written(&self, plan: &Plan) -> Seen {
        self.book.look(|record| {
            let head = record.mandate.as_ref().filter(|_| mission::is_written(record, &plan.mandate))?;
            Some(format!("{}: {}", head.epoch, head.holder.as_str()))
        })
    }

    /// What is to be told with the end of a step beside the end itself.
    pub(super) fn told_by(&self, plan: &Plan, step: &Step) -> Option<Event> {
        let head = self.mandate_info().filter(|head| *step == Step::Mandate && head.id == plan.mandate);
        head.map(|head| Event::Raised { epoch: head.epoch })
    }

    /// Writes the mandate. Whoever takes needs evidence that holds at that very moment; whoever gives needs nothing but
    /// to have it.
    pub(super) async fn write_mandate(self: &Arc<Self>, run: &Arc<Run>, plan: &Plan) -> Result<(), Stop> {
        let raise = |kind, evidence| Raise {
            id: plan.mandate.clone(),
            kind,
            holder: self.holder_after(plan),
            operator: plan.operator.clone(),
            reason: plan.reason.clone(),
            evidence,
            base: None,
            retired: plan.retires.clone(),
        };
        if plan.kind == RunKind::Failback {
            return self.give_with_content(run, plan, raise(MandateKind::Failback, Vec::new())).await;
        }
        if plan.kind == RunKind::Deactivation {
            // Somebody may have started one since it was stopped, and written.
            self.take_all_down(plan).await?;
            self.write_ledger(run, plan).await?;
            return self.give(run, plan, raise(MandateKind::Rollback, Vec::new())).await;
        }
        let kind = match plan.kind {
            RunKind::Takeover => MandateKind::Takeover,
            RunKind::Retirement => MandateKind::Retirement,
            _ => MandateKind::Activation,
        };
        let (goes_on, name) = (plan.kind == RunKind::Retirement, self.info.name.clone());
        let held = self.fresh_evidence(run, plan).await?;
        let (run, book, evidence) = (Arc::clone(run), self.book.clone(), held.sentences());
        let base = plan.point.as_ref().map(Chosen::contents);
        let taken = self.raise_mandate(Raise { base, ..raise(kind, evidence) }, move |record| {
            run.goes_on()?;
            // It may have learnt it since the run began; `tvox-dr rescue open` alone goes past that.
            if record.declared_lost.is_some() {
                return Err(Denied::rule(Rule::PairRetired, name, ""));
            }
            // Who retires without taking must still have what it goes on with.
            if goes_on && !record.is_holder() {
                return Err(Denied::rule(Rule::StateIllegal, name, "standby"));
            }
            held.holds(&book, record)
        });
        Ok(taken.await.map(drop)?)
    }

    pub(super) fn is_put_back(&self) -> Seen {
        self.book.look(|record| record.receiving.is_none().then(String::new))
    }

    /// Waits until what was coming home is given up: that goes on by itself, whatever becomes of the run.
    pub(super) async fn await_put_back(&self) -> Result<(), Stop> {
        // What was in the way before the mandate, or before an operator said to go on, says nothing about this attempt.
        self.home.set_trouble(None);
        while self.is_put_back().is_none() {
            if let Some(trouble) = self.home.trouble() {
                return Err(Stop::new(trouble, try_again()));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Gives the mandate away: whoever gives it needs the right to serve, and its services down. Named by the newest that it
    /// knows is not enough after a boot: the other side may have taken it meanwhile.
    pub(super) async fn give(&self, run: &Arc<Run>, plan: &Plan, raise: Raise) -> Result<(), Stop> {
        let (run, name, boot) = (Arc::clone(run), self.info.name.clone(), self.book.boot());
        let down: Vec<&str> = plan.services.iter().map(|service| service.name.as_str()).collect();
        let evidence = vec![format!("{name}: services seen down: {}", down.join(", "))];
        let given = self.raise_mandate(Raise { evidence, ..raise }, move |record| {
            run.goes_on()?;
            let state = if record.is_holder() { "held" } else { "standby" };
            let has_it = rules::may_serve(record, &boot);
            if has_it { Ok(()) } else { Err(Denied::rule(Rule::StateIllegal, name, state)) }
        });
        Ok(given.await.map(drop)?)
    }

    /// The site that a mandate of this run names.
    fn holder_after(&self, plan: &Plan) -> NodeRole {
        match plan.kind {
            RunKind::Deactivation | RunKind::Failback => self.info.role.other(),
            _ => self.info.role,
        }
    }

    /// Makes a writable copy of each dataset and lets its target show it. A dataset without a complete generation has
    /// nothing to be made writable: that was consented to.
    pub(super) async fn make_data_writable(&self, plan: &Plan) -> Result<(), Stop> {
        for copy in self.planned_copies(plan) {
            let generation = plan.point.as_ref().and_then(|point| point.generation(&copy.dataset.name));
            // A drill that copied when this run began has been told to leave off.
            drop(copy.rehearsing.lock().await);
            let mut made = self.promote(plan, &copy, generation).await?;
            if made.as_ref().is_err_and(|error| error.kind() == ErrorKind::DiskFull) {
                self.make_room().await;
                made = self.promote(plan, &copy, generation).await?;
            }
            let damaged = made.map_err(|error| engine_failed(&copy, &error))?;
            // It serves all the same; who is told of damage is told of this as well. What is known of damage is known of
            // the newest generation.
            if !damaged.is_empty()
                && generation.is_none()
                && let Err(error) = self.note_damage(&copy.dataset.name, &damaged).await
            {
                tracing::error!(?error, dataset = copy.dataset.name, "a damage could not be noted");
            }
        }
        Ok(())
    }

    /// Replicas share a disk: what only saves time in one makes room for another.
    pub(super) async fn make_room(&self) {
        for copy in self.copies.all() {
            self.with_engine(&copy, Replica::make_room).await;
        }
    }

    /// Makes the writable copy of one dataset; gives what of it is damaged.
    async fn promote(
        &self,
        plan: &Plan,
        copy: &Arc<Copy>,
        generation: Option<u64>,
    ) -> Result<replication::Result<Vec<Difference>>, Stop> {
        let (now, run, keeps) = (self.clock.now(), plan.id.clone(), self.keeps(plan));
        let made = self.with_engine(copy, move |replica| {
            // What another run left serving: of the mandate that holds it is kept, of an older one it is put aside.
            match replica.promoted().map(|serving| serving.run.clone()) {
                Some(other) if other != run && keeps.covers(&other) => return Ok(Vec::new()),
                Some(other) if other != run => replica.hand_back(&other, now, &Unwatched)?,
                _ => {}
            }
            if replica.committed().is_none() {
                return Ok(Vec::new());
            }
            Ok(replica.promote(&run, generation, RESERVE_OF_SERVING, now, &Unwatched)?.damaged)
        });
        Ok(made.await.ok_or_else(|| not_open(copy))?)
    }

    pub(super) async fn data_is_writable(&self, plan: &Plan) -> Result<Seen, Stop> {
        let mut told = Vec::new();
        let keeps = self.keeps(plan);
        for copy in self.planned_copies(plan) {
            let (run, keeps) = (plan.id.clone(), keeps.clone());
            let seen = self.with_engine(&copy, move |replica| match replica.promoted() {
                Some(serving) => (serving.run == run || keeps.covers(&serving.run)).then(|| Some(serving.clone())),
                None => replica.committed().is_none().then_some(None),
            });
            let Some(serving) = seen.await.ok_or_else(|| not_open(&copy))? else { return Ok(None) };
            let generation =
                serving.as_ref().map_or_else(|| "-".to_owned(), |serving| format!("g{}", serving.generation));
            let damaged = serving.map(|serving| damage(&serving)).unwrap_or_default();
            told.push(format!("{} {generation}{damaged}", copy.dataset.name));
        }
        Ok(Some(told.join(", ")))
    }

    /// What of other runs goes on serving in this one.
    fn keeps(&self, plan: &Plan) -> Keeps {
        let rescue = |record: &Record| {
            let head = record.mandate.as_ref().filter(|head| head.kind == MandateKind::Rescue);
            head.map(crate::rescue::serving_run)
        };
        Keeps { all: plan.was_holder, rescue: self.book.look(rescue) }
    }

    pub(super) fn planned_copies(&self, plan: &Plan) -> Vec<Arc<Copy>> {
        let mut copies = self.copies.all();
        copies.retain(|copy| plan.datasets.contains(&copy.dataset.name));
        copies
    }
}

/// Which copies that another run made writable are those of the mandate that holds.
#[derive(Debug, Clone)]
struct Keeps {
    /// This side held the mandate already.
    all: bool,
    /// The run of the rescue that wrote the mandate.
    rescue: Option<String>,
}

impl Keeps {
    fn covers(&self, run: &str) -> bool {
        self.all || self.rescue.as_deref() == Some(run)
    }
}

/// How many names are told of a copy that is damaged; the rest is counted.
const MOST_TOLD: usize = 10;

/// What of a copy that serves is damaged, for the report of the run.
pub(crate) fn damage(serving: &Promoted) -> String {
    if serving.damaged.is_empty() { String::new() } else { format!(" (DAMAGED: {})", named(&serving.damaged)) }
}

/// The first names of what is damaged.
pub(super) fn named(damaged: &[Difference]) -> String {
    let list = |one: &Difference| if one.path.is_empty() { "list of names".to_owned() } else { one.path.clone() };
    let mut names: Vec<String> = damaged.iter().take(MOST_TOLD).map(list).collect();
    if let Some(more) = damaged.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
        names.push(format!("+{more}"));
    }
    names.join(", ")
}

pub(super) fn engine_failed(copy: &Copy, error: &replication::Error) -> Stop {
    if error.kind() == ErrorKind::DiskFull {
        // The words for a pull promise that it goes on from what has arrived: this copy begins anew.
        let remedy = Text::new(
            "Manca lo spazio per la copia scrivibile dei dati: liberare spazio sul disco del DR, poi premere Riprendi (tvox-dr run resume).",
            "There is no room for the writable copy of the data: free some space on the disk of the DR, then resume (tvox-dr run resume).",
        );
        return Stop::new(format!("{}: {}", copy.dataset.name, told(error)), remedy);
    }
    let code = error.kind().code();
    let again = try_again();
    let words = |lang: Lang| format!("{} {}", contract::sync::error_sentence(code, lang), again.get(lang));
    Stop::new(format!("{}: {}", copy.dataset.name, told(error)), Text::new(words(Lang::It), words(Lang::En)))
}
