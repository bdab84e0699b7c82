//! A run: a long operation as an append-only log of steps. A step is done when its postcondition was observed.

mod group;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::approval::Approval;
use crate::isolation::MachineIsolation;
use crate::lang::{Lang, Text};
use crate::preflight::Loss;
use crate::telephony::RunTelephony;

pub use group::GroupReport;

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// The Client takes the service.
    Activation,
    /// The Client gives it back (roll back).
    Deactivation,
    /// The Client stops its services and keeps mandate and data.
    Suspension,
    /// The Client starts its suspended services again.
    Resumption,
    /// The Master takes the service.
    Takeover,
    /// The Client gives it back, and what was made on it travels along.
    Failback,
    /// The Client undoes the own steps of an activation whose service was taken from it otherwise.
    Undo,
    /// Whoever serves declares the machines of the other site lost, and goes on serving.
    Retirement,
    /// The Client tries what an activation would need while the Master serves, and changes nothing.
    Drill,
}

impl RunKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Activation,
        Self::Deactivation,
        Self::Suspension,
        Self::Resumption,
        Self::Takeover,
        Self::Failback,
        Self::Undo,
        Self::Retirement,
        Self::Drill,
    ];

    /// The word in JSON and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Activation => "activation",
            Self::Deactivation => "deactivation",
            Self::Suspension => "suspension",
            Self::Resumption => "resumption",
            Self::Takeover => "takeover",
            Self::Failback => "failback",
            Self::Undo => "undo",
            Self::Retirement => "retirement",
            Self::Drill => "drill",
        }
    }

    /// Whether it moves the service nowhere and starts nothing: it is in the way of no other run.
    #[must_use]
    pub const fn stands_aside(self) -> bool {
        matches!(self, Self::Undo | Self::Drill)
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Activation => lang.pick("Attivazione del DR", "Activation of the DR"),
            Self::Deactivation => lang.pick("Rientro sul Master", "Roll back to the Master"),
            Self::Suspension => lang.pick("Sospensione del DR", "Suspension of the DR"),
            Self::Resumption => lang.pick("Ripresa del DR sospeso", "Resumption of the suspended DR"),
            Self::Takeover => lang.pick("Ripresa da parte del Master", "Take-over by the Master"),
            Self::Failback => lang.pick("Rientro sul Master con i dati del DR", "Failback with the data of the DR"),
            Self::Undo => lang.pick("Annullamento dei passi propri", "Undoing of the own steps"),
            Self::Retirement => lang.pick("Dichiarazione di perdita dell'altra sede", "Declaring the other site lost"),
            Self::Drill => lang.pick("Prova di attivazione", "Activation drill"),
        }
    }
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// A step is at work.
    Running,
    /// A step did not come to its end: somebody must look.
    Stuck,
    /// Every step is done.
    Done,
    /// It was given up, and what it had done was undone.
    Aborted,
}

impl RunState {
    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stuck => "stuck",
            Self::Done => "done",
            Self::Aborted => "aborted",
        }
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Aborted)
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Running => lang.pick("In corso", "Running"),
            Self::Stuck => lang.pick("Bloccata: serve un operatore", "Stuck: an operator is needed"),
            Self::Done => lang.pick("Conclusa", "Done"),
            Self::Aborted => lang.pick("Annullata", "Aborted"),
        }
    }
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// Its turn has not come.
    Waiting,
    /// At work.
    Running,
    /// Its postcondition was observed.
    Done,
    /// It went wrong, or its end could not be observed in time.
    Failed,
    /// It was done and then undone.
    Undone,
}

impl StepState {
    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Waiting => lang.pick("Da fare", "To do"),
            Self::Running => lang.pick("In corso", "Running"),
            Self::Done => lang.pick("Fatto", "Done"),
            Self::Failed => lang.pick("Non riuscito", "Failed"),
            Self::Undone => lang.pick("Annullato", "Undone"),
        }
    }
}

/// What a step is called, from its id.
#[must_use]
pub fn step_label(id: &str, lang: Lang) -> String {
    let (verb, name) = id.split_once(':').map_or((id, ""), |(verb, name)| (verb, name));
    let words = match verb {
        "approval" => lang.pick("Attendere l'approvazione di un'altra persona", "Wait for another person's approval"),
        "close_inbound" => lang.pick("Chiudere la replicazione in arrivo", "Close the inbound sync"),
        "point" => lang.pick("Rileggere il punto di ripristino scelto", "Read the chosen restore point again"),
        "power_off" => lang.pick("Spegnere la macchina", "Switch off the machine"),
        "evidence" => lang.pick("Verificare l'isolamento dell'altra sede", "Check the isolation of the other site"),
        "mandate" => lang.pick("Scrivere il mandato", "Write the mandate"),
        "put_back" => lang.pick(
            "Rimettere i dati di questa macchina al loro posto",
            "Put the data of this machine back in its place",
        ),
        "freeze" => lang.pick("Rendere scrivibile la copia dei dati", "Make the copy of the data writable"),
        "start" => lang.pick("Avviare il servizio", "Start the service"),
        "stop" => lang.pick("Fermare il servizio", "Stop the service"),
        "verify" => lang.pick("Verificare i servizi", "Verify the services"),
        "telephony" => lang.pick("Provare la telefonia", "Prove the telephony"),
        "ledger" => lang.pick("Elencare ciò che è stato creato sul DR", "List what was made on the DR"),
        "suspend" => lang.pick("Annotare la sospensione", "Note the suspension"),
        "resume" => lang.pick("Togliere la sospensione", "End the suspension"),
        "receive" => lang.pick("Preparare il Master a ricevere", "Prepare the Master to receive"),
        "bring" => {
            lang.pick("Copiare i dati verso il Master, DR in servizio", "Copy the data home while the DR serves")
        }
        "last_delta" => lang.pick("Copiare le ultime modifiche, servizi fermi", "Copy the last changes, services down"),
        "compare" => lang.pick("Confrontare le due copie", "Compare the two copies"),
        "home" => lang.pick("Mettere i dati al loro posto sul Master", "Put the data in its place on the Master"),
        "served" => lang.pick("Attendere che il Master sia in servizio", "Wait until the Master serves"),
        "stable" => lang.pick("Osservare il Master in servizio", "Watch the Master serve"),
        "preserve" => lang.pick("Conservare i dati del DR", "Preserve the data of the DR"),
        "drill_copy" => lang.pick(
            "Copiare e controllare i dati come a un'attivazione",
            "Copy and check the data as an activation would",
        ),
        "drill_clear" => lang.pick("Togliere la copia di prova", "Remove the copy of the drill"),
        "drill_ready" => lang.pick("Verificare i requisiti dell'attivazione", "Check what an activation needs"),
        "own" => lang.pick("Passo proprio", "Own step"),
        "revert" => lang.pick("Annullare il passo proprio", "Undo the own step"),
        _ => verb,
    };
    if name.is_empty() { words.to_owned() } else { format!("{words} {name}") }
}

