//! The DR Client's side: activate, activate again, roll back, suspend.

use contract::live::Live;
use contract::rule::{Refused, Rule};
use contract::state::NodeState;
use leptos::prelude::*;

use super::outlook::{answered_by_the_form, findings, stance, verdict};
use super::{background, drill, failback, fold, form, held, is_passing, replaced};
use crate::action::Action;
use crate::fresh::fresh;
use crate::headline::Tone;
use crate::model::{ActivationPage, Context};
use crate::pages::{last_written, phones, steps_left};
use crate::widgets::card;

pub(super) fn view(cx: &Context, live: &Live, model: &ActivationPage) -> AnyView {
    match live.status.state {
        NodeState::Active if live.status.is_suspended() => suspended(cx, live),
        NodeState::Active => active(cx, live),
        NodeState::Held if live.status.declared_lost().is_some() => {
            view! { <section class="card">{replaced::view(cx, live, Tone::Bad)}</section> }.into_any()
        }
        NodeState::Held => waiting(cx, live, model),
        state if is_passing(state) => {
            view! { <section class="card">{stance(Tone::Active, state.label(cx.lang), "")}</section> }.into_any()
        }
        _ => standby(cx, live, model),
    }
}

fn standby(cx: &Context, live: &Live, model: &ActivationPage) -> AnyView {
    view! {
        <section class="card">{fresh(cx, "stance", verdict(cx, live.preflight.as_ref()))}</section>
        {steps_left::view(cx, live)}
        {form::or_who(cx, Action::Activate, || button(cx, live, model))}
        {aftermath(cx, live)}
        {drill::view(cx, live, model)}
        {background(cx, live)}
    }
    .into_any()
}

/// The form: open when it is the thing to do, folded while something stands in the way.
fn button(cx: &Context, live: &Live, model: &ActivationPage) -> AnyView {
    let take = form::take(cx, live, model, Action::Activate, cx.t("ATTIVA IL DR", "ACTIVATE THE DR"));
    let blocked = live.preflight.iter().flat_map(|report| &report.blocked);
    if blocked.clone().any(|refused| !answered_by_the_form(refused.rule)) {
        let open = cx.form.is(Action::Activate) || model.point.is_some();
        return fold(open, cx.t("Attivare comunque", "Activate all the same"), take);
    }
    view! { <section class="card">{take}</section> }.into_any()
}

fn active(cx: &Context, live: &Live) -> AnyView {
    let there = live.status.peer_name();
    let head = match cx.lang {
        contract::Lang::It => format!("DR ATTIVO: il servizio è su {}.", cx.node.name),
        contract::Lang::En => format!("DR ACTIVE: the service is on {}.", cx.node.name),
    };
    let text = cx.t(
        "Nessuna ridondanza. Quando il Master è riparato e acceso, si torna indietro da qui.",
        "No redundancy. Once the Master is repaired and switched on, the way back is here.",
    );
    let back = match cx.lang {
        contract::Lang::It => format!("RIENTRA SU {}", there.to_uppercase()),
        contract::Lang::En => format!("ROLL BACK TO {}", there.to_uppercase()),
    };
    let release = || {
        view! {
            <section class="card">
                <h2>{cx.t("Rientro sul Master con i dati del DR", "Failback with the data of the DR")}</h2>
                <p>
                    {cx
                        .t(
                            "Il Master riceve i dati mentre il DR serve ancora; poi i servizi si fermano qui, passano le ultime modifiche e il Master parte con quelle. Il Master deve essere acceso.",
                            "The Master receives the data while the DR still serves; then the services stop here, the last changes travel and the Master starts with them. The Master must be on.",
                        )}
                </p>
                {failback::view(cx, live)}
            </section>
            <section class="card">
                <h2>{cx.t("Rientro sul Master senza i dati del DR", "Roll back without the data of the DR")}</h2>
                <p>
                    {cx
                        .t(
                            "Il Master riparte con i dati che aveva: ciò che è stato fatto sul DR non torna.",
                            "The Master starts again with the data it had: what was done on the DR does not travel.",
                        )}
                </p>
                {form::release(cx, live, Action::Deactivate, &back, "")}
            </section>
            {suspend(cx, live)}
        }
        .into_any()
    };
    view! {
        <section class="card">{stance(Tone::Active, &head, text)} {fresh(cx, "silent", silent(cx, live))}</section>
        {telephony(cx, live)}
        {last_written::view(cx, live)}
        {form::or_who(cx, Action::Deactivate, release)}
        {card(
            cx.t("Che cosa accade", "What happens"),
            view! {
                <ul>
                    <li>
                        {cx
                            .t(
                                "I servizi di questa macchina si fermano: le chiamate in corso cadono. I telefoni tornano sul Master da soli, di norma entro 3 minuti.",
                                "The services of this machine stop: calls in progress are cut. The phones go back to the Master by themselves, as a rule within 3 minutes.",
                            )}
                    </li>
                    <li>
                        {cx
                            .t(
                                "In entrambi i casi ciò che è stato fatto sul DR resta qui per un giorno come punto di ripristino, e ciò che viene sostituito sul Master vi resta da parte.",
                                "Either way what was done on the DR stays here for a day as a restore point, and what is replaced on the Master is kept aside there.",
                            )}
                    </li>
                    <li>
                        {cx
                            .t(
                                "Si può annullare finché il mandato non è scritto. Dopo, il DR si attiva di nuovo da questa pagina.",
                                "It can be aborted until the mandate is written. After that the DR is activated again from this page.",
                            )}
                    </li>
                </ul>
            },
        )}
    }
    .into_any()
}

