//! What is shown where there is no page: not there, not allowed, not working. It never tells more than the reader needs.

use contract::role::NodeRole;
use leptos::prelude::*;

use crate::model::{Context, ProblemKind};

pub(crate) fn title(cx: &Context, kind: &ProblemKind) -> &'static str {
    let words = |it: &'static str, en: &'static str| cx.lang.pick(it, en);
    match kind {
        ProblemKind::NotFound => words("Pagina non trovata", "Page not found"),
        ProblemKind::OtherSide(_) => words("Pagina dell'altra macchina", "The other machine's page"),
        ProblemKind::Forbidden(_) => words("Accesso non consentito", "Not allowed"),
        ProblemKind::ForeignRequest => words("Richiesta rifiutata", "Request refused"),
        ProblemKind::Method => words("Richiesta non prevista", "Unexpected request"),
        ProblemKind::Unreadable => words("Modulo non leggibile", "Unreadable form"),
        ProblemKind::TooLarge => words("Troppi dati", "Too much data"),
        ProblemKind::Broken => words("Errore interno", "Internal error"),
    }
}

pub(crate) fn view(cx: &Context, kind: &ProblemKind) -> AnyView {
    let text = match kind {
        ProblemKind::NotFound => cx
            .t("A questo indirizzo non c'è nessuna pagina.", "There is no page at this address.")
            .to_owned(),
        ProblemKind::OtherSide(side) => format!("{} {}.", cx.t("Questa pagina si trova sul", "This page is on the"), side.label()),
        ProblemKind::Forbidden(role) => format!(
            "{} {}.",
            cx.t("Per questa operazione serve il ruolo", "This needs the role"),
            role.label(cx.lang)
        ),
        ProblemKind::ForeignRequest => cx
            .t(
                "La richiesta non arriva da una pagina di questo pannello. Nulla è stato cambiato.",
                "The request did not come from a page of this panel. Nothing was changed.",
            )
            .to_owned(),
        ProblemKind::Method => {
            cx.t("Questo indirizzo non accetta questa richiesta.", "This address does not take this request.").to_owned()
        }
        ProblemKind::Unreadable => cx
            .t("Il modulo ricevuto non si può leggere. Nulla è stato cambiato.", "The form cannot be read. Nothing was changed.")
            .to_owned(),
        ProblemKind::TooLarge => cx
            .t("I dati inviati sono troppi. Nulla è stato cambiato.", "Too much data was sent. Nothing was changed.")
            .to_owned(),
        ProblemKind::Broken => cx
            .t(
                "Qualcosa non ha funzionato. Riprovare; se continua, guardare il registro di sistema (journalctl -u tvox-dr).",
                "Something went wrong. Try again; if it goes on, read the system log (journalctl -u tvox-dr).",
            )
            .to_owned(),
    };
    let other = matches!(kind, ProblemKind::OtherSide(_)).then(|| {
        let here = match cx.node.role {
            NodeRole::Master => cx.t("Questa macchina è il TVox Master.", "This machine is the TVox Master."),
            NodeRole::Client => cx.t("Questa macchina è il TVox DR Client.", "This machine is the TVox DR Client."),
        };
        view! { <p>{here}</p> }
    });
    view! {
        <section class="card">
            <h1>{title(cx, kind)}</h1>
            <p>{text}</p>
            {other}
            <p>
                <a href="/">{cx.t("Torna al Panorama", "Back to the overview")}</a>
            </p>
        </section>
    }
    .into_any()
}
