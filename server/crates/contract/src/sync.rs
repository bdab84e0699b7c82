//! `tvox-dr sync status` and the page Replicazione: how each replica stands, in numbers.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::dataset::{DatasetClass, DatasetKind, Group};
use crate::lang::Lang;
use crate::last_written::LastWritten;
use crate::retention::Retention;
use crate::role::NodeRole;

/// How long a STOP that ends by itself may last, in seconds.
pub const PAUSE_RANGE: std::ops::RangeInclusive<u32> = 1..=30 * 86_400;

/// ON or OFF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// Replication of the group runs.
    On,
    /// It was stopped by somebody.
    Off,
}

impl Switch {
    /// `On` for true.
    #[must_use]
    pub const fn from_bool(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }

    /// True for `On`.
    #[must_use]
    pub const fn is_on(self) -> bool {
        matches!(self, Self::On)
    }
}

/// How the replica of one dataset stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatasetState {
    /// No complete generation yet.
    Unseeded,
    /// A transfer is under way.
    Copying,
    /// Nothing newer is known on the Master.
    Current,
    /// The Master has something newer, or has not been heard for longer than the limit.
    Behind,
    /// Its switch is off.
    Stopped,
    /// The last attempt failed; it is tried again.
    Failed,
}

impl DatasetState {
    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unseeded => "unseeded",
            Self::Copying => "copying",
            Self::Current => "current",
            Self::Behind => "behind",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Unseeded => lang.pick("Mai copiato", "Never copied"),
            Self::Copying => lang.pick("Copia in corso", "Copying"),
            Self::Current => lang.pick("Aggiornato", "Up to date"),
            Self::Behind => lang.pick("In ritardo", "Behind"),
            Self::Stopped => lang.pick("Fermo", "Stopped"),
            Self::Failed => lang.pick("Errore", "Failed"),
        }
    }
}

/// `tvox-dr sync status --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SyncReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// The highest generation: committed (Client) or captured (Master); `null` before the first.
    pub generation: Option<u64>,
    /// Every dataset.
    pub datasets: Vec<DatasetReport>,
    /// Complete sets that can be gone back to, newest first.
    pub restore_points: Vec<RestorePointInfo>,
    /// What stays out, and why.
    pub not_replicated: Vec<NotReplicated>,
}

/// One dataset in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetReport {
    /// Its name.
    pub name: String,
    /// How it is captured.
    pub kind: DatasetKind,
    /// What it is to the service.
    pub class: DatasetClass,
    /// The row of the page.
    pub group: Group,
    /// The switch of that row.
    pub switch: Switch,
    /// When a row that was stopped for a time starts again by itself, by the Client's clock.
    pub switch_until: Option<Timestamp>,
    /// How the replica stands.
    pub state: DatasetState,
    /// The path on the Master.
    pub source: String,
    /// The path on the Client where the replica is read.
    pub target: String,
    /// The directory of the generation now read there; `null` before the first and on the Master.
    pub path: Option<String>,
    /// The last complete generation.
    pub generation: Option<u64>,
    /// What that generation holds, as an id; a consent names it.
    pub content: Option<String>,
    /// Whether it is held: the Master does not know this content, and replaces it only with an operator's consent.
    pub held: bool,
    /// Until when the replica is known to equal the Master, by the Master's clock.
    pub captured_at: Option<Timestamp>,
    /// How far the replica is behind, in seconds.
    pub lag_seconds: Option<f64>,
    /// Its limit.
    pub lag_limit_seconds: f64,
    /// Files in the last complete generation (Client), or to copy (Master).
    pub files: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
    /// The transfer under way; `null` when none is.
    pub progress: Option<Progress>,
    /// The last error, kept until the next success.
    pub last_error: Option<SyncError>,
    /// What the Master wrote last; `null` while it serves, and where that is not known.
    #[serde(default)]
    pub last_written: Option<LastWritten>,
}

/// How far a transfer is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Files done.
    pub files_done: u64,
    /// Files to do; `null` while they are still being counted.
    pub files_total: Option<u64>,
    /// Bytes done.
    pub bytes_done: u64,
    /// Bytes to do, likewise.
    pub bytes_total: Option<u64>,
    /// Mean rate since the transfer began.
    pub bytes_per_second: Option<u64>,
    /// What remains at that rate.
    pub remaining_seconds: Option<u64>,
}

