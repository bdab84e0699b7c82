//! The page Procedura: which form is open, and what is typed into it.

use app::action::Action;
use app::model::{ProcedurePage, StepDraft};
use contract::command::Secret;
use contract::own_step::{DnsForm, GroupOrder, HttpForm, OwnStepForm, OwnStepsReport, StepGroup, StepKind, WorkForm};
use contract::{Command, Denied};

use super::forms::{Fields, lines, value};
use super::query;

/// The steps, and the one that the address opens for writing.
pub(super) fn page(report: OwnStepsReport, path: &str) -> ProcedurePage {
    let known = |name: &String| report.steps.iter().any(|step| step.name == *name);
    let old = query::value(path, "edit").filter(known).map(StepDraft::Old);
    let new = || query::value(path, "new").and_then(|kind| kind.parse().ok()).map(StepDraft::New);
    let open = old.or_else(new);
    ProcedurePage { steps: report.steps, open }
}

/// A step as typed.
pub(super) fn step(fields: &Fields) -> Result<OwnStepForm, Denied> {
    let trimmed = |name: &str| value(fields, name).trim().to_owned();
    let text = |name: &str| lines(fields, name);
    let kind: StepKind = value(fields, "kind").parse().map_err(|problem| Denied::field("kind", problem))?;
    let work = match kind {
        StepKind::Dns => WorkForm::Dns(DnsForm {
            zone: trimmed("zone"),
            record: trimmed("record"),
            record_type: trimmed("record_type"),
            old: text("old_values"),
            new: text("new_values"),
            ttl: trimmed("ttl"),
            servers: text("servers"),
            key_name: trimmed("key_name"),
            key_algorithm: trimmed("key_algorithm"),
        }),
        StepKind::Http => WorkForm::Http(HttpForm {
            method: trimmed("method"),
            url: trimmed("url"),
            body: text("body"),
            undo_method: trimmed("undo_method"),
            undo_url: trimmed("undo_url"),
            undo_body: text("undo_body"),
            check_url: trimmed("check_url"),
            headers: text("headers"),
            success_status: trimmed("success_status"),
            ca: text("ca"),
            pin: trimmed("pin"),
        }),
        StepKind::Wait => {
            WorkForm::Wait { tcp: trimmed("tcp"), sip: trimmed("sip"), registrations: trimmed("registrations") }
        }
        StepKind::Command => WorkForm::Command { run: text("run"), undo: text("undo"), check: text("check") },
        StepKind::Manual => WorkForm::Manual {
            text_it: text("text_it"),
            text_en: text("text_en"),
            undo_it: text("undo_it"),
            undo_en: text("undo_en"),
        },
    };
    let [name, place, group, order, limit] = ["name", "place", "group", "order", "limit"].map(trimmed);
    let secret = Some(value(fields, "secret")).filter(|typed| !typed.is_empty()).map(Secret::new);
    Ok(OwnStepForm { name, place, group: Some(group), order, limit, secret, work })
}

/// What is asked of a whole group.
pub(super) fn group(action: Action, fields: &Fields) -> Command {
    let order = match action {
        Action::StepGroupOn => GroupOrder::On,
        Action::StepGroupOff => GroupOrder::Off,
        _ => GroupOrder::Move { to: value(fields, "to").to_owned() },
    };
    Command::StepGroup(StepGroup { name: value(fields, "name").to_owned(), order })
}
