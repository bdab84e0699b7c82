//! The card *Cluster* of the page Disaster Recovery, on a Master: its sibling, the node IP, and how the two are associated.

use contract::Lang;
use contract::address::PeerAddress;
use contract::status::{ClusterInfo, MachineInfo};
use leptos::prelude::*;

use crate::action::Action;
use crate::model::{Context, PairingPage};
use crate::widgets::{Field, card_with_help, confirm};

pub(super) fn cluster(cx: &Context, model: &PairingPage) -> Option<AnyView> {
    let cluster = model.peer.pair.cluster.as_ref();
    let may = cx.may(Action::SiblingSet);
    if cluster.is_none() && !may {
        return None;
    }
    let sibling = cluster.and_then(|cluster| cluster.sibling.as_ref());
    let about = cx.t(
        "Solo se il Master è un cluster di due macchine. Su ciascuna delle due: impostare l'altra e l'IP di nodo; poi creare il codice su una (qui sopra) e incollarlo sull'altra. Il DR Client si associa a tutte e due.",
        "Only where the Master is a cluster of two machines. On each of the two: set the other one and the node IP; then make the token on one (above) and paste it on the other. The DR Client is associated with both.",
    );
    let forget = sibling.filter(|_| may).map(|_| {
        confirm(
            cx,
            Action::SiblingForget,
            None,
            cx.t("Togli dal cluster", "Remove from the cluster"),
            cx.t("Togliere l'altra macchina del cluster?", "Remove the other machine of the cluster?"),
            cx.t(
                "Questa macchina resta Master da sola. L'altra va tolta per conto suo, e sul DR Client va impostato un indirizzo solo.",
                "This machine stays the Master alone. The other one is dissolved by itself, and on the DR Client one address is set.",
            ),
        )
    });
    let body = view! {
        {cluster.map(|cluster| facts(cx, cluster))}
        {may.then(|| settings(cx, cluster))}
        {sibling.filter(|sibling| may && !sibling.associated).map(|_| join(cx))}
        <div class="card-buttons">{forget}</div>
    };
    Some(card_with_help(cx, "cluster", "Cluster", about, body))
}

fn facts(cx: &Context, cluster: &ClusterInfo) -> AnyView {
    let here = match cluster.serves {
        Some(true) => cx.t("su questa macchina", "on this machine"),
        _ => cx.t("non su questa macchina", "not on this machine"),
    };
    let mut rows = vec![(cx.t("IP di nodo", "Node IP"), format!("{}, {here}", cluster.node_ip))];
    if let Some(sibling) = &cluster.sibling {
        rows.push((cx.t("Altra macchina", "Other machine"), told(sibling, cx.lang)));
    }
    let rows = rows.into_iter().map(|(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> });
    view! { <dl class="facts">{rows.collect_view()}</dl> }.into_any()
}

/// A machine of a cluster in one line: who it is, and how it stands.
fn told(machine: &MachineInfo, lang: Lang) -> String {
    let at = PeerAddress { ip: machine.ip, port: machine.port }.to_string();
    let name = machine.name.as_ref().map(|name| format!("{name}, "));
    let reach = match (machine.associated, machine.reachable) {
        (false, _) => lang.pick("non associata", "not associated"),
        (true, true) => lang.pick("risponde", "answers"),
        (true, false) => lang.pick("non risponde", "does not answer"),
    };
    let state = machine.state.map(|state| format!(", {}", state.label(lang))).unwrap_or_default();
    let serves = if machine.serves == Some(true) { lang.pick(", ha l'IP di nodo", ", has the node IP") } else { "" };
    format!("{}{at}: {reach}{state}{serves}", name.unwrap_or_default())
}

fn settings(cx: &Context, cluster: Option<&ClusterInfo>) -> AnyView {
    let sibling = cluster.and_then(|cluster| cluster.sibling.as_ref());
    let address = sibling.map(|one| PeerAddress { ip: one.ip, port: one.port }.to_string()).unwrap_or_default();
    let node_ip = cluster.map(|cluster| cluster.node_ip.to_string()).unwrap_or_default();
    let check = cluster.and_then(|cluster| cluster.check.clone()).unwrap_or_default();
    let field = |name, label, help| Field::new(Action::SiblingSet, name, label, help);
    view! {
        <form method="post">
            <input type="hidden" name="action" value=Action::SiblingSet.as_str() />
            {field(
                "sibling",
                cx.t("Indirizzo dell'altra macchina del cluster", "Address of the cluster's other machine"),
                cx.t("IP, oppure IP:PORTA.", "IP, or IP:PORT."),
            )
                .saved(&address)
                .view(cx)}
            {field(
                "node_ip",
                cx.t("IP di nodo", "Node IP"),
                cx.t("L'indirizzo che sta sulla macchina che serve.", "The address that is on the machine that serves."),
            )
                .saved(&node_ip)
                .view(cx)}
            {field(
                "check",
                cx.t("Comando di verifica", "Check"),
                cx.t(
                    "Termina con 0 se l'IP di nodo è qui. Vuoto: si guardano le interfacce di rete.",
                    "It ends with 0 where the node IP is here. Empty: the network interfaces are looked at.",
                ),
            )
                .saved(&check)
                .optional()
                .view(cx)}
            <div class="card-buttons">
                <button class="button primary">{cx.t("Salva cluster", "Save cluster")}</button>
            </div>
        </form>
    }
    .into_any()
}

fn join(cx: &Context) -> AnyView {
    view! {
        <form method="post">
            <input type="hidden" name="action" value=Action::SiblingJoin.as_str() />
            {Field::new(
                    Action::SiblingJoin,
                    "token",
                    cx.t("Codice dell'altra macchina del cluster", "Token of the cluster's other machine"),
                    cx.t("Creato sulla sua pagina Disaster Recovery.", "Made on its Disaster Recovery page."),
                )
                .view(cx)}
            <div class="card-buttons">
                <button class="button primary">{cx.t("Associa al cluster", "Join the cluster")}</button>
            </div>
        </form>
    }
    .into_any()
}