impl Progress {
    /// Between 0 and 1, by bytes where there are any, else by files; `None` while nothing is counted.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a fraction for a bar needs no 53 bits")]
    pub fn fraction(&self) -> Option<f64> {
        let part = |done: u64, total: u64| (done as f64 / total as f64).clamp(0.0, 1.0);
        match (self.bytes_total, self.files_total) {
            (Some(bytes), _) if bytes > 0 => Some(part(self.bytes_done, bytes)),
            (_, Some(files)) if files > 0 => Some(part(self.files_done, files)),
            (Some(_), Some(_)) => Some(1.0),
            _ => None,
        }
    }
}

/// Why a sync failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncError {
    /// A stable word, as the engine names it: `source_missing`, `disk_full`, …
    pub code: String,
    /// The fact, in the machine's words.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

/// What to do about a sync error, in the reader's language. Unknown codes get a general sentence.
#[must_use]
pub fn error_sentence(code: &str, lang: Lang) -> &'static str {
    let (it, en) = match code {
        "source_missing" => (
            "La sorgente non esiste sul Master, oppure il suo disco non è montato. La copia precedente resta intatta.",
            "The source does not exist on the Master, or its disk is not mounted. The previous copy stays intact.",
        ),
        "source_unreadable" => (
            "Il Master non riesce a leggere una parte della sorgente: controllare i permessi.",
            "The Master cannot read a part of the source: check its permissions.",
        ),
        "not_a_database" => ("La sorgente non è un database SQLite.", "The source is not a SQLite database."),
        "database_corrupt" => (
            "Il database sul Master è danneggiato: la copia precedente resta quella buona. Riparare il database.",
            "The database on the Master is damaged: the previous copy stays the good one. Repair the database.",
        ),
        "database_busy" => (
            "Un programma sul Master tiene bloccato il database, oppure una transazione interrotta attende che il suo programma lo riapra. La copia precedente resta quella buona; si riprova da soli.",
            "A program on the Master keeps the database locked, or a transaction that was cut off waits for its program to open it again. The previous copy stays the good one; it is tried again by itself.",
        ),
        "disk_full" => (
            "Spazio insufficiente sul DR Client: liberare spazio. La copia riprende da dove era arrivata.",
            "Not enough space on the DR Client: free some. The copy goes on from where it was.",
        ),
        "attribute_unheld" => (
            "Il file system del DR Client non può contenere un attributo esteso o una ACL che un file del Master ha: usare per la replica un file system che li supporti (ext4, XFS), oppure togliere l'attributo. La copia precedente resta quella buona.",
            "The file system of the DR Client cannot hold an extended attribute or ACL that a file on the Master has: use a file system that supports them for the replica (ext4, XFS), or remove the attribute. The previous copy stays the good one.",
        ),
        "target_occupied" => (
            "Al percorso di destinazione c'è già qualcosa che tvox-dr non ha creato: spostarlo, oppure scegliere un'altra destinazione.",
            "At the target there is something that tvox-dr did not make: move it away, or choose another target.",
        ),
        "peer_protocol" | "hash_mismatch" => (
            "L'altra macchina ha inviato dati non corretti, che sono stati rifiutati. Si riprova da soli.",
            "The other machine sent wrong data, which was refused. It is tried again by itself.",
        ),
        "connection_lost" => (
            "Il collegamento con il Master si è interrotto. La copia riprende da dove era arrivata.",
            "The link to the Master was cut. The copy goes on from where it was.",
        ),
        "generation_not_newer" => (
            "Il Master offre dati più vecchi di quelli già copiati: è stato sostituito, o ripristinato da un backup? La copia resta intatta. Se i dati del Master sono quelli giusti, acconsentire in questa pagina.",
            "The Master offers data that is older than what was copied already: was it replaced, or restored from a backup? The copy stays intact. If the Master's data is the right one, consent on this page.",
        ),
        "sync.not_holder" => (
            "Il DR è attivo: la replicazione dal Master riprende dopo il rientro.",
            "The DR is active: the replication from the Master goes on after the roll back.",
        ),
        "sync.content_unknown" => (
            "La copia non proviene da questo Master, o è più recente di ciò che il Master ricorda: non viene sovrascritta. Se il Master è stato ripristinato o sostituito, la copia buona può essere questa. Se i dati del Master sono quelli giusti, acconsentire in questa pagina.",
            "The copy does not come from this Master, or is newer than what the Master remembers: it is not overwritten. If the Master was restored or replaced, the good copy may be this one. If the Master's data is the right one, consent on this page.",
        ),
        "mandate.finding" => (
            "I mandati delle due sedi non sono conciliabili: la replicazione è chiusa finché un operatore non decide quale macchina serve.",
            "The mandates of the two sites do not fit together: replication is closed until an operator decides which machine serves.",
        ),
        "store_damaged" => (
            "La replica su disco è danneggiata: avviare la sincronizzazione forzata, che la risana.",
            "The replica on disk is damaged: start the forced sync, which heals it.",
        ),
        _ => {
            ("La sincronizzazione non è riuscita. Si riprova da soli.", "The sync failed. It is tried again by itself.")
        }
    };
    lang.pick(it, en)
}

