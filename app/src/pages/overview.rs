//! `/`: how this machine stands, in words, and the next thing to do until the pair is complete.

use contract::role::NodeRole;
use leptos::prelude::*;

use super::{last_written, readiness};
use crate::action::Action;
use crate::fresh::fresh;
use crate::islands::{PairStatus, ReplicaTable};
use crate::model::{Context, OverviewPage};
use crate::routes::{self, PageId};
use crate::widgets::{card, facts, reload, title};

pub(crate) fn view(cx: &Context, model: &OverviewPage) -> AnyView {
    let Some(live) = &cx.live else { return ().into_any() };
    let lang = cx.lang;
    let offset = cx.offset(cx.now);
    let status = &live.status;
    let machine = facts([
        (cx.t("Nome", "Name").to_owned(), status.node.name.clone().into_any()),
        (cx.t("Ruolo", "Role").to_owned(), status.node.role.label().into_any()),
        (cx.t("Stato", "State").to_owned(), status.state.label(lang).into_any()),
        (cx.t("Versione", "Version").to_owned(), status.node.version.clone().into_any()),
        (
            cx.t("Licenza", "Licence").to_owned(),
            view! { <a href="/licenza">{status.licence.state.label(lang)}</a> }.into_any(),
        ),
        (
            cx.t("Ultima generazione", "Last generation").to_owned(),
            status.generation.map_or_else(|| "–".to_owned(), |n| n.to_string()).into_any(),
        ),
    ]);
    let pair = status.pair.clone();
    let sync = live.sync.clone();
    view! {
        {title(routes::of(PageId::Overview).label(lang), reload(cx, "/"))}
        {steps(cx, model)}
        {card(cx.t("Servizio", "Service"), fresh(cx, "readiness", readiness::view(cx, live)))}
        {last_written::view(cx, live)}
        <div class="two">
            {card(cx.t("Questa macchina", "This machine"), machine)}
            {card(
                cx.t("Associazione", "Association"),
                view! { <PairStatus initial=pair role=cx.node.role offset lang /> },
            )}
        </div>
        {card(
            cx.t("Dati replicati", "Replicated data"),
            view! { <ReplicaTable initial=sync role=cx.node.role offset lang /> },
        )}
    }
    .into_any()
}

/// One thing to do.
struct Step {
    done: bool,
    text: &'static str,
    page: Option<PageId>,
}

/// What to do, in order, until the pair works; nothing afterwards.
fn steps(cx: &Context, model: &OverviewPage) -> Option<AnyView> {
    let live = cx.live.as_ref()?;
    let step = |done, it, en, page| Step { done, text: cx.lang.pick(it, en), page };
    let licence = step(
        model.licence.granted,
        "Caricare la licenza di questa macchina",
        "Load this machine's licence",
        Some(PageId::Licence),
    );
    let associated = model.peer.pair.associated;
    let address = model.peer.address.is_some();
    let declared = !live.sync.datasets.is_empty();
    let seeded = declared && live.sync.datasets.iter().all(|dataset| dataset.generation.is_some());
    let list = match cx.node.role {
        NodeRole::Master => vec![
            licence,
            step(
                address,
                "Impostare l'indirizzo IP del DR Client",
                "Set the DR Client's IP address",
                Some(PageId::Pairing),
            ),
            step(
                associated,
                "Creare il codice di associazione e incollarlo sul DR Client",
                "Make the join token and paste it on the DR Client",
                Some(PageId::Pairing),
            ),
            step(declared, "Dichiarare i dati da replicare", "Declare the data to replicate", Some(PageId::Datasets)),
        ],
        NodeRole::Client => vec![
            licence,
            step(address, "Impostare l'indirizzo IP del Master", "Set the Master's IP address", Some(PageId::Pairing)),
            step(
                associated,
                "Incollare il codice di associazione creato sul Master",
                "Paste the join token made on the Master",
                Some(PageId::Pairing),
            ),
            step(
                declared,
                "Sul Master: dichiarare i dati da replicare",
                "On the Master: declare the data to replicate",
                None,
            ),
            step(
                seeded,
                "Attendere la prima copia completa",
                "Wait for the first complete copy",
                Some(PageId::Replication),
            ),
        ],
    };
    let next = list.iter().position(|step| !step.done)?;
    let items = list.iter().enumerate().map(|(index, step)| {
        let (class, word) = match (step.done, index == next) {
            (true, _) => ("step done", cx.t("fatto", "done")),
            (false, true) => ("step next", cx.t("da fare ora", "to do now")),
            (false, false) => ("step", cx.t("da fare", "to do")),
        };
        let text = match step.page {
            Some(page) if !step.done => view! { <a href=routes::of(page).path>{step.text}</a> }.into_any(),
            _ => step.text.into_any(),
        };
        view! { <li class=class>{text} " " <span class="step-state">{word}</span></li> }
    });
    let who = (!cx.may(Action::PeerSet)).then(|| {
        view! { <p class="muted">{cx.t("Serve un amministratore.", "An administrator is needed.")}</p> }
    });
    Some(card(
        cx.t("Che cosa fare adesso", "What to do now"),
        view! {
            <ol class="steps">{items.collect_view()}</ol>
            {who}
        },
    ))
}
