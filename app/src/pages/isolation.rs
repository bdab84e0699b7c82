//! `/isolamento`: what can see whether a machine of the other site is off. One page per way of reading its power, so that
//! each shows only what that way needs, also without JavaScript.

use contract::power::{
    IPMI_PORT, MachineSetup, PowerAccess, PowerReading, PowerSettings, PowerState, PowerWay, SOFT_MAX,
};
use leptos::prelude::*;

use crate::action::Action;
use crate::model::{Context, IsolationPage};
use crate::routes::{self, PageId};
use crate::widgets::{Field, Kind, cancel_save, card, card_with_help, confirm, facts, help, title};

const SET: Action = Action::PowerSet;

pub(crate) fn view(cx: &Context, model: &IsolationPage) -> AnyView {
    let route = routes::of(PageId::Isolation);
    if let Some((ip, way)) = draft(cx, model).filter(|_| cx.may(SET)) {
        let setup = model.report.machines.iter().find(|machine| machine.ip.to_string() == ip);
        return view! {
            {title(route.label(cx.lang), cancel_save(cx, "power-form", route.path))}
            {editor(cx, &ip, way, setup)}
        }
        .into_any();
    }
    view! {
        {title(route.label(cx.lang), ())}
        {about(cx, model)}
        {model.report.machines.iter().map(|machine| setup(cx, machine)).collect_view()}
    }
    .into_any()
}

/// What is being set: what came back, or what was asked for.
fn draft(cx: &Context, model: &IsolationPage) -> Option<(String, PowerWay)> {
    if !cx.form.is(SET) {
        return model.open.clone();
    }
    let way = cx.form.value(SET, "way", "").parse().unwrap_or(PowerWay::Ipmi);
    Some((cx.form.value(SET, "ip", ""), way))
}

fn about(cx: &Context, model: &IsolationPage) -> AnyView {
    let text = cx.t(
        "Prima di prendere il servizio bisogna essere certi che l'altra sede non serva. Chi vede l'alimentazione di una macchina può provarlo: se risulta spenta, e nulla risponde, non serve la dichiarazione di nessuno. Se non si può leggere vale quanto il silenzio: nulla.",
        "Before the service is taken it must be certain that the other site does not serve. Whatever sees the power of a machine can prove it: if it is off, and nothing answers, nobody's statement is needed. If it cannot be read it is worth as much as silence: nothing.",
    );
    let none = model.report.machines.is_empty().then(|| {
        let text =
            cx.t("L'indirizzo IP dell'altra macchina non è impostato:", "The other machine's IP address is not set:");
        let pairing = routes::of(PageId::Pairing);
        view! { <p>{text} " " <a href=pairing.path>{pairing.label(cx.lang)}</a></p> }
    });
    let heading = cx.t("Le macchine dell'altra sede", "The machines of the other site");
    card_with_help(cx, "isolation", heading, text, view! { <p>{text}</p> {none} })
}

/// One machine.
fn setup(cx: &Context, machine: &MachineSetup) -> AnyView {
    let ip = machine.ip.to_string();
    let gone = (!machine.current).then(|| {
        let text = cx.t(
            "Non è più una macchina dell'altra sede: queste impostazioni non vengono usate.",
            "No machine of the other site any more: these settings are not used.",
        );
        view! { <p class="hint">{text}</p> }
    });
    let unset = cx.t(
        "Nulla può vedere se è spenta: il giorno del guasto servirà la parola di una persona.",
        "Nothing can see whether it is off: on the day of the fault a person's word will be needed.",
    );
    let body = match &machine.power {
        Some(power) => view! { {shown(cx, power, machine)} {reading(cx, machine.reading.as_ref())} }.into_any(),
        None => view! { <p>{unset}</p> }.into_any(),
    };
    let heading = format!("{ip}: {}", cx.t("alimentazione", "power"));
    card(&heading, view! { {gone} {body} {buttons(cx, machine, &ip)} })
}

fn shown(cx: &Context, power: &PowerSettings, machine: &MachineSetup) -> AnyView {
    let mut rows = vec![(cx.t("Letta con", "Read by"), power.access.way().label(cx.lang).to_owned())];
    match &power.access {
        PowerAccess::Ipmi { host, port, user } => {
            rows.push((cx.t("Controller", "Controller"), format!("{host}:{port}")));
            rows.push((cx.t("Username", "User name"), user.clone()));
        }
        // People write keys into commands.
        PowerAccess::Command { .. } if !cx.may(SET) => {}
        PowerAccess::Command { status, off, shutdown, on } => {
            rows.push((cx.t("Lettura", "Reading"), status.clone()));
            let none = || "–".to_owned();
            rows.push((cx.t("Spegnimento", "Off"), off.clone().unwrap_or_else(none)));
            rows.push((cx.t("Arresto ordinato", "Shut down"), shutdown.clone().unwrap_or_else(none)));
            rows.push((cx.t("Accensione", "On"), on.clone().unwrap_or_else(none)));
        }
    }
    let password = if machine.has_password { cx.t("salvata", "stored") } else { "–" };
    rows.push(("Password", password.to_owned()));
    let soft = match power.soft_seconds {
        0 => cx.t("no, si toglie subito l'alimentazione", "no, the power is cut at once").to_owned(),
        seconds => format!("{seconds} s"),
    };
    rows.push((cx.t("Arresto ordinato prima di spegnere", "Shut down before the power is cut"), soft));
    facts(rows.into_iter().map(|(name, value)| (name.to_owned(), value.into_any())))
}