/// One complete set of all datasets, in short; [`RestorePoint`] is the whole of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestorePointInfo {
    /// Its id.
    pub id: String,
    /// Its generation.
    pub generation: u64,
    /// When it was captured, by the Master's clock.
    pub captured_at: Timestamp,
    /// What it holds, in bytes.
    pub bytes: u64,
}

/// Something that stays out of the replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotReplicated {
    /// The dataset; `null` for the whole machine.
    pub dataset: Option<String>,
    /// The path or pattern.
    pub path: String,
    /// Why: `excluded`, `socket`, `device`, `own_data`, `machines_own`; `owner` for an account (`user NAME`, `group NAME`)
    /// that has no such name on this machine; `database` for a SQLite database that is copied as a plain file,
    /// because nobody has declared it: its copy may be torn.
    pub reason: String,
}

/// A set of all datasets that can be gone back to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestorePoint {
    /// Its id, for `--point`.
    pub id: String,
    /// Where its data was made: `master`, or `client` for what an active DR left when it handed back.
    pub made_on: NodeRole,
    /// Its generation: the highest of its datasets.
    pub generation: u64,
    /// When it was captured, by the Master's clock.
    pub captured_at: Timestamp,
    /// How long ago that was, by the Master's clock; `null` where it was not asked for.
    pub age_seconds: Option<f64>,
    /// What it holds, in bytes; what does not change is shared with other points.
    pub bytes: u64,
    /// Kept whatever the policy says.
    pub pinned: bool,
    /// The vector: where each dataset stands in it.
    pub datasets: Vec<PointPart>,
    /// What its last verification came to; `null` when it was never verified.
    pub checked: Option<PointCheck>,
}

impl RestorePoint {
    /// Where a dataset stands in it.
    #[must_use]
    pub fn part(&self, dataset: &str) -> Option<&PointPart> {
        self.datasets.iter().find(|part| part.dataset == dataset)
    }

    /// Its datasets of which something on this disk is known not to be what it was.
    pub fn damaged(&self) -> impl Iterator<Item = &PointPart> {
        self.datasets.iter().filter(|part| part.damaged.is_some_and(|damaged| damaged > 0))
    }

    /// Adds one dataset.
    pub fn add(&mut self, part: PointPart) {
        self.bytes += part.bytes;
        self.generation = self.generation.max(part.generation);
        self.captured_at = self.captured_at.max(part.captured_at);
        self.datasets.push(part);
    }
}

/// One dataset of a restore point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointPart {
    /// The dataset.
    pub dataset: String,
    /// Its generation.
    pub generation: u64,
    /// When that was captured, by the Master's clock.
    pub captured_at: Timestamp,
    /// Names of regular files; `null` where they were not counted.
    pub files: Option<u64>,
    /// Bytes of content.
    pub bytes: u64,
    /// How much of it was not what it was when it was last read again; `null` when nobody has.
    #[serde(default)]
    pub damaged: Option<u64>,
    /// Why this is not where the dataset stood then, but the oldest that is here; `null` where it is.
    #[serde(default)]
    pub missing: Option<Missing>,
}

/// Why a dataset has nothing of the time of a restore point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// It was not replicated yet.
    NotYet,
    /// What it had then is not kept any more.
    NotKept,
}

impl Missing {
    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::NotYet => lang.pick(
                "non ancora replicato allora: vale la copia più vecchia",
                "not yet replicated then: the oldest copy counts",
            ),
            Self::NotKept => lang.pick(
                "la copia di allora non è più conservata: vale la più vecchia",
                "its copy of then is not kept any more: the oldest counts",
            ),
        }
    }
}

/// What a verification of a restore point came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointCheck {
    /// When.
    pub at: Timestamp,
    /// How much differs from what was committed; 0 when it is as it was.
    pub differences: u64,
}

/// `tvox-dr sync points --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointsReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// How many are kept.
    pub retention: Retention,
    /// What an active DR left first, then newest first.
    pub points: Vec<RestorePoint>,
}
