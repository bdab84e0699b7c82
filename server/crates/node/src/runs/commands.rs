//! The commands of the button: each is checked, written down as a run, and left to the engine.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use contract::isolation::Attestation;
use contract::mandate::Tombstone;
use contract::preflight::{Loss, Release, Take};
use contract::run::{RunKind, RunState};
use contract::{Denied, FieldError, Outcome, Problem, Rule};
use serde_json::{Value, json};

use super::approval::with_approval;
use super::evidence::Testimony;
use super::log::{Event, Plan, State};
use super::older_point::refuse_point;
use super::procedure::{Step, steps, with_point, with_power_off, with_put_back};
use super::{Run, store};
use crate::door::Act;
use crate::node::Node;
use crate::random;

impl Node {
    /// Takes the service; where it is held already and suspended, starts it again.
    pub(crate) async fn activate(self: &Arc<Self>, act: Act<'_>, take: &Take) -> Result<Outcome, Denied> {
        let _beginning = self.runs.beginning.lock().await;
        if self.book.look(|record| record.suspended) && self.may_serve() {
            self.check_typed(&act, &take.reason, take.password.as_ref()).await?;
            self.guard_take(take, refuse_point(take)).await?;
            let plan = self.plan(RunKind::Resumption, &act, &take.reason, None).await?;
            return self.begin(act, plan, Testimony::default(), json!({})).await;
        }
        self.take(act, RunKind::Activation, take, Vec::new()).await
    }

    /// Takes the service back on the Master.
    pub(crate) async fn takeover(self: &Arc<Self>, act: Act<'_>, take: &Take) -> Result<Outcome, Denied> {
        let _beginning = self.runs.beginning.lock().await;
        self.take(act, RunKind::Takeover, take, Vec::new()).await
    }

    /// Takes the service, and declares those machines lost.
    pub(super) async fn take(
        self: &Arc<Self>,
        act: Act<'_>,
        kind: RunKind,
        take: &Take,
        retires: Vec<Tombstone>,
    ) -> Result<Outcome, Denied> {
        self.check_typed(&act, &take.reason, take.password.as_ref()).await?;
        let (found, look) = self.look_for_press(take).await?;
        self.guard_take(take, found.blocked).await?;
        // Nothing of what is chosen now goes before it is written down that it must stay.
        let _keeping = self.copies.keeping.lock().await;
        let point = found.point.map(|id| self.choose_point(&id, take.accept_data_loss)).transpose()?;
        let plan = self.plan(kind, &act, &take.reason, take.break_glass.as_deref()).await?;
        let steps = if point.is_some() { with_point(plan.steps) } else { plan.steps };
        let receives = self.book.look(|record| record.receiving.is_some());
        let steps = if receives { with_put_back(steps) } else { steps };
        let plan = Plan {
            overrides: take.overrides.clone(),
            point,
            consent: take.accept_data_loss,
            loss: found.loss,
            steps: with_power_off(steps, &take.power_off),
            retires,
            ..plan
        };
        let mut testimony = Testimony::default();
        testimony.vouch(&take.attest);
        testimony.saw(look);
        let brought = json!({
            "attest": take.attest, "accept_data_loss": take.accept_data_loss,
            "overrides": take.overrides, "point": take.point, "power_off": take.power_off,
            "break_glass": take.break_glass,
        });
        self.begin(act, plan, testimony, brought).await
    }

    /// Rolls back: gives the service to the Master.
    pub(crate) async fn deactivate(self: &Arc<Self>, act: Act<'_>, release: &Release) -> Result<Outcome, Denied> {
        self.release(act, RunKind::Deactivation, release).await
    }

    /// Stops the services and keeps mandate and data.
    pub(crate) async fn suspend(self: &Arc<Self>, act: Act<'_>, release: &Release) -> Result<Outcome, Denied> {
        self.release(act, RunKind::Suspension, release).await
    }

