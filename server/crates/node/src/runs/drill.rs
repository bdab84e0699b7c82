//! The activation drill: everything that an activation would need of this machine is tried while the Master serves. Nobody
//! is probed into yielding, nothing is started, no reader sees anything, the sync goes on, and whatever is meant in earnest
//! ends it.

use std::sync::Arc;
use std::time::Instant;

use contract::dataset::Dataset;
use contract::preflight::Take;
use contract::run::RunKind;
use contract::state::NodeState;
use contract::{Denied, Lang, Outcome, Problem, Refused, Rule, Text, Timestamp};
use replication::{ErrorKind, Rehearsed, Replica};
use serde_json::json;

use super::Run;
use super::evidence::Testimony;
use super::giving::not_open;
use super::log::Plan;
use super::step::{Stop, try_again};
use super::store;
use super::taking::{engine_failed, named};
use crate::door::Act;
use crate::node::Node;
use crate::sync::meter::Meter;
use crate::sync::pull::RESERVE_OF_SERVING;
use crate::sync::replica::Copy;

impl Node {
    /// Begins a drill.
    pub(crate) async fn drill(self: &Arc<Self>, act: Act<'_>, reason: &str) -> Result<Outcome, Denied> {
        let _beginning = self.runs.beginning.lock().await;
        if reason.trim().is_empty() {
            return Err(Denied::field("reason", Problem::Required));
        }
        if self.pair_id().await?.is_none() {
            return Err(Denied::rule(Rule::PairNotAssociated, &self.info.name, ""));
        }
        let state = self.state();
        let mut refused: Vec<Refused> = Vec::new();
        if state != NodeState::Standby {
            refused.push(Refused::new(Rule::StateIllegal, &self.info.name, state.as_str()));
        }
        let open = self.runs.open();
        refused.extend(open.map(|run| Refused::new(Rule::RunInProgress, &self.info.name, run.kind.as_str())));
        refused.extend(self.a_task_runs());
        if !refused.is_empty() {
            return Err(Denied::Refused(refused));
        }
        let plan = self.plan(RunKind::Drill, &act, reason, None).await?;
        self.begin(act, plan, Testimony::default(), json!({})).await
    }

    /// When a drill passed last, by this machine's clock.
    pub(crate) async fn last_drill_passed(&self) -> Result<Option<Timestamp>, Denied> {
        store::last_done(self.store.pool(), RunKind::Drill).await
    }

    /// Copies every dataset as an activation would, all of them beside each other, because that is the room that one needs.
    /// Where it does not work nothing of it stays.
    pub(super) async fn rehearse_all(self: &Arc<Self>, run: &Run, plan: &Plan) -> Result<String, Stop> {
        let began = Instant::now();
        let copied = tokio::select! {
            copied = self.rehearse_each(plan) => copied,
            () = run.gives_up() => Err(Stop::new("given up", try_again())),
        };
        if copied.is_err() {
            self.drop_rehearsals(plan).await?;
        }
        let told = copied?;
        Ok(format!("{} in {:.1} s", told.join(", "), began.elapsed().as_secs_f64()))
    }

    async fn rehearse_each(self: &Arc<Self>, plan: &Plan) -> Result<Vec<String>, Stop> {
        let copies = self.planned_copies(plan);
        let missing = plan.datasets.iter().filter(|name| !copies.iter().any(|copy| copy.dataset.name == **name));
        if let Some(gone) = missing.into_iter().next() {
            return Err(Stop::new(format!("{gone}: it is not replicated any more"), try_again()));
        }
        if copies.is_empty() {
            let remedy = Text::new(
                "Dichiarare sul Master che cosa replicare, attendere la prima copia, poi riprendere.",
                "Declare on the Master what is to be replicated, await the first copy, then resume.",
            );
            return Err(Stop::new("there is nothing to serve from: no dataset is declared", remedy));
        }
        let mut told = Vec::new();
        for copy in copies {
            let done = self.rehearse(plan, &copy).await?;
            let name = &copy.dataset.name;
            if !done.damaged.is_empty() {
                if let Err(error) = self.note_damage(name, &done.damaged).await {
                    tracing::error!(?error, dataset = name, "a damage could not be noted");
                }
                return Err(Stop::new(format!("{name}: DAMAGED: {}", named(&done.damaged)), heal(&copy.dataset)));
            }
            told.push(format!("{name} g{} {} files {} bytes", done.generation, done.files, done.bytes));
        }
        Ok(told)
    }

