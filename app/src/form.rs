//! What a page remembers of a form that was not accepted: everything that was typed but the secrets, and what is wrong
//! with it.

use std::collections::BTreeMap;

use contract::rule::Failure;
use contract::{Denied, FieldError, Lang, Refused, Rule};

use crate::action::{ATTEST, Action, OVERRIDE, POWER_OFF_CONFIRM};

/// Fields that are never sent back to the browser.
pub const SECRET_FIELDS: &[&str] = &["password", "current", "new", "again", "token", "secret"];

/// The form that came back, or none.
#[derive(Debug, Clone, Default)]
pub struct FormState {
    action: Option<Action>,
    typed: BTreeMap<String, String>,
    errors: Vec<FieldError>,
    refused: Vec<Refused>,
    failure: Option<Failure>,
}

impl FormState {
    /// A form that the door did not accept. Secrets are dropped here, before anything can print them.
    pub fn denied(action: Option<Action>, typed: impl IntoIterator<Item = (String, String)>, denied: Denied) -> Self {
        let typed = typed.into_iter().filter(|(name, _)| !SECRET_FIELDS.contains(&name.as_str())).collect();
        let mut state = Self { action, typed, ..Self::default() };
        match denied {
            Denied::Invalid(errors) => state.errors = errors,
            Denied::Refused(refused) => state.refused = refused,
            Denied::Failed(failure) => state.failure = Some(failure),
        }
        state
    }

    /// Whether this is the form that came back.
    #[must_use]
    pub fn is(&self, action: Action) -> bool {
        self.action == Some(action)
    }

    /// Whether it is, and it came from the row of that name or id.
    #[must_use]
    pub fn is_row(&self, action: Action, name: &str) -> bool {
        self.is(action) && ["name", "id"].iter().any(|field| self.typed.get(*field).is_some_and(|typed| typed == name))
    }

    /// What stands in a field: what was typed if this form came back, else what is saved.
    #[must_use]
    pub fn value(&self, action: Action, field: &str, saved: &str) -> String {
        if self.is(action) { self.typed.get(field).cloned().unwrap_or_default() } else { saved.to_owned() }
    }

    /// The sentence beside a field: what is wrong with its value, or the guard that its value offends.
    #[must_use]
    pub fn error(&self, action: Action, field: &str, lang: Lang) -> Option<String> {
        if !self.is(action) {
            return None;
        }
        let wrong = self.errors.iter().filter(|error| error.field == field).map(|error| error.problem.text(lang));
        let refused =
            self.refused.iter().filter(|refused| offends(action, refused).is_some_and(|named| named == field));
        let text: Vec<_> = wrong.chain(refused.map(|refused| refused.finding(lang).message)).collect();
        (!text.is_empty()).then(|| text.join(" "))
    }

    /// Errors of fields that the form does not draw (the row it was about, a tampered choice): they must not vanish.
    #[must_use]
    pub fn stray(&self, lang: Lang) -> Vec<String> {
        let stray = self.errors.iter().filter(|error| !self.draws(&error.field));
        let about = |error: &FieldError| self.typed.get(&error.field).unwrap_or(&error.field).clone();
        stray.map(|error| format!("{}: {}", about(error), error.problem.text(lang))).collect()
    }

    /// Whether a message stands beside a field.
    #[must_use]
    pub fn has_marked_fields(&self) -> bool {
        self.errors.iter().any(|error| self.draws(&error.field))
    }

    fn draws(&self, field: &str) -> bool {
        self.action.is_some_and(|action| drawn(action).contains(&field))
            || [POWER_OFF_CONFIRM, OVERRIDE].iter().any(|prefix| field.starts_with(prefix))
    }

    /// What was typed into the fields whose names begin so, by the rest of the name.
    #[must_use]
    pub fn typed_under(&self, action: Action, prefix: &str) -> Vec<(String, String)> {
        let rest = |(name, value): (&String, &String)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone()));
        if self.is(action) { self.typed.iter().filter_map(rest).collect() } else { Vec::new() }
    }

    /// The guards that said no.
    #[must_use]
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// What was tried and failed.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }
}