    async fn release(self: &Arc<Self>, act: Act<'_>, kind: RunKind, release: &Release) -> Result<Outcome, Denied> {
        let _beginning = self.runs.beginning.lock().await;
        self.check_typed(&act, &release.reason, release.password.as_ref()).await?;
        self.guard_release(kind, release).await?;
        let plan = self.plan(kind, &act, &release.reason, release.break_glass.as_deref()).await?;
        let plan = Plan { consent: release.discard_dr_data, ..plan };
        let brought = json!({ "discard_dr_data": release.discard_dr_data, "break_glass": release.break_glass });
        self.begin(act, plan, Testimony::default(), brought).await
    }

    /// A plan as far as it is the same for every kind. `bypass` is why it cannot wait for a second person.
    pub(super) async fn plan(
        &self,
        kind: RunKind,
        act: &Act<'_>,
        reason: &str,
        bypass: Option<&str>,
    ) -> Result<Plan, Denied> {
        let approval = self.approval_of(kind, act, bypass).await?;
        let services = self.declared_services().await?;
        let own = self.own_steps_of(kind).await?;
        let mut datasets: Vec<String> = self.copies.all().iter().map(|copy| copy.dataset.name.clone()).collect();
        datasets.sort();
        let telephony = self.telephony_settings().await?;
        let expected = self.expected_phones(&telephony).await?;
        Ok(Plan {
            id: format!("{}-{}", kind.as_str(), random::hex(&random::bytes::<4>())),
            kind,
            operator: act.actor.name.clone(),
            started_by: format!("{} ({})", act.actor.name, act.actor.from),
            reason: reason.trim().to_owned(),
            started_at: self.clock.now(),
            steps: with_approval(steps(kind, &services, &own, !telephony.is_empty()), approval.is_some()),
            approval,
            mandate: random::id(),
            was_holder: self.book.look(|record| record.is_holder()) || self.gives_in_vain().await?,
            rescued: self.book.look(|record| record.rescued.clone()),
            services,
            own,
            telephony,
            expected,
            datasets,
            overrides: Vec::new(),
            point: None,
            consent: false,
            loss: Vec::<Loss>::new(),
            discard: Vec::new(),
            replace_tail: false,
            member: None,
            stable_seconds: 0,
            retires: Vec::new(),
        })
    }

    /// Writes a run down and lets the engine have it. The caller holds `beginning`.
    pub(super) async fn begin(
        self: &Arc<Self>,
        act: Act<'_>,
        plan: Plan,
        testimony: Testimony,
        brought: Value,
    ) -> Result<Outcome, Denied> {
        let id = plan.id.clone();
        let run = Arc::new(Run::new(State::new(plan.clone()), testimony));
        // What is left of it is to wait for somebody who is given up with this; but only the mandate does that.
        self.runs.put_behind(self.runs.current());
        let before = self.runs.set(Some(Arc::clone(&run)));
        let begun = async {
            // From here on no task begins; one that began a moment ago is seen.
            if let Some(task) = self.a_task_runs() {
                return Err(Denied::Refused(vec![task]));
            }
            let mut tx = self.store.begin().await?;
            store::insert(&mut tx, &plan).await?;
            if let Some(point) = &plan.point {
                self.pin_from(&mut tx, point).await?;
            }
            self.tell_of_bypass_at_press(&mut tx, &plan, &act).await?;
            act.done_in(&id, tx, Some(brought)).await
        };
        if let Err(denied) = begun.await {
            self.runs.set(before);
            self.runs.bring_forward();
            return Err(denied);
        }
        self.mandate_changed();
        self.verdict_is_stale();
        self.outbox.wake();
        self.tasks_running.spawn(Arc::clone(self).drive(run));
        Ok(Outcome::Run { id })
    }