    /// Copies one dataset; where there is no room, once more without what only saves time, as an activation does.
    async fn rehearse(self: &Arc<Self>, plan: &Plan, copy: &Arc<Copy>) -> Result<Rehearsed, Stop> {
        let mut tried = self.rehearse_once(plan, copy).await?;
        if tried.as_ref().is_err_and(|error| error.kind() == ErrorKind::DiskFull) {
            self.make_room().await;
            tried = self.rehearse_once(plan, copy).await?;
        }
        tried.map_err(|error| not_tried(copy, &error))
    }

    /// Copies one dataset. The engine is free meanwhile, and the generation stays.
    async fn rehearse_once(
        self: &Arc<Self>,
        plan: &Plan,
        copy: &Arc<Copy>,
    ) -> Result<replication::Result<Rehearsed>, Stop> {
        let held = Arc::clone(&copy.rehearsing).lock_owned().await;
        let rehearsal = {
            let _keeping = self.copies.keeping.lock().await;
            let run = plan.id.clone();
            let set_up = self.with_engine(copy, move |replica: &mut Replica| replica.rehearse(&run)).await;
            let rehearsal = match set_up.ok_or_else(|| not_open(copy))? {
                Ok(rehearsal) => rehearsal,
                Err(error) => return Ok(Err(error)),
            };
            copy.change(|standing| standing.rehearsed = Some(rehearsal.generation()));
            rehearsal
        };
        // Whoever drops this future ends the work, too; the lock goes when it has ended.
        let stop = self.stop.child_token();
        let ends = stop.clone().drop_guard();
        let meter = Meter::new(stop);
        let work = tokio::task::spawn_blocking({
            let copy = Arc::clone(copy);
            move || {
                let done = rehearsal.run(RESERVE_OF_SERVING, &meter);
                copy.change(|standing| standing.rehearsed = None);
                drop(held);
                done
            }
        });
        let done = work.await;
        drop(ends);
        done.map_err(|error| Stop::new(format!("{}: {error}", copy.dataset.name), try_again()))
    }

    /// Throws away what was copied.
    pub(super) async fn drop_rehearsals(&self, plan: &Plan) -> Result<(), Stop> {
        for copy in self.planned_copies(plan) {
            let held = copy.rehearsing.lock().await;
            let dropped = self.with_engine(&copy, |replica: &mut Replica| replica.drop_rehearsals()).await;
            drop(held);
            dropped.unwrap_or(Ok(())).map_err(|error| engine_failed(&copy, &error))?;
        }
        Ok(())
    }

    /// Whether an activation would find everything that it needs but the other site's silence and an operator's word.
    pub(super) async fn look_whether_ready(&self) -> Result<(), Stop> {
        let report = self.dry_run(&Take::default()).await?;
        if report.verdict.ready {
            return Ok(());
        }
        let lacking: Vec<Refused> = report.blocked.into_iter().filter(|refused| !answered(refused.rule)).collect();
        if !lacking.is_empty() {
            return Err(Stop::refused(&lacking));
        }
        // What keeps it from being ready and stands in nobody's way is a service that could not be started.
        let services: Vec<Refused> =
            report.warnings.into_iter().filter(|warning| warning.rule == Rule::ServiceCommand).collect();
        Err(Stop::refused(&services))
    }
}

/// What the other site or the operator answers on the day.
fn answered(rule: Rule) -> bool {
    matches!(rule, Rule::IsolationAlive | Rule::IsolationUnattested | Rule::DataLossConsent)
}

fn not_tried(copy: &Copy, error: &replication::Error) -> Stop {
    if error.kind() == ErrorKind::NothingCommitted {
        let remedy = Text::new(
            "Attendere la prima copia completa, poi premere Riprendi (tvox-dr run resume).",
            "Await the first complete copy, then resume (tvox-dr run resume).",
        );
        return Stop::new(format!("{}: there is no complete generation yet", copy.dataset.name), remedy);
    }
    engine_failed(copy, error)
}

fn heal(dataset: &Dataset) -> Text {
    let words = |lang: Lang| match lang {
        Lang::It => format!(
            "Il disco del DR ha danneggiato questi file. {}: con la replicazione ON vengono riparati dal Master da soli; poi premere Riprendi, e far controllare il disco.",
            dataset.name
        ),
        Lang::En => format!(
            "The disk of the DR has damaged these files. {}: while the replication is ON they are healed from the Master by themselves; then resume, and have the disk checked.",
            dataset.name
        ),
    };
    Text::new(words(Lang::It), words(Lang::En))
}
