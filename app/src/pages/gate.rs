//! The return gate's question, as a card of the page Disaster Recovery: what this machine does when it boots and nobody
//! answers.

use contract::gate::{GatePolicy, GateReport};
use leptos::prelude::*;

use crate::action::Action;
use crate::model::Context;
use crate::widgets::{Field, card};

pub(super) fn view(cx: &Context, gate: &GateReport) -> AnyView {
    let body = if cx.may(Action::GateSet) { form(cx, gate) } else { chosen(cx, gate) };
    card(cx.t("Consenso al rientro", "Return gate"), view! { <p>{question(cx)}</p> {body} })
}

const fn question(cx: &Context) -> &'static str {
    cx.lang.pick(
        "Se questa macchina si riavvia e l'altra sede non risponde, che cosa deve fare?",
        "If this machine boots and the other site does not answer, what is it to do?",
    )
}

fn chosen(cx: &Context, gate: &GateReport) -> AnyView {
    let wait = format!("{}: {} s", cx.t("Attesa", "Wait"), gate.wait_seconds);
    view! { <p><strong>{gate.policy.label(cx.lang)}</strong></p> <p class="muted">{wait}</p> }.into_any()
}

fn form(cx: &Context, gate: &GateReport) -> AnyView {
    let action = Action::GateSet;
    let chosen = cx.form.value(action, "policy", gate.policy.as_str());
    let error = cx.form.error(action, "policy", cx.lang);
    let choices = GatePolicy::ALL.map(|policy| {
        let id = format!("gate-{}", policy.as_str());
        let of = id.clone();
        view! {
            <label class="check" for=of>
                <input type="radio" id=id name="policy" value=policy.as_str() checked=policy.as_str() == chosen />
                <span>{policy.label(cx.lang)}</span>
            </label>
        }
    });
    let wait = Field::new(
        action,
        "wait",
        cx.t("Attesa, in secondi", "Wait, in seconds"),
        cx.t(
            "Quanto aspettare una risposta prima di riprendere il servizio. Conta solo con la scelta Continuità.",
            "How long to wait for an answer before the service is resumed. It matters only with the choice Continuity.",
        ),
    );
    let seconds = gate.wait_seconds.to_string();
    view! {
        <form method="post" id="gate-form">
            <input type="hidden" name="action" value=action.as_str() />
            <fieldset>
                <legend class="visually-hidden">{question(cx)}</legend>
                {choices}
            </fieldset>
            {error.map(|error| view! { <p class="field-error">{error}</p> })}
            {wait.saved(&seconds).optional().view(cx)}
            <button class="button primary">{cx.t("Salva la scelta", "Save the choice")}</button>
        </form>
    }
    .into_any()
}
