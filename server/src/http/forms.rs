//! `POST` of every page of the table: the form becomes a command, the door answers, the page says what came of it: 303
//! when it was done, otherwise 422 (403 where the role does not suffice) and the same page with what was typed.

use std::sync::Arc;

use app::action::Action;
use app::form::FormState;
use app::model::ProblemKind;
use app::routes::PageId;
use axum::Form;
use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use contract::command::{Secret, SiblingForm};
use contract::dataset::DatasetForm;
use contract::lag::LagLimitForm;
use contract::preflight::{Accept, Settle};
use contract::preserved::PreservedDiscard;
use contract::recipient::split;
use contract::retention::RetentionForm;
use contract::service::ServiceForm;
use contract::telephony::TelephonyForm;
use contract::{Command, Denied, Outcome, Problem, Rule};

use super::panel::{Once, Panel};
use super::render::{self, Beside, see_other};
use super::visit::Visit;
use super::{approval, isolation, pages, press, procedure, query, session, ways};

/// What was typed, field by field.
pub(super) type Fields = Vec<(String, String)>;

/// Any form of any page.
pub(super) async fn take(State(panel): State<Arc<Panel>>, visit: Visit, request: Request) -> Response {
    let (reader, route) = match pages::admit(&panel, &visit).await {
        Ok(admitted) => admitted,
        Err(response) => return *response,
    };
    let fields = match read(request).await {
        Ok(fields) => fields,
        Err(kind) => return render::problem(&panel, &visit, kind).await,
    };
    let action = Action::from_name(&value(&fields, "action"));
    let Some(action) = action.filter(|action| page_of(*action) == route.id || stands_on_both(*action, route.id)) else {
        return render::problem(&panel, &visit, ProblemKind::Unreadable).await;
    };
    let actor = visit.actor(reader);
    let told = match command(action, &fields) {
        Ok(command) => panel.node.tell(&actor, command).await,
        Err(denied) => Err(denied),
    };
    let denied = match told {
        Ok(outcome) => return done(&panel, &visit, action, outcome, reader.must_change).await,
        Err(denied) => denied,
    };
    let forbidden = matches!(&denied, Denied::Refused(list) if list.iter().any(|r| r.rule == Rule::PermissionDenied));
    let status = if forbidden { StatusCode::FORBIDDEN } else { StatusCode::UNPROCESSABLE_ENTITY };
    match pages::model(&panel, &actor, route.id, &visit.path, None).await {
        Ok(page) => {
            let form = FormState::denied(Some(action), fields, denied);
            render::page(&panel, &visit, &page, status, Beside { form, ..Beside::default() }).await
        }
        Err(denied) => pages::broken(&panel, &visit, &denied).await,
    }
}

/// The door has done it.
async fn done(panel: &Panel, visit: &Visit, action: Action, outcome: Outcome, was_forced: bool) -> Response {
    if action == Action::PasswordChange {
        // The door has ended every session of this user: this browser goes on with a new one.
        let name = visit.reader.as_ref().map(|reader| reader.name.clone()).unwrap_or_default();
        if let Err(error) = session::begin(&visit.session, &name, panel.now()).await {
            tracing::error!(%error, "a session cannot be begun");
            return see_other("/login");
        }
        if let Err(error) = visit.session.save().await {
            tracing::error!(%error, "a session cannot be saved");
        }
    }
    let (token, answer, run) = match outcome {
        Outcome::Token(token) => (Some(token), None, None),
        Outcome::Run { id } => {
            (None, None, Some(format!("{}?id={}", app::routes::of(PageId::Runs).path, query::encode(&id))))
        }
        Outcome::Answered { words } => (None, Some(words), None),
        Outcome::Done | Outcome::Task { .. } | Outcome::Power(_) => (None, None, None),
    };
    panel.say_once(visit.session.id(), Once { done: Some(action), token, answer });
    // A list that was filtered comes back so; what was begun is followed.
    let next = run.unwrap_or_else(|| visit.path.clone());
    see_other(if was_forced { "/" } else { &next })
}

/// What is put aside lies on either side, and is shown there beside what it comes from.
fn stands_on_both(action: Action, page: PageId) -> bool {
    (action, page) == (Action::PreservedDiscard, PageId::Replication)
}

