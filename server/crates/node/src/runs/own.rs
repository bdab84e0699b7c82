//! The customer's own steps within a run: done on the way to the service, undone on the way back. What is fixed at the
//! press stays so: a declaration that is changed later is another run's.

use std::sync::atomic::Ordering;
use std::time::Duration;

use contract::command::Secret;
use contract::own_step::{CommandWork, DnsWork, HttpWork, OwnStep, WaitWork, Work};
use contract::run::RunKind;
use contract::{Denied, Failure, Text};
use tokio::time::Instant;

use super::log::{Plan, State};
use super::procedure::Step;
use super::step::{Seen, Stop};
use super::store;
use super::{Run, left_over};
use crate::node::Node;
use crate::own_steps::command::{self, Purpose};
use crate::own_steps::{Declared, Way, dns, http};
use crate::process::End;

/// How often a postcondition is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How often somebody who is waited for is tried.
const TRY: Duration = Duration::from_secs(1);
/// No check may keep a run waiting longer.
const CHECK_LIMIT: Duration = Duration::from_secs(10);

/// What an operator can do about a step of their own that is stuck.
pub(super) fn own_remedy(step: &Step) -> Text {
    Text::new(
        format!(
            "Leggere l'errore, correggerne la causa, poi premere Riprendi (tvox-dr run resume). Se invece è stato fatto a \
             mano, confermarlo con una nota (tvox-dr run ack {step} --note …)."
        ),
        format!(
            "Read the error, correct its cause, then resume (tvox-dr run resume). Where it was done by hand instead, \
             acknowledge it with a note (tvox-dr run ack {step} --note …)."
        ),
    )
}

impl Node {
    /// The steps that a run of this kind takes: those that are declared and switched on now, or, on the way back, those that were taken on
    /// the way to the service, as they were then.
    pub(super) async fn own_steps_of(&self, kind: RunKind) -> Result<Vec<Declared>, Denied> {
        match kind {
            RunKind::Activation | RunKind::Takeover => self.own_steps_to_take().await,
            RunKind::Deactivation | RunKind::Failback => {
                Ok(left_over::in_effect(&store::load_all(self.store.pool()).await?))
            }
            RunKind::Undo => self.steps_left().await,
            // The service stops or starts again where it is: nothing that leads to it changes.
            RunKind::Suspension | RunKind::Resumption | RunKind::Retirement | RunKind::Drill => Ok(Vec::new()),
        }
    }

    /// Whether what a step does is in effect, or (on the way back) is not any more.
    pub(super) async fn own_step_is(&self, run: &Run, plan: &Plan, step: &Step, way: Way) -> Result<Seen, Stop> {
        let own = planned(plan, step)?;
        match &own.work {
            Work::Manual(_) => Ok(run.look(|state| state.acknowledged(step))),
            Work::Command(work) => self.command_is(plan, own, work, way).await,
            Work::Dns(work) => Ok(self.switch(plan, step, work)?.is_made(way, dns::seconds(self.clock.now())).await),
            Work::Http(work) => {
                let secret = self.secret_in(plan, step)?;
                let patience = CHECK_LIMIT.min(limit(own));
                let is = http::is_in_effect(work, secret.as_ref(), patience).await;
                Ok((is == Some(way == Way::There)).then(String::new))
            }
            Work::Wait(work) => Ok(self.is_there(work, &plan.id).await.ok()),
        }
    }

    async fn command_is(&self, plan: &Plan, own: &OwnStep, work: &CommandWork, way: Way) -> Result<Seen, Stop> {
        let Some(check) = &work.check else { return Ok(None) };
        let ran = command::look(check, self.purpose(plan, own), own.limit_seconds).await;
        let wanted = match (way, ran.end) {
            (Way::There, End::Code(code)) => code == 0,
            (Way::Back, End::Code(code)) => code != 0,
            // A check that did not end says nothing.
            _ => false,
        };
        Ok(wanted.then(String::new))
    }

    /// Does a step, or undoes it; the last words of what did. It may have been done before.
    pub(super) async fn take_own_step(&self, run: &Run, plan: &Plan, step: &Step, way: Way) -> Result<String, Stop> {
        let own = planned(plan, step)?;
        let taken = async {
            match &own.work {
                // A person does it; the run waits until somebody says so.
                Work::Manual(_) => Ok(String::new()),
                Work::Command(work) => self.run_command(plan, step, work, way).await,
                Work::Dns(work) => self.make_switch(plan, step, work, way).await,
                Work::Http(work) => self.make_call(plan, step, work, way).await,
                Work::Wait(work) => self.wait_for(plan, step, work, limit(own)).await,
            }
        };
        tokio::select! {
            taken = taken => taken,
            () = given_up(run) => Err(Stop::new("given up", own_remedy(step))),
        }
    }