/// The field for the reason why one guard is passed.
#[must_use]
pub fn override_field(refused: &Refused) -> String {
    format!("{OVERRIDE}{}@{}", refused.rule.as_str(), refused.subject)
}

/// The field whose value offends a guard. The summary on top still says what to do.
fn offends(action: Action, refused: &Refused) -> Option<String> {
    use Action::{
        Activate, Deactivate, Failback, GateSame, LicenceLoad, PeerJoin, PeerRetire, PeerSet, PowerOff, PowerOn,
        PreservedDiscard, RunResume, Settle, SiblingJoin, SiblingSet, Suspend, SyncAccept, Takeover,
    };
    let field = match (action, refused.rule) {
        (PeerSet, Rule::PeerOwnAddress) => "address",
        (SiblingSet, Rule::PeerOwnAddress) => "sibling",
        (PeerJoin | SiblingJoin, Rule::TokenExpired | Rule::TokenUsed | Rule::TokenInvalid) => "token",
        (LicenceLoad, Rule::LicenceInvalid) => "text",
        (
            Activate | Takeover | PeerRetire | Deactivate | Failback | Suspend | Settle | GateSame | SyncAccept
            | PowerOff | PowerOn | PreservedDiscard,
            Rule::ConfirmName,
        ) => "confirm_name",
        (Activate | Takeover | PeerRetire, Rule::DataLossConsent) => "accept_data_loss",
        (Activate, Rule::PointUnknown | Rule::PointDamaged | Rule::PointNotUsed) => "point",
        (Deactivate | Failback, Rule::DrDataDiscard) => "discard_dr_data",
        (Failback, Rule::FailbackTail) => "accept_data_loss",
        (Failback, Rule::FailbackCluster | Rule::FailbackMemberAlive) | (PeerRetire, Rule::PairLastMember) => "member",
        (Activate | Takeover | PeerRetire | RunResume, Rule::IsolationUnattested | Rule::EvidenceVoid) => {
            return Some(format!("{ATTEST}{}", refused.subject));
        }
        (Activate | Takeover | PeerRetire | PowerOff, rule) if rule.overridable() => {
            return Some(override_field(refused));
        }
        _ => return None,
    };
    Some(field.to_owned())
}

