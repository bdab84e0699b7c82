//! How the power of one machine is read, by one way: the fields of that way and no others.

use contract::power::{IPMI_PORT, MachineSetup, PowerAccess, PowerSettings, PowerWay, SOFT_MAX};
use leptos::prelude::*;

use super::SET;
use crate::model::Context;
use crate::routes::{self, PageId};
use crate::widgets::{Field, Kind, help};

pub(super) fn view(cx: &Context, ip: &str, way: PowerWay, setup: Option<&MachineSetup>) -> AnyView {
    let power = setup.and_then(|setup| setup.power.as_ref());
    let saved = power.filter(|power| power.access.way() == way);
    let heading = format!("{ip}: {} ({})", cx.t("alimentazione", "power"), way.label(cx.lang));
    let about = match way {
        PowerWay::Ipmi => cx.t(
            "Il controller di gestione della macchina (iDRAC, iLO, IPMI). Ha un indirizzo proprio e risponde anche quando la macchina è spenta. L'utente ha bisogno del privilegio Operator.",
            "The machine's management controller (iDRAC, iLO, IPMI). It has an address of its own and answers also while the machine is off. The user needs the privilege Operator.",
        ),
        PowerWay::Redfish => cx.t(
            "Il servizio web del controller di gestione (iDRAC, iLO, XClarity e altri dal 2015). Risponde anche quando la macchina è spenta. L'utente ha bisogno del privilegio Operator.",
            "The management controller's web service (iDRAC, iLO, XClarity and others since 2015). It answers also while the machine is off. The user needs the privilege Operator.",
        ),
        PowerWay::Command => cx.t(
            "Comandi eseguiti da /bin/sh su questa macchina: un hypervisor, una presa comandata. Trovano l'IP in TVOX_DR_MACHINE e la password in TVOX_DR_POWER_PASSWORD.",
            "Commands that /bin/sh runs on this machine: a hypervisor, a switched socket. They find the IP in TVOX_DR_MACHINE and the password in TVOX_DR_POWER_PASSWORD.",
        ),
    };
    let fields = match way {
        PowerWay::Ipmi => ipmi(cx, saved),
        PowerWay::Redfish => redfish(cx, saved),
        PowerWay::Command => commands(cx, saved),
    };
    let stored = setup.is_some_and(|setup| setup.has_password && saved.is_some());
    let soft = saved.map_or_else(|| "0".to_owned(), |saved| saved.soft_seconds.to_string());
    let soft_help = match cx.lang {
        contract::Lang::It => format!(
            "Quanti secondi ha il sistema per arrestarsi prima che si tolga l'alimentazione, al massimo {SOFT_MAX}. Con 0 si toglie subito."
        ),
        contract::Lang::En => format!(
            "How many seconds its system has to shut down before the power is cut, at most {SOFT_MAX}. With 0 it is cut at once."
        ),
    };
    view! {
        <section class="card">
            <div class="card-title">
                <h2>{heading.clone()}</h2>
                {help(cx, "power", &heading, about)}
            </div>
            <form method="post" action=routes::of(PageId::Isolation).path id="power-form">
                <input type="hidden" name="action" value=SET.as_str() />
                <input type="hidden" name="ip" value=ip.to_owned() />
                <input type="hidden" name="way" value=way.as_str() />
                {fields}
                {password(cx, way, stored)}
                {Field::new(
                        SET,
                        "soft",
                        cx.t("Arresto ordinato (secondi)", "Shut down first (seconds)"),
                        &soft_help,
                    )
                    .optional()
                    .kind(Kind::Number)
                    .saved(&soft)
                    .view(cx)}
            </form>
        </section>
    }
    .into_any()
}

fn ipmi(cx: &Context, saved: Option<&PowerSettings>) -> AnyView {
    let (host, port, user) = match saved.map(|saved| &saved.access) {
        Some(PowerAccess::Ipmi { host, port, user }) => (host.as_str(), port.to_string(), user.as_str()),
        _ => ("", IPMI_PORT.to_string(), ""),
    };
    view! {
        {Field::new(
                SET,
                "host",
                cx.t("Indirizzo del controller", "The controller's address"),
                cx.t(
                    "Nome o IP del controller, non della macchina. Con un IP funziona anche senza DNS.",
                    "Name or IP of the controller, not of the machine. With an IP it works also without DNS.",
                ),
            )
            .saved(host)
            .view(cx)}
        {Field::new(
                SET,
                "port",
                cx.t("Porta UDP", "UDP port"),
                cx.t("Di norma 623.", "623 as a rule."),
            )
            .optional()
            .kind(Kind::Number)
            .saved(&port)
            .view(cx)}
        {Field::new(
                SET,
                "user",
                cx.t("Username", "User name"),
                cx.t("L'utente del controller, al massimo 16 caratteri.", "The controller's user, at most 16 characters."),
            )
            .saved(user)
            .view(cx)}
    }
    .into_any()
}

