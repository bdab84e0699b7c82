//! The forms of the button. Everything that the door will ask is on them, so that one press suffices.

use contract::Refused;
use contract::isolation::{IsolationOutcome, MachineIsolation};
use contract::live::Live;
use contract::preflight::Loss;
use contract::role::NodeRole;
use leptos::prelude::*;

use super::super::{approval, evidence, retire};
use super::outlook::answered_by_the_form;
use super::{point, to_attest, yielding};
use crate::action::{ATTEST, Action, POWER_OFF, POWER_OFF_CONFIRM};
use crate::form::override_field;
use crate::fresh::fresh;
use crate::model::{ActivationPage, Context};
use crate::widgets::{Field, Kind};

/// Whether this reader may press; otherwise who can.
pub(super) fn or_who(cx: &Context, action: Action, form: impl FnOnce() -> AnyView) -> AnyView {
    if cx.may(action) {
        return form();
    }
    let text = cx.t(
        "Per questa operazione serve un utente con il ruolo Operatore.",
        "This needs a user with the role Operator.",
    );
    view! { <section class="card"><p>{text}</p></section> }.into_any()
}

/// Takes the service: on the Client the activation, on the Master the take-over.
pub(super) fn take(cx: &Context, live: &Live, model: &ActivationPage, action: Action, button: &str) -> AnyView {
    let attest = to_attest(cx, live, action).into_iter().map(|ip| attestation(cx, action, &ip)).collect_view();
    view! {
        <form method="post" class="grave-form">
            <input type="hidden" name="action" value=action.as_str() />
            {reason(cx, action)}
            {(action == Action::PeerRetire).then(|| retire::member(cx, live))}
            {attest}
            {power_off(cx, live, action)}
            {point::choice(cx, model, action)}
            {loss(cx, live, model, action)}
            {overrides(cx, live, action)}
            {yielding::choice(cx, live, action)}
            {approval::break_glass(cx, two(live), action)}
            {proof(cx, action)}
            <button class="button activate large">{button.to_owned()}</button>
        </form>
    }
    .into_any()
}

/// Takes up again what was suspended: nobody else serves, and nothing is lost by it.
pub(super) fn resume(cx: &Context) -> AnyView {
    let action = Action::Activate;
    view! {
        <form method="post" class="grave-form">
            <input type="hidden" name="action" value=action.as_str() />
            {reason(cx, action)} {proof(cx, action)}
            <button class="button activate large">{cx.t("RIATTIVA IL DR", "ACTIVATE THE DR AGAIN")}</button>
        </form>
    }
    .into_any()
}

/// Gives the service back, or stops it.
pub(super) fn release(cx: &Context, live: &Live, action: Action, button: &str, class: &str) -> AnyView {
    // A suspension never waits: it is what stops a machine that serves wrongly.
    let two = two(live) && action == Action::Deactivate;
    let discard = (action == Action::Deactivate).then(|| {
        let help = cx.t(
            "Senza questo consenso, se sul DR è stato creato qualcosa, l'operazione si ferma prima di cambiare nulla e lo elenca.",
            "Without this consent, if anything was made on the DR, the operation stops before it changes anything and lists it.",
        );
        let label = cx.t("Accetto di scartare ciò che è stato creato sul DR", "I accept that what was made on the DR is discarded");
        check(cx, action, "discard_dr_data", label, Some(help))
    });
    view! {
        <form method="post" class="grave-form">
            <input type="hidden" name="action" value=action.as_str() />
            {reason(cx, action)} {discard} {approval::break_glass(cx, two, action)} {proof(cx, action)}
            <button class=format!("button large {class}")>{button.to_owned()}</button>
        </form>
    }
    .into_any()
}

/// Whether the house wants two persons.
pub(super) fn two(live: &Live) -> bool {
    live.status.approval.activation.is_on()
}

pub(super) fn reason(cx: &Context, action: Action) -> AnyView {
    let help = cx.t("Finisce nel registro e nel rapporto.", "It goes into the audit log and the report.");
    Field::new(action, "reason", cx.t("Motivo", "Reason"), help).view(cx)
}

