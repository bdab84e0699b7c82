//! The activation drill: when the last one was and what it came to, and the button that begins one.

use contract::live::Live;
use contract::run::{RunEntry, RunKind, RunState};
use leptos::prelude::*;

use super::{fold, form};
use crate::action::Action;
use crate::fresh::fresh_keyed;
use crate::model::{ActivationPage, Context};
use crate::routes::{self, PageId};
use crate::widgets::Field;

pub(super) fn view(cx: &Context, live: &Live, model: &ActivationPage) -> AnyView {
    let run = live.status.open_run();
    let drills = run.filter(|run| run.kind == RunKind::Drill);
    let key = run.map(|run| format!("{} {}", run.id, run.state.as_str())).unwrap_or_default();
    let about = cx.t(
        "Copia e rilegge tutti i dati come farebbe un'attivazione, controlla i database e verifica requisiti e servizi. Il Master resta in servizio, nulla viene avviato o spento e la replicazione continua. Un'attivazione vera la interrompe e passa avanti.",
        "Copies and reads all data again as an activation would, checks the databases, requirements and services. The Master goes on serving, nothing is started or stopped, and the replication goes on. A real activation ends it and goes first.",
    );
    let follow = drills.map(|run| {
        let (class, word) = match run.state {
            RunState::Stuck => {
                ("button danger", cx.t("LA PROVA HA TROVATO UN PROBLEMA", "THE DRILL HAS FOUND A PROBLEM"))
            }
            _ => ("button", cx.t("SEGUI LA PROVA", "FOLLOW THE DRILL")),
        };
        view! { <p><a class=class href=href(&run.id)>{word}</a></p> }
    });
    let begin = || {
        let help = cx.t("Finisce nel registro e nel rapporto.", "It goes into the audit log and the report.");
        view! {
            <form method="post" action=routes::of(PageId::Activation).path>
                <input type="hidden" name="action" value=Action::Drill.as_str() />
                {Field::new(Action::Drill, "reason", cx.t("Motivo", "Reason"), help).view(cx)}
                <button class="button">{cx.t("AVVIA LA PROVA", "BEGIN THE DRILL")}</button>
            </form>
        }
        .into_any()
    };
    let form = run.is_none().then(|| form::or_who(cx, Action::Drill, begin));
    let body = view! {
        <p>{about}</p>
        {last(cx, model)}
        {follow}
        {form}
    };
    let open = cx.form.is(Action::Drill) || drills.is_some();
    let known = model.drill.as_ref().map_or_else(|| cx.t("mai fatta", "none yet"), |run| outcome(cx, run));
    let summary = format!("{}: {known}", cx.t("Prova di attivazione", "Activation drill"));
    fresh_keyed(cx, "drill", key, fold(open, &summary, body.into_any()))
}

fn href(id: &str) -> String {
    format!("{}?id={id}", routes::of(PageId::Runs).path)
}

/// What whoever plans the next one, or audits, asks first.
fn last(cx: &Context, model: &ActivationPage) -> AnyView {
    let Some(run) = &model.drill else {
        let never = cx.t("Non è mai stata fatta: farne una ora.", "There was none yet: do one now.");
        return view! { <p class="banner warn">{never}</p> }.into_any();
    };
    let label = cx.t("Ultima prova", "Last drill");
    let when = cx.moment(run.started_at);
    view! {
        <p>
            {format!("{label}: {when}, {}. ", outcome(cx, run))}
            <a href=href(&run.brief.id)>{cx.t("Rapporto", "Report")}</a>
        </p>
    }
    .into_any()
}

fn outcome(cx: &Context, run: &RunEntry) -> &'static str {
    match run.brief.state {
        RunState::Done => cx.t("riuscita", "passed"),
        RunState::Stuck => cx.t("ha trovato un problema", "has found a problem"),
        RunState::Running => cx.t("in corso", "going on"),
        RunState::Aborted => cx.t("interrotta prima della fine", "ended before its end"),
    }
}
