//! Failback: the service goes back to the Master, and what was made on the DR travels along. Copied while the DR serves,
//! once more when its services are down; the mandate then names exactly that content, and the Master serves with nothing
//! else. Until that mandate is written everything can be given up, after it nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::failback::{Choice, Failback, FailbackDataset, FailbackReport};
use contract::run::RunKind;
use contract::state::NodeState;
use contract::threshold::Threshold;
use contract::{Denied, FieldError, Outcome, Problem, Refused, Rule, SCHEMA};
use serde_json::json;

use super::Run;
use super::evidence::Testimony;
use super::log::{Event, Plan};
use super::step::{Seen, Stop, try_again};
use crate::cluster::Machine;
use crate::door::Act;
use crate::home::Serving;
use crate::link::errand::{Errand, Survey};
use crate::mandate::Raise;
use crate::node::Node;

/// How long to wait before a Master that fell silent is dialled again.
const AGAIN: Duration = Duration::from_secs(1);

/// How far content has travelled, as this process knows.
#[derive(Debug, Default)]
pub(super) struct Travel {
    brought: Option<BTreeMap<String, String>>,
    compared: bool,
    /// Since when the Master has been seen serving without a gap.
    pub(super) serves_since: Option<Instant>,
}

impl Travel {
    pub(super) fn is_brought(&self) -> bool {
        self.brought.is_some()
    }

    pub(super) fn is_compared(&self) -> bool {
        self.compared
    }

    pub(super) fn summary(&self) -> String {
        self.brought.as_ref().map(told_contents).unwrap_or_default()
    }
}

