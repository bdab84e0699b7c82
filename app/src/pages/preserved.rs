//! The card *Dati messi da parte*: what failbacks have replaced on this Master (page Dati da replicare), or left behind on
//! this Client (page Replicazione), how much space that takes, and the form by which it goes for good.

use contract::preserved::{PreservedReport, PreservedRun};
use contract::{Lang, NodeRole};
use leptos::prelude::*;

use crate::action::Action;
use crate::format;
use crate::model::Context;
use crate::widgets::{Field, Kind, card_with_help};

/// Nothing where nothing was ever put aside.
pub(super) fn view(cx: &Context, report: &PreservedReport) -> Option<AnyView> {
    if report.preserved.is_empty() {
        return None;
    }
    let about = match cx.node.role {
        NodeRole::Master => cx.t(
            "Quando i dati del DR tornano qui, ciò che sostituiscono viene messo da parte com'era. Non viene mai eliminato da solo: quando è certo che non serve più, lo si elimina da qui.",
            "When the data of the DR comes home, what it replaces is put aside as it was. It never goes by itself: once it is certain that it is not needed any more, it is discarded here.",
        ),
        NodeRole::Client => cx.t(
            "Ciò che è stato creato sul DR e in un rientro è stato lasciato indietro viene esportato qui. Non viene mai eliminato da solo: quando è certo che non serve più, lo si elimina da qui.",
            "What was made on the DR and was left behind by a failback is exported here. It never goes by itself: once it is certain that it is not needed any more, it is discarded here.",
        ),
    };
    let runs = report.preserved.iter().map(|run| one(cx, run)).collect_view();
    let size = format!("{}: {}", cx.t("Spazio occupato", "Space taken"), format::bytes(report.bytes(), cx.lang));
    let body = view! { <p><strong>{size}</strong></p> {runs} };
    Some(card_with_help(cx, "preserved", cx.t("Dati messi da parte", "Data put aside"), about, body).into_any())
}

fn one(cx: &Context, run: &PreservedRun) -> AnyView {
    let age = run.age_seconds.map(|age| format!(", {}", format::span(age, cx.lang))).unwrap_or_default();
    let at = run.at.map_or_else(|| "–".to_owned(), |at| cx.moment(at));
    let told = match cx.lang {
        Lang::It => {
            format!("{at}{age}: {} file, {}", format::count(run.files, cx.lang), format::bytes(run.bytes, cx.lang))
        }
        Lang::En => {
            format!("{at}{age}: {} files, {}", format::count(run.files, cx.lang), format::bytes(run.bytes, cx.lang))
        }
    };
    let parts = run.datasets.iter().map(|part| {
        let size = format::bytes(part.bytes, cx.lang);
        view! { <li><strong>{part.name.clone()}</strong> " " {size} " " <code>{part.path.clone()}</code></li> }
    });
    let goes_on = run.in_use.then(|| {
        let text = cx.t("in uso: l'operazione è in corso", "in use: the run goes on");
        view! { " " <span class="badge warn">{text}</span> }
    });
    let discard = (cx.may(Action::PreservedDiscard) && !run.in_use).then(|| discard(cx, &run.run));
    view! {
        <h3><code>{run.run.clone()}</code> {goes_on}</h3>
        <p>{told}</p>
        <ul class="vector">{parts.collect_view()}</ul>
        {discard}
    }
    .into_any()
}

fn discard(cx: &Context, run: &str) -> AnyView {
    let action = Action::PreservedDiscard;
    let label = cx.t("Nome di questa macchina", "This machine's name");
    let machine = cx.t("Quello scritto in alto, per intero.", "The one written above, all of it.");
    let password = cx.t("La propria, di nuovo.", "Your own, again.");
    let button = format!("{} {run}", cx.t("ELIMINA", "DISCARD"));
    view! {
        <details class="fold" open=cx.form.is_row(action, run)>
            <summary>{format!("{} {run}", cx.t("Eliminare", "Discard"))}</summary>
            <form method="post" class="grave-form">
                <input type="hidden" name="action" value=action.as_str() />
                <input type="hidden" name="name" value=run.to_owned() />
                <div class="columns">
                    {Field::new(action, "confirm_name", label, machine).row(run).view(cx)}
                    {Field::new(action, "password", "Password", password).row(run).kind(Kind::Password("current-password")).view(cx)}
                </div>
                <button class="button danger">{button}</button>
            </form>
        </details>
    }
    .into_any()
}
