//! Who may give which order, on which side of the pair, and what needs a licence.

use super::Command;
use crate::role::{NodeRole, Role};

impl Command {
    /// The role it needs.
    #[must_use]
    pub const fn role(&self) -> Role {
        match self {
            Self::PasswordChange { .. } => Role::Viewer,
            Self::SyncSwitch { .. }
            | Self::SyncFull { .. }
            | Self::SyncVerify { .. }
            | Self::SyncCancel
            | Self::AlarmAck { .. }
            | Self::PowerRead { .. }
            | Self::PowerOff(_)
            | Self::PowerOn(_)
            | Self::Activate(_)
            | Self::Deactivate(_)
            | Self::Failback(_)
            | Self::Suspend(_)
            | Self::Takeover(_)
            | Self::Retire(_)
            | Self::Settle(_)
            | Self::GateSame(_)
            | Self::SyncAccept(_)
            | Self::StepsUndo { .. }
            | Self::Drill { .. }
            | Self::RunResume { .. }
            | Self::RunAbort
            | Self::RunApprove { .. }
            | Self::RunDecline { .. }
            | Self::RunBypass { .. }
            | Self::RunAck { .. } => Role::Operator,
            Self::UserAdd { .. }
            | Self::UserPassword { .. }
            | Self::UserRemove { .. }
            | Self::LicenceLoad { .. }
            | Self::LicenceRemove
            | Self::PeerSet { .. }
            | Self::PeerToken
            | Self::PeerJoin { .. }
            | Self::PeerForget
            | Self::SiblingSet(_)
            | Self::SiblingJoin { .. }
            | Self::SiblingForget
            | Self::RecipientAdd { .. }
            | Self::RecipientRemove { .. }
            | Self::MessageLanguage { .. }
            | Self::SmtpSet(_)
            | Self::SmtpTest { .. }
            | Self::SmsAccountAdd(_)
            | Self::SmsAccountRemove { .. }
            | Self::SmsAccountDefault { .. }
            | Self::SmsTest { .. }
            | Self::ThresholdSet { .. }
            | Self::ThresholdsSet { .. }
            | Self::ThresholdReset { .. }
            | Self::DatasetAdd(_)
            | Self::DatasetRemove { .. }
            | Self::PreservedDiscard(_)
            | Self::ScrubSet { .. }
            | Self::RetentionSet(_)
            | Self::LagLimitSet(_)
            | Self::LagLimitReset { .. }
            | Self::ServiceAdd(_)
            | Self::ServiceRemove { .. }
            | Self::BandwidthSet { .. }
            | Self::GateSet { .. }
            | Self::GateUnits(_)
            | Self::ApprovalSet { .. }
            | Self::LifeSignsSet(_)
            | Self::TelephonySet(_)
            | Self::TelephonyClear
            | Self::PowerSet(_)
            | Self::PowerRemove { .. }
            | Self::StepAdd(_)
            | Self::StepRemove { .. }
            | Self::StepMove { .. }
            | Self::StepGroup(_) => Role::Admin,
        }
    }

    /// The side of the pair it belongs to; `None` for both.
    #[must_use]
    pub const fn side(&self) -> Option<NodeRole> {
        match self {
            Self::PeerToken
            | Self::SiblingSet(_)
            | Self::SiblingJoin { .. }
            | Self::SiblingForget
            | Self::DatasetAdd(_)
            | Self::DatasetRemove { .. }
            | Self::GateSame(_)
            | Self::Takeover(_) => Some(NodeRole::Master),
            Self::PeerJoin { .. }
            | Self::SyncSwitch { .. }
            | Self::BandwidthSet { .. }
            | Self::SyncFull { .. }
            | Self::SyncVerify { .. }
            | Self::ScrubSet { .. }
            | Self::SyncCancel
            | Self::RetentionSet(_)
            | Self::LagLimitSet(_)
            | Self::LagLimitReset { .. }
            | Self::SyncAccept(_)
            | Self::Activate(_)
            | Self::Deactivate(_)
            | Self::Failback(_)
            | Self::Suspend(_)
            | Self::Drill { .. } => Some(NodeRole::Client),
            _ => None,
        }
    }

    /// Whether it is refused until a licence with this side's module was loaded once. What takes back or stops never is.
    #[must_use]
    pub const fn needs_licence(&self) -> bool {
        match self {
            Self::PeerSet { .. }
            | Self::PeerToken
            | Self::PeerJoin { .. }
            | Self::SiblingSet(_)
            | Self::SiblingJoin { .. }
            | Self::DatasetAdd(_)
            | Self::SyncFull { .. }
            | Self::SyncVerify { .. } => true,
            Self::SyncSwitch { on, .. } => *on,
            _ => false,
        }
    }
}
