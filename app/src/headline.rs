//! The state of this machine in one icon and a few words: what the header says on every page.
//!
//! The vendor's icon rules, made readable: red while the replica is off, failing or being made, green when it is up to
//! date; the Master's tick; the unlicensed cross. Colour is never the only carrier: the words always stand beside it.

use contract::Lang;
use contract::licence::LicenceState;
use contract::role::NodeRole;
use contract::run::{RunKind, RunState};
use contract::state::NodeState;
use contract::status::StatusReport;
use contract::sync::DatasetState;
use serde::{Deserialize, Serialize};

/// How good it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tone {
    /// As it should be.
    Good,
    /// To be looked at.
    Warn,
    /// Not protected.
    Bad,
    /// The DR serves: all is well, and nothing is as usual.
    Active,
}

impl Tone {
    /// The class in the style sheet.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Active => "active",
        }
    }
}

/// The drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Icon {
    /// The Master's tick.
    Tick,
    /// The Client's power sign.
    Power,
    /// No licence.
    Cross,
    /// Shut out from the service.
    Barred,
}

/// Icon and words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headline {
    /// The drawing.
    pub icon: Icon,
    /// Its colour.
    pub tone: Tone,
    /// What the machine is doing.
    pub state: String,
    /// What matters most about it now.
    pub detail: String,
}

/// Says in short how the node stands.
#[must_use]
pub fn headline(status: &StatusReport, lang: Lang) -> Headline {
    if let Some(headline) = service(status, lang) {
        return headline;
    }
    let role = status.node.role;
    let (tone, detail) = match licence(status, lang) {
        Some(found) => found,
        None => pair(status, lang).unwrap_or_else(|| replica(status, lang)),
    };
    let missing = !matches!(status.licence.state, LicenceState::Valid | LicenceState::Expired);
    let icon = match role {
        _ if missing => Icon::Cross,
        NodeRole::Master => Icon::Tick,
        NodeRole::Client => Icon::Power,
    };
    Headline { icon, tone, state: status.state.label(lang).to_owned(), detail: detail.to_owned() }
}

/// Who serves outweighs licence, pair and replica wherever it is not as on any other day.
fn service(status: &StatusReport, lang: Lang) -> Option<Headline> {
    let found = status.mandate.as_ref().is_some_and(|mandate| !mandate.findings.is_empty());
    let stuck = status.open_run().is_some_and(|run| run.state == RunState::Stuck && run.kind != RunKind::Drill);
    let (icon, tone, detail) = match status.state {
        NodeState::Active if status.is_suspended() => {
            (Icon::Power, Tone::Bad, lang.pick("sospeso: nessuno serve", "suspended: nobody serves"))
        }
        NodeState::Active => (Icon::Power, Tone::Active, lang.pick("nessuna ridondanza", "no redundancy")),
        NodeState::Activating => {
            (Icon::Power, Tone::Active, lang.pick("i servizi si avviano", "the services are being started"))
        }
        NodeState::HandingBack => {
            (Icon::Power, Tone::Active, lang.pick("il servizio torna al Master", "the service goes back to the Master"))
        }
        _ if status.declared_lost().is_some() => (Icon::Barred, Tone::Bad, lang.pick("servizi fermi", "services down")),
        NodeState::Fenced | NodeState::Receiving | NodeState::Recovering => {
            (Icon::Barred, Tone::Active, lang.pick("servizi fermi", "services down"))
        }
        NodeState::Held => (Icon::Barred, Tone::Bad, lang.pick("servizi fermi", "services down")),
        NodeState::Unverified => {
            (Icon::Tick, Tone::Warn, lang.pick("l'altra sede non ha confermato", "the other site did not confirm"))
        }
        NodeState::Standby | NodeState::Serving => (Icon::Barred, Tone::Bad, ""),
    };
    let (tone, detail) = match (found, stuck) {
        (true, _) => (Tone::Bad, lang.pick("mandato da verificare", "check the mandate")),
        (_, true) => (Tone::Bad, lang.pick("operazione bloccata", "an operation is stuck")),
        _ if detail.is_empty() => return None,
        _ => (tone, detail),
    };
    let state = match status.state {
        _ if status.declared_lost().is_some() => lang.pick("DICHIARATA PERDUTA", "DECLARED LOST"),
        NodeState::Fenced => lang.pick("ESCLUSO – il DR è attivo", "FENCED – the DR is active"),
        state => state.label(lang),
    };
    Some(Headline { icon, tone, state: state.to_owned(), detail: detail.to_owned() })
}

fn licence(status: &StatusReport, lang: Lang) -> Option<(Tone, &'static str)> {
    match status.licence.state {
        LicenceState::Valid => None,
        LicenceState::Missing => Some((Tone::Bad, lang.pick("licenza assente", "no licence"))),
        LicenceState::Invalid => Some((Tone::Bad, lang.pick("licenza non valida", "licence invalid"))),
        LicenceState::Expired => Some((Tone::Warn, lang.pick("licenza scaduta", "licence expired"))),
    }
}

fn pair(status: &StatusReport, lang: Lang) -> Option<(Tone, &'static str)> {
    if !status.pair.associated {
        // The Master serves all the same; the Client has nothing to protect with.
        let tone = if status.node.role == NodeRole::Master { Tone::Warn } else { Tone::Bad };
        return Some((tone, lang.pick("non associato", "not associated")));
    }
    let peer = status.pair.peer.as_ref()?;
    if peer.compatible == Some(false) {
        return Some((Tone::Bad, lang.pick("versioni non compatibili", "versions do not fit")));
    }
    if peer.complaint.is_some() {
        return Some((Tone::Bad, lang.pick("associazione da verificare", "check the association")));
    }
    if peer.machines.iter().any(|machine| machine.reachable) {
        return None;
    }
    Some(match status.node.role {
        NodeRole::Master => (Tone::Warn, lang.pick("DR Client non raggiungibile", "DR Client unreachable")),
        NodeRole::Client => (Tone::Bad, lang.pick("Master non raggiungibile", "Master unreachable")),
    })
}

fn replica(status: &StatusReport, lang: Lang) -> (Tone, &'static str) {
    let any = |state: DatasetState| status.datasets.iter().any(|dataset| dataset.state == state);
    if status.datasets.is_empty() {
        return (Tone::Warn, lang.pick("nessun dato da replicare", "nothing to replicate"));
    }
    if status.node.role == NodeRole::Client && !(status.sync.database.is_on() && status.sync.files.is_on()) {
        return (Tone::Bad, lang.pick("replica ferma", "replication stopped"));
    }
    if any(DatasetState::Failed) {
        (Tone::Bad, lang.pick("replica in errore", "replication failing"))
    } else if any(DatasetState::Unseeded) {
        (Tone::Bad, lang.pick("prima copia da completare", "first copy not complete"))
    } else if any(DatasetState::Stopped) {
        (Tone::Bad, lang.pick("replica ferma", "replication stopped"))
    } else if any(DatasetState::Behind) {
        (Tone::Warn, lang.pick("replica in ritardo", "replica behind"))
    } else if any(DatasetState::Copying) {
        (Tone::Good, lang.pick("replica in aggiornamento", "replica being updated"))
    } else {
        (Tone::Good, lang.pick("replica aggiornata", "replica up to date"))
    }
}
