//! The one door. Every command and every question comes through here with its actor, whoever carries it: panel, socket,
//! or the node itself. Role, side, licence and audit row are settled in this file, so that no way in differs from another.

use std::sync::Arc;

use contract::audit::AuditOutcome;
use contract::query::{Answer, Query};
use contract::{Actor, Command, Denied, Outcome, Question, Role, Rule, SCHEMA};

use crate::audit::{self, Event};
use crate::node::Node;
use crate::store::{Tx, db};

/// One command on its way: who, and what the audit row will call it.
#[derive(Debug)]
pub(crate) struct Act<'a> {
    pub(crate) node: &'a Node,
    pub(crate) actor: &'a Actor,
    command: &'a Command,
}

impl Act<'_> {
    /// Writes the audit row into the transaction of the change and commits both.
    pub(crate) async fn done(
        self,
        tx: Tx,
        before: Option<serde_json::Value>,
        after: Option<serde_json::Value>,
    ) -> Result<Outcome, Denied> {
        let event = Event { before, after, ..Event::of(self.actor, self.command) };
        self.write(tx, event).await
    }

    /// The same for what an operator says to a run.
    pub(crate) async fn done_in(self, run: &str, tx: Tx, said: Option<serde_json::Value>) -> Result<Outcome, Denied> {
        let epoch = self.node.mandate_info().map(|info| info.epoch);
        let event = Event { run: Some(run.to_owned()), epoch, after: said, ..Event::of(self.actor, self.command) };
        self.write(tx, event).await
    }

    async fn write(&self, mut tx: Tx, event: Event<'_>) -> Result<Outcome, Denied> {
        audit::append(&mut tx, self.node.clock.now(), event).await?;
        tx.commit().await.map_err(db("commit a change"))?;
        self.node.poke();
        Ok(Outcome::Done)
    }
}

impl Node {
    /// Does what is asked, or says why not; either way the audit log has a row of it.
    ///
    /// # Errors
    /// [`Denied`]: nothing was changed.
    pub async fn tell(self: &Arc<Self>, actor: &Actor, command: Command) -> Result<Outcome, Denied> {
        let result = match self.admit(actor, &command).await {
            Ok(()) => self.execute(Act { node: self, actor, command: &command }).await,
            Err(denied) => Err(denied),
        };
        match &result {
            Ok(_) => self.verdict_is_stale(),
            Err(denied) => self.write_denial(Event::of(actor, &command), denied).await,
        }
        result
    }

    /// Answers a question. Any viewer may ask anything.
    ///
    /// # Errors
    /// [`Denied::Failed`] when the node cannot find out.
    pub async fn ask<Q: Question>(&self, actor: &Actor, question: Q) -> Result<Q::Answer, Denied> {
        let answer = self.answer(actor, question.into()).await?;
        Q::open(answer).ok_or_else(|| Denied::failed("answer a question", "the answer is another question's"))
    }

