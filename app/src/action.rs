//! Every form of the panel by name. The words are the audit log's (`contract::Command::action`), so that what a form
//! posts, what the door is told and what the log keeps can be followed with one search.

use contract::{Lang, Role};

/// How the name of a field begins that holds the operator's word about one machine; its address follows.
pub const ATTEST: &str = "attest:";
/// How the name of a field begins that holds the reason why a guard is passed; `RULE@SUBJECT` follows.
pub const OVERRIDE: &str = "override:";
/// How the name of a box begins by which a guard is passed that is met only on the way; `RULE@SUBJECT` follows, and the
/// reason stands in the field of [`OVERRIDE`].
pub const OVERRIDE_TICK: &str = "override_tick:";

/// How the name of a box begins by which a machine is switched off on the way; its address follows.
pub const POWER_OFF: &str = "power_off:";
/// How the name of the field begins in which that is confirmed; the address follows.
pub const POWER_OFF_CONFIRM: &str = "power_off_confirm:";
/// How the name of a field begins that leaves a dataset as the Master has it; the dataset's name follows.
pub const DISCARD: &str = "discard:";

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $role:expr, $it:literal, $en:literal;)*) => {
        /// What a form asks for: the value of its hidden field `action`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action { $($(#[$doc])* $variant,)* }

        impl Action {
            /// Every form there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word in the form.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Below this role its form is not drawn. The door refuses it all the same.
            #[must_use]
            pub const fn role(self) -> Role {
                match self { $(Self::$variant => $role,)* }
            }

            /// What the page says once it is done.
            #[must_use]
            pub const fn done(self, lang: Lang) -> &'static str {
                match self { $(Self::$variant => lang.pick($it, $en),)* }
            }
        }
    };
}

