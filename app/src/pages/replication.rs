//! `/replicazione` (Client): ON and OFF, each dataset, the forced sync, the verification, what can be gone back to, and
//! what stays out.

use contract::live::Live;
use contract::task::Scope;
use leptos::prelude::*;

use super::{bandwidth, lag, points, preserved, scrub};
use crate::action::Action;
use crate::islands::{ReplicaTable, SwitchRows, TaskPanel, VerifyPanel, switch_rows};
use crate::model::{Context, ReplicationPage};
use crate::routes::{self, PageId};
use crate::widgets::{card, card_with_help, reload, title};

pub(crate) fn view(cx: &Context, model: &ReplicationPage) -> AnyView {
    let live = &model.live;
    let lang = cx.lang;
    let offset = cx.offset(cx.now);
    let route = routes::of(PageId::Replication);
    let may = cx.may(Action::SyncStart);
    let chosen: Scope = cx.form.value(Action::SyncFull, "scope", "").parse().unwrap_or_default();
    let wrong = cx.form.error(Action::SyncFull, "scope", lang);
    let force = view! {
        {wrong.map(|text| view! { <p class="field-error">{text}</p> })}
        <TaskPanel initial=live.task.clone() kept=model.tasks.full.clone() may chosen offset lang />
    };
    view! {
        {title(route.label(lang), reload(cx, route.path))}
        {super::consent::view(cx, model)}
        {card_with_help(
            cx,
            "switches",
            route.label(lang),
            cx.t(
                "ON: le modifiche del Master arrivano da sole, entro pochi secondi. STOP le ferma, e la copia resta all'ultima generazione completa.",
                "ON: the Master's changes arrive by themselves within seconds. STOP halts them, and the copy stays at the last complete generation.",
            ),
            switches(cx, live),
        )}
        {card(
            cx.t("Dati replicati", "Replicated data"),
            view! { <ReplicaTable initial=live.sync.clone() role=cx.node.role offset lang /> },
        )}
        {card_with_help(
            cx,
            "force",
            cx.t("Forza la sincronizzazione del database", "Force the sync of the database"),
            cx.t(
                "Rilegge tutto dal Master e risana ciò che è diverso. Serve dopo un guasto del disco o quando una verifica trova differenze.",
                "Reads everything from the Master again and heals what differs. Needed after a disk fault or when a verification finds differences.",
            ),
            force,
        )}
        {card(
            cx.t("Verifica", "Verification"),
            view! { <VerifyPanel initial=live.task.clone() kept=model.tasks.verify.clone() may offset lang /> },
        )}
        {bandwidth::view(cx, &model.bandwidth)}
        {scrub::view(cx, &model.scrub)}
        {lag::view(cx, &model.lag, model.window)}
        {points::view(cx, &model.points)}
        {preserved::view(cx, &model.exports)}
        {card(cx.t("Che cosa non viene replicato", "What is not replicated"), left_out(cx, model))}
    }
    .into_any()
}

fn switches(cx: &Context, live: &Live) -> AnyView {
    let (lang, offset) = (cx.lang, cx.offset(cx.now));
    let wrong = cx.form.error(Action::SyncStop, "pause", lang);
    view! {
        {wrong.map(|text| view! { <p class="field-error">{text}</p> })}
        <SwitchRows initial=switch_rows(live, offset, lang) may=cx.may(Action::SyncStart) offset lang />
    }
    .into_any()
}

fn left_out(cx: &Context, model: &ReplicationPage) -> AnyView {
    let rows = &model.live.sync.not_replicated;
    if rows.is_empty() {
        let text = cx.t(
            "Dei dati dichiarati viene replicato tutto. Ciò che non è dichiarato sul Master resta fuori.",
            "All of the declared data is replicated. What is not declared on the Master stays out.",
        );
        return view! { <p>{text}</p> }.into_any();
    }
    let items = rows.iter().map(|row| {
        let of = row.dataset.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        let warning = matches!(row.reason.as_str(), "database" | "owner")
            .then(|| view! { <span class="badge warn">{cx.t("Attenzione", "Warning")}</span> " " });
        view! { <li>{warning} {of} <code>{row.path.clone()}</code> " – " {reason(cx, &row.reason)}</li> }
    });
    view! { <ul>{items.collect_view()}</ul> }.into_any()
}

fn reason(cx: &Context, word: &str) -> String {
    match word {
        "excluded" => cx.t("escluso nella dichiarazione", "excluded in the declaration"),
        "socket" => cx.t("è un socket", "it is a socket"),
        "device" => cx.t("è un dispositivo", "it is a device"),
        "database" => cx.t(
            "è un database SQLite copiato come semplice file: la copia può essere incoerente. Dichiararlo come dato di tipo Database SQLite",
            "it is a SQLite database copied as a plain file: the copy may be torn. Declare it as a dataset of kind SQLite database",
        ),
        "owner" => cx.t(
            "non c'è su questa macchina: i suoi file tengono il numero che hanno sul Master",
            "does not exist on this machine: its files keep the number they have on the Master",
        ),
        "own_data" => cx.t("dati propri di tvox-dr", "tvox-dr's own data"),
        "machines_own" => cx.t("è della macchina stessa: identità o rete", "it is the machine's own: identity or network"),
        other => other,
    }
    .to_owned()
}
