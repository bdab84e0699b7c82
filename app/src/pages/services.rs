//! `/servizi`: what makes this machine the PBX, how each service stands, and the form for more.

use contract::NodeRole;
use contract::service::{Handling, SERVICE_TIMEOUT, Service, ServiceEntry};
use leptos::prelude::*;

use crate::action::Action;
use crate::islands::ServiceState;
use crate::model::{Context, ServicesPage};
use crate::routes::{self, PageId};
use crate::widgets::{Field, Kind, card, card_with_help, confirm, reload, title};

pub(crate) fn view(cx: &Context, model: &ServicesPage) -> AnyView {
    let route = routes::of(PageId::Services);
    view! {
        {title(route.label(cx.lang), reload(cx, route.path))}
        {list(cx, model)}
        {cx.may(Action::ServiceAdd).then(|| declare(cx, edited(cx, model)))}
    }
    .into_any()
}

fn list(cx: &Context, model: &ServicesPage) -> AnyView {
    let about = cx.t(
        "Ciò che fa di questa macchina il centralino. TVox DR avvia i servizi in quest'ordine e li ferma in quello inverso, secondo lo stato della macchina, e continua a controllarli. Che un servizio sia attivo lo dice il suo controllo, non l'esito del comando. Se TVox DR si ferma, i servizi continuano.",
        "What makes this machine the PBX. TVox DR starts the services in this order and stops them in the reverse one, as the state of the machine wants it, and goes on checking them. Whether a service is up is decided by its check, not by how the command ends. If TVox DR stops, the services go on.",
    );
    let body = if model.services.is_empty() { none(cx) } else { table(cx, model) };
    card_with_help(cx, "services", cx.t("Servizi di questa macchina", "This machine's services"), about, body)
}

fn none(cx: &Context) -> AnyView {
    let text = match cx.node.role {
        NodeRole::Master => cx.t(
            "Ancora nessuno: finché non si dichiarano i servizi, TVox DR non può fermarli quando è il DR a servire.",
            "None yet: until services are declared, TVox DR cannot stop them while the DR serves.",
        ),
        NodeRole::Client => cx.t(
            "Ancora nessuno: senza servizi dichiarati, un'attivazione non avvia nulla.",
            "None yet: without declared services an activation starts nothing.",
        ),
    };
    view! { <p>{text}</p> }.into_any()
}

fn table(cx: &Context, model: &ServicesPage) -> AnyView {
    let caption = cx.t("Servizi di questa macchina", "This machine's services");
    let [state, how, limit, order] = columns(cx);
    let actions = cx.may(Action::ServiceRemove).then(|| view! { <th scope="col">{cx.t("Azioni", "Actions")}</th> });
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=caption>
            <table>
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col">{cx.t("Nome", "Name")}</th>
                        <th scope="col">{state}</th>
                        <th scope="col">{how}</th>
                        <th scope="col" class="number">{limit}</th>
                        <th scope="col" class="number">{order}</th>
                        {actions}
                    </tr>
                </thead>
                <tbody>{model.services.iter().map(|entry| row(cx, entry)).collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// What stands beside the name, in this order; on a small screen each cell says it again (`data-label`).
fn columns(cx: &Context) -> [&'static str; 4] {
    [cx.t("Stato", "State"), cx.t("Comandi", "Commands"), cx.t("Tempo massimo", "Time limit"), cx.t("Ordine", "Order")]
}

fn row(cx: &Context, entry: &ServiceEntry) -> AnyView {
    let service = &entry.service;
    let [state_head, how_head, limit_head, order_head] = columns(cx);
    let actions = cx.may(Action::ServiceRemove).then(|| actions(cx, service));
    view! {
        <tr>
            <th scope="row">{service.name.clone()}</th>
            <td data-label=state_head>
                <ServiceState initial=entry.status.clone() offset=cx.offset(cx.now) lang=cx.lang />
            </td>
            <td data-label=how_head>{how(cx, &service.handling)}</td>
            <td data-label=limit_head class="number">{format!("{} s", service.timeout_seconds)}</td>
            <td data-label=order_head class="number">{service.order}</td>
            {actions}
        </tr>
    }
    .into_any()
}

fn how(cx: &Context, handling: &Handling) -> AnyView {
    let rows = match handling {
        Handling::Unit(unit) => vec![(cx.t("Unit systemd", "systemd unit"), unit)],
        Handling::Commands { start, stop, check } => {
            vec![(cx.t("Avvio", "Start"), start), (cx.t("Arresto", "Stop"), stop), (cx.t("Controllo", "Check"), check)]
        }
    };
    let rows =
        rows.into_iter().map(|(name, text)| view! { <div><dt>{name}</dt><dd><code>{text.clone()}</code></dd></div> });
    view! { <dl class="details">{rows.collect_view()}</dl> }.into_any()
}

fn actions(cx: &Context, service: &Service) -> AnyView {
    let edit = cx.t("Modifica", "Edit");
    let question = format!("{} {}?", cx.t("Togliere il servizio", "Take back the service"), service.name);
    view! {
        <td>
            <div class="row-actions">
                <a
                    class="button"
                    href=format!("{}?edit={}#service-form", routes::of(PageId::Services).path, service.name)
                    aria-label=format!("{edit} {}", service.name)
                >
                    {edit}
                </a>
                {confirm(
                    cx,
                    Action::ServiceRemove,
                    Some(&service.name),
                    cx.t("Togli", "Remove"),
                    &question,
                    cx.t(
                        "Il servizio resta com'è: se è attivo continua. Da quel momento TVox DR non lo avvia, non lo ferma e non lo controlla più.",
                        "The service stays as it is: if it is up, it goes on. From then on TVox DR neither starts nor stops nor checks it.",
                    ),
                )}
            </div>
        </td>
    }
    .into_any()
}

/// The declaration that is being changed: the one that was asked for, or the one whose form came back.
fn edited<'a>(cx: &Context, model: &'a ServicesPage) -> Option<&'a Service> {
    let mut declared = model.services.iter().map(|entry| &entry.service);
    declared.find(|service| cx.form.is_row(Action::ServiceAdd, &service.name)).or_else(|| model.edited())
}