/// The page that a form stands on.
pub(super) const fn page_of(action: Action) -> PageId {
    match action {
        Action::PasswordChange => PageId::Account,
        Action::LicenceLoad | Action::LicenceRemove => PageId::Licence,
        Action::PeerSet
        | Action::PeerToken
        | Action::PeerJoin
        | Action::PeerForget
        | Action::PeerRetire
        | Action::SiblingSet
        | Action::SiblingJoin
        | Action::SiblingForget => PageId::Pairing,
        Action::DatasetAdd | Action::DatasetRemove | Action::PreservedDiscard => PageId::Datasets,
        Action::SyncStart
        | Action::SyncStop
        | Action::SyncFull
        | Action::SyncVerify
        | Action::SyncCancel
        | Action::RetentionSet
        | Action::LagLimitSet
        | Action::LagLimitReset
        | Action::SyncAccept
        | Action::BandwidthSet
        | Action::ScrubSet => PageId::Replication,
        Action::AlarmAck => PageId::Alarms,
        Action::ServiceAdd | Action::ServiceRemove => PageId::Services,
        Action::Activate
        | Action::Takeover
        | Action::Deactivate
        | Action::Failback
        | Action::Suspend
        | Action::Drill
        | Action::Settle
        | Action::GateSame => PageId::Activation,
        Action::StepAdd
        | Action::StepRemove
        | Action::StepMove
        | Action::StepGroupOn
        | Action::StepGroupOff
        | Action::StepGroupMove
        | Action::StepsUndo => PageId::Procedure,
        Action::RunResume
        | Action::RunAbort
        | Action::RunAck
        | Action::RunApprove
        | Action::RunDecline
        | Action::RunBypass => PageId::Runs,
        Action::GateSet => PageId::Pairing,
        Action::TelephonySet | Action::TelephonyClear => PageId::Telephony,
        Action::LifeSignsSet
        | Action::PowerSet
        | Action::PowerRemove
        | Action::PowerRead
        | Action::PowerOff
        | Action::PowerOn => PageId::Isolation,
        Action::ThresholdsSet | Action::ThresholdReset => PageId::Thresholds,
        Action::SmtpSet | Action::SmtpTest => PageId::Smtp,
        Action::SmsAccountAdd | Action::SmsAccountRemove | Action::SmsAccountDefault | Action::SmsTest => PageId::Sms,
        Action::UserAdd | Action::UserPassword | Action::UserRemove | Action::ApprovalSet => PageId::Users,
    }
}

/// Reads either kind of form.
async fn read(request: Request<Body>) -> Result<Fields, ProblemKind> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let unreadable = |status: StatusCode| match status {
        StatusCode::PAYLOAD_TOO_LARGE => ProblemKind::TooLarge,
        _ => ProblemKind::Unreadable,
    };
    if !kind.starts_with("multipart/form-data") {
        let form = Form::<Fields>::from_request(request, &()).await;
        return form.map(|Form(fields)| fields).map_err(|rejection| unreadable(rejection.status()));
    }
    let parts = Multipart::from_request(request, &()).await;
    let mut parts = parts.map_err(|rejection| unreadable(rejection.status()))?;
    let mut fields = Fields::new();
    while let Some(part) = parts.next_field().await.map_err(|error| unreadable(error.status()))? {
        let name = part.name().unwrap_or_default().to_owned();
        let bytes = part.bytes().await.map_err(|error| unreadable(error.status()))?;
        // A file that is no text is no licence: the door says so, in the reader's language.
        fields.push((name, String::from_utf8_lossy(&bytes).into_owned()));
    }
    Ok(fields)
}