fn redfish(cx: &Context, saved: Option<&PowerSettings>) -> AnyView {
    let (url, user, system, fingerprint, ca) = match saved.map(|saved| &saved.access) {
        Some(PowerAccess::Redfish { url, user, system, fingerprint, ca }) => {
            (url.as_str(), user.as_str(), system.as_deref(), fingerprint.as_deref(), ca.as_deref())
        }
        _ => ("", "", None, None, None),
    };
    let open = [("fingerprint", fingerprint), ("ca", ca)]
        .iter()
        .any(|(name, saved)| !cx.form.value(SET, name, saved.unwrap_or_default()).is_empty());
    view! {
        {Field::new(
                SET,
                "url",
                "URL",
                cx.t(
                    "Ad esempio https://10.0.101.206. Con un IP funziona anche senza DNS.",
                    "E.g. https://10.0.101.206. With an IP it works also without DNS.",
                ),
            )
            .saved(url)
            .view(cx)}
        {Field::new(
                SET,
                "user",
                cx.t("Username", "User name"),
                cx.t("L'utente del controller.", "The controller's user."),
            )
            .saved(user)
            .view(cx)}
        {Field::new(
                SET,
                "system",
                cx.t("Sistema", "System"),
                cx.t(
                    "L'id del sistema, se il servizio ne ha più di uno. Vuoto: il suo unico.",
                    "The system's id where the service has several. Empty: its only one.",
                ),
            )
            .optional()
            .saved(system.unwrap_or_default())
            .view(cx)}
        <details class="more" open=open>
            <summary>{cx.t("Certificato del controller", "The controller's certificate")}</summary>
            {Field::new(
                    SET,
                    "fingerprint",
                    cx.t("Impronta SHA-256", "SHA-256 fingerprint"),
                    cx.t(
                        "Dell'unico certificato accettato, per i controller che se lo fanno da soli.",
                        "Of the only certificate that is taken, for controllers that make their own.",
                    ),
                )
                .optional()
                .saved(fingerprint.unwrap_or_default())
                .view(cx)}
            {Field::new(
                    SET,
                    "ca",
                    cx.t("Certificato dell'autorità", "The authority's certificate"),
                    cx.t(
                        "In formato PEM, al posto dell'impronta. Vuoti entrambi: valgono le autorità del sistema.",
                        "In PEM, instead of the fingerprint. Both empty: the system's authorities count.",
                    ),
                )
                .optional()
                .kind(Kind::Lines(4))
                .saved(ca.unwrap_or_default())
                .view(cx)}
        </details>
    }
    .into_any()
}

fn commands(cx: &Context, saved: Option<&PowerSettings>) -> AnyView {
    let empty = (String::new(), None, None, None);
    let (status, off, shutdown, on) = match saved.map(|saved| &saved.access) {
        Some(PowerAccess::Command { status, off, shutdown, on }) => {
            (status.clone(), off.clone(), shutdown.clone(), on.clone())
        }
        _ => empty,
    };
    let optional = |name: &'static str, label: &str, about: &str, saved: Option<String>| {
        let saved = saved.unwrap_or_default();
        Field::new(SET, name, label, about).optional().kind(Kind::Lines(2)).saved(&saved).view(cx)
    };
    view! {
        {Field::new(
                SET,
                "status",
                cx.t("Lettura", "Reading"),
                cx.t(
                    "Scrive on oppure off, e nient'altro, ed esce con 0. Tutto il resto vale come non leggibile.",
                    "Prints on or off and nothing else, and exits with 0. Anything else counts as not readable.",
                ),
            )
            .kind(Kind::Lines(2))
            .saved(&status)
            .view(cx)}
        {optional(
            "off",
            cx.t("Spegnimento", "Off"),
            cx.t("Toglie subito l'alimentazione.", "Cuts the power at once."),
            off,
        )}
        {optional(
            "shutdown",
            cx.t("Arresto ordinato", "Shut down"),
            cx.t("Chiede al sistema di arrestarsi.", "Asks its system to shut down."),
            shutdown,
        )}
        {optional("on", cx.t("Accensione", "On"), cx.t("Accende la macchina.", "Switches the machine on."), on)}
    }
    .into_any()
}

fn password(cx: &Context, way: PowerWay, stored: bool) -> AnyView {
    let hint = stored.then(|| {
        let text = cx.t(
            "Una password è salvata e non viene mostrata: lasciare vuoto per non cambiarla.",
            "A password is stored and is not shown: leave it empty to keep it.",
        );
        view! { <p class="hint">{text}</p> }
    });
    let about = match way {
        PowerWay::Ipmi => cx.t(
            "Al massimo 20 caratteri. Va scritta di nuovo quando si cambiano indirizzo, porta o utente.",
            "At most 20 characters. It is written again when address, port or user change.",
        ),
        PowerWay::Redfish => cx.t(
            "Va scritta di nuovo quando si cambiano indirizzo, utente o certificato.",
            "It is written again when address, user or certificate change.",
        ),
        PowerWay::Command => cx.t(
            "Se i comandi ne hanno bisogno: la trovano in TVOX_DR_POWER_PASSWORD.",
            "Where the commands need one: they find it in TVOX_DR_POWER_PASSWORD.",
        ),
    };
    let field = Field::new(SET, "password", "Password", about).kind(Kind::Password("new-password"));
    let field = if stored || way == PowerWay::Command { field.optional() } else { field };
    view! { {field.view(cx)} {hint} }.into_any()
}