/// The fields beside which a message can stand.
const fn drawn(action: Action) -> &'static [&'static str] {
    match action {
        Action::PasswordChange => &["current", "new", "again"],
        Action::LicenceLoad => &["text"],
        Action::PeerSet => &["address", "member", "email", "sms", "language"],
        Action::PeerJoin | Action::SiblingJoin => &["token"],
        Action::SiblingSet => &["sibling", "node_ip", "check"],
        Action::DatasetAdd => &["name", "kind", "class", "owners", "source", "target", "excludes"],
        Action::SyncStop => &["pause"],
        Action::SyncFull => &["scope"],
        Action::ScrubSet => &["every"],
        Action::LagLimitSet => &["dataset", "soft", "hard"],
        Action::RetentionSet => &["newest", "minutes", "hours", "days"],
        Action::BandwidthSet => &["limit", "windows"],
        Action::ServiceAdd => &["name", "unit", "start", "stop", "check", "timeout", "order"],
        Action::Activate | Action::Takeover => {
            &["confirm_name", "reason", "password", "accept_data_loss", "point", "break_glass"]
        }
        Action::PeerRetire => &["confirm_name", "reason", "password", "accept_data_loss", "member", "break_glass"],
        Action::Deactivate => &["confirm_name", "reason", "password", "discard_dr_data", "break_glass"],
        Action::Failback => {
            &["confirm_name", "reason", "password", "discard_dr_data", "accept_data_loss", "member", "break_glass"]
        }
        Action::RunApprove => &["password"],
        Action::RunDecline | Action::StepsUndo | Action::Drill => &["reason"],
        Action::RunBypass => &["reason", "password"],
        Action::ApprovalSet => &["activation", "wait"],
        Action::Suspend | Action::Settle | Action::GateSame => &["confirm_name", "reason", "password"],
        Action::SyncAccept => &["confirm_name", "reason", "password", "content"],
        Action::PreservedDiscard => &["confirm_name", "password"],
        Action::GateSet => &["policy", "wait"],
        Action::TelephonySet => &["sip", "trunk", "registrations", "expected", "limit"],
        Action::LifeSignsSet => &["tcp", "sip"],
        Action::PowerOff | Action::PowerOn => &["confirm_name", "reason", "password"],
        Action::PowerSet => &[
            "way",
            "host",
            "port",
            "user",
            "url",
            "system",
            "fingerprint",
            "ca",
            "password",
            "status",
            "off",
            "shutdown",
            "on",
            "soft",
        ],
        Action::ThresholdsSet => &[
            "probe.interval_ms",
            "peer.bad",
            "peer.good",
            "lag.soft_s",
            "lag.hard_s",
            "disk.min_free_percent",
            "failback.stable_s",
            "drill.every_days",
        ],
        Action::SmtpSet => &["server", "port", "security", "from", "user", "password", "ca"],
        Action::SmtpTest => &["to"],
        Action::SmsAccountAdd => {
            &["name", "url", "method", "headers", "body", "success_status", "success_body", "secret", "ca"]
        }
        Action::SmsAccountDefault => &["name"],
        Action::SmsTest => &["to", "name"],
        Action::UserAdd => &["name", "role", "password"],
        Action::UserPassword => &["password"],
        Action::AlarmAck | Action::RunAck => &["note"],
        Action::StepAdd => &[
            "name",
            "place",
            "group",
            "order",
            "limit",
            "secret",
            "run",
            "undo",
            "check",
            "text_it",
            "text_en",
            "undo_it",
            "undo_en",
            "zone",
            "record",
            "record_type",
            "old_values",
            "new_values",
            "ttl",
            "servers",
            "key_name",
            "key_algorithm",
            "method",
            "url",
            "body",
            "undo_method",
            "undo_url",
            "undo_body",
            "check_url",
            "headers",
            "success_status",
            "ca",
            "pin",
            "tcp",
            "sip",
            "registrations",
        ],
        Action::LicenceRemove
        | Action::RunResume
        | Action::RunAbort
        | Action::PeerToken
        | Action::PeerForget
        | Action::SiblingForget
        | Action::DatasetRemove
        | Action::TelephonyClear
        | Action::SyncStart
        | Action::SyncVerify
        | Action::SyncCancel
        | Action::LagLimitReset
        | Action::ServiceRemove
        | Action::PowerRemove
        | Action::PowerRead
        | Action::StepRemove
        | Action::StepMove
        | Action::StepGroupOn
        | Action::StepGroupOff
        | Action::StepGroupMove
        | Action::ThresholdReset
        | Action::SmsAccountRemove
        | Action::UserRemove => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::Problem;

    #[test]
    fn an_error_without_a_field_to_stand_beside_is_said_on_top() {
        let typed = [("name".to_owned(), "admin".to_owned())];
        let state = FormState::denied(Some(Action::UserRemove), typed, Denied::field("name", Problem::LastAdmin));
        assert_eq!(state.stray(Lang::En), ["admin: This is the last administrator: make another one first"]);
        assert!(!state.has_marked_fields());
    }

    #[test]
    fn a_message_can_stand_beside_every_limit() {
        let names: Vec<_> = contract::threshold::Threshold::ALL.iter().map(|limit| limit.name()).collect();
        assert_eq!(drawn(Action::ThresholdsSet), names);
    }

    #[test]
    fn what_was_typed_comes_back_and_secrets_do_not() {
        let typed = [("name", "Mario Rossi"), ("password", "hunter2hunter2"), ("token", "tok")];
        let typed = typed.map(|(k, v)| (k.to_owned(), v.to_owned()));
        let state = FormState::denied(Some(Action::UserAdd), typed, Denied::field("name", Problem::NotAName));
        assert_eq!(state.value(Action::UserAdd, "name", ""), "Mario Rossi");
        assert_eq!(state.value(Action::UserAdd, "password", ""), "");
        assert!(!format!("{state:?}").contains("hunter2"));
        assert!(state.error(Action::UserAdd, "name", Lang::It).is_some());
        assert!(state.error(Action::UserPassword, "name", Lang::It).is_none(), "another form on the same page");
        assert_eq!(state.value(Action::UserPassword, "name", "saved"), "saved");
    }
}