fn attestation(cx: &Context, action: Action, ip: &str) -> AnyView {
    let label = format!("{ip}: {}", cx.t("chi l'ha vista spenta, e come", "who saw it off, and how"));
    let help = cx.t(
        "Ad esempio: Anna Verdi, in sala macchine alle 3:10, alimentazione staccata. Non raggiungibile non vuol dire spenta.",
        "For example: Anna Verdi, in the machine room at 3:10, power cord pulled. Unreachable does not mean off.",
    );
    let name = format!("{ATTEST}{ip}");
    view! {
        {Field::new(action, &name, &label, help).optional().view(cx)}
        <p class="hint">
            {cx
                .t(
                    "Con queste parole dichiaro che la macchina è spenta, non sospesa, e che ripartirà solo attraverso il suo consenso.",
                    "With these words I state that the machine is off, not suspended, and that it will start only through its gate.",
                )}
        </p>
    }
    .into_any()
}

/// Machines that can be switched off from here, each behind a tick and its IP typed once more.
fn power_off(cx: &Context, live: &Live, action: Action) -> Option<AnyView> {
    let readable = |machine: &&MachineIsolation| machine.evidence.iter().any(|one| one.probe.starts_with("power:"));
    let on = |machine: &&MachineIsolation| machine.outcome != IsolationOutcome::AlreadyDown;
    let machines = live.preflight.iter().flat_map(|report| &report.isolation).filter(readable).filter(on);
    let mut ips: Vec<String> = machines.map(|machine| machine.ip.to_string()).collect();
    let typed = cx.form.typed_under(action, POWER_OFF).into_iter().map(|(ip, _)| ip);
    ips.extend(
        typed.filter(|ip| !live.preflight.iter().flat_map(|report| &report.isolation).any(|m| m.ip.to_string() == *ip)),
    );
    if ips.is_empty() {
        return None;
    }
    let hint = cx.t(
        "Prima della verifica si ordina lo spegnimento e si attende di vederla spenta: chi è collegato a quella macchina cade.",
        "Before the evidence it is ordered off, and then awaited to be seen off: whoever is connected to that machine is cut off.",
    );
    let boxes = ips.iter().map(|ip| {
        let name = format!("{POWER_OFF}{ip}");
        let id = format!("{}-{name}", action.as_str());
        let of = id.clone();
        let ticked = !cx.form.value(action, &name, "").is_empty();
        let label = format!("{} {ip}", cx.t("Spegnere", "Switch off"));
        let confirm = format!("{POWER_OFF_CONFIRM}{ip}");
        let asked = format!("{} {ip}", cx.t("Per conferma, scrivere", "To confirm, type"));
        let help = cx.t("L'indirizzo della macchina da spegnere.", "The address of the machine to be switched off.");
        view! {
            <label class="check" for=of>
                <input type="checkbox" id=id name=name value="yes" checked=ticked />
                <span>{label}</span>
            </label>
            {Field::new(action, &confirm, &asked, help).optional().view(cx)}
        }
    });
    let boxes = boxes.collect_view();
    Some(
        view! {
            <fieldset class="consent">
                <legend>{cx.t("Spegnere la macchina da qui", "Switch the machine off from here")}</legend>
                <p class="hint">{hint}</p>
                {boxes}
            </fieldset>
        }
        .into_any(),
    )
}

fn loss(cx: &Context, live: &Live, model: &ActivationPage, action: Action) -> Option<AnyView> {
    let known = live.preflight.as_ref().map(|report| point::losses(cx, model, action, &report.loss));
    let goes_back = model.points.len() > 1;
    let lost = |losses: &Vec<Loss>| losses.is_empty() || !losses.iter().all(|loss| loss.none_confirmed);
    if action == Action::PeerRetire && known.is_none() {
        // Whoever serves already loses nothing by it.
        return None;
    }
    // Whoever may yet choose an older point needs the box for it.
    if !known.as_ref().is_none_or(lost) && !goes_back {
        return None;
    }
    let (legend, label) = match (action, cx.node.role) {
        (Action::Takeover, _) | (Action::PeerRetire, NodeRole::Master) => (
            cx.t(
                "Si perde ciò che il DR ha scritto mentre era attivo.",
                "What the DR wrote while it was active is lost.",
            ),
            cx.t("Accetto di perderlo", "I accept that it is lost"),
        ),
        _ => (
            cx.t("Che cosa si perde", "What is lost"),
            cx.t("Accetto di perdere questi dati", "I accept that this data is lost"),
        ),
    };
    let offset = cx.offset(cx.now);
    let list = known.map(|losses| {
        let list = evidence::losses(&losses, offset, cx.lang);
        // Against a point that came back with the form: the stream knows nothing of it.
        if cx.form.is(action) { list } else { fresh(cx, "loss", list) }
    });
    Some(
        view! {
            <fieldset class="consent">
                <legend>{legend}</legend>
                {list}
                {check(cx, action, "accept_data_loss", label, None)}
            </fieldset>
        }
        .into_any(),
    )
}