pub(super) fn value(fields: &Fields, name: &str) -> String {
    fields.iter().rev().find(|(field, _)| field == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

/// A text of several lines. A browser ends each with CR LF (HTML, 4.10.21.8); a shell would take the CR for a letter.
pub(super) fn lines(fields: &Fields, name: &str) -> String {
    value(fields, name).replace("\r\n", "\n")
}

/// The form as a command. Only what has no type of its own in the command is checked here; the rest is the door's.
pub(super) fn command(action: Action, fields: &Fields) -> Result<Command, Denied> {
    let text = |name: &str| value(fields, name);
    let trimmed = |name: &str| value(fields, name).trim().to_owned();
    let script = |name: &str| lines(fields, name);
    let secret = |name: &str| Secret::new(value(fields, name));
    let list = |name: &str| {
        let there = fields.iter().any(|(field, _)| field == name);
        there.then(|| split(&text(name)).map(str::to_owned).collect::<Vec<_>>())
    };
    let group = || match text("only").as_str() {
        "" => Ok(None),
        only => only.parse().map(Some).map_err(|problem| Denied::field("only", problem)),
    };
    let said = || Settle {
        confirm_name: trimmed("confirm_name"),
        reason: trimmed("reason"),
        password: Some(secret("password")),
    };
    Ok(match action {
        Action::PasswordChange => {
            Command::PasswordChange { current: secret("current"), new: secret("new"), again: secret("again") }
        }
        Action::LicenceLoad => {
            let file = text("file");
            let text = if file.trim().is_empty() { text("text") } else { file };
            if text.trim().is_empty() {
                return Err(Denied::field("text", Problem::Required));
            }
            Command::LicenceLoad { text }
        }
        Action::LicenceRemove => Command::LicenceRemove,
        Action::PeerSet => Command::PeerSet {
            address: trimmed("address"),
            members: list("member").unwrap_or_default(),
            email: list("email"),
            sms: list("sms"),
            language: ways::language(fields)?,
        },
        Action::PeerToken => Command::PeerToken,
        Action::PeerJoin | Action::SiblingJoin => {
            let token = trimmed("token");
            if token.is_empty() {
                return Err(Denied::field("token", Problem::Required));
            }
            let token = Secret::new(token);
            if action == Action::PeerJoin { Command::PeerJoin { token } } else { Command::SiblingJoin { token } }
        }
        Action::PeerForget => Command::PeerForget,
        Action::SiblingSet => Command::SiblingSet(SiblingForm {
            address: trimmed("sibling"),
            node_ip: trimmed("node_ip"),
            check: Some(trimmed("check")).filter(|check| !check.is_empty()),
        }),
        Action::SiblingForget => Command::SiblingForget,
        Action::DatasetAdd => Command::DatasetAdd(DatasetForm {
            name: trimmed("name"),
            kind: text("kind"),
            class: text("class"),
            source: trimmed("source"),
            target: trimmed("target"),
            excludes: text("excludes").lines().map(|line| line.trim().to_owned()).filter(|l| !l.is_empty()).collect(),
            owners: text("owners"),
        }),
        Action::DatasetRemove => Command::DatasetRemove { name: text("name") },
        Action::SyncStart => Command::SyncSwitch { only: group()?, on: true, pause: None },
        Action::SyncStop => {
            let pause = Some(trimmed("pause")).filter(|span| !span.is_empty());
            Command::SyncSwitch { only: group()?, on: false, pause }
        }
        Action::SyncFull => {
            let scope = text("scope").parse().map_err(|problem| Denied::field("scope", problem))?;
            Command::SyncFull { scope, only: group()? }
        }
        Action::BandwidthSet => Command::BandwidthSet {
            limit: Some(trimmed("limit")),
            windows: Some(text("windows").lines().map(str::to_owned).collect()),
        },
        Action::SyncVerify => {
            let point = Some(text("point")).filter(|point| !point.is_empty());
            Command::SyncVerify { only: group()?, point }
        }
        Action::SyncCancel => Command::SyncCancel,
        Action::LagLimitSet => Command::LagLimitSet(LagLimitForm {
            dataset: text("dataset"),
            soft: trimmed("soft"),
            hard: trimmed("hard"),
        }),
        Action::LagLimitReset => Command::LagLimitReset { dataset: text("dataset") },
        Action::RetentionSet => {
            let typed = |name: &str| Some(trimmed(name));
            Command::RetentionSet(RetentionForm {
                newest: typed("newest"),
                minutes: typed("minutes"),
                hours: typed("hours"),
                days: typed("days"),
            })
        }
        Action::ScrubSet => Command::ScrubSet { every: trimmed("every") },
        Action::AlarmAck => {
            Command::AlarmAck { id: text("id"), note: Some(trimmed("note")).filter(|note| !note.is_empty()) }
        }
        Action::ServiceAdd => Command::ServiceAdd(ServiceForm {
            name: trimmed("name"),
            unit: trimmed("unit"),
            start: script("start"),
            stop: script("stop"),
            check: script("check"),
            timeout: trimmed("timeout"),
            order: trimmed("order"),
        }),
        Action::ServiceRemove => Command::ServiceRemove { name: text("name") },
        Action::Activate => Command::Activate(press::taken(fields)?),
        Action::Takeover => Command::Takeover(press::taken(fields)?),
        Action::PeerRetire => Command::Retire(press::taken(fields)?),
        Action::Deactivate => Command::Deactivate(press::released(fields)),
        Action::Failback => Command::Failback(press::sent_home(fields)),
        Action::Suspend => Command::Suspend(press::released(fields)),
        Action::Settle => Command::Settle(said()),
        Action::GateSame => Command::GateSame(said()),
        Action::SyncAccept => Command::SyncAccept(Accept {
            dataset: trimmed("name"),
            content: trimmed("content"),
            reason: trimmed("reason"),
            confirm_name: trimmed("confirm_name"),
            password: Some(secret("password")),
        }),
        Action::PreservedDiscard => Command::PreservedDiscard(PreservedDiscard {
            run: trimmed("name"),
            confirm_name: trimmed("confirm_name"),
            password: Some(secret("password")),
        }),
        Action::RunResume => Command::RunResume { attest: press::attested(fields) },
        Action::RunAbort => Command::RunAbort,
        Action::RunApprove | Action::RunDecline | Action::RunBypass => approval::answer(action, fields),
        Action::ApprovalSet => approval::policy(fields),
        Action::Drill => Command::Drill { reason: trimmed("reason") },
        Action::StepsUndo => Command::StepsUndo { reason: trimmed("reason") },
        Action::RunAck => Command::RunAck { step: text("id"), note: Some(trimmed("note")) },
        Action::StepAdd => Command::StepAdd(procedure::step(fields)?),
        Action::StepRemove => Command::StepRemove { name: text("name") },
        Action::StepGroupOn | Action::StepGroupOff | Action::StepGroupMove => procedure::group(action, fields),
        Action::StepMove => Command::StepMove { name: text("name"), to: text("to") },
        Action::GateSet => Command::GateSet { policy: text("policy"), wait: trimmed("wait") },
        Action::LifeSignsSet => Command::LifeSignsSet(isolation::signs(fields)),
        Action::TelephonySet => Command::TelephonySet(TelephonyForm {
            sip: Some(trimmed("sip")),
            trunks: Some(text("trunk").lines().map(str::to_owned).collect()),
            registrations: Some(script("registrations")),
            expected: Some(trimmed("expected")),
            limit: Some(trimmed("limit")),
        }),
        Action::TelephonyClear => Command::TelephonyClear,
        Action::PowerSet => Command::PowerSet(isolation::power(fields)),
        Action::PowerRemove => Command::PowerRemove { ip: text("name") },
        Action::PowerOff => Command::PowerOff(isolation::order(fields)),
        Action::PowerOn => Command::PowerOn(isolation::order(fields)),
        Action::PowerRead => Command::PowerRead { ip: text("name") },
        Action::ThresholdsSet => ways::thresholds(fields),
        Action::ThresholdReset => Command::ThresholdReset { name: text("name") },
        Action::SmtpSet => ways::smtp(fields)?,
        Action::SmtpTest => Command::SmtpTest { to: trimmed("to") },
        Action::SmsAccountAdd => ways::sms_account(fields),
        Action::SmsAccountRemove => Command::SmsAccountRemove { name: text("name") },
        Action::SmsAccountDefault => Command::SmsAccountDefault { name: text("name") },
        Action::SmsTest => {
            Command::SmsTest { name: Some(text("name")).filter(|name| !name.is_empty()), to: trimmed("to") }
        }
        Action::UserAdd => Command::UserAdd {
            name: trimmed("name"),
            role: text("role"),
            password: secret("password"),
            must_change: true,
        },
        Action::UserPassword => {
            Command::UserPassword { name: text("name"), password: secret("password"), must_change: true }
        }
        Action::UserRemove => Command::UserRemove { name: text("name") },
    })
}

/// The fields whose names begin so, by the rest of the name; only those in which something was typed.
pub(super) fn under<'a>(fields: &'a Fields, prefix: &'a str) -> impl Iterator<Item = (&'a str, String)> {
    let typed = fields.iter().filter_map(move |(name, text)| Some((name.strip_prefix(prefix)?, text.trim())));
    typed.filter(|(_, text)| !text.is_empty()).map(|(rest, text)| (rest, text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_becomes_the_command_of_its_name_and_its_role() {
        let typed = [("scope", "all"), ("text", "licence"), ("only", ""), ("token", "token"), ("kind", "manual")];
        let fields: Fields = typed.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        for action in Action::ALL {
            let command = command(*action, &fields).unwrap();
            assert_eq!(command.action(), action.as_str());
            assert_eq!(command.role(), action.role(), "{action:?}");
        }
    }

    #[test]
    fn a_tampered_choice_is_a_problem_of_its_field() {
        let fields = vec![("scope".to_owned(), "half".to_owned()), ("only".to_owned(), "disk".to_owned())];
        for action in [Action::SyncFull, Action::SyncVerify, Action::SyncStart] {
            assert!(matches!(command(action, &fields), Err(Denied::Invalid(_))), "{action:?}");
        }
    }
}
