//! The tables of *Monitor di sistema* as plain rows of cells, and the one function that writes them as HTML: the server
//! fills them from the report, the browser from the live picture.

use contract::alarm_list::AlarmBrief;
use contract::live::Live;
use contract::monitor::DiskInfo;
use contract::service::{Desired, Observed, ServiceStatus};
use contract::state::NodeState;
use contract::status::{MachineInfo, NodeInfo, PairInfo};
use contract::{Lang, Timestamp};
use serde::{Deserialize, Serialize};

use crate::format::{self, escaped};

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grid {
    /// Both machines.
    Machines,
    /// The file systems.
    Disks,
    /// Declared services.
    Services,
    /// *Ultimi Allarmi di Sistema*.
    Alarms,
}

/// One row.
#[derive(Debug, Clone, Default)]
pub struct Row {
    class: &'static str,
    cells: Vec<Cell>,
}

/// One cell: what it says and in which class, a bar under it from 0 to 1, and what is said below less loudly.
#[derive(Debug, Clone, Default)]
struct Cell {
    text: String,
    class: String,
    bar: Option<f64>,
    note: String,
}

impl Cell {
    fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    fn badge(tone: &str, text: impl Into<String>) -> Self {
        Self { text: text.into(), class: format!("badge {tone}"), ..Self::default() }
    }

    fn write(&self, out: &mut String, head: &str) {
        out.extend([
            "<td data-label=\"",
            head,
            "\"><span class=\"",
            &self.class,
            "\">",
            &escaped(&self.text),
            "</span>",
        ]);
        if let Some(share) = self.bar {
            out.extend([
                "<progress max=\"1\" value=\"",
                &format!("{share:.2}"),
                "\" aria-label=\"",
                head,
                "\"></progress>",
            ]);
        }
        if !self.note.is_empty() {
            out.extend(["<span class=\"cell-note\">", &escaped(&self.note), "</span>"]);
        }
        out.push_str("</td>");
    }

    fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}

/// Who reads: language, and the server's zone in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eyes {
    /// The language.
    pub lang: Lang,
    /// The zone.
    pub offset: i32,
}

impl Eyes {
    const fn t<'a>(self, it: &'a str, en: &'a str) -> &'a str {
        self.lang.pick(it, en)
    }

    fn moment(self, at: Option<Timestamp>) -> String {
        at.map_or_else(|| NONE.to_owned(), |at| format::moment(at, self.offset, self.lang))
    }
}

const NONE: &str = "–";

impl Grid {
    /// The heading of the card, which is the name of the table too.
    #[must_use]
    pub const fn title(self, lang: Lang) -> &'static str {
        match self {
            Self::Machines => lang.pick("Macchine e collegamento", "Machines and link"),
            Self::Disks => lang.pick("Spazio su disco", "Disk space"),
            Self::Services => lang.pick("Servizi", "Services"),
            Self::Alarms => lang.pick("Ultimi Allarmi di Sistema", "Latest system alarms"),
        }
    }

    /// The headings of the columns.
    #[must_use]
    pub const fn heads(self, lang: Lang) -> &'static [&'static str] {
        match (self, lang) {
            (Self::Machines, Lang::It) => &["Macchina", "Stato", "Collegamento", "Ultimo contatto", "Versione"],
            (Self::Machines, Lang::En) => &["Machine", "State", "Link", "Last contact", "Version"],
            (Self::Disks, Lang::It) => &["Cartelle", "Libero", "Totale", "Limite"],
            (Self::Disks, Lang::En) => &["Directories", "Free", "Total", "Limit"],
            (Self::Services, Lang::It) => &["Servizio", "Rilevato", "Richiesto", "Controllato il"],
            (Self::Services, Lang::En) => &["Service", "Observed", "Wanted", "Checked at"],
            (Self::Alarms, Lang::It) => &["Data e ora", "Priorità", "Host", "Messaggio", "Stato"],
            (Self::Alarms, Lang::En) => &["When", "Priority", "Host", "Message", "State"],
        }
    }

    /// What stands there instead of rows.
    #[must_use]
    pub const fn empty(self, lang: Lang) -> &'static str {
        match self {
            Self::Machines => "",
            Self::Disks => lang.pick("Non ancora misurato.", "Not measured yet."),
            Self::Services => lang.pick("Nessun servizio dichiarato.", "No service is declared."),
            Self::Alarms => lang.pick("Nessun allarme.", "No alarm."),
        }
    }

    /// The table of the live picture.
    #[must_use]
    pub fn live(self, live: &Live, eyes: Eyes) -> String {
        let status = &live.status;
        let rows = match self {
            Self::Machines => machines(&status.node, status.state, &status.pair, eyes),
            Self::Disks => disks(&live.disks, eyes),
            Self::Services => services(&status.services, eyes),
            Self::Alarms => alarms(&live.alarms, eyes),
        };
        self.table(&rows, eyes.lang)
    }

    /// The table with these rows.
    #[must_use]
    pub fn table(self, rows: &[Row], lang: Lang) -> String {
        let heads = self.heads(lang);
        let mut out = format!("<table><caption class=\"visually-hidden\">{}</caption><thead><tr>", self.title(lang));
        for head in heads {
            out.extend(["<th scope=\"col\">", head, "</th>"]);
        }
        out.push_str("</tr></thead><tbody>");
        for row in rows {
            out.extend(["<tr class=\"", row.class, "\">"]);
            for (cell, head) in row.cells.iter().zip(heads) {
                cell.write(&mut out, head);
            }
            out.push_str("</tr>");
        }
        if rows.is_empty() {
            out.extend(["<tr><td colspan=\"5\">", self.empty(lang), "</td></tr>"]);
        }
        out.push_str("</tbody></table>");
        out
    }
}

