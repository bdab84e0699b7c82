//! The second person: what the house wants (a card of the page Utenti), and the answer to a run that waits (on the run's
//! own page): one primary button for the other person, none for who asked.

use contract::Lang;
use contract::approval::{Approval, ApprovalReport};
use leptos::prelude::*;

use crate::action::Action;
use crate::model::Context;
use crate::widgets::{Field, Kind, card, select};

/// What the house wants.
pub(super) fn policy(cx: &Context, report: &ApprovalReport) -> AnyView {
    let about = cx.t(
        "Attivazione, ripresa e rientri possono aspettare l'approvazione di una persona diversa da chi li avvia. Chi non può aspettare procede da solo con un motivo, e un allarme avvisa tutti.",
        "Activation, take-over and the ways back can wait for the approval of another person than who begins them. Whoever cannot wait goes on alone with a reason, and an alarm tells everybody.",
    );
    let body = if cx.may(Action::ApprovalSet) { form(cx, report) } else { chosen(cx, report) };
    let alone = (report.policy.activation.is_on() && report.operators < 2).then(|| {
        let refused =
            contract::Refused::new(contract::Rule::ApprovalAlone, &cx.node.name, report.operators.to_string());
        let finding = refused.finding(cx.lang);
        view! { <p class="banner warn">{format!("{} {}", finding.message, finding.remedy)}</p> }
    });
    card(cx.t("Seconda persona", "Second person"), view! { <p>{about}</p> {alone} {body} })
}

fn chosen(cx: &Context, report: &ApprovalReport) -> AnyView {
    let wait = report.policy.wait_seconds;
    let text = match (report.policy.activation.is_on(), cx.lang) {
        (true, Lang::It) => format!("Servono due persone; la seconda è attesa per {wait} s."),
        (true, Lang::En) => format!("Two persons are needed; the second one is waited for {wait} s."),
        (false, _) => cx.t("Basta una persona.", "One person is enough.").to_owned(),
    };
    view! { <p><strong>{text}</strong></p> }.into_any()
}

fn form(cx: &Context, report: &ApprovalReport) -> AnyView {
    let action = Action::ApprovalSet;
    let wait = report.policy.wait_seconds.to_string();
    let help = cx.t(
        "Dopo quanto tempo senza risposta l'operazione si annulla da sola.",
        "After how long without an answer the run gives itself up.",
    );
    view! {
        <form method="post">
            <input type="hidden" name="action" value=action.as_str() />
            {select(
                cx,
                action,
                "activation",
                cx.t("Quante persone", "How many persons"),
                cx.t("Vale dalla prossima operazione.", "It holds from the next run on."),
                &[
                    ("off", cx.t("Ne basta una", "One is enough")),
                    ("on", cx.t("Ne servono due", "Two are needed")),
                ],
                if report.policy.activation.is_on() { "on" } else { "off" },
            )}
            {Field::new(action, "wait", cx.t("Attesa, in secondi", "Wait, in seconds"), help)
                .kind(Kind::Number)
                .saved(&wait)
                .view(cx)}
            <button class="button primary">{cx.t("Salva la scelta", "Save the choice")}</button>
        </form>
    }
    .into_any()
}

/// Where two persons are wanted: the field by which one goes on alone.
pub(super) fn break_glass(cx: &Context, wanted: bool, action: Action) -> Option<AnyView> {
    if !wanted {
        return None;
    }
    let open = !cx.form.value(action, "break_glass", "").is_empty();
    let label = cx.t("Motivo per non aspettare nessuno", "Reason for waiting for nobody");
    let help = cx.t(
        "Da lasciare vuoto. Se è scritto, l'operazione parte subito, senza approvazione, e un allarme avvisa tutti.",
        "To be left empty. With anything here the run begins at once, without an approval, and an alarm tells everybody.",
    );
    let about = cx.t(
        "Servono due persone: premuto il pulsante, l'operazione aspetta l'approvazione di un altro operatore.",
        "Two persons are needed: after the press the run waits for the approval of another operator.",
    );
    Some(
        view! {
            <p class="hint">{about}</p>
            <details class="fold" open=open>
                <summary>{cx.t("Non c'è nessun altro: procedere da soli", "There is nobody else: go on alone")}</summary>
                {Field::new(action, "break_glass", label, help).optional().view(cx)}
            </details>
        }
        .into_any(),
    )
}

/// What a reader can do about a run that waits.
pub(super) fn answer(cx: &Context, run: &str, approval: &Approval) -> AnyView {
    let asker = cx.user.as_ref().is_some_and(|reader| approval.asked_by.is_user(&reader.name));
    let (who, until) = (approval.asked_by.told(), cx.moment(approval.until));
    let text = match cx.lang {
        Lang::It => format!("Chiesta da {who}. Senza risposta entro {until} l'operazione si annulla da sola."),
        Lang::En => format!("Asked for by {who}. Without an answer until {until} the run gives itself up."),
    };
    let title = if asker {
        cx.t("Un'altra persona deve approvare", "Another person must approve")
    } else {
        cx.t("Approvi questa operazione?", "Do you approve of this run?")
    };
    let body = if asker { bypass(cx, run) } else { view! { {approve(cx, run)} {decline(cx, run)} }.into_any() };
    view! {
        <section class="press-ack">
            <h2>{title}</h2>
            <p class="ask">{text}</p>
            {body}
        </section>
    }
    .into_any()
}

fn hidden(action: Action, run: &str) -> impl IntoView + use<> {
    view! {
        <input type="hidden" name="action" value=action.as_str() />
        <input type="hidden" name="run" value=run.to_owned() />
    }
}

fn password(cx: &Context, action: Action) -> AnyView {
    let help = cx.t("La propria, di nuovo.", "Your own, again.");
    Field::new(action, "password", "Password", help).kind(Kind::Password("current-password")).view(cx)
}

fn approve(cx: &Context, run: &str) -> AnyView {
    let action = Action::RunApprove;
    view! {
        <form method="post">
            {hidden(action, run)} {password(cx, action)}
            <button class="button primary wide">{cx.t("APPROVO", "I APPROVE")}</button>
        </form>
    }
    .into_any()
}

fn decline(cx: &Context, run: &str) -> AnyView {
    let action = Action::RunDecline;
    let help =
        cx.t("Lo legge chi l'ha chiesta, e resta nel registro.", "Whoever asked reads it, and it stays in the log.");
    view! {
        <details class="fold" open=cx.form.is(action)>
            <summary>{cx.t("Non approvo", "I do not approve")}</summary>
            <form method="post">
                {hidden(action, run)} {Field::new(action, "reason", cx.t("Motivo", "Reason"), help).view(cx)}
                <button class="button danger">{cx.t("Non approvo: annulla l'operazione", "I do not approve: abort the run")}</button>
            </form>
        </details>
    }
    .into_any()
}

fn bypass(cx: &Context, run: &str) -> AnyView {
    let action = Action::RunBypass;
    let help = cx.t(
        "Perché non si può aspettare. Va nell'allarme e nel registro.",
        "Why it cannot wait. It goes into the alarm and into the log.",
    );
    view! {
        <details class="fold" open=cx.form.is(action)>
            <summary>{cx.t("Nessuno è raggiungibile: procedere da soli", "Nobody can be reached: go on alone")}</summary>
            <form method="post">
                {hidden(action, run)} {Field::new(action, "reason", cx.t("Motivo", "Reason"), help).view(cx)}
                {password(cx, action)}
                <button class="button danger">
                    {cx.t("Procedi senza approvazione e avvisa tutti", "Go on without an approval and tell everybody")}
                </button>
            </form>
        </details>
    }
    .into_any()
}
