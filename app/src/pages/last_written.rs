//! The card *Ultime scritture del Master*: dataset by dataset, whether the DR has what the Master wrote last.

use contract::last_written::LastWritten;
use contract::live::Live;
use leptos::prelude::*;

use crate::fresh::fresh;
use crate::model::Context;
use crate::widgets::card;

/// Nothing where nothing is known; with islands the card comes as soon as something is.
pub(super) fn view(cx: &Context, live: &Live) -> AnyView {
    fresh(cx, "last-written", body(cx, live))
}

fn body(cx: &Context, live: &Live) -> Option<AnyView> {
    let known = live.status.datasets.iter().filter_map(|dataset| Some((&dataset.name, dataset.last_written?)));
    let rows: Vec<_> = known.collect();
    if rows.is_empty() {
        return None;
    }
    let kept = rows.iter().any(|(_, verdict)| *verdict != LastWritten::Clean).then(|| {
        let text = cx.t(
            "Ciò che il DR non ha viene messo da parte sul Master prima di essere sostituito.",
            "What the DR has not is put aside on the Master before it is replaced.",
        );
        view! { <p class="hint">{text}</p> }
    });
    let rows = rows.into_iter().map(|(name, verdict)| {
        let tone = match verdict {
            LastWritten::Clean => "good",
            LastWritten::Tail => "warn",
            LastWritten::SplitBrain => "bad",
        };
        view! {
            <li data-verdict=verdict.as_str()>
                <strong>{name.clone()}</strong>
                " "
                <span class=format!("badge {tone}")>{verdict.label(cx.lang)}</span>
                " "
                {verdict.sentence(cx.lang)}
            </li>
        }
    });
    let list = view! { <ul>{rows.collect_view()}</ul> {kept} };
    Some(card(cx.t("Ultime scritture del Master", "What the Master wrote last"), list).into_any())
}
