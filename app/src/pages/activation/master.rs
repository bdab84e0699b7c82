//! The Master's side: there is no button here. What its state means, and the take-over for the day on which the DR is
//! lost while it was active.

use contract::Lang;
use contract::NodeRole;
use contract::live::Live;
use contract::state::NodeState;
use leptos::prelude::*;

use super::outlook::stance;
use super::{background, fold, form, held, replaced, travel};
use crate::action::Action;
use crate::headline::Tone;
use crate::model::{ActivationPage, Context};

pub(super) fn view(cx: &Context, live: &Live) -> AnyView {
    if live.status.declared_lost().is_some() {
        return view! { <section class="card">{replaced::view(cx, live, Tone::Bad)}</section> }.into_any();
    }
    let there = live.status.peer_name();
    let state = match live.status.state {
        NodeState::Fenced => fenced(cx, there),
        NodeState::Receiving => receiving(cx, live, there),
        NodeState::Recovering => replaced::view(cx, live, Tone::Active).unwrap_or_else(|| ().into_any()),
        NodeState::Held => held(cx, live),
        state => serving(cx, there, state),
    };
    // Where the DR does not hold the service there is nothing to take back; and while it answers, what it sends is awaited.
    let awaited = live.status.state == NodeState::Receiving && !is_silent(live);
    let lost = (live.status.state.may_be_taken_from(NodeRole::Master) && !awaited).then(|| {
        view! { {form::or_who(cx, Action::Takeover, || takeover(cx, live))} {background(cx, live)} }
    });
    let settle = super::super::settle::view(cx, live);
    let same = super::super::same_data::view(cx, live);
    let written = super::super::last_written::view(cx, live);
    let left = super::super::steps_left::view(cx, live);
    view! { <section class="card">{state} {travel(cx, live)} {way(cx, live)}</section> {left} {written} {settle} {same} {lost} }
        .into_any()
}

fn serving(cx: &Context, there: &str, state: NodeState) -> AnyView {
    let name = &cx.node.name;
    let head = match cx.lang {
        Lang::It => format!("{name} è il Master ed è in servizio: da qui non si attiva nulla."),
        Lang::En => format!("{name} is the Master and it serves: nothing is activated from here."),
    };
    let text = match cx.lang {
        Lang::It => {
            format!("Per attivare il DR aprire il pannello di {there}, dopo aver isolato e spento questa macchina.")
        }
        Lang::En => {
            format!("To activate the DR open the panel of {there}, after isolating this machine and powering it off.")
        }
    };
    let tone = if state == NodeState::Unverified { Tone::Warn } else { Tone::Good };
    stance(tone, &head, &text)
}

fn fenced(cx: &Context, there: &str) -> AnyView {
    let name = &cx.node.name;
    let (head, text) = match cx.lang {
        Lang::It => (
            format!("ESCLUSO: il servizio è su {there}."),
            format!(
                "I servizi di {name} restano fermi, anche dopo un riavvio, perché due macchine non servano insieme. Si torna indietro con il rientro, dal pannello di {there}."
            ),
        ),
        Lang::En => (
            format!("FENCED: the service is on {there}."),
            format!(
                "The services of {name} stay down, after a reboot too, so that never two machines serve at once. The way back is the roll back, on the panel of {there}."
            ),
        ),
    };
    stance(Tone::Active, &head, &text)
}

/// Nothing is heard of the DR.
fn is_silent(live: &Live) -> bool {
    !live.status.pair.peer.iter().flat_map(|peer| &peer.machines).any(|machine| machine.reachable)
}

fn receiving(cx: &Context, live: &Live, there: &str) -> AnyView {
    let name = &cx.node.name;
    let silent = is_silent(live);
    let (head, text) = match cx.lang {
        Lang::It if silent => (
            format!("IN RICEZIONE: {there} non risponde."),
            format!(
                "I dati di {there} stavano arrivando, e i servizi di {name} restano fermi. Se {there} torna, si riprende da dove si era arrivati. Se è perduta, riprendere il servizio qui sotto con i dati di {name}: ciò che era stato sostituito torna al suo posto, ciò che era arrivato resta da parte."
            ),
        ),
        Lang::En if silent => (
            format!("RECEIVING: {there} does not answer."),
            format!(
                "The data of {there} was on its way here, and the services of {name} stay down. If {there} comes back, it goes on from where it was. If it is lost, take the service below with the data of {name}: what had been replaced is put back, what had arrived is kept aside."
            ),
        ),
        Lang::It => (
            format!("IN RICEZIONE: {name} riceve i dati da {there}."),
            format!(
                "I servizi di {name} restano fermi finché i dati non sono al loro posto, poi partono da soli. Non avviarli a mano e non spegnere la macchina: se succede, si riprende da dove si era arrivati. L'operazione si segue dal pannello di {there}."
            ),
        ),
        Lang::En => (
            format!("RECEIVING: {name} takes the data in from {there}."),
            format!(
                "The services of {name} stay down until the data is in its place, then they start by themselves. Do not start them by hand and do not switch the machine off: should it happen, it goes on from where it was. The operation is followed on the panel of {there}."
            ),
        ),
    };
    stance(Tone::Active, &head, &text)
}

/// Where the right console is.
fn way(cx: &Context, live: &Live) -> Option<AnyView> {
    let peer = live.status.pair.peer.as_ref()?;
    let addresses = peer.machines.iter().map(|machine| machine.ip.to_string()).collect::<Vec<_>>().join(", ");
    let text = format!("{} {}: {addresses}", cx.t("La macchina DR è", "The DR machine is"), live.status.peer_name());
    Some(view! { <p class="way">{text}</p> }.into_any())
}

fn takeover(cx: &Context, live: &Live) -> AnyView {
    let about = cx.t(
        "Solo se il DR è perduto mentre era attivo e non può rientrare. Questa macchina riprende il servizio con i dati che ha: ciò che il DR ha scritto nel frattempo non c'è. Se il DR torna, resta fermo.",
        "Only if the DR was lost while it was active and cannot roll back. This machine takes the service with the data it has: what the DR wrote meanwhile is not here. If the DR comes back, it stays down.",
    );
    let body = view! {
        <p>{about}</p>
        {form::take(cx, live, &ActivationPage::default(), Action::Takeover, cx.t("RIPRENDI IL SERVIZIO", "TAKE THE SERVICE"))}
    };
    fold(cx.form.is(Action::Takeover), cx.t("Il DR è perduto", "The DR is lost"), body.into_any())
}