/// Whether calls can be made here, and how many phones have come.
fn telephony(cx: &Context, live: &Live) -> Option<AnyView> {
    let now = live.telephony.as_ref()?;
    let title = cx.t("Telefonia di questa macchina", "Telephony of this machine");
    Some(card(title, fresh(cx, "phones", phones::now(now, cx.offset(cx.now), cx.lang))))
}

/// With the Master off nobody would serve after a roll back.
fn silent(cx: &Context, live: &Live) -> Option<AnyView> {
    let mut machines = live.status.pair.peer.iter().flat_map(|peer| &peer.machines);
    if machines.any(|machine| machine.reachable) {
        return None;
    }
    Some(findings(&[&Refused::new(Rule::PeerSilent, live.status.peer_name(), "")], cx.lang))
}

fn suspend(cx: &Context, live: &Live) -> AnyView {
    let body = view! {
        <p>
            {cx
                .t(
                    "Ferma i servizi del DR e conserva mandato e dati. Non risponde più nessuno finché non lo si riattiva o non si rientra. Funziona anche con il Master irraggiungibile.",
                    "Stops the services of the DR and keeps mandate and data. Nobody answers until it is activated again or rolled back. It works with the Master unreachable, too.",
                )}
        </p>
        {form::release(cx, live, Action::Suspend, cx.t("SOSPENDI IL DR", "SUSPEND THE DR"), "danger")}
    };
    let open = cx.form.is(Action::Suspend);
    fold(open, cx.t("Sospendere il DR senza rientrare", "Suspend the DR without rolling back"), body.into_any())
}

fn suspended(cx: &Context, live: &Live) -> AnyView {
    let text = cx.t(
        "Mandato e dati sono qui, i servizi sono fermi: i telefoni non hanno dove registrarsi.",
        "Mandate and data are here, the services are down: the phones have nowhere to register.",
    );
    let forms = || {
        let back = view! {
            {silent(cx, live)}
            {form::release(cx, live, Action::Deactivate, cx.t("RIENTRA SUL MASTER", "ROLL BACK TO THE MASTER"), "primary")}
        };
        view! {
            <section class="card">{form::resume(cx)}</section>
            {fold(cx.form.is(Action::Deactivate), cx.t("Rientro sul Master", "Roll back to the Master"), back.into_any())}
        }
        .into_any()
    };
    view! {
        <section class="card">
            {stance(Tone::Bad, cx.t("DR sospeso: nessuno serve.", "The DR is suspended: nobody serves."), text)}
        </section>
        {last_written::view(cx, live)}
        {form::or_who(cx, Action::Activate, forms)}
    }
    .into_any()
}

/// The machine holds at its gate: what it hears decides, or an operator.
fn waiting(cx: &Context, live: &Live, model: &ActivationPage) -> AnyView {
    let take = || {
        let body = form::take(cx, live, model, Action::Activate, cx.t("ATTIVA IL DR", "ACTIVATE THE DR"));
        fold(cx.form.is(Action::Activate), cx.t("Attivare senza attendere", "Activate without waiting"), body)
    };
    view! {
        <section class="card">{held(cx, live)}</section>
        {super::super::settle::view(cx, live)}
        {form::or_who(cx, Action::Activate, take)}
        {background(cx, live)}
    }
    .into_any()
}

/// What happens to the phones, and whether it can be undone.
fn aftermath(cx: &Context, live: &Live) -> AnyView {
    let planned = live.preflight.iter().flat_map(|report| report.steps.iter().chain(&report.left_out));
    let has_own = planned.into_iter().any(|step| step.id.starts_with("own:"));
    let own = if has_own {
        cx.t(
            "I passi propri dichiarati nella pagina Procedura, come l'instradamento dell'operatore telefonico e i nomi DNS, vengono fatti nell'ordine indicato sotto; quelli di una persona aspettano la sua conferma.",
            "The own steps declared on the page Procedure, such as the carrier's routing and DNS names, are taken in the order given below; those of a person wait until somebody says that they are done.",
        )
    } else {
        cx.t(
            "Nessun passo proprio è dichiarato: instradamento dell'operatore telefonico e nomi DNS restano da fare a mano. Si dichiarano nella pagina Procedura.",
            "No own step is declared: the carrier's routing and DNS names remain to be done by hand. They are declared on the page Procedure.",
        )
    };
    let facts = view! {
        <ul>
            <li>
                {cx
                    .t(
                        "I telefoni passano su questa macchina da soli, di norma entro 3 minuti: è il tempo dopo il quale si registrano di nuovo. Le chiamate in corso cadono.",
                        "The phones come over to this machine by themselves, as a rule within 3 minutes: that is the time after which they register again. Calls in progress are cut.",
                    )}
            </li>
            <li>
                {cx
                    .t(
                        "Si può annullare, senza conseguenze, finché il mandato non è scritto. Dopo si torna indietro con il rientro sul Master, da questa pagina.",
                        "It can be aborted without consequences until the mandate is written. After that the way back is the roll back to the Master, from this page.",
                    )}
            </li>
            <li>{own}</li>
        </ul>
    };
    card(cx.t("Che cosa accade ai telefoni", "What happens to the phones"), facts)
}