actions! {
    /// Own password.
    PasswordChange, "password.change", Role::Viewer, "Password cambiata.", "Password changed.";
    /// Loads a licence.
    LicenceLoad, "licence.load", Role::Admin, "Licenza caricata.", "Licence loaded.";
    /// Removes it.
    LicenceRemove, "licence.remove", Role::Admin, "Licenza rimossa.", "Licence removed.";
    /// The other machine's address, and on the Client the recipients.
    PeerSet, "peer.set", Role::Admin, "Impostazioni salvate.", "Settings saved.";
    /// Makes a join token.
    PeerToken, "peer.token", Role::Admin, "Codice di associazione creato.", "Join token made.";
    /// Uses one.
    PeerJoin, "peer.join", Role::Admin, "Le due macchine sono associate.", "The two machines are associated.";
    /// Dissolves the association.
    PeerForget, "peer.forget", Role::Admin, "Associazione sciolta.", "Association dissolved.";
    /// Master in a cluster: where its sibling is, and the node IP.
    SiblingSet, "sibling.set", Role::Admin, "Cluster salvato.", "Cluster saved.";
    /// Uses the sibling's token.
    SiblingJoin, "sibling.join", Role::Admin, "Le due macchine del cluster sono associate.", "The two machines of the cluster are associated.";
    /// One machine again.
    SiblingForget, "sibling.forget", Role::Admin, "Il Master è di nuovo una macchina sola.", "The Master is one machine again.";
    /// Declares a dataset.
    DatasetAdd, "dataset.add", Role::Admin, "Dati aggiunti alla replica.", "Dataset added.";
    /// Takes the declaration back.
    DatasetRemove, "dataset.remove", Role::Admin, "Dati tolti dalla replica.", "Dataset removed.";
    /// START of one row.
    SyncStart, "sync.start", Role::Operator, "Replicazione avviata.", "Replication started.";
    /// STOP of one row.
    SyncStop, "sync.stop", Role::Operator, "Replicazione fermata.", "Replication stopped.";
    /// How fast content may travel.
    BandwidthSet, "bandwidth.set", Role::Admin, "Banda salvata.", "Bandwidth saved.";
    /// The forced sync.
    SyncFull, "sync.full", Role::Operator, "Sincronizzazione avviata.", "Sync started.";
    /// The verification.
    SyncVerify, "sync.verify", Role::Operator, "Verifica avviata.", "Verification started.";
    /// Ends the task that runs.
    SyncCancel, "sync.cancel", Role::Operator, "L'operazione viene interrotta.", "The task is being cancelled.";
    /// Limits of one dataset's lag.
    LagLimitSet, "sync.lag_limit.set", Role::Admin, "Limiti del ritardo salvati.", "Limits of the lag saved.";
    /// The general limits again.
    LagLimitReset, "sync.lag_limit.reset", Role::Admin, "Limiti del ritardo ripristinati.", "Limits of the lag restored.";
    /// How many restore points are kept.
    RetentionSet, "sync.retention.set", Role::Admin, "Numero di punti di ripristino salvato.", "Number of restore points saved.";
    /// The pace of the verification that goes on all the time.
    ScrubSet, "sync.scrub.set", Role::Admin, "Durata della verifica continua salvata.", "Pace of the continuous verification saved.";
    /// Takes note of an alarm.
    AlarmAck, "alarm.ack", Role::Operator, "Allarme preso in carico.", "Alarm acknowledged.";
    /// Declares a service, or replaces the one of that name.
    ServiceAdd, "service.add", Role::Admin, "Servizio salvato.", "Service saved.";
    /// Takes the declaration back.
    ServiceRemove, "service.remove", Role::Admin, "Servizio tolto.", "Service removed.";
    /// The button.
    Activate, "activate", Role::Operator, "Attivazione avviata.", "Activation begun.";
    /// The Master takes the service back from a lost DR.
    Takeover, "takeover", Role::Operator, "Ripresa del servizio avviata.", "Take-over begun.";
    /// The other site is lost for good.
    PeerRetire, "peer.retire", Role::Operator, "Dichiarazione di perdita avviata.", "Declaring it lost: begun.";
    /// Roll back.
    Deactivate, "deactivate", Role::Operator, "Rientro sul Master avviato.", "Roll back begun.";
    /// The service goes back together with what was made on the DR.
    Failback, "failback", Role::Operator, "Rientro con i dati avviato.", "Failback begun.";
    /// Stops the services of the DR.
    Suspend, "suspend", Role::Operator, "Sospensione avviata.", "Suspension begun.";
    /// Declares a step of one's own, or replaces the one of that name.
    StepAdd, "step.add", Role::Admin, "Passo salvato.", "Step saved.";
    /// Takes the declaration back.
    StepRemove, "step.remove", Role::Admin, "Passo tolto.", "Step removed.";
    /// Includes a group of them again.
    StepGroupOn, "step.group.on", Role::Admin, "Gruppo incluso.", "Group included.";
    /// Leaves a group of them out.
    StepGroupOff, "step.group.off", Role::Admin, "Gruppo escluso.", "Group left out.";
    /// Moves a group of them past its neighbour, or to the other place.
    StepGroupMove, "step.group.move", Role::Admin, "Gruppo spostato.", "Group moved.";
    /// Moves it past its neighbour.
    StepMove, "step.move", Role::Admin, "Ordine cambiato.", "Order changed.";
    /// Tries what an activation would need.
    Drill, "drill", Role::Operator, "Prova avviata.", "Drill begun.";
    /// Undoes the own steps that an activation, or a take-over, has left behind.
    StepsUndo, "steps.undo", Role::Operator, "Annullamento avviato.", "Undoing begun.";
    /// Says that a person has done what the run waits for, or answers for a step that is stuck.
    RunAck, "run.ack", Role::Operator, "Passo confermato.", "Step acknowledged.";
    /// What was found against the mandate is known and meant to be.
    Settle, "settle", Role::Operator, "Anomalia chiarita.", "Finding settled.";
    /// This member of a site of two has the data with which the site serves.
    GateSame, "gate.same", Role::Operator,
        "Dichiarazione registrata: il consenso viene chiesto di nuovo.", "Statement recorded: the gate asks again.";
    /// Consent to replace a copy that is held.
    SyncAccept, "sync.accept", Role::Operator,
        "Consenso registrato: la copia verrà sostituita al prossimo contatto con il Master.",
        "Consent recorded: the copy is replaced at the next contact with the Master.";
    /// Discards what a failback has replaced.
    PreservedDiscard, "preserved.discard", Role::Admin, "Dati messi da parte eliminati.", "What was put aside was discarded.";
    /// Goes on with a run that is stuck.
    RunResume, "run.resume", Role::Operator, "L'operazione riprende.", "The operation goes on.";
    /// Gives a run up.
    RunAbort, "run.abort", Role::Operator, "L'operazione viene annullata.", "The operation is being aborted.";
    /// Another person approves of the run that waits.
    RunApprove, "run.approve", Role::Operator, "Operazione approvata.", "Run approved.";
    /// Somebody does not.
    RunDecline, "run.decline", Role::Operator, "Operazione non approvata: viene annullata.", "Run not approved: it is being aborted.";
    /// It goes on without the second person.
    RunBypass, "run.bypass", Role::Operator, "L'operazione va avanti senza la seconda persona: allarme inviato.", "The run goes on without the second person: alarm sent.";
    /// Whether grave runs need a second person.
    ApprovalSet, "approval.set", Role::Admin, "Scelta sulla seconda persona salvata.", "Choice about the second person saved.";
    /// What the return gate does in silence.
    GateSet, "gate.set", Role::Admin, "Scelta salvata.", "Choice saved.";
    /// What proves a machine of the other site to be alive.
    LifeSignsSet, "isolation.set", Role::Admin, "Segni di vita salvati.", "Signs of life saved.";
    /// What proves that calls can be made here.
    TelephonySet, "telephony.set", Role::Admin, "Telefonia salvata.", "Telephony saved.";
    /// Takes it back.
    TelephonyClear, "telephony.clear", Role::Admin, "Telefonia tolta.", "Telephony taken back.";
    /// How the power of a machine of the other site is read.
    PowerSet, "power.set", Role::Admin, "Alimentazione salvata.", "Power settings saved.";
    /// Forgets it.
    PowerRemove, "power.remove", Role::Admin, "Alimentazione tolta.", "Power settings removed.";
    /// Reads it now.
    PowerRead, "power.read", Role::Operator, "Lettura eseguita: l'esito è qui sotto.", "Read: the result is below.";
    /// Switches a machine of the other site off, outside of a run.
    PowerOff, "power.off", Role::Operator, "La macchina è spenta.", "The machine is off.";
    /// Switches it on.
    PowerOn, "power.on", Role::Operator, "La macchina è accesa.", "The machine is on.";
    /// Limits.
    ThresholdsSet, "thresholds.set", Role::Admin, "Soglie salvate.", "Thresholds saved.";
    /// The default of one limit.
    ThresholdReset, "threshold.reset", Role::Admin, "Valore predefinito ripristinato.", "Default value restored.";
    /// The mail server.
    SmtpSet, "smtp.set", Role::Admin, "Configurazione SMTP salvata.", "SMTP configuration saved.";
    /// A test mail.
    SmtpTest, "smtp.test", Role::Admin, "Mail di prova inviata.", "Test mail sent.";
    /// An SMS account, new or changed.
    SmsAccountAdd, "sms.account.add", Role::Admin, "Account SMS salvato.", "SMS account saved.";
    /// Removes one.
    SmsAccountRemove, "sms.account.remove", Role::Admin, "Account SMS rimosso.", "SMS account removed.";
    /// The one that is tried first.
    SmsAccountDefault, "sms.account.default", Role::Admin, "Account di default salvato.", "Default account saved.";
    /// A test SMS.
    SmsTest, "sms.test", Role::Admin, "SMS di prova inviato.", "Test SMS sent.";
    /// A new user.
    UserAdd, "user.add", Role::Admin, "Utente creato.", "User added.";
    /// Another user's password.
    UserPassword, "user.password", Role::Admin, "Password impostata.", "Password set.";
    /// Removes a user.
    UserRemove, "user.remove", Role::Admin, "Utente rimosso.", "User removed.";
}

impl Action {
    /// Reads the hidden field.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.as_str() == name)
    }
}