/// This machine first, then every address of the other.
#[must_use]
pub fn machines(node: &NodeInfo, state: NodeState, pair: &PairInfo, eyes: Eyes) -> Vec<Row> {
    let here = format!("{}, {}", node.role.label(), eyes.t("questa macchina", "this machine"));
    let tone = match state {
        NodeState::Standby | NodeState::Serving => "good",
        NodeState::Held | NodeState::Fenced => "bad",
        _ => "warn",
    };
    let own = vec![
        Cell::plain(&node.name).note(here),
        Cell::badge(tone, state.label(eyes.lang)),
        Cell::plain(NONE),
        Cell::plain(NONE),
        Cell::plain(&node.version),
    ];
    let mut rows = vec![Row { class: "", cells: own }];
    let other = node.role.other();
    match &pair.peer {
        Some(peer) => rows.extend(peer.machines.iter().map(|machine| {
            let name = machine.name.clone().or_else(|| peer.name.clone()).unwrap_or_else(|| other.label().to_owned());
            let at = contract::address::PeerAddress { ip: machine.ip, port: machine.port };
            let cells = vec![
                Cell::plain(name).note(format!("{}, {at}{}", other.label(), member(machine, eyes))),
                reachability(machine, pair.associated, eyes),
                link(machine, peer.compatible, peer.complaint.is_some(), pair.associated, eyes),
                Cell::plain(eyes.moment(machine.last_seen)),
                Cell::plain(peer.version.as_deref().unwrap_or(NONE)),
            ];
            Row { class: "", cells }
        })),
        None => {
            let missing = eyes.t("Indirizzo non impostato", "Address not set");
            let mut cells = vec![Cell::plain(other.label()), Cell::badge("bad", missing)];
            cells.resize(5, Cell::plain(NONE));
            rows.push(Row { class: "", cells });
        }
    }
    rows
}

/// What a machine of a cluster says of itself.
fn member(machine: &MachineInfo, eyes: Eyes) -> String {
    let Some(serves) = machine.serves else { return String::new() };
    let state = machine.state.map(|state| format!(", {}", state.label(eyes.lang))).unwrap_or_default();
    let node_ip = if serves { eyes.t(", ha l'IP di nodo", ", has the node IP") } else { "" };
    format!("{state}{node_ip}")
}

fn reachability(machine: &MachineInfo, associated: bool, eyes: Eyes) -> Cell {
    let since = machine.since.map(|at| format!("{} {}", eyes.t("dal", "since"), eyes.moment(Some(at))));
    let cell = match (machine.reachable, associated, machine.since) {
        (true, ..) => Cell::badge("good", eyes.t("Risponde", "Answers")),
        (false, true, Some(_)) => Cell::badge("bad", eyes.t("Non risponde", "Does not answer")),
        (false, ..) => Cell::badge("warn", eyes.t("Non ancora provato", "Not tried yet")),
    };
    cell.note(since.unwrap_or_default())
}

fn link(machine: &MachineInfo, compatible: Option<bool>, complaint: bool, associated: bool, eyes: Eyes) -> Cell {
    if !associated {
        return Cell::badge("bad", eyes.t("Non associato", "Not associated"));
    }
    match (machine.reachable, complaint, compatible) {
        (_, _, Some(false)) => Cell::badge("bad", eyes.t("Versioni non compatibili", "Versions do not fit")),
        (_, true, _) => Cell::badge("bad", eyes.t("Da verificare", "To be checked")),
        (true, ..) => Cell::badge("good", eyes.t("Attivo", "Up")),
        (false, ..) => Cell::badge("bad", eyes.t("Interrotto", "Down")),
    }
}

/// The file systems, the fullest part of which is a bar.
#[must_use]
pub fn disks(disks: &[DiskInfo], eyes: Eyes) -> Vec<Row> {
    #[expect(clippy::cast_precision_loss, reason = "a bar")]
    let row = |disk: &DiskInfo| {
        let free = format!("{} ({}%)", format::bytes(disk.free_bytes, eyes.lang), disk.free_percent());
        let tone = if disk.is_low() { "bad" } else { "good" };
        let used = 1.0 - disk.free_bytes as f64 / disk.total_bytes.max(1) as f64;
        let cells = vec![
            Cell::plain(disk.paths.join(" · ")),
            Cell { bar: Some(used.clamp(0.0, 1.0)), ..Cell::badge(tone, free) },
            Cell::plain(format::bytes(disk.total_bytes, eyes.lang)),
            Cell::plain(format!("{}%", disk.limit_percent)).note(eyes.t("liberi almeno", "free at least")),
        ];
        Row { class: "", cells }
    };
    disks.iter().map(row).collect()
}

