//! What the audit log says of an order: what it is called, what it acts on, why it was given.

use super::Command;

impl Command {
    /// The operator's reason, for the audit log.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Activate(take) | Self::Takeover(take) | Self::Retire(take) => Some(&take.reason),
            Self::Deactivate(release) | Self::Suspend(release) => Some(&release.reason),
            Self::PowerOff(order) | Self::PowerOn(order) => Some(&order.reason),
            Self::Failback(failback) => Some(&failback.reason),
            Self::Settle(settle) | Self::GateSame(settle) => Some(&settle.reason),
            Self::SyncAccept(accept) => Some(&accept.reason),
            Self::RunDecline { reason, .. } | Self::RunBypass { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// What the audit log calls it.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self {
            Self::UserAdd { .. } => "user.add",
            Self::UserPassword { .. } => "user.password",
            Self::UserRemove { .. } => "user.remove",
            Self::PasswordChange { .. } => "password.change",
            Self::LicenceLoad { .. } => "licence.load",
            Self::LicenceRemove => "licence.remove",
            Self::PeerSet { .. } => "peer.set",
            Self::PeerToken => "peer.token",
            Self::PeerJoin { .. } => "peer.join",
            Self::PeerForget => "peer.forget",
            Self::SiblingSet(_) => "sibling.set",
            Self::SiblingJoin { .. } => "sibling.join",
            Self::SiblingForget => "sibling.forget",
            Self::RecipientAdd { .. } => "recipient.add",
            Self::RecipientRemove { .. } => "recipient.remove",
            Self::MessageLanguage { .. } => "message.language",
            Self::SmtpSet(_) => "smtp.set",
            Self::SmtpTest { .. } => "smtp.test",
            Self::SmsAccountAdd(_) => "sms.account.add",
            Self::SmsAccountRemove { .. } => "sms.account.remove",
            Self::SmsAccountDefault { .. } => "sms.account.default",
            Self::SmsTest { .. } => "sms.test",
            Self::ThresholdSet { .. } => "threshold.set",
            Self::ThresholdsSet { .. } => "thresholds.set",
            Self::ThresholdReset { .. } => "threshold.reset",
            Self::AlarmAck { .. } => "alarm.ack",
            Self::DatasetAdd(_) => "dataset.add",
            Self::DatasetRemove { .. } => "dataset.remove",
            Self::SyncSwitch { on: true, .. } => "sync.start",
            Self::SyncSwitch { on: false, .. } => "sync.stop",
            Self::BandwidthSet { .. } => "bandwidth.set",
            Self::SyncFull { .. } => "sync.full",
            Self::SyncVerify { .. } => "sync.verify",
            Self::SyncCancel => "sync.cancel",
            Self::RetentionSet(_) => "sync.retention.set",
            Self::LagLimitSet(_) => "sync.lag_limit.set",
            Self::LagLimitReset { .. } => "sync.lag_limit.reset",
            Self::ScrubSet { .. } => "sync.scrub.set",
            Self::ServiceAdd(_) => "service.add",
            Self::ServiceRemove { .. } => "service.remove",
            Self::GateSet { .. } => "gate.set",
            Self::GateUnits(units) => units.action(),
            Self::ApprovalSet { .. } => "approval.set",
            Self::LifeSignsSet(_) => "isolation.set",
            Self::TelephonySet(_) => "telephony.set",
            Self::TelephonyClear => "telephony.clear",
            Self::PowerSet(_) => "power.set",
            Self::PowerRemove { .. } => "power.remove",
            Self::PowerRead { .. } => "power.read",
            Self::PowerOff(_) => "power.off",
            Self::PowerOn(_) => "power.on",
            Self::Activate(_) => "activate",
            Self::Deactivate(_) => "deactivate",
            Self::Failback(_) => "failback",
            Self::Suspend(_) => "suspend",
            Self::Takeover(_) => "takeover",
            Self::Retire(_) => "peer.retire",
            Self::Settle(_) => "settle",
            Self::GateSame(_) => "gate.same",
            Self::SyncAccept(_) => "sync.accept",
            Self::RunResume { .. } => "run.resume",
            Self::RunAbort => "run.abort",
            Self::RunApprove { .. } => "run.approve",
            Self::RunDecline { .. } => "run.decline",
            Self::RunBypass { .. } => "run.bypass",
            Self::PreservedDiscard(_) => "preserved.discard",
            Self::RunAck { .. } => "run.ack",
            Self::StepAdd(_) => "step.add",
            Self::StepRemove { .. } => "step.remove",
            Self::StepMove { .. } => "step.move",
            Self::StepGroup(group) => group.action(),
            Self::StepsUndo { .. } => "steps.undo",
            Self::Drill { .. } => "drill",
        }
    }

    /// What it acts on, for the audit log.
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        match self {
            Self::UserAdd { name, .. }
            | Self::UserPassword { name, .. }
            | Self::UserRemove { name }
            | Self::DatasetRemove { name }
            | Self::SmsAccountRemove { name }
            | Self::SmsAccountDefault { name }
            | Self::ThresholdSet { name, .. }
            | Self::ThresholdReset { name }
            | Self::ServiceRemove { name }
            | Self::StepRemove { name }
            | Self::StepMove { name, .. } => Some(name.clone()),
            Self::SmsAccountAdd(form) => Some(form.name.clone()),
            Self::SmtpSet(form) => Some(form.server.clone()),
            Self::SmtpTest { to } => Some(to.clone()),
            Self::SmsTest { name, .. } => name.clone(),
            Self::AlarmAck { id, .. } => Some(id.clone()),
            Self::SyncAccept(accept) => Some(accept.dataset.clone()),
            Self::PreservedDiscard(discard) => Some(discard.run.clone()),
            Self::MessageLanguage { language } => Some(language.tag().to_owned()),
            Self::DatasetAdd(form) => Some(form.name.clone()),
            Self::ScrubSet { every } => Some(every.clone()),
            Self::LagLimitSet(form) => Some(form.dataset.clone()),
            Self::LagLimitReset { dataset } => Some(dataset.clone()),
            Self::ServiceAdd(form) => Some(form.name.clone()),
            Self::StepAdd(form) => Some(form.name.clone()),
            Self::StepGroup(group) => Some(group.name.clone()),
            Self::GateSet { policy, .. } => Some(policy.clone()),
            Self::GateUnits(told) => Some(told.units.join(", ")),
            Self::ApprovalSet { activation, .. } => activation.clone(),
            Self::RunApprove { run, .. } | Self::RunDecline { run, .. } | Self::RunBypass { run, .. } => {
                Some(run.clone())
            }
            Self::LifeSignsSet(form) => Some(form.ip.clone()),
            Self::PowerSet(form) => Some(form.ip.clone()),
            Self::PowerRemove { ip } | Self::PowerRead { ip } => Some(ip.clone()),
            Self::PowerOff(order) | Self::PowerOn(order) => Some(order.ip.clone()),
            Self::BandwidthSet { limit, .. } => limit.clone(),
            Self::RunAck { step, .. } => Some(step.clone()),
            Self::PeerSet { address, .. } => Some(address.clone()),
            Self::SiblingSet(form) => Some(form.address.clone()),
            Self::RecipientAdd { channel, value } | Self::RecipientRemove { channel, value } => {
                Some(format!("{}:{value}", channel.as_str()))
            }
            Self::SyncVerify { point: Some(point), .. } => Some(point.clone()),
            Self::SyncSwitch { only, .. } | Self::SyncFull { only, .. } | Self::SyncVerify { only, .. } => {
                only.map(|group| group.as_str().to_owned())
            }
            _ => None,
        }
    }
}
