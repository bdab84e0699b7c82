//! `/isolamento`: what can see whether a machine of the other site is off. One page per way of reading its power, so that
//! each shows only what that way needs, also without JavaScript.

mod editor;

use contract::power::{MachineSetup, PowerAccess, PowerReading, PowerSettings, PowerState, PowerWay};
use leptos::prelude::*;

use crate::action::Action;
use crate::form::override_field;
use crate::model::{Context, IsolationPage};
use crate::routes::{self, PageId};
use crate::widgets::{Field, Kind, cancel_save, card, card_with_help, confirm, facts, title};

const SET: Action = Action::PowerSet;

pub(crate) fn view(cx: &Context, model: &IsolationPage) -> AnyView {
    let route = routes::of(PageId::Isolation);
    if let Some((ip, way)) = draft(cx, model).filter(|_| cx.may(SET)) {
        let setup = model.report.machines.iter().find(|machine| machine.ip.to_string() == ip);
        return view! {
            {title(route.label(cx.lang), cancel_save(cx, "power-form", route.path))}
            {editor::view(cx, &ip, way, setup)}
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
    let switches = (machine.current && machine.power.is_some())
        .then(|| [Action::PowerOff, Action::PowerOn].map(|action| cx.may(action).then(|| switch(cx, action, &ip))));
    card(&heading, view! { {gone} {body} {buttons(cx, machine, &ip)} {switches} {signs(cx, machine, &ip)} })
}

fn shown(cx: &Context, power: &PowerSettings, machine: &MachineSetup) -> AnyView {
    let mut rows = vec![(cx.t("Letta con", "Read by"), power.access.way().label(cx.lang).to_owned())];
    match &power.access {
        PowerAccess::Ipmi { host, port, user } => {
            rows.push((cx.t("Controller", "Controller"), format!("{host}:{port}")));
            rows.push((cx.t("Username", "User name"), user.clone()));
        }
        PowerAccess::Redfish { url, user, system, fingerprint, ca } => {
            rows.push(("URL", url.clone()));
            rows.push((cx.t("Username", "User name"), user.clone()));
            rows.push((cx.t("Sistema", "System"), system.clone().unwrap_or_else(|| "–".to_owned())));
            let trust = match (fingerprint, ca) {
                (Some(fingerprint), _) => fingerprint.clone(),
                (None, Some(_)) => cx.t("autorità propria", "its own authority").to_owned(),
                (None, None) => cx.t("autorità del sistema", "the system's authorities").to_owned(),
            };
            rows.push((cx.t("Certificato", "Certificate"), trust));
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

/// What proves it to be alive besides its node.
fn signs(cx: &Context, machine: &MachineSetup, ip: &str) -> AnyView {
    let (action, signs) = (Action::LifeSignsSet, &machine.signs);
    let ports = signs.tcp.iter().map(u16::to_string).collect::<Vec<_>>().join(" ");
    let sip = signs.sip.map(|sip| sip.to_string()).unwrap_or_default();
    let heading = cx.t("Che cosa prova che è viva", "What proves it to be alive");
    let about = cx.t(
        "Oltre a tvox-dr, al pannello e al ping. Dopo che il suo tvox-dr ha fermato i servizi, questi devono tacere.",
        "Besides tvox-dr, the panel and ping. After its tvox-dr has stopped the services these must be silent.",
    );
    let body = if cx.may(action) {
        let tcp_help = cx.t(
            "Quelle dei servizi e dei database, separate da spazi, ad esempio 5060 3306. Vuoto: nessuna.",
            "Those of services and databases, with spaces between them, e.g. 5060 3306. Empty: none.",
        );
        let sip_help = cx.t(
            "Dove risponde alle chiamate, ad esempio 10.0.100.206 oppure 10.0.100.206:5060/tcp. Gli si invia una richiesta OPTIONS.",
            "Where it answers calls, e.g. 10.0.100.206 or 10.0.100.206:5060/tcp. It is sent an OPTIONS request.",
        );
        view! {
            <form method="post">
                <input type="hidden" name="action" value=action.as_str() />
                <input type="hidden" name="name" value=ip.to_owned() />
                <div class="columns">
                    {Field::new(action, "tcp", cx.t("Porte TCP", "TCP ports"), tcp_help).row(ip).optional().saved(&ports).view(cx)}
                    {Field::new(action, "sip", cx.t("Indirizzo SIP", "SIP address"), sip_help).row(ip).optional().saved(&sip).view(cx)}
                </div>
                <button class="button">{cx.t("Salva i segni di vita", "Save the signs of life")}</button>
            </form>
        }
        .into_any()
    } else {
        let dash = |text: String| if text.is_empty() { "–".to_owned() } else { text };
        let rows = [(cx.t("Porte TCP", "TCP ports"), dash(ports)), (cx.t("Indirizzo SIP", "SIP address"), dash(sip))];
        facts(rows.map(|(name, value)| (name.to_owned(), value.into_any())))
    };
    view! {
        <h3>{heading}</h3>
        <p class="hint">{about}</p>
        {body}
    }
    .into_any()
}

/// Switches the machine, outside of a run. Grave: behind a disclosure, with reason, name and password.
fn switch(cx: &Context, action: Action, ip: &str) -> AnyView {
    let (word, about) = match action {
        Action::PowerOn => (
            cx.t("Accendere", "Switch on"),
            cx.t(
                "La macchina si avvia e chiede il consenso prima di servire. La pagina attende di vederla accesa.",
                "The machine boots and asks for consent before it serves. The page waits until it is seen on.",
            ),
        ),
        _ => (
            cx.t("Spegnere", "Switch off"),
            cx.t(
                "Chi è collegato a quella macchina cade. La pagina attende di vederla spenta. Se la macchina risponde, serve un motivo per procedere.",
                "Whoever is connected to that machine is cut off. The page waits until it is seen off. If the machine answers, a reason to proceed is needed.",
            ),
        ),
    };
    let here = cx.form.is_row(action, ip);
    let alive = cx.form.refused().iter().find(|refused| here && refused.rule.overridable()).map(|refused| {
        let name = override_field(refused);
        let message = refused.finding(cx.lang).message;
        let label = format!("{}: {message}", cx.t("Motivo per procedere nonostante", "Reason to proceed in spite of"));
        let help = cx.t("Finisce nel registro.", "It goes into the audit log.");
        Field::new(action, &name, &label, help).row(ip).optional().view(cx)
    });
    let reason = cx.t("Finisce nel registro.", "It goes into the audit log.");
    let name = cx.t("Quello scritto in alto, per intero.", "The one written above, all of it.");
    let summary = format!("{word} {ip}");
    view! {
        <details class="fold" open=here>
            <summary>{summary.clone()}</summary>
            <p class="hint">{about}</p>
            <form method="post" class="grave-form">
                <input type="hidden" name="action" value=action.as_str() />
                <input type="hidden" name="name" value=ip.to_owned() />
                {Field::new(action, "reason", cx.t("Motivo", "Reason"), reason).row(ip).view(cx)}
                {alive}
                <div class="columns">
                    {Field::new(action, "confirm_name", cx.t("Nome di questa macchina", "This machine's name"), name)
                        .row(ip)
                        .view(cx)}
                    {Field::new(action, "password", "Password", cx.t("La propria, di nuovo.", "Your own, again."))
                        .row(ip)
                        .kind(Kind::Password("current-password"))
                        .view(cx)}
                </div>
                <button class="button danger">{summary}</button>
            </form>
        </details>
    }
    .into_any()
}