    async fn run_command(&self, plan: &Plan, step: &Step, work: &CommandWork, way: Way) -> Result<String, Stop> {
        let own = planned(plan, step)?;
        let text = if way == Way::There { Some(&work.run) } else { work.undo.as_ref() };
        let Some(text) = text else { return Ok(String::new()) };
        let ran = command::act(text, self.purpose(plan, own), own.limit_seconds).await;
        if ran.end == End::Code(0) {
            return Ok(ran.words);
        }
        // What counts is what can be seen, where anything can.
        match self.command_is(plan, own, work, way).await? {
            Some(_) => Ok(ran.to_string()),
            None => Err(Stop::new(ran.to_string(), own_remedy(step))),
        }
    }

    async fn make_switch(&self, plan: &Plan, step: &Step, work: &DnsWork, way: Way) -> Result<String, Stop> {
        let made = self.switch(plan, step, work)?.make(way, dns::seconds(self.clock.now())).await;
        made.map_err(|trouble| Stop::new(trouble.to_string(), trouble.remedy().unwrap_or_else(|| own_remedy(step))))
    }

    async fn make_call(&self, plan: &Plan, step: &Step, work: &HttpWork, way: Way) -> Result<String, Stop> {
        let call = if way == Way::There { Some(&work.call) } else { work.undo.as_ref() };
        let Some(call) = call else { return Ok(String::new()) };
        let secret = self.secret_in(plan, step)?;
        let made = http::make(work, call, secret.as_ref(), limit(planned(plan, step)?)).await;
        made.map_err(|words| Stop::new(words, own_remedy(step)))
    }

    /// Waits until somebody answers, as long as the step is given.
    async fn wait_for(&self, plan: &Plan, step: &Step, work: &WaitWork, patience: Duration) -> Result<String, Stop> {
        let deadline = Instant::now() + patience;
        loop {
            match self.is_there(work, &plan.id).await {
                Ok(words) => return Ok(words),
                Err(words) if Instant::now() + TRY >= deadline => return Err(Stop::new(words, own_remedy(step))),
                Err(_) => tokio::time::sleep(TRY).await,
            }
        }
    }

    /// Does again what a roll back has undone that is given up.
    pub(super) async fn retake_own_step(&self, run: &Run, plan: &Plan, step: &Step) -> Result<(), Stop> {
        // Nobody was asked to undo it, or nobody said that they have.
        let untouched = matches!(planned(plan, step)?.work, Work::Manual(_)) && !run.look(|state| state.is_done(step));
        if untouched || self.own_step_is(run, plan, step, Way::There).await?.is_some() {
            return Ok(());
        }
        self.take_own_step(run, plan, step, Way::There).await?;
        while !step.is_its_own_proof(plan) && self.own_step_is(run, plan, step, Way::There).await?.is_none() {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    fn purpose<'a>(&'a self, plan: &'a Plan, own: &'a OwnStep) -> Purpose<'a> {
        Purpose { root: self.dir.root(), run: &plan.id, step: &own.name, site: self.info.role.as_str() }
    }

    fn secret_in(&self, plan: &Plan, step: &Step) -> Result<Option<Secret>, Stop> {
        let opened = plan.declared(step).map_or(Ok(None), |declared| declared.secret(&self.dir));
        opened.map_err(|why| Stop::new(why, own_remedy(step)))
    }

    fn switch(&self, plan: &Plan, step: &Step, work: &DnsWork) -> Result<dns::Switch, Stop> {
        let secret = self.secret_in(plan, step)?;
        let read = dns::Switch::of(work, secret.as_ref());
        read.map_err(|errors| Stop::new(Denied::Invalid(errors).text(contract::Lang::En), own_remedy(step)))
    }
}

fn limit(own: &OwnStep) -> Duration {
    Duration::from_secs(own.limit_seconds.into())
}

/// A step as it was declared at the press.
fn planned<'a>(plan: &'a Plan, step: &Step) -> Result<&'a OwnStep, Stop> {
    let missing = || Failure { attempt: format!("find the step {step}"), cause: "it is not in the plan".into() };
    plan.own_step(step).ok_or_else(|| Stop::failed(&missing()))
}

/// Returns once the run is being given up on its way forward; on its way back nothing cuts an undo off.
async fn given_up(run: &Run) {
    while run.look(State::is_aborting) || !run.giving_up.load(Ordering::SeqCst) {
        tokio::time::sleep(LOOK).await;
    }
}
