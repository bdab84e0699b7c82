//! `/smtp`: the server by which alarms leave by e-mail, and a mail to try it with.

use contract::smtp::{Security, SmtpReport, SmtpSettings};
use leptos::prelude::*;

use crate::action::Action;
use crate::islands::SecuritySelect;
use crate::model::Context;
use crate::routes::{self, PageId};
use crate::widgets::{Field, Kind, answer, cancel_save, card_with_help, described_by, facts, switch, title, wrap};

const A: Action = Action::SmtpSet;

pub(crate) fn view(cx: &Context, model: &SmtpReport) -> AnyView {
    let route = routes::of(PageId::Smtp);
    let may = cx.may(A);
    let body = if may { form(cx, model) } else { shown(cx, model) };
    let about = cx.t(
        "Il server di posta con cui questa macchina invia gli allarmi ai destinatari.",
        "The mail server by which this machine sends its alarms to the recipients.",
    );
    view! {
        {title(route.label(cx.lang), may.then(|| cancel_save(cx, "smtp-form", route.path)))}
        {card_with_help(cx, "smtp", cx.t("Configurazione SMTP", "SMTP configuration"), about, body)}
        {cx.may(Action::SmtpTest).then(|| test(cx, model))}
    }
    .into_any()
}

/// For those who may only look.
fn shown(cx: &Context, model: &SmtpReport) -> AnyView {
    let Some(smtp) = &model.smtp else {
        return view! { <p>{cx.t("Nessun server di posta è configurato.", "No mail server is configured.")}</p> }
            .into_any();
    };
    let authority = if smtp.ca.is_some() { cx.t("propria", "its own") } else { cx.t("del sistema", "the system's") };
    let rows = [
        (cx.t("Server", "Server"), smtp.server.clone()),
        (cx.t("Indirizzo E-mail", "E-mail address"), smtp.from.clone()),
        (cx.t("Porta", "Port"), smtp.port.to_string()),
        (cx.t("Connessione sicura", "Secure connection"), smtp.security.label(cx.lang).to_owned()),
        (cx.t("Autorità di certificazione", "Certificate authority"), authority.to_owned()),
        (cx.t("Username", "User name"), smtp.user.clone().unwrap_or_else(|| "–".to_owned())),
    ];
    facts(rows.map(|(name, value)| (name.to_owned(), value.into_any())))
}

fn form(cx: &Context, model: &SmtpReport) -> AnyView {
    let saved = model.smtp.as_ref();
    let text = |pick: fn(&SmtpSettings) -> &str| saved.map_or("", pick);
    view! {
        <form method="post" id="smtp-form">
            <input type="hidden" name="action" value=A.as_str() />
            {Field::new(
                    A,
                    "server",
                    cx.t("Server", "Server"),
                    cx.t(
                        "Nome o indirizzo IP. Con un indirizzo IP gli allarmi partono anche quando il DNS non risponde.",
                        "Name or IP address. With an IP address alarms leave even when the DNS does not answer.",
                    ),
                )
                .saved(text(|smtp| &smtp.server))
                .view(cx)}
            {Field::new(
                    A,
                    "from",
                    cx.t("Indirizzo E-mail", "E-mail address"),
                    cx.t("Il mittente degli allarmi.", "The sender of the alarms."),
                )
                .saved(text(|smtp| &smtp.from))
                .view(cx)}
            {connection(cx, saved)}
            {authentication(cx, model)}
            {authority(cx, text(|smtp| smtp.ca.as_deref().unwrap_or_default()))}
        </form>
    }
    .into_any()
}

