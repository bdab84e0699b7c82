//! The other site is lost for good: the card of the page Disaster Recovery by which an operator says so, which machines were
//! declared lost, and whether this one was.

use contract::Lang;
use contract::live::Live;
use contract::mandate::Tombstone;
use leptos::prelude::*;

use super::activation;
use crate::action::Action;
use crate::headline::Tone;
use crate::model::Context;
use crate::widgets::{card, select};

pub(super) fn view(cx: &Context) -> Option<AnyView> {
    let live = cx.live.as_ref()?;
    let lost: Vec<_> = live.status.mandate.iter().flat_map(|mandate| &mandate.retired).collect();
    let list = (!lost.is_empty()).then(|| {
        let items = lost.iter().map(|lost| view! { <li>{epitaph(cx, lost)}</li> }).collect_view();
        card(cx.t("Macchine dichiarate perdute", "Machines declared lost"), view! { <ul>{items}</ul> })
    });
    let form = (live.status.pair.associated && live.status.declared_lost().is_none()).then(|| declare(cx, live));
    Some(view! { {own(cx, live)} {list} {form} }.into_any())
}

/// Who was lost, and who said so.
fn epitaph(cx: &Context, lost: &Tombstone) -> String {
    let Tombstone { name, address, operator, reason, .. } = lost;
    let at = cx.moment(lost.at);
    match cx.lang {
        Lang::It => format!("{name} ({address}): dichiarata perduta da {operator} il {at}, «{reason}»."),
        Lang::En => format!("{name} ({address}): declared lost by {operator} on {at}, “{reason}”."),
    }
}

/// That this very machine was.
fn own(cx: &Context, live: &Live) -> Option<AnyView> {
    let lost = live.status.declared_lost()?;
    let text = cx.t(
        "Non fa più parte della coppia. Per riusarla, inizializzare un nodo nuovo in una directory vuota (tvox-dr init) e associarlo.",
        "It belongs to the pair no more. To use it again, initialise a new node in an empty directory (tvox-dr init) and join it.",
    );
    let stance = activation::stance(Tone::Bad, &epitaph(cx, lost), text);
    Some(view! { <section class="card">{stance}</section> }.into_any())
}

fn declare(cx: &Context, live: &Live) -> AnyView {
    let there = live.status.peer_name();
    let summary = match cx.lang {
        Lang::It => format!("{there} è perduta per sempre"),
        Lang::En => format!("{there} is lost for good"),
    };
    let about = match cx.lang {
        Lang::It => format!(
            "Questa macchina prende il servizio, o continua a servire, e {there} non fa più parte della coppia: se torna, resta ferma e non riceve né dati né conferme. Poi si associa la macchina che la sostituisce. Non si può annullare."
        ),
        Lang::En => format!(
            "This machine takes the service, or goes on serving, and {there} belongs to the pair no more: should it come back it stays down and gets neither data nor confirmations. Then the machine in its place is joined. It cannot be undone."
        ),
    };
    view! {
        <details class="fold card" open=cx.form.is(Action::PeerRetire)>
            <summary>{summary}</summary>
            <p>{about}</p>
            {activation::retire_form(cx, live)}
        </details>
    }
    .into_any()
}

/// Of a Master site of two the machine that is lost alone: the site goes on with the other one. Only whoever serves can say so.
pub(super) fn member(cx: &Context, live: &Live) -> Option<AnyView> {
    let pair = &live.status.pair;
    let across: Vec<_> = pair.peer.iter().flat_map(|peer| &peer.machines).filter(|one| one.associated).collect();
    let beside = pair.cluster.as_ref().and_then(|cluster| cluster.sibling.as_ref()).filter(|one| one.associated);
    let members = if across.len() > 1 { across } else { beside.into_iter().collect() };
    if members.is_empty() {
        return None;
    }
    let named = |one: &&contract::status::MachineInfo| {
        let name = one.name.clone().unwrap_or_default();
        (one.ip.to_string(), format!("{name} ({})", one.ip))
    };
    let named: Vec<_> = members.iter().map(named).collect();
    let whole = ("", cx.t("Tutta l'altra sede", "All of the other site"));
    let options: Vec<_> =
        std::iter::once(whole).chain(named.iter().map(|(ip, shown)| (ip.as_str(), &**shown))).collect();
    let label = cx.t("Che cosa è perduto", "What is lost");
    let help = cx.t(
        "Del Master, che è un cluster, si può dichiarare perduta una sola macchina: il servizio resta dov'è, e la sede continua con l'altra. Lo dice la macchina che è in servizio.",
        "Of the Master, which is a cluster, one machine can be declared lost alone: the service stays where it is, and the site goes on with the other one. It is for the machine that serves to say so.",
    );
    Some(select(cx, Action::PeerRetire, "member", label, help, &options, ""))
}