    /// Goes on with the run that is stuck, with the operator's word again where it is needed.
    pub(crate) async fn run_resume(self: &Arc<Self>, act: Act<'_>, attest: &[Attestation]) -> Result<Outcome, Denied> {
        let run = self.spoken_to(Some(RunState::Stuck))?;
        let bad = |attestation: &Attestation| {
            let unread = attestation.ip.trim().parse::<std::net::IpAddr>().is_err();
            let problem = if unread { Problem::NotAnIp } else { Problem::Required };
            (unread || attestation.text.trim().is_empty()).then(|| FieldError::new("attest", problem))
        };
        let errors: Vec<FieldError> = attest.iter().filter_map(bad).collect();
        if !errors.is_empty() {
            return Err(Denied::Invalid(errors));
        }
        // Of two who say it at the same time, the second finds that it goes on already.
        let _writing = run.writing.lock().await;
        if run.look(|state| state.state != RunState::Stuck) {
            return Err(Denied::rule(Rule::StateIllegal, &self.info.name, "no_run"));
        }
        run.testify(|testimony| testimony.vouch(attest));
        let by = act.actor.name.clone();
        self.speak(&run, act, &[Event::Resumed { by }], Some(json!({ "attest": attest }))).await
    }

    /// Gives the run up and undoes what it did, as long as its mandate is not written.
    pub(crate) async fn run_abort(self: &Arc<Self>, act: Act<'_>) -> Result<Outcome, Denied> {
        let run = self.spoken_to(None)?;
        // Of two who give it up at the same time, the second must neither fail nor take the first one's flag away.
        let _writing = run.writing.lock().await;
        let illegal = |word| Denied::rule(Rule::StateIllegal, &self.info.name, word);
        if run.look(|state| state.state.is_over()) {
            return Err(illegal("no_run"));
        }
        if run.look(State::is_aborting) {
            return Err(illegal("aborting"));
        }
        // In this order: a mandate that is being written looks at the flag under the lock under which it is looked for.
        run.giving_up.store(true, Ordering::SeqCst);
        let aborted = if self.mandate_is_written(&run.plan()).is_some() || !run.look(State::can_abort) {
            Err(illegal("mandate_written"))
        } else {
            let by = act.actor.name.clone();
            self.speak(&run, act, &[Event::Aborting { by }], None).await
        };
        if aborted.is_err() {
            run.giving_up.store(false, Ordering::SeqCst);
        }
        aborted
    }

    /// Writes down what an operator says to a run, with the audit row of it, and wakes the engine. The caller holds
    /// `writing`.
    async fn speak(&self, run: &Run, act: Act<'_>, events: &[Event], said: Option<Value>) -> Result<Outcome, Denied> {
        let mut tx = self.store.begin().await?;
        let state = self.log_run_in(&mut tx, run, events).await?;
        let id = state.plan.id.clone();
        act.done_in(&id, tx, said).await?;
        run.settle(state);
        run.wake.notify_one();
        self.poke();
        Ok(Outcome::Run { id })
    }

    /// Takes an operator's word for a step: that a person has done what the run waits for, or that a service or a step of
    /// the customer's own that is stuck was seen to. Nothing else can be passed.
    pub(crate) async fn run_ack(
        self: &Arc<Self>,
        act: Act<'_>,
        step: &str,
        note: Option<&str>,
    ) -> Result<Outcome, Denied> {
        let run = self.spoken_to(None)?;
        let step: Step = step.parse().map_err(|_| Denied::field("step", Problem::NotFound))?;
        let known = run.look(|state| state.plan.steps.contains(&step));
        if !known || !step.can_be_passed() {
            return Err(Denied::field("step", Problem::NotFound));
        }
        let said = note.map(str::trim).unwrap_or_default();
        if step.wants_a_note() && said.is_empty() {
            return Err(Denied::field("note", Problem::Required));
        }
        // Of two who say it at the same time, the second finds that nobody is waited for any more.
        let _writing = run.writing.lock().await;
        let events = run.look(|state| state.acknowledge(&step, &act.actor.name, said));
        let events = events.ok_or_else(|| Denied::rule(Rule::StateIllegal, step.to_string(), "not_waiting"))?;
        self.speak(&run, act, &events, Some(json!({ "note": note }))).await
    }
}
