//! How the two machines stand to each other: associated in green, otherwise what is missing or wrong.

use contract::Lang;
use contract::alarm::AlarmKind;
use contract::role::NodeRole;
use contract::status::{MachineInfo, PairInfo};
use leptos::prelude::*;

use super::follow;
use crate::format;
use crate::headline::Tone;

/// The state of the association.
#[island]
pub fn PairStatus(
    /// As drawn by the server.
    initial: PairInfo,
    /// This machine's side.
    role: NodeRole,
    /// The server's zone.
    offset: i32,
    /// The reader's language.
    lang: Lang,
) -> impl IntoView {
    let pair = follow(initial, |live| live.status.pair.clone());
    view! {
        <div class="pair" role="status">
            <p class=move || format!("badge {}", pair.with(|p| tone(p).class()))>
                {move || pair.with(|p| words(p, role, lang))}
            </p>
            <dl class="facts">
                {move || {
                    pair.with(|p| facts(p, role, offset, lang))
                        .into_iter()
                        .map(|(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> })
                        .collect_view()
                }}
            </dl>
        </div>
    }
}

fn reachable(pair: &PairInfo) -> bool {
    pair.peer.as_ref().is_some_and(|peer| peer.machines.iter().any(|machine| machine.reachable))
}

fn tone(pair: &PairInfo) -> Tone {
    let wrong = pair.peer.as_ref().is_some_and(|p| p.complaint.is_some() || p.compatible == Some(false));
    match (pair.associated, wrong) {
        (_, true) | (false, _) => Tone::Bad,
        (true, false) if reachable(pair) => Tone::Good,
        (true, false) => Tone::Warn,
    }
}

fn words(pair: &PairInfo, role: NodeRole, lang: Lang) -> String {
    let other = role.other().label();
    if !pair.associated {
        return lang.pick("Non associato", "Not associated").to_owned();
    }
    let name = pair.peer.as_ref().and_then(|p| p.name.clone()).unwrap_or_else(|| other.to_owned());
    match (lang, reachable(pair)) {
        (Lang::It, true) => format!("Associato a {name}"),
        (Lang::It, false) => format!("Associato a {name}, che ora non risponde"),
        (Lang::En, true) => format!("Associated with {name}"),
        (Lang::En, false) => format!("Associated with {name}, which does not answer now"),
    }
}

fn facts(pair: &PairInfo, role: NodeRole, offset: i32, lang: Lang) -> Vec<(&'static str, String)> {
    let Some(peer) = &pair.peer else { return Vec::new() };
    let mut facts = Vec::new();
    if let Some(refused) = &peer.complaint {
        let finding = refused.finding(lang);
        facts.push((lang.pick("Da risolvere", "To be solved"), format!("{} {}", finding.message, finding.remedy)));
    } else if pair.associated && peer.machines.iter().any(|machine| !machine.reachable && machine.since.is_some()) {
        // The same words as in the alarm: whoever reads them here at night need not look for the mail.
        let kind = match role {
            NodeRole::Master => AlarmKind::ClientUnreachable,
            NodeRole::Client => AlarmKind::MasterUnreachable,
        };
        facts.push((lang.pick("Che cosa fare", "What to do"), kind.remedy(lang).to_owned()));
    }
    facts.push((lang.pick("Altra macchina", "Other machine"), role.other().label().to_owned()));
    if let Some(name) = &peer.name {
        facts.push((lang.pick("Nome", "Name"), name.clone()));
    }
    for machine in &peer.machines {
        let name = machine.name.as_ref().filter(|_| pair.cluster.is_some() && role == NodeRole::Client);
        let name = name.map(|name| format!("{name} ")).unwrap_or_default();
        facts.push((lang.pick("Indirizzo", "Address"), format!("{name}{}", address(machine, offset, lang))));
    }
    if let Some(cluster) = pair.cluster.as_ref().filter(|_| role == NodeRole::Client) {
        let source = peer.machines.iter().find(|machine| Some(machine.ip) == cluster.source);
        let on = match source {
            Some(machine) => machine.name.clone().unwrap_or_else(|| machine.ip.to_string()),
            None => lang.pick("su nessuna delle due", "on neither of the two").to_owned(),
        };
        facts.push((lang.pick("IP di nodo", "Node IP"), format!("{}: {on}", cluster.node_ip)));
    }
    if let Some(version) = &peer.version {
        facts.push((lang.pick("Versione", "Version"), version.clone()));
    }
    facts
}

fn address(machine: &MachineInfo, offset: i32, lang: Lang) -> String {
    let at = contract::address::PeerAddress { ip: machine.ip, port: machine.port };
    let state = match (machine.reachable, machine.since) {
        (true, _) => lang.pick("risponde", "answers"),
        (false, Some(_)) => lang.pick("non risponde", "does not answer"),
        (false, None) => lang.pick("non ancora provato", "not tried yet"),
    };
    let since =
        machine.since.map(|since| format!(" {} {}", lang.pick("dal", "since"), format::moment(since, offset, lang)));
    format!("{at}: {state}{}", since.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::status::PeerInfo;

    #[test]
    fn a_machine_that_fell_silent_is_told_with_what_to_do_and_one_that_answers_is_not() {
        let pair = |reachable| PairInfo {
            id: Some("p".into()),
            associated: true,
            peer: Some(PeerInfo {
                name: Some("master1".into()),
                version: None,
                compatible: Some(true),
                machines: vec![MachineInfo {
                    ip: [10, 0, 0, 1].into(),
                    port: 5461,
                    reachable,
                    since: "2026-01-01T00:00:00Z".parse().ok(),
                    last_seen: None,
                    name: None,
                    associated: true,
                    state: None,
                    serves: None,
                }],
                complaint: None,
            }),
            cluster: None,
        };
        let told = |reachable| format!("{:?}", facts(&pair(reachable), NodeRole::Client, 0, Lang::It));
        assert!(told(false).contains("Non raggiungibile non significa spento"), "{}", told(false));
        assert!(!told(true).contains("Non raggiungibile"), "{}", told(true));
    }
}