/// Content as shown in a step: the beginning of each id is enough to compare.
pub(super) fn told_contents(contents: &BTreeMap<String, String>) -> String {
    let one = |(name, content): (&String, &String)| format!("{name} {}", content.get(..12).unwrap_or(content));
    contents.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl Node {
    /// Gives the service to the Master, together with what was made on the DR.
    pub(crate) async fn failback(self: &Arc<Self>, act: Act<'_>, failback: &Failback) -> Result<Outcome, Denied> {
        let _beginning = self.runs.beginning.lock().await;
        self.check_typed(&act, &failback.reason, failback.password.as_ref()).await?;
        self.check_discarded(failback)?;
        let mut refused = self.guard(&failback.confirm_name);
        let report = self.failback_report(failback).await?;
        refused.extend(report.blocked.into_iter().filter(|one| one.rule != Rule::RunInProgress));
        if !refused.is_empty() {
            return Err(Denied::Refused(refused));
        }
        let to = self.choose_destination(failback.member.as_deref()).await?;
        let plan = Plan {
            consent: failback.discard_dr_data,
            member: to.pair.as_ref().map(|pair| pair.node_id.clone()),
            discard: failback.discard.clone(),
            replace_tail: failback.accept_data_loss,
            stable_seconds: self.limits().await?.get(Threshold::FailbackStable),
            ..self.plan(RunKind::Failback, &act, &failback.reason, failback.break_glass.as_deref()).await?
        };
        let brought = json!({
            "discard": failback.discard, "discard_dr_data": failback.discard_dr_data,
            "accept_data_loss": failback.accept_data_loss, "member": to.name(), "break_glass": failback.break_glass,
        });
        self.begin(act, plan, Testimony::default(), brought).await
    }

    fn check_discarded(&self, failback: &Failback) -> Result<(), Denied> {
        let known = |name: &String| self.copies.all().iter().any(|copy| copy.dataset.name == *name);
        let unknown = failback.discard.iter().find(|name| !known(name));
        unknown.map_or(Ok(()), |_| Err(Denied::Invalid(vec![FieldError::new("discard", Problem::NotFound)])))
    }

    /// What a failback would do now, and what stands in its way.
    pub(crate) async fn failback_report(&self, failback: &Failback) -> Result<FailbackReport, Denied> {
        let mut blocked: Vec<Refused> = self.something_runs().into_iter().collect();
        let state = self.state();
        let mut report = FailbackReport {
            schema: SCHEMA,
            allowed: false,
            blocked: Vec::new(),
            member: None,
            datasets: Vec::new(),
            needed_bytes: None,
            free_bytes: None,
            steps: self.planned_steps(RunKind::Failback).await?,
        };
        if state != NodeState::Active {
            blocked.push(Refused::new(Rule::StateIllegal, &self.info.name, state.as_str()));
            return Ok(FailbackReport { blocked, ..report });
        }
        let to = match self.choose_destination(failback.member.as_deref()).await {
            Ok(to) => to,
            Err(Denied::Refused(refused)) => {
                blocked.extend(refused);
                return Ok(FailbackReport { blocked, ..report });
            }
            Err(other) => return Err(other),
        };
        report.member = (self.machines_across().await?.len() > 1).then(|| to.name());
        blocked.extend(self.restless_beside(&to).await?);
        let ledger = self.ledger().await?;
        let serving = self.serving().await;
        let discarded = |name: &str| failback.discard.iter().any(|one| one == name);
        let lost = ledger.datasets.iter().filter(|made| discarded(&made.dataset)).cloned().collect();
        blocked.extend(self.refuse_to_discard(&contract::run::Ledger { datasets: lost }, failback.discard_dr_data));
        let travelling = serving.iter().filter(|(name, _)| !discarded(name));
        let travelling: BTreeMap<String, Serving> = travelling.map(|(k, v)| (k.clone(), v.clone())).collect();
        let survey = match self.survey_home(&to, &travelling).await {
            Ok(survey) => {
                report.needed_bytes = Some(survey.needed_bytes);
                report.free_bytes = Some(survey.free_bytes);
                blocked.extend(survey.refused.clone());
                blocked.extend(refuse_tails(&survey, failback.accept_data_loss));
                survey
            }
            Err(Denied::Refused(refused)) => {
                blocked.extend(refused);
                Survey::default()
            }
            Err(other) => return Err(other),
        };
        report.datasets = serving
            .keys()
            .map(|name| FailbackDataset {
                dataset: name.clone(),
                choice: if discarded(name) { Choice::Discard } else { Choice::Home },
                ledger: ledger.datasets.iter().find(|made| made.dataset == *name).cloned(),
                tail: survey.tails.get(name).copied().flatten(),
            })
            .collect();
        report.allowed = blocked.is_empty();
        Ok(FailbackReport { blocked, ..report })
    }

    /// The datasets of a run that travel.
    async fn travelling(&self, plan: &Plan) -> BTreeMap<String, Serving> {
        let mut serving = self.serving().await;
        serving.retain(|name, _| plan.datasets.contains(name) && !plan.discard.contains(name));
        serving
    }

    /// The machine that takes it in.
    pub(super) async fn home_of(&self, plan: &Plan) -> Result<Machine, Denied> {
        self.destination(plan.member.as_deref()).await
    }

    /// Whether it takes it in, and its name where that is one of two.
    pub(super) async fn master_receives(&self, plan: &Plan) -> Result<Seen, Stop> {
        let to = self.home_of(plan).await?;
        let told = self.standing_of(to.seat).filter(|told| told.receiving.as_ref() == Some(&plan.id));
        let of_two = self.machines_across().await?.len() > 1;
        Ok(told.map(|_| if of_two { to.name() } else { String::new() }))
    }

    pub(super) async fn let_master_receive(&self, run: &Run, plan: &Plan) -> Result<(), Stop> {
        let travelling = self.travelling(plan).await;
        let survey = || async {
            let to = self.home_of(plan).await?;
            let mut survey = self.survey_home(&to, &travelling).await?;
            survey.refused.extend(self.restless_beside(&to).await?);
            Ok(survey)
        };
        let survey = self.patiently(run, survey).await?;
        let refused: Vec<Refused> =
            survey.refused.iter().cloned().chain(refuse_tails(&survey, plan.replace_tail)).collect();
        if !refused.is_empty() {
            return Err(Stop::refused(&refused));
        }
        let past: Vec<_> = travelling.values().filter_map(Serving::last_of_master).collect();
        let errand = Errand::Receive { run: plan.id.clone(), past, mandate: plan.mandate.clone() };
        self.send_on(run, plan, &errand).await
    }

    /// Does an errand there, again and again while it is silent.
    async fn send_on(&self, run: &Run, plan: &Plan, errand: &Errand) -> Result<(), Stop> {
        let there = || async { self.errand(&self.home_of(plan).await?, errand.clone()).await };
        self.patiently(run, there).await.map(drop)
    }

    pub(super) async fn bring_all(&self, run: &Run, plan: &Plan) -> Result<(), Stop> {
        let contents = self.bring(run, plan).await?;
        run.travel(|travel| travel.brought = Some(contents));
        Ok(())
    }

    /// Once more, now that nobody writes any more: what the Master has taken in then is what the mandate will name.
    pub(super) async fn bring_the_last(&self, run: &Run, plan: &Plan) -> Result<(), Stop> {
        self.take_all_down(plan).await?;
        run.travel(|travel| travel.compared = false);
        let contents = self.bring(run, plan).await?;
        if run.look(|state| state.contents.as_ref() != Some(&contents)) {
            self.log_run(run, vec![Event::Brought { contents }]).await?;
        }
        Ok(())
    }

    async fn bring(&self, run: &Run, plan: &Plan) -> Result<BTreeMap<String, String>, Stop> {
        let mut contents = BTreeMap::new();
        let stop = self.stop.child_token();
        // A step that is given up takes the transfer along.
        let _ended = stop.clone().drop_guard();
        for (name, serving) in self.travelling(plan).await {
            let bring = || async { self.bring_home(&self.home_of(plan).await?, &plan.id, &serving, &stop).await };
            let content = self.patiently(run, bring).await?;
            contents.insert(name, content.to_string());
        }
        Ok(contents)
    }

    pub(super) async fn compare_with_master(&self, run: &Run, plan: &Plan) -> Result<(), Stop> {
        let contents = run.look(|state| state.contents.clone()).unwrap_or_default();
        self.send_on(run, plan, &Errand::Compare { run: plan.id.clone(), contents }).await?;
        run.travel(|travel| travel.compared = true);
        Ok(())
    }

    /// Gives the mandate to the Master with the content that both sides hold now. Somebody may have started a service since
    /// it was stopped, and written: that travels first.
    pub(super) async fn give_with_content(&self, run: &Arc<Run>, plan: &Plan, raise: Raise) -> Result<(), Stop> {
        if self.mandate_is_written(plan).is_some() {
            return Ok(());
        }
        self.take_all_down(plan).await?;
        self.write_ledger(run, plan).await?;
        let known = run.look(|state| state.contents.clone()).unwrap_or_default();
        if self.held(plan).await? != known {
            self.bring_the_last(run, plan).await?;
        }
        let to = self.home_of(plan).await?;
        // From here on the Master puts it in its place, whoever uses the same disk.
        let (compared, restless) = tokio::join!(self.compare_with_master(run, plan), self.restless_beside(&to));
        compared?;
        let restless = restless?;
        if !restless.is_empty() {
            return Err(Stop::refused(&restless));
        }
        let base = run.look(|state| state.contents.clone());
        self.give(run, plan, Raise { base, ..raise }).await
    }

    /// What the copies that serve hold now.
    async fn held(&self, plan: &Plan) -> Result<BTreeMap<String, String>, Stop> {
        let mut held = BTreeMap::new();
        for (name, serving) in self.travelling(plan).await {
            let captured = self.capture_home(&serving, &self.stop).await?;
            held.insert(name, captured.manifest.content_id().to_string());
        }
        Ok(held)
    }

    /// Does something at the Master, again and again while it is silent or the line breaks, until the run is given up.
    async fn patiently<T, W>(&self, run: &Run, mut work: impl FnMut() -> W) -> Result<T, Stop>
    where
        W: Future<Output = Result<T, Denied>>,
    {
        loop {
            let done = tokio::select! {
                done = work() => done,
                () = run.gives_up() => return Err(Stop::new("given up", try_again())),
            };
            match done {
                Err(Denied::Refused(refused)) if refused.iter().all(passes) => {}
                done => return Ok(done?),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Whether a refusal is only for the moment.
fn passes(refused: &Refused) -> bool {
    match refused.rule {
        Rule::FailbackMaster => refused.detail == "silent",
        Rule::SyncMandate => true,
        _ => false,
    }
}

/// The guard of what the Master wrote last.
fn refuse_tails(survey: &Survey, consent: bool) -> Vec<Refused> {
    let unsure = |tail: &Option<bool>| *tail != Some(false);
    let tails = survey.tails.iter().filter(|(_, tail)| unsure(tail) && !consent);
    tails.map(|(name, _)| Refused::new(Rule::FailbackTail, name, "")).collect()
}