    /// Answers a question whose type is not known: the socket's way.
    ///
    /// # Errors
    /// As [`Node::ask`].
    pub async fn answer(&self, actor: &Actor, query: Query) -> Result<Answer, Denied> {
        permit(actor, Role::Viewer)?;
        Ok(match query {
            Query::Status(_) => Answer::Status(Box::new(self.status().await?)),
            Query::SyncStatus(_) => Answer::SyncStatus(Box::new(self.sync_report().await?)),
            Query::Bandwidth(_) => Answer::Bandwidth(Box::new(self.bandwidth_report().await?)),
            Query::Live(_) => Answer::Live(Box::new(self.picture().await?)),
            Query::Task(task) => Answer::Task(Box::new(self.tasks.report(task.id.as_deref()))),
            Query::Tasks(_) => Answer::Tasks(Box::new(self.tasks_report())),
            Query::Lag(lag) => Answer::Lag(Box::new(self.lag_report(lag.seconds).await?)),
            Query::Points(_) => Answer::Points(Box::new(self.points_report().await?)),
            Query::Scrub(_) => Answer::Scrub(Box::new(self.scrub_report().await?)),
            Query::Peer(_) => Answer::Peer(Box::new(self.peer_report().await?)),
            Query::Recipients(_) => Answer::Recipients(Box::new(contract::status::RecipientsReport {
                schema: SCHEMA,
                recipients: self.recipients().await?,
            })),
            Query::Datasets(_) => Answer::Datasets(Box::new(self.datasets_report().await?)),
            Query::Licence(_) => Answer::Licence(Box::new(self.licence().await?)),
            Query::Thresholds(_) => Answer::Thresholds(Box::new(self.thresholds_report().await?)),
            Query::Alarms(which) => Answer::Alarms(Box::new(self.alarms_report(which.all).await?)),
            Query::AlarmsPage(which) => {
                Answer::AlarmsPage(Box::new(self.alarms_page(&which.filter, which.page).await?))
            }
            Query::Monitor(_) => Answer::Monitor(Box::new(self.monitor_report().await?)),
            Query::Smtp(_) => Answer::Smtp(Box::new(self.smtp_report().await?)),
            Query::Sms(_) => Answer::Sms(Box::new(self.sms_report().await?)),
            Query::Services(_) => Answer::Services(Box::new(self.services_report().await?)),
            Query::Isolation(_) => Answer::Isolation(Box::new(self.isolation_report().await?)),
            Query::Telephony(_) => Answer::Telephony(Box::new(self.telephony_report().await?)),
            Query::OwnSteps(_) => Answer::OwnSteps(Box::new(self.own_steps_report().await?)),
            Query::Gate(_) => Answer::Gate(Box::new(Some(self.gate_report()))),
            Query::GateCheck(_) => Answer::GateCheck(Box::new(self.gate_check())),
            Query::DryRun(what) => Answer::DryRun(Box::new(self.dry_run(&what.take).await?)),
            Query::ReleaseDryRun(what) => Answer::ReleaseDryRun(Box::new(self.release_report(&what.release).await?)),
            Query::FailbackDryRun(what) => {
                Answer::FailbackDryRun(Box::new(self.failback_report(&what.failback).await?))
            }
            Query::Approval(_) => Answer::Approval(Box::new(self.approval_report().await?)),
            Query::Preserved(_) => Answer::Preserved(Box::new(self.preserved_report().await?)),
            Query::Runs(_) => Answer::Runs(Box::new(self.runs_report().await?)),
            Query::Run(run) => Answer::Run(Box::new(self.run_report(run.id.as_deref()).await?)),
            Query::Users(_) => Answer::Users(Box::new(self.users().await?)),
            Query::Audit(range) => {
                Answer::Audit(Box::new(audit::read(self.store.pool(), range.since, range.last).await?))
            }
            Query::AuditVerify(_) => Answer::AuditVerify(Box::new(audit::verify(self.store.pool()).await?)),
        })
    }

    /// The guards that hold for every command, all that fail at once.
    async fn admit(&self, actor: &Actor, command: &Command) -> Result<(), Denied> {
        permit(actor, command.role())?;
        let mut refused = Vec::new();
        let mut keep = |result: Result<(), Denied>| match result {
            Err(Denied::Refused(list)) => {
                refused.extend(list);
                Ok(())
            }
            other => other,
        };
        if command.side().is_some_and(|side| side != self.info.role) {
            keep(Err(Denied::rule(Rule::RoleWrong, &self.info.name, self.info.role.label())))?;
        }
        if command.needs_licence() {
            keep(self.require_licence().await)?;
        }
        if refused.is_empty() { Ok(()) } else { Err(Denied::Refused(refused)) }
    }