fn reading(cx: &Context, reading: Option<&PowerReading>) -> AnyView {
    let Some(reading) = reading else {
        let text = cx.t("Non ancora letta dall'avvio di tvox-dr.", "Not read yet since tvox-dr was started.");
        return view! { <p class="hint">{text}</p> }.into_any();
    };
    let tone = match reading.state {
        PowerState::On => "good",
        PowerState::Off => "warn",
        PowerState::Unknown => "bad",
    };
    view! {
        <p class="answer">
            <span class=format!("badge {tone}")>{reading.state.label(cx.lang)}</span>
            <span>{cx.moment(reading.at)}</span>
            <code class="machine-words">{reading.text(cx.lang)}</code>
        </p>
    }
    .into_any()
}

fn buttons(cx: &Context, machine: &MachineSetup, ip: &str) -> AnyView {
    let read = (cx.may(Action::PowerRead) && machine.power.is_some()).then(|| {
        view! {
            <form method="post">
                <input type="hidden" name="action" value=Action::PowerRead.as_str() />
                <input type="hidden" name="name" value=ip.to_owned() />
                <button class="button primary">{cx.t("Leggi adesso", "Read now")}</button>
            </form>
        }
    });
    let ways = cx.may(SET).then(|| {
        let own = machine.power.as_ref().map(|power| power.access.way());
        let link = |way: PowerWay| {
            let verb = if own == Some(way) { cx.t("Modifica", "Edit") } else { cx.t("Imposta", "Set") };
            let text = format!("{verb}: {}", way.label(cx.lang));
            let path = routes::of(PageId::Isolation).path;
            view! { <a class="button" href=format!("{path}?ip={ip}&way={way}")>{text}</a> }
        };
        PowerWay::ALL.map(link).collect_view()
    });
    let remove = (cx.may(Action::PowerRemove) && machine.power.is_some()).then(|| {
        let question = format!("{} {ip}?", cx.t("Togliere l'alimentazione di", "Remove the power settings of"));
        let consequence = cx.t(
            "Anche la password viene cancellata. Alla macchina non accade nulla, ma il giorno del guasto servirà la parola di una persona.",
            "The password is deleted, too. Nothing happens to the machine, but on the day of the fault a person's word will be needed.",
        );
        confirm(cx, Action::PowerRemove, Some(ip), cx.t("Togli", "Remove"), &question, consequence)
    });
    view! { <div class="card-buttons">{read} {ways} {remove}</div> }.into_any()
}

fn editor(cx: &Context, ip: &str, way: PowerWay, setup: Option<&MachineSetup>) -> AnyView {
    let power = setup.and_then(|setup| setup.power.as_ref());
    let saved = power.filter(|power| power.access.way() == way);
    let heading = format!("{ip}: {} ({})", cx.t("alimentazione", "power"), way.label(cx.lang));
    let about = match way {
        PowerWay::Ipmi => cx.t(
            "Il controller di gestione della macchina (iDRAC, iLO, IPMI). Ha un indirizzo proprio e risponde anche quando la macchina è spenta. L'utente ha bisogno del privilegio Operator.",
            "The machine's management controller (iDRAC, iLO, IPMI). It has an address of its own and answers also while the machine is off. The user needs the privilege Operator.",
        ),
        PowerWay::Command => cx.t(
            "Comandi eseguiti da /bin/sh su questa macchina: un hypervisor, una presa comandata. Trovano l'IP in TVOX_DR_MACHINE e la password in TVOX_DR_POWER_PASSWORD.",
            "Commands that /bin/sh runs on this machine: a hypervisor, a switched socket. They find the IP in TVOX_DR_MACHINE and the password in TVOX_DR_POWER_PASSWORD.",
        ),
    };
    let fields = match way {
        PowerWay::Ipmi => ipmi(cx, saved),
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
        PowerWay::Command => cx.t(
            "Se i comandi ne hanno bisogno: la trovano in TVOX_DR_POWER_PASSWORD.",
            "Where the commands need one: they find it in TVOX_DR_POWER_PASSWORD.",
        ),
    };
    let field = Field::new(SET, "password", "Password", about).kind(Kind::Password("new-password"));
    let field = if stored || way == PowerWay::Command { field.optional() } else { field };
    view! { {field.view(cx)} {hint} }.into_any()
}
