//! The tables of *Monitor di sistema* as plain rows of cells: the server fills them from the report, the browser from the
//! live picture, and one island draws them all.

use contract::alarm_list::AlarmBrief;
use contract::live::Live;
use contract::monitor::DiskInfo;
use contract::service::{Desired, Observed, ServiceStatus};
use contract::state::NodeState;
use contract::status::{MachineInfo, NodeInfo, PairInfo};
use contract::{Lang, Timestamp};
use serde::{Deserialize, Serialize};

use crate::format;

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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its class in the style sheet; may be empty.
    pub class: String,
    /// In the order of the headings.
    pub cells: Vec<Cell>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Cell {
    /// What it says.
    pub text: String,
    /// What is said below, less loudly; may be empty.
    pub note: String,
    /// The class of what it says; may be empty.
    pub class: String,
    /// A bar under the text, from 0 to 1.
    pub bar: Option<f64>,
}

impl Cell {
    fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    fn badge(tone: &str, text: impl Into<String>) -> Self {
        Self { text: text.into(), class: format!("badge {tone}"), ..Self::default() }
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

    /// The rows of the live picture.
    #[must_use]
    pub fn rows(self, live: &Live, eyes: Eyes) -> Vec<Row> {
        let status = &live.status;
        match self {
            Self::Machines => machines(&status.node, status.state, &status.pair, eyes),
            Self::Disks => disks(&live.disks, eyes),
            Self::Services => services(&status.services, eyes),
            Self::Alarms => alarms(&live.alarms, eyes),
        }
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
    let mut rows = vec![Row { class: String::new(), cells: own }];
    let other = node.role.other();
    match &pair.peer {
        Some(peer) => rows.extend(peer.machines.iter().map(|machine| {
            let name = peer.name.clone().unwrap_or_else(|| other.label().to_owned());
            let at = contract::address::PeerAddress { ip: machine.ip, port: machine.port };
            let cells = vec![
                Cell::plain(name).note(format!("{}, {at}", other.label())),
                reachability(machine, pair.associated, eyes),
                link(machine, peer.compatible, peer.complaint.is_some(), pair.associated, eyes),
                Cell::plain(eyes.moment(machine.last_seen)),
                Cell::plain(peer.version.as_deref().unwrap_or(NONE)),
            ];
            Row { class: String::new(), cells }
        })),
        None => {
            let missing = eyes.t("Indirizzo non impostato", "Address not set");
            let mut cells = vec![Cell::plain(other.label()), Cell::badge("bad", missing)];
            cells.resize(5, Cell::plain(NONE));
            rows.push(Row { class: String::new(), cells });
        }
    }
    rows
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
        Row { class: String::new(), cells }
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
        Row { class: String::new(), cells }
    };
    services.iter().map(row).collect()
}

/// The latest alarms.
#[must_use]
pub fn alarms(alarms: &[AlarmBrief], eyes: Eyes) -> Vec<Row> {
    let row = |alarm: &AlarmBrief| {
        let state = match (alarm.cleared_at, alarm.acknowledged) {
            (Some(at), _) => Cell::badge("good", eyes.t("Rientrato", "Ended")).note(eyes.moment(Some(at))),
            (None, true) => Cell::badge("warn", eyes.t("Preso in carico", "Acknowledged")),
            (None, false) => Cell::badge("bad", eyes.t("Attivo", "Active")),
        };
        let cells = vec![
            Cell::plain(eyes.moment(Some(alarm.raised_at))),
            Cell { class: format!("priority p{}", alarm.priority), ..Cell::plain(alarm.priority.to_string()) },
            Cell::plain(&alarm.host),
            Cell::plain(alarm.text.get(eyes.lang)),
            state,
        ];
        let class = if alarm.cleared_at.is_none() { "active" } else { "" };
        Row { class: class.to_owned(), cells }
    };
    alarms.iter().map(row).collect()
}