    async fn execute(self: &Arc<Self>, act: Act<'_>) -> Result<Outcome, Denied> {
        match act.command {
            Command::UserAdd { name, role, password, must_change } => {
                self.user_add(act, name, role, password, *must_change).await
            }
            Command::UserPassword { name, password, must_change } => {
                self.user_password(act, name, password, *must_change).await
            }
            Command::UserRemove { name } => self.user_remove(act, name).await,
            Command::PasswordChange { current, new, again } => self.password_change(act, current, new, again).await,
            Command::LicenceLoad { text } => self.licence_load(act, text).await,
            Command::LicenceRemove => self.licence_remove(act).await,
            Command::PeerSet { address, members, email, sms, language } => {
                self.peer_set(act, address, members, email.as_deref(), sms.as_deref(), *language).await
            }
            Command::PeerToken => self.peer_token(act).await,
            Command::PeerJoin { token } => self.peer_join(act, token).await,
            Command::PeerForget => self.peer_forget(act).await,
            Command::SiblingSet(form) => self.sibling_set(act, form).await,
            Command::SiblingJoin { token } => self.sibling_join(act, token).await,
            Command::SiblingForget => self.sibling_forget(act).await,
            Command::RecipientAdd { channel, value } => self.recipient_add(act, *channel, value).await,
            Command::RecipientRemove { channel, value } => self.recipient_remove(act, *channel, value).await,
            Command::MessageLanguage { language } => self.message_language(act, *language).await,
            Command::SmtpSet(form) => self.smtp_set(act, form).await,
            Command::SmtpTest { to } => self.smtp_test(act, to).await,
            Command::SmsAccountAdd(form) => self.sms_account_add(act, form).await,
            Command::SmsAccountRemove { name } => self.sms_account_remove(act, name).await,
            Command::SmsAccountDefault { name } => self.sms_account_default(act, name).await,
            Command::SmsTest { name, to } => self.sms_test(act, name.as_deref(), to).await,
            Command::ThresholdSet { name, value } => self.threshold_set(act, name, Some(value)).await,
            Command::ThresholdsSet { values } => self.thresholds_set(act, values).await,
            Command::ThresholdReset { name } => self.threshold_set(act, name, None).await,
            Command::AlarmAck { id, note } => self.alarm_ack(act, id, note.as_deref()).await,
            Command::DatasetAdd(form) => self.dataset_add(act, form).await,
            Command::DatasetRemove { name } => self.dataset_remove(act, name).await,
            Command::SyncSwitch { only, on, pause } => self.sync_switch(act, *only, *on, pause.as_deref()).await,
            Command::BandwidthSet { limit, windows } => {
                self.bandwidth_set(act, limit.as_deref(), windows.as_deref()).await
            }
            Command::SyncFull { scope, only } => self.sync_full(act, *scope, *only).await,
            Command::SyncVerify { only, point } => self.sync_verify(act, *only, point.as_deref()).await,
            Command::SyncCancel => self.sync_cancel(act).await,
            Command::LagLimitSet(form) => self.lag_limit_set(act, form).await,
            Command::LagLimitReset { dataset } => self.lag_limit_reset(act, dataset).await,
            Command::RetentionSet(form) => self.retention_set(act, form).await,
            Command::ScrubSet { every } => self.scrub_set(act, every).await,
            Command::ServiceAdd(form) => self.service_add(act, form).await,
            Command::ServiceRemove { name } => self.service_remove(act, name).await,
            Command::StepAdd(form) => self.step_add(act, form).await,
            Command::StepRemove { name } => self.step_remove(act, name).await,
            Command::StepMove { name, to } => self.step_move(act, name, to).await,
            Command::StepGroup(group) => self.step_group(act, group).await,
            Command::Drill { reason } => self.drill(act, reason).await,
            Command::StepsUndo { reason } => self.undo_steps_left(act, reason).await,
            Command::GateSet { policy, wait } => self.gate_set(act, policy, wait).await,
            Command::GateUnits(told) => self.gate_units(act, told).await,
            Command::ApprovalSet { activation, wait } => {
                self.approval_set(act, activation.as_deref(), wait.as_deref()).await
            }
            Command::LifeSignsSet(form) => self.life_signs_set(act, form).await,
            Command::TelephonySet(form) => self.telephony_set(act, form).await,
            Command::TelephonyClear => self.telephony_clear(act).await,
            Command::PowerSet(form) => self.power_set(act, form).await,
            Command::PowerRemove { ip } => self.power_remove(act, ip).await,
            Command::PowerRead { ip } => self.power_read(act, ip).await,
            Command::PowerOff(order) => self.power_switch(act, order, false).await,
            Command::PowerOn(order) => self.power_switch(act, order, true).await,
            Command::Activate(take) => self.activate(act, take).await,
            Command::Deactivate(release) => self.deactivate(act, release).await,
            Command::Failback(failback) => self.failback(act, failback).await,
            Command::Suspend(release) => self.suspend(act, release).await,
            Command::Takeover(take) => self.takeover(act, take).await,
            Command::Retire(take) => self.retire(act, take).await,
            Command::Settle(settle) => self.settle_finding(act, settle).await,
            Command::GateSame(said) => self.gate_same(act, said).await,
            Command::SyncAccept(accept) => self.sync_accept(act, accept).await,
            Command::PreservedDiscard(discard) => self.preserved_discard(act, discard).await,
            Command::RunResume { attest } => self.run_resume(act, attest).await,
            Command::RunAbort => self.run_abort(act).await,
            Command::RunApprove { run, password } => self.run_approve(act, run, password.as_ref()).await,
            Command::RunDecline { run, reason } => self.run_decline(act, run, reason).await,
            Command::RunBypass { run, reason, password } => self.run_bypass(act, run, reason, password.as_ref()).await,
            Command::RunAck { step, note } => self.run_ack(act, step, note.as_deref()).await,
        }
    }

    /// Writes down what was not done, and which guard said no.
    pub(crate) async fn write_denial(&self, event: Event<'_>, denied: &Denied) {
        let outcome = match denied {
            Denied::Failed(_) => AuditOutcome::Failed,
            Denied::Invalid(_) | Denied::Refused(_) => AuditOutcome::Refused,
        };
        let action = event.action.to_owned();
        let event = Event { outcome, rule: denied.first_rule(), ..event };
        let written = async {
            let mut tx = self.store.begin().await?;
            audit::append(&mut tx, self.clock.now(), event).await?;
            tx.commit().await.map_err(db("commit an audit row"))
        };
        if let Err(error) = written.await {
            tracing::error!(?error, action, "a refusal could not be written down");
        }
    }
}

fn permit(actor: &Actor, needed: Role) -> Result<(), Denied> {
    if actor.role >= needed { Ok(()) } else { Err(Denied::rule(Rule::PermissionDenied, &actor.name, needed.as_str())) }
}