/// Port and security, which go together.
fn connection(cx: &Context, saved: Option<&SmtpSettings>) -> AnyView {
    let security = saved.map_or(Security::Tls, |smtp| smtp.security);
    let port = saved.map_or(security.port(), |smtp| smtp.port).to_string();
    let field = Field::new(
        A,
        "port",
        cx.t("Porta", "Port"),
        cx.t(
            "465 con SSL, 587 con STARTTLS, 25 senza: segue la connessione sicura finché non se ne scrive un'altra.",
            "465 with SSL, 587 with STARTTLS, 25 without: it follows the secure connection until another is written.",
        ),
    );
    let id = "smtp-set-security";
    let label = cx.t("Connessione sicura", "Secure connection");
    let help = cx.t(
        "SSL: cifrata dall'inizio. STARTTLS: cifrata dopo il saluto, e rifiutata se il server non può. Nessuno: in chiaro, password compresa.",
        "SSL: encrypted from the start. STARTTLS: encrypted after the greeting, and refused where the server cannot. None: in clear, the password too.",
    );
    let error = cx.form.error(A, "security", cx.lang);
    let choices = Security::ALL.map(|security| (security, security.label(cx.lang).to_owned())).to_vec();
    // What the page was first drawn with, also when it comes back.
    let drawn = (cx.form.value(A, "drawn_port", &port), cx.form.value(A, "drawn_security", security.as_str()));
    let choice = view! {
        <SecuritySelect
            id=id.to_owned()
            port="smtp-set-port".to_owned()
            choices
            value=cx.form.value(A, "security", security.as_str())
            drawn
            described_by=described_by(id, error.is_some())
            invalid=error.is_some()
        />
    };
    view! {
        {field.kind(Kind::Number).saved(&port).view(cx)}
        {wrap(cx, id, label, help, true, choice.into_any(), error)}
    }
    .into_any()
}

fn authentication(cx: &Context, model: &SmtpReport) -> AnyView {
    let user = model.smtp.as_ref().and_then(|smtp| smtp.user.as_deref());
    let stored = model.has_password.then(|| {
        view! {
            <p class="hint">
                {cx
                    .t(
                        "Una password è salvata e non viene mostrata: lasciare vuoto per non cambiarla.",
                        "A password is stored and is not shown: leave it empty to keep it.",
                    )}
            </p>
        }
    });
    view! {
        <div class="dependent">
            {switch(
                cx,
                A,
                "auth",
                cx.t("Autenticazione", "Authentication"),
                cx.t("Se il server chiede nome utente e password.", "Whether the server asks for a user name and a password."),
                user.is_some(),
            )}
            <div class="depends">
                {Field::new(
                        A,
                        "user",
                        cx.t("Username", "User name"),
                        cx.t("Il nome utente presso il server di posta.", "The user's name at the mail server."),
                    )
                    .optional()
                    .saved(user.unwrap_or_default())
                    .view(cx)}
                {Field::new(
                        A,
                        "password",
                        "Password",
                        cx.t(
                            "Va scritta di nuovo quando si cambiano server o username, o si toglie la cifratura: non deve arrivare ad altri.",
                            "It is written again when server or user name change, or encryption is taken away: it must not reach anybody else.",
                        ),
                    )
                    .optional()
                    .kind(Kind::Password("new-password"))
                    .view(cx)}
                {stored}
            </div>
        </div>
    }
    .into_any()
}

fn authority(cx: &Context, saved: &str) -> AnyView {
    let open = !cx.form.value(A, "ca", saved).is_empty();
    view! {
        <details class="more" open=open>
            <summary>{cx.t("Autorità di certificazione propria", "Certificate authority of your own")}</summary>
            {Field::new(
                    A,
                    "ca",
                    cx.t("Certificato dell'autorità", "The authority's certificate"),
                    cx.t(
                        "In formato PEM. Vuoto: valgono le autorità del sistema.",
                        "In PEM. Empty: the system's authorities count.",
                    ),
                )
                .optional()
                .kind(Kind::Lines(4))
                .saved(saved)
                .view(cx)}
        </details>
    }
    .into_any()
}

fn test(cx: &Context, model: &SmtpReport) -> AnyView {
    let about = cx.t(
        "Invia una mail con la configurazione salvata, e mostra che cosa risponde il server.",
        "Sends a mail with the saved configuration, and shows what the server answers.",
    );
    let unset = model.smtp.is_none();
    let hint = unset.then(|| {
        view! { <p class="hint">{cx.t("Prima salvare la configurazione.", "Save the configuration first.")}</p> }
    });
    let body = view! {
        <form method="post" id="smtp-test-form">
            <input type="hidden" name="action" value=Action::SmtpTest.as_str() />
            {Field::new(
                    Action::SmtpTest,
                    "to",
                    cx.t("A:", "To:"),
                    cx.t("L'indirizzo a cui inviare la mail di prova.", "The address to which the test mail is sent."),
                )
                .view(cx)}
            {hint}
            {answer(cx, Action::SmtpTest)}
            <div class="card-buttons end">
                <button class="button primary" disabled=unset>
                    {cx.t("Invia mail", "Send mail")}
                </button>
            </div>
        </form>
    };
    card_with_help(cx, "smtp-test-card", cx.t("Test Configurazione SMTP", "SMTP configuration test"), about, body)
}
