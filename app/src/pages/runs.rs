//! `/operazioni`: every run, the newest first.

use contract::run::{RunState, RunsReport};
use leptos::prelude::*;

use crate::model::Context;
use crate::routes::{self, PageId};
use crate::widgets::{card, reload, title};

pub(crate) fn view(cx: &Context, report: &RunsReport) -> AnyView {
    let route = routes::of(PageId::Runs);
    view! {
        {title(route.label(cx.lang), reload(cx, route.path))}
        {card(cx.t("Tutte le operazioni", "All operations"), table(cx, report))}
    }
    .into_any()
}

fn table(cx: &Context, report: &RunsReport) -> AnyView {
    if report.runs.is_empty() {
        let text = cx.t("Ancora nessuna: il DR non è mai stato attivato.", "None yet: the DR was never activated.");
        return view! { <p>{text}</p> }.into_any();
    }
    let caption = cx.t("Operazioni", "Operations");
    let heads = [cx.t("Inizio", "Begun"), cx.t("Esito", "Outcome"), cx.t("Chi", "Who"), cx.t("Motivo", "Reason")];
    let [begun, outcome, who, why] = heads;
    let rows = report.runs.iter().map(|run| {
        let tone = tone(run.brief.state);
        view! {
            <tr>
                <th scope="row">
                    <a href=format!("/operazioni?id={}", run.brief.id)>{run.brief.kind.label(cx.lang)}</a>
                </th>
                <td data-label=begun class="when">{cx.moment(run.started_at)}</td>
                <td data-label=outcome>
                    <span class=format!("badge {tone}")>{run.brief.state.label(cx.lang)}</span>
                </td>
                <td data-label=who>{run.started_by.clone()}</td>
                <td data-label=why>{run.reason.clone()}</td>
            </tr>
        }
    });
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=caption>
            <table>
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col">{cx.t("Operazione", "Operation")}</th>
                        {heads.map(|head| view! { <th scope="col">{head}</th> }).collect_view()}
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

const fn tone(state: RunState) -> &'static str {
    match state {
        RunState::Running => "active",
        RunState::Stuck => "bad",
        RunState::Done => "good",
        RunState::Aborted => "warn",
    }
}