fn declare(cx: &Context, edited: Option<&Service>) -> AnyView {
    let a = Action::ServiceAdd;
    let saved = Saved::of(edited);
    let heading = match edited {
        Some(service) => format!("{} {}", cx.t("Modifica il servizio", "Edit the service"), service.name),
        None => cx.t("Aggiungi un servizio", "Add a service").to_owned(),
    };
    let button = if edited.is_some() { cx.t("Salva", "Save") } else { cx.t("Aggiungi", "Add") };
    let cancel = edited.map(|_| {
        let path = routes::of(PageId::Services).path;
        view! { <a class="button" href=path>{cx.t("Annulla", "Cancel")}</a> }
    });
    let form = view! {
        <form method="post" action=routes::of(PageId::Services).path id="service-form">
            <input type="hidden" name="action" value=a.as_str() />
            <p class="hint">
                {cx.t(
                    "Indicare una unit systemd oppure i tre comandi, che vengono eseguiti da /bin/sh.",
                    "Give a systemd unit or the three commands, which are run by /bin/sh.",
                )}
            </p>
            <div class="columns">
                {name_and_unit(cx, &saved, edited.is_some())}
                {commands(cx, &saved)}
                {numbers(cx, &saved)}
            </div>
            <div class="card-buttons">
                {cancel}
                <button class="button primary">{button}</button>
            </div>
        </form>
    };
    card(&heading, form)
}

/// What stands in the form before anybody types.
#[derive(Default)]
struct Saved {
    name: String,
    unit: String,
    commands: [String; 3],
    timeout: String,
    order: String,
}

impl Saved {
    fn of(edited: Option<&Service>) -> Self {
        let Some(service) = edited else { return Self::default() };
        let (unit, commands) = match &service.handling {
            Handling::Unit(unit) => (unit.clone(), Default::default()),
            Handling::Commands { start, stop, check } => (String::new(), [start, stop, check].map(String::clone)),
        };
        let (timeout, order) = (service.timeout_seconds.to_string(), service.order.to_string());
        Self { name: service.name.clone(), unit, commands, timeout, order }
    }
}

fn name_and_unit(cx: &Context, saved: &Saved, edited: bool) -> impl IntoView + use<> {
    let a = Action::ServiceAdd;
    let name = Field::new(
        a,
        "name",
        cx.t("Nome", "Name"),
        cx.t(
            "Lettere minuscole, cifre e trattini, ad esempio pbx.",
            "Lower-case letters, digits and dashes, e.g. pbx.",
        ),
    );
    let unit = Field::new(
        a,
        "unit",
        cx.t("Unit systemd", "systemd unit"),
        cx.t(
            "Ad esempio kamailio.service. Vuoto se si usano i comandi.",
            "E.g. kamailio.service. Empty with commands.",
        ),
    );
    view! {
        {name.saved(&saved.name).readonly(edited).view(cx)}
        {unit.saved(&saved.unit).optional().view(cx)}
    }
}

fn commands(cx: &Context, saved: &Saved) -> impl IntoView + use<> {
    let fields = [
        (
            "start",
            cx.t("Comando di avvio", "Start command"),
            cx.t(
                "Deve terminare e lasciare il servizio in funzione. Ciò che avvia continua anche senza TVox DR.",
                "It must return and leave the service running. What it starts goes on without TVox DR.",
            ),
        ),
        (
            "stop",
            cx.t("Comando di arresto", "Stop command"),
            cx.t("Ferma il servizio e termina.", "Stops the service and returns."),
        ),
        (
            "check",
            cx.t("Comando di controllo", "Check command"),
            cx.t(
                "Esce con 0 solo quando il servizio è attivo. Viene eseguito spesso: deve essere rapido.",
                "Exits with 0 only when the service is up. It is run often: it must be quick.",
            ),
        ),
    ];
    let fields = fields.into_iter().zip(&saved.commands).map(|((name, label, help), saved)| {
        Field::new(Action::ServiceAdd, name, label, help).saved(saved).optional().kind(Kind::Lines(2)).view(cx)
    });
    fields.collect_view()
}

fn numbers(cx: &Context, saved: &Saved) -> impl IntoView + use<> {
    let a = Action::ServiceAdd;
    let limit = format!(
        "{} {SERVICE_TIMEOUT}.",
        cx.t(
            "Quanti secondi può durare ciascun comando: poi viene interrotto. Vuoto:",
            "How many seconds each command may take; then it is killed. Empty:",
        )
    );
    let order = cx.t(
        "Si avvia per primo il numero più basso e si ferma per primo il più alto. Vuoto: in fondo.",
        "The lowest number starts first, the highest stops first. Empty: at the end.",
    );
    view! {
        {Field::new(a, "timeout", cx.t("Tempo massimo (secondi)", "Time limit (seconds)"), &limit)
            .saved(&saved.timeout)
            .optional()
            .view(cx)}
        {Field::new(a, "order", cx.t("Ordine", "Order"), order).saved(&saved.order).optional().view(cx)}
    }
}