/// `run` in the status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunBrief {
    /// Its id.
    pub id: String,
    /// What it does.
    pub kind: RunKind,
    /// How it stands.
    pub state: RunState,
    /// The step it stands at; `null` when it is over.
    pub step: Option<String>,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Its id, unique in the run.
    pub id: String,
    /// The group of own steps in which it stands.
    #[serde(default)]
    pub group: Option<String>,
    /// How it stands.
    pub state: StepState,
    /// How often it was begun.
    pub attempts: u32,
    /// When it was first begun.
    pub started_at: Option<Timestamp>,
    /// When it was last ended.
    pub ended_at: Option<Timestamp>,
    /// Seconds from the one to the other; `null` while it goes on.
    #[serde(default)]
    pub duration_seconds: Option<f64>,
    /// The last words of what it did.
    pub output: String,
    /// What to do about it, where somebody must.
    pub remedy: Option<Text>,
    /// What a person is asked to do, while the run waits for it.
    #[serde(default)]
    pub ask: Option<Text>,
    /// Whether `run ack` would be obeyed: it waits for a person, or is stuck and can be passed.
    #[serde(default)]
    pub can_ack: bool,
}

/// `tvox-dr run show --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// Its id.
    pub id: String,
    /// What it does.
    pub kind: RunKind,
    /// How it stands.
    pub state: RunState,
    /// The step it stands at; `null` when it is over.
    pub step: Option<String>,
    /// Who pressed the button, and from where.
    pub started_by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub started_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// The epoch of the mandate that it wrote.
    pub epoch: Option<u64>,
    /// Whether `run abort` would still be obeyed.
    pub can_abort: bool,
    /// Whether it waits for a return gate that silence does not open: nothing that is said to the run moves it.
    #[serde(default)]
    pub at_gate: bool,
    /// The machines of the other site, as they were found.
    pub isolation: Vec<MachineIsolation>,
    /// The restore point that was chosen; `null` for the newest there was, and where there is no choice.
    #[serde(default)]
    pub point: Option<String>,
    /// What was lost, per dataset: the measured RPO.
    pub loss: Vec<Loss>,
    /// From the press to the verified services, in seconds: the measured RTO. `null` until then.
    pub rto_seconds: Option<f64>,
    /// From the press to the first phone that registered, in seconds; `null` until then.
    #[serde(default)]
    pub first_phone_rto_seconds: Option<f64>,
    /// What was found out of the telephony; `null` where nothing is set, or the run brings no service.
    #[serde(default)]
    pub telephony: Option<RunTelephony>,
    /// What was made on the DR, where the run gave the service back.
    pub ledger: Option<Ledger>,
    /// The second person; `null` where none was needed.
    #[serde(default)]
    pub approval: Option<Approval>,
    /// The groups of own steps, in the order of the run.
    #[serde(default)]
    pub groups: Vec<GroupReport>,
    /// Every step.
    pub steps: Vec<StepReport>,
}

/// `tvox-dr run list --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunsReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// Newest first.
    pub runs: Vec<RunEntry>,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEntry {
    /// Its id, kind, state and step.
    #[serde(flatten)]
    pub brief: RunBrief,
    /// Who pressed the button.
    pub started_by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub started_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
}

/// What was made on the DR while it served.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// By name; only those in which something was made.
    pub datasets: Vec<DatasetLedger>,
}

/// One dataset of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DatasetLedger {
    /// Its name.
    pub dataset: String,
    /// Files that are new.
    pub added: u64,
    /// Files that are other than they were.
    pub changed: u64,
    /// Files that are gone.
    pub removed: u64,
    /// Bytes of the new and the changed ones.
    pub bytes: u64,
    /// Rows, table by table, where it is a database.
    pub tables: Vec<TableLedger>,
    /// The first of the paths, with a leading `+`, `~` or `-`.
    pub paths: Vec<String>,
}

/// Rows of one table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TableLedger {
    /// Its name.
    pub table: String,
    /// New rows.
    pub added: u64,
    /// Rows that are other than they were.
    pub changed: u64,
    /// Rows that are gone.
    pub removed: u64,
}
