//! *Banda Replicazione*, as a card of the page Replicazione: how fast content may travel, and in which hours how fast.

use contract::Lang;
use contract::bandwidth::{BandwidthReport, limit_text};
use leptos::prelude::*;

use crate::action::Action;
use crate::model::Context;
use crate::widgets::{Field, Kind, card_with_help, facts};

pub(super) fn view(cx: &Context, bandwidth: &BandwidthReport) -> AnyView {
    let body = if cx.may(Action::BandwidthSet) { form(cx, bandwidth) } else { shown(cx, bandwidth) };
    card_with_help(
        cx,
        "bandwidth",
        cx.t("Banda Replicazione", "Replication bandwidth"),
        cx.t(
            "Quanto della linea può usare la copia dei dati. Vale per tutti i dati insieme, subito, anche per una copia in corso. I database e le piccole modifiche passano avanti a una copia grande.",
            "How much of the line the copy of data may use. It holds for all data together, at once, also for a copy under way. Databases and small changes go before a large copy.",
        ),
        view! { <p>{now(cx, bandwidth)}</p> {body} },
    )
}

/// What holds at this moment, and why.
fn now(cx: &Context, bandwidth: &BandwidthReport) -> String {
    let limit = limit_text(bandwidth.now_kbits, cx.lang);
    let window = bandwidth.now_window.and_then(|at| bandwidth.windows.get(at));
    match (cx.lang, window) {
        (Lang::It, None) => format!("In questo momento: {limit}."),
        (Lang::En, None) => format!("At this moment: {limit}."),
        (Lang::It, Some(window)) => format!("In questo momento: {limit} ({}).", window.window.text(Lang::It)),
        (Lang::En, Some(window)) => format!("At this moment: {limit} ({}).", window.window.text(Lang::En)),
    }
}

fn lines(cx: &Context, bandwidth: &BandwidthReport) -> Vec<String> {
    bandwidth.windows.iter().map(|window| window.window.text(cx.lang)).collect()
}

/// For those who may only look.
fn shown(cx: &Context, bandwidth: &BandwidthReport) -> AnyView {
    let limit = limit_text(bandwidth.limit_kbits, cx.lang);
    let general = (cx.t("Limite generale", "General limit").to_owned(), limit.into_any());
    let windows = lines(cx, bandwidth).into_iter().map(|line| view! { <li>{line}</li> }).collect_view();
    let hours = (!bandwidth.windows.is_empty())
        .then(|| (cx.t("Fasce orarie", "Hours").to_owned(), view! { <ul>{windows}</ul> }.into_any()));
    facts([general].into_iter().chain(hours))
}

fn form(cx: &Context, bandwidth: &BandwidthReport) -> AnyView {
    let action = Action::BandwidthSet;
    let limit = bandwidth.limit_kbits.map(|limit| limit.to_string()).unwrap_or_default();
    let windows = lines(cx, bandwidth).join("\n");
    let general = Field::new(
        action,
        "limit",
        cx.t("Limite generale", "General limit"),
        cx.t(
            "Ad esempio 10 Mbit/s oppure 512 kbit/s. Vuoto: nessun limite.",
            "For example 10 Mbit/s or 512 kbit/s. Empty: no limit.",
        ),
    );
    let hours = Field::new(
        action,
        "windows",
        cx.t("Fasce orarie con un altro limite", "Hours with another limit"),
        cx.t(
            "Una per riga: giorni, orario, limite. Ad esempio: lun-ven 08:00-18:00 2 Mbit/s. Vale la prima riga che comprende l'ora attuale; l'ora è quella di questa macchina.",
            "One a line: days, hours, limit. For example: mon-fri 08:00-18:00 2 Mbit/s. The first line that holds the present time wins; the time is that of this machine.",
        ),
    );
    view! {
        <form method="post" id="bandwidth-form">
            <input type="hidden" name="action" value=action.as_str() />
            {general.saved(&limit).optional().view(cx)}
            {hours.saved(&windows).kind(Kind::Lines(3)).optional().view(cx)}
            <button class="button primary">{cx.t("Salva la banda", "Save the bandwidth")}</button>
        </form>
    }
    .into_any()
}