/// The services: what their check says beside what is wanted of them.
#[must_use]
pub fn services(services: &[ServiceStatus], eyes: Eyes) -> Vec<Row> {
    let row = |service: &ServiceStatus| {
        let tone = match (service.desired, service.observed) {
            (Desired::Up, Observed::Up) | (Desired::Down, Observed::Down) => "good",
            (_, Observed::Unknown) => "warn",
            _ => "bad",
        };
        let cells = vec![
            Cell::plain(&service.name),
            Cell::badge(tone, service.observed.label(eyes.lang)).note(service.detail.clone().unwrap_or_default()),
            Cell::plain(service.desired.label(eyes.lang)),
            Cell::plain(eyes.moment(service.checked_at)),
        ];
        Row { class: "", cells }
    };
    services.iter().map(row).collect()
}

/// The latest alarms.
#[must_use]
pub fn alarms(alarms: &[AlarmBrief], eyes: Eyes) -> Vec<Row> {
    let row = |alarm: &AlarmBrief| {
        let open = alarm.cleared_at.is_none();
        let state = match (alarm.cleared_at, alarm.acknowledged) {
            (Some(at), _) => Cell::badge("good", eyes.t("Rientrato", "Ended")).note(eyes.moment(Some(at))),
            (None, true) => Cell::badge("warn", eyes.t("Preso in carico", "Acknowledged")),
            (None, false) => Cell::badge("bad", eyes.t("Attivo", "Active")),
        };
        let cells = vec![
            Cell::plain(eyes.moment(Some(alarm.raised_at))),
            Cell { class: format!("priority p{}", alarm.priority), ..Cell::plain(alarm.priority.to_string()) },
            Cell::plain(&alarm.host),
            Cell { class: if open { "what" } else { "" }.to_owned(), ..Cell::plain(alarm.text.get(eyes.lang)) },
            state,
        ];
        let class = if open { "active" } else { "" };
        Row { class, cells }
    };
    alarms.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EYES: Eyes = Eyes { lang: Lang::It, offset: 0 };

    fn service(name: &str, observed: Observed) -> ServiceStatus {
        let detail = Some("<b>exit 3</b> & more".into());
        ServiceStatus { name: name.into(), desired: Desired::Up, observed, checked_at: None, detail }
    }

    #[test]
    fn what_a_command_said_is_text_and_never_markup() {
        let html = Grid::Services.table(&services(&[service("\"><script>", Observed::Down)], EYES), Lang::It);
        assert!(html.contains("&lt;b&gt;exit 3&lt;/b&gt; &amp; more"), "{html}");
        assert!(!html.contains("<script>") && !html.contains("<b>"));
    }

    #[test]
    fn a_service_is_good_only_as_it_is_wanted() {
        for (observed, tone) in [(Observed::Up, "good"), (Observed::Down, "bad"), (Observed::Unknown, "warn")] {
            let html = Grid::Services.table(&services(&[service("pbx", observed)], EYES), Lang::It);
            assert!(html.contains(&format!("<span class=\"badge {tone}\">")), "{html}");
        }
    }

    #[test]
    fn every_table_says_in_words_that_it_is_empty_and_has_as_many_headings_in_both_languages() {
        for grid in [Grid::Disks, Grid::Services, Grid::Alarms] {
            assert!(grid.table(&[], Lang::En).contains(grid.empty(Lang::En)));
            assert_eq!(grid.heads(Lang::It).len(), grid.heads(Lang::En).len());
        }
    }

    #[test]
    fn a_machine_without_an_address_and_one_that_is_silent_are_told_apart() {
        let node = NodeInfo {
            name: "dr1".into(),
            id: "n".into(),
            role: contract::NodeRole::Client,
            version: "1".into(),
            protocol: 1,
        };
        let drawn = |peer: Option<contract::status::PeerInfo>| {
            let pair = PairInfo { id: None, associated: peer.is_some(), peer, cluster: None };
            Grid::Machines.table(&machines(&node, NodeState::Standby, &pair, EYES), Lang::It)
        };
        assert!(drawn(None).contains("Indirizzo non impostato"));
        let machine = MachineInfo {
            ip: [10, 0, 0, 1].into(),
            port: 5461,
            reachable: false,
            since: Some(Timestamp::UNIX_EPOCH),
            last_seen: None,
            name: None,
            associated: true,
            state: None,
            serves: None,
        };
        let peer = contract::status::PeerInfo {
            name: Some("master1".into()),
            version: None,
            compatible: None,
            machines: vec![machine],
            complaint: None,
        };
        let html = drawn(Some(peer));
        assert!(html.contains("Non risponde") && html.contains("dal 01/01/1970 00:00:00"), "{html}");
        assert!(html.contains("Interrotto"), "{html}");
    }
}