/// A box to tick, with its error.
pub(super) fn check(cx: &Context, action: Action, name: &str, label: &str, hint: Option<&str>) -> AnyView {
    let id = format!("{}-{}", action.as_str(), name.replace(':', "-"));
    let error = cx.form.error(action, name, cx.lang);
    let ticked = !cx.form.value(action, name, "").is_empty();
    let described = [hint.map(|_| format!("{id}-hint")), error.as_ref().map(|_| format!("{id}-error"))];
    let described = described.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let (hint_id, error_id, of) = (format!("{id}-hint"), format!("{id}-error"), id.clone());
    view! {
        <label class="check" for=of>
            <input
                type="checkbox"
                id=id
                name=name.to_owned()
                value="yes"
                checked=ticked
                aria-describedby=(!described.is_empty()).then_some(described)
                aria-invalid=error.is_some().then_some("true")
            />
            <span>{label.to_owned()}</span>
        </label>
        {hint.map(|hint| view! { <p class="hint" id=hint_id>{hint.to_owned()}</p> })}
        {error.map(|error| view! { <p class="field-error" id=error_id>{error}</p> })}
    }
    .into_any()
}

/// A field for each guard that can be passed, behind a disclosure: nobody meets it who does not look for it.
fn overrides(cx: &Context, live: &Live, action: Action) -> Option<AnyView> {
    let blocked = live.preflight.iter().flat_map(|report| &report.blocked);
    let mut list: Vec<&Refused> = Vec::new();
    for refused in blocked.chain(cx.form.refused()) {
        let known = list.iter().any(|one| one.rule == refused.rule && one.subject == refused.subject);
        if refused.rule.overridable() && !answered_by_the_form(refused.rule) && !known {
            list.push(refused);
        }
    }
    if list.is_empty() {
        return None;
    }
    let open = cx.form.is(action);
    let fields = list.into_iter().map(|refused| {
        let name = override_field(refused);
        let message = refused.finding(cx.lang).message;
        let label = format!("{}: {message}", cx.t("Motivo per procedere nonostante", "Reason to proceed in spite of"));
        let help = cx.t(
            "Solo se il blocco è noto e il rischio è accettato. Finisce nel registro con il nome della regola.",
            "Only where the block is known and the risk is accepted. It goes into the audit log with the name of the rule.",
        );
        Field::new(action, &name, &label, help).optional().view(cx)
    });
    let summary = cx.t("Procedere nonostante un blocco", "Proceed in spite of a block");
    Some(
        view! {
            <details class="fold" open=open>
                <summary>{summary}</summary>
                {fields.collect_view()}
            </details>
        }
        .into_any(),
    )
}

/// Name and password: the two proofs that it is this machine, and this person.
pub(super) fn proof(cx: &Context, action: Action) -> AnyView {
    let label = cx.t("Nome di questa macchina", "This machine's name");
    let name = cx.t(
        "Quello scritto in alto, per intero: per essere certi della macchina.",
        "The one written above, all of it: to be certain of the machine.",
    );
    let password = cx.t("La propria, di nuovo.", "Your own, again.");
    view! {
        <div class="columns">
            {Field::new(action, "confirm_name", label, name).view(cx)}
            {Field::new(action, "password", "Password", password).kind(Kind::Password("current-password")).view(cx)}
        </div>
    }
    .into_any()
}
