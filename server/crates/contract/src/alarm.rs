//! The catalogue of alarms: code, clear code, priority, and what a person is told, in both languages. One open alarm per
//! cause: a cause is a code and its subject.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::lang::{Lang, Text};
use crate::recipient::Channel;

macro_rules! catalogue {
    ($($(#[$doc:meta])* $variant:ident = $code:literal / $clear:literal, $priority:literal,
        $it:literal, $en:literal, $back_it:literal, $back_en:literal, $do_it:literal, $do_en:literal;)*) => {
        /// What an alarm is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum AlarmKind { $($(#[$doc])* #[serde(rename = $code)] $variant,)* }

        impl AlarmKind {
            /// The whole catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code in JSON, messages and pages.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The code of its end (*Allarme Rientro*).
            #[must_use]
            pub const fn clear_code(self) -> &'static str {
                match self { $(Self::$variant => $clear,)* }
            }

            /// 1 to 6, 6 is the highest.
            #[must_use]
            pub const fn priority(self) -> u8 {
                match self { $(Self::$variant => $priority,)* }
            }

            const fn raised(self) -> (&'static str, &'static str) {
                match self { $(Self::$variant => ($it, $en),)* }
            }

            const fn cleared(self) -> (&'static str, &'static str) {
                match self { $(Self::$variant => ($back_it, $back_en),)* }
            }

            const fn to_do(self) -> (&'static str, &'static str) {
                match self { $(Self::$variant => ($do_it, $do_en),)* }
            }
        }
    };
}

// `{s}` is the subject, `{d}` the deciding fact. No accents in what an SMS may carry are needed: the gateway encodes.
catalogue! {
    /// Client: the Master does not answer on the peer link.
    MasterUnreachable = "dr.master.unreachable" / "dr.master.reachable", 6,
        "Il Master {s} non risponde", "The Master {s} does not answer",
        "Il Master {s} risponde di nuovo", "The Master {s} answers again",
        "Verificare se il Master è acceso e se il collegamento fra le sedi funziona. Non raggiungibile non significa spento: non attivare il DR prima di averlo isolato e spento.",
        "Find out whether the Master is on and the link between the sites works. Unreachable does not mean off: do not activate the DR before the Master is isolated and powered off.";
    /// Master: the DR Client does not answer.
    ClientUnreachable = "dr.client.unreachable" / "dr.client.reachable", 5,
        "Il DR Client {s} non risponde: non c'è ridondanza", "The DR Client {s} does not answer: there is no redundancy",
        "Il DR Client {s} risponde di nuovo", "The DR Client {s} answers again",
        "Verificare se il DR Client è acceso e se il collegamento fra le sedi funziona. Finché questa macchina è in servizio, la telefonia non è toccata.",
        "Find out whether the DR Client is on and the link between the sites works. As long as this machine serves, the telephone service is not affected.";
    /// Member of a cluster: the other member does not answer.
    SiblingUnreachable = "dr.sibling.unreachable" / "dr.sibling.reachable", 5,
        "L'altra macchina del cluster, {s}, non risponde", "The other machine of the cluster, {s}, does not answer",
        "L'altra macchina del cluster, {s}, risponde di nuovo", "The other machine of the cluster, {s}, answers again",
        "Verificare se è accesa. Finché non risponde non sa ciò che qui viene replicato: se l'IP di nodo passa a lei, la replicazione può restare in attesa di un consenso.",
        "Find out whether it is on. As long as it does not answer it does not know what is replicated from here: if the node IP moves to it, the replication may wait for a consent.";
    /// Member of a cluster: what was made on the DR went to the other member, and this one has not the same yet.
    MemberStale = "dr.member.stale" / "dr.member.current", 4,
        "La macchina del cluster {s} non ha i dati tornati dal DR e non serve", "The machine {s} of the cluster has not the data that came home from the DR and does not serve",
        "La macchina del cluster {s} ha gli stessi dati dell'altra", "The machine {s} of the cluster has the same data as the other one",
        "Lasciare che il cluster la allinei, o copiarvi i dati dall'altra macchina: il confronto si ripete da solo. Se li ha già e il confronto non può riuscire (disco montato solo sull'altra, o sempre scritto), dichiararlo sul suo pannello: pagina Attivazione, o tvox-dr gate same. Fino ad allora l'IP di nodo non può passare a lei.",
        "Let the cluster bring it in line, or copy the data there from the other machine: they are compared again and again. If it has them already and comparing cannot succeed (the disk is mounted on the other one only, or is always written to), state it on its panel: page Activation, or tvox-dr gate same. Until then the node IP cannot move to it.";
    /// Client: nothing is replicated, because somebody stopped it or because it fails.
    SyncStopped = "dr.sync.stopped" / "dr.sync.running", 5,
        "La replicazione di {s} è ferma: {d}", "The replication of {s} has stopped: {d}",
        "La replicazione di {s} funziona di nuovo", "The replication of {s} runs again",
        "Aprire la pagina Replicazione del DR Client: se è OFF premere START, altrimenti leggere l'errore.",
        "Open the Replicazione page of the DR Client: press START if it is OFF, else read the error.";
    /// Client: the replica is behind by more than the soft limit.
    LagWarning = "dr.lag.warning" / "dr.lag.recovered", 3,
        "La replica di {s} è in ritardo di {d}", "The replica of {s} is {d} behind",
        "La replica di {s} ha recuperato il ritardo", "The replica of {s} has caught up",
        "Seguire il ritardo nella pagina Monitor di sistema: se cresce, controllare il collegamento fra le sedi.",
        "Watch the lag on the Monitor di sistema page: if it grows, check the link between the sites.";
    /// Client: the replica is behind by more than the hard limit.
    LagExceeded = "dr.lag.exceeded" / "dr.lag.normal", 5,
        "La replica di {s} è in ritardo di {d}, oltre il limite", "The replica of {s} is {d} behind, beyond the limit",
        "La replica di {s} è di nuovo entro il limite", "The replica of {s} is within the limit again",
        "Un'attivazione adesso perderebbe i dati del ritardo. Controllare il collegamento fra le sedi e gli errori nella pagina Replicazione.",
        "An activation now would lose the data of that time. Check the link between the sites and the errors on the Replicazione page.";
    /// Client: the replica's own disk has changed what was copied.
    ReplicaDamaged = "dr.replica.damaged" / "dr.replica.healed", 5,
        "La replica di {s} si è danneggiata sul disco del DR: {d}", "The replica of {s} was damaged on the DR's disk: {d}",
        "La replica di {s} è stata risanata dal Master", "The replica of {s} was healed from the Master",
        "Viene risanata da sola non appena il Master risponde e la replicazione è ON. Controllare lo stato del disco del DR Client: ciò che ha alterato un file può alterarne altri.",
        "It is healed by itself as soon as the Master answers and the replication is ON. Check the health of the DR Client's disk: what has altered one file may alter others.";
    /// The disk that holds the data directory is nearly full.
    DiskLow = "dr.disk.low" / "dr.disk.normal", 4,
        "Spazio su disco quasi esaurito su {s}: {d} libero", "Disk nearly full on {s}: {d} free",
        "Spazio su disco di nuovo sufficiente su {s}", "Enough disk space again on {s}",
        "Liberare spazio: quando finisce, la replicazione si ferma sull'ultima copia completa.",
        "Free some space: when there is none, the replication stops at the last complete copy.";
    /// The licence ends soon.
    LicenceExpiring = "dr.licence.expiring" / "dr.licence.renewed", 2,
        "La licenza {s} scade il {d}", "The licence {s} expires on {d}",
        "La licenza {s} non è più in scadenza", "The licence {s} is no longer about to expire",
        "Chiedere al fornitore una licenza nuova e caricarla nella pagina Licenza.",
        "Ask the supplier for a new licence and load it on the Licenza page.";
    /// The licence has ended, was removed, or is not valid.
    LicenceExpired = "dr.licence.expired" / "dr.licence.valid", 3,
        "La licenza {s} non è valida: {d}", "The licence {s} is not valid: {d}",
        "La licenza {s} è valida", "The licence {s} is valid",
        "Caricare una licenza valida nella pagina Licenza. La replicazione e l'attivazione continuano a funzionare.",
        "Load a valid licence on the Licenza page. Replication and activation go on working.";
    /// The two machines run versions that do not fit together.
    VersionMismatch = "dr.version.mismatch" / "dr.version.match", 4,
        "Le versioni delle due macchine non sono compatibili: {d}", "The versions of the two machines do not fit together: {d}",
        "Le versioni delle due macchine sono di nuovo compatibili", "The versions of the two machines fit together again",
        "Portare tvox-dr alla stessa versione su entrambe le macchine: fino ad allora nulla viene replicato.",
        "Bring tvox-dr to the same version on both machines: until then nothing is replicated.";
    /// Client: it holds the mandate and serves.
    Active = "dr.active" / "dr.inactive", 4,
        "DR ATTIVO: il servizio telefonico è su {s}", "DR ACTIVE: the telephone service is on {s}",
        "Il DR {s} non è più attivo", "The DR {s} is no longer active",
        "Finché il DR è attivo non c'è ridondanza. Riparare il Master, poi eseguire il rientro dalla pagina Attivazione del DR Client.",
        "While the DR is active there is no redundancy. Repair the Master, then roll back on the Attivazione page of the DR Client.";
    /// Master: another site holds the mandate, its services stay down.
    MasterFenced = "dr.master.fenced" / "dr.master.released", 5,
        "Il Master {s} è escluso dal servizio: il mandato è del DR", "The Master {s} is fenced: the DR holds the mandate",
        "Il Master {s} non è più escluso dal servizio", "The Master {s} is no longer fenced",
        "È corretto finché il DR è attivo: i servizi del Master restano fermi. Per tornare sul Master eseguire il rientro dal DR Client.",
        "This is right while the DR is active: the Master's services stay down. To return to the Master, roll back on the DR Client.";
    /// The two sides hold mandates of which neither knows the other, or both serve.
    SplitBrain = "dr.split_brain" / "dr.resolved", 6,
        "SPLIT BRAIN: le due sedi non concordano su chi serve ({s}): {d}", "SPLIT BRAIN: the two sites do not agree on who serves ({s}): {d}",
        "Le due sedi concordano di nuovo su chi serve ({s})", "The two sites agree again on who serves ({s})",
        "La replicazione è chiusa e nulla viene sovrascritto. Decidere quale macchina deve servire, spegnere l'altra, e prendere il servizio sulla prima (Attivazione, oppure takeover sul Master).",
        "Replication is closed and nothing is overwritten. Decide which machine is to serve, power the other off, and take the service on the first (Attivazione, or takeover on the Master).";
    /// A machine was put back to an earlier copy of itself.
    SetBack = "dr.set_back" / "dr.settled", 6,
        "La macchina {s} è stata riportata a una copia precedente", "The machine {s} was put back to an earlier copy of itself",
        "La macchina {s} è di nuovo allineata", "The machine {s} is in line again",
        "La replicazione è chiusa e i servizi non ripartono da soli. Decidere quale macchina deve servire e prendere il servizio lì.",
        "Replication is closed and services do not start by themselves. Decide which machine is to serve and take the service there.";
    /// There are two machines of one identity.
    Cloned = "dr.cloned" / "dr.unique", 6,
        "Esistono due copie della macchina {s}", "There are two copies of the machine {s}",
        "Della macchina {s} risulta una sola copia", "There is only one copy of the machine {s}",
        "La replicazione è chiusa e nulla viene sovrascritto. Spegnere la copia di troppo e fare in modo che non si riaccenda, poi decidere quale macchina deve servire e prendere il servizio lì.",
        "Replication is closed and nothing is overwritten. Power the superfluous copy off and see to it that it stays off, then decide which machine is to serve and take the service there.";
    /// A machine that was declared lost answers again.
    LostReturned = "dr.lost.returned" / "dr.lost.gone", 5,
        "La macchina {s}, dichiarata perduta, è tornata: {d}", "The machine {s}, which was declared lost, is back: {d}",
        "La macchina {s}, dichiarata perduta, non risponde più", "The machine {s}, which was declared lost, does not answer any more",
        "Resta ferma da sola e non riceve dati. Decidere che farne: spegnerla, oppure inizializzarla come nodo nuovo (tvox-dr init) e associarla. I dati che vi si trovano possono essere gli ultimi scritti prima della perdita: metterli al sicuro prima.",
        "It stays down by itself and gets no data. Decide what becomes of it: power it off, or initialise it as a new node (tvox-dr init) and join it. The data on it may be the last that was written before the loss: keep it safe first.";
    /// Whoever holds the mandate does not serve, and no run is under way.
    NobodyServes = "dr.unserved" / "dr.served", 6,
        "NESSUNA MACCHINA IN SERVIZIO: il mandato è di {s}, che non serve", "NO MACHINE SERVES: {s} holds the mandate and does not serve",
        "Il servizio è di nuovo su una macchina (il mandato era di {s})", "A machine serves again (the mandate was held by {s})",
        "Aprire il pannello di {s}: la pagina del consenso al rientro dice che cosa manca. Se {s} deve servire, prendere il servizio lì; altrimenti sull'altra macchina, dopo aver isolato {s}.",
        "Open the panel of {s}: the page of the return gate says what is missing. If {s} is to serve, take the service there; else on the other machine, once {s} is isolated.";
    /// The return gate opened in silence.
    GateUnverified = "dr.gate.unverified" / "dr.gate.verified", 5,
        "{s} è in servizio senza conferma: l'altra macchina non risponde", "{s} serves without confirmation: the other machine does not answer",
        "{s} ha avuto conferma dall'altra macchina", "{s} was confirmed by the other machine",
        "Controllare subito che l'altra sede non stia servendo anch'essa, poi ripristinare il collegamento.",
        "Make sure at once that the other site does not serve as well, then restore the link.";
    /// A service is not as the state of the machine wants it.
    ServiceWrong = "dr.service.wrong" / "dr.service.right", 5,
        "Il servizio {s} non è come dovrebbe: {d}", "The service {s} is not as it should be: {d}",
        "Il servizio {s} è come dovrebbe", "The service {s} is as it should be",
        "Aprire la pagina Servizi: mostra le ultime parole del comando che non è riuscito.",
        "Open the Servizi page: it shows the last words of the command that failed.";
    /// A run does not go on by itself.
    RunStuck = "dr.run.stuck" / "dr.run.moving", 6,
        "L'operazione {s} è bloccata: {d}", "The operation {s} is stuck: {d}",
        "L'operazione {s} non è più bloccata", "The operation {s} is no longer stuck",
        "Aprire la pagina Attivazione: dice quale passo è fermo e che cosa fare.",
        "Open the Attivazione page: it says which step has stopped and what to do.";
    /// Own steps that brought the service here are in effect although it is elsewhere.
    StepsLeft = "dr.steps.left" / "dr.steps.undone", 5,
        "Su {s} restano in effetto i passi propri che vi hanno portato il servizio, ma il servizio non è qui: {d}", "Own steps that brought the service to {s} are still in effect there, but the service is elsewhere: {d}",
        "Nessun passo proprio resta in effetto su {s}", "No own step is in effect any more on {s}",
        "Aprire la pagina Procedura di quella macchina e annullarli (tvox-dr run undo): finché restano, chiamate o nomi DNS possono andare alla sede sbagliata.",
        "Open the page Procedure of that machine and undo them (tvox-dr run undo): while they stay, calls or DNS names may go to the wrong site.";
    /// No activation drill has passed for as long as the house allows.
    DrillOverdue = "dr.drill.overdue" / "dr.drill.passed", 3,
        "Prova di attivazione di {s} in ritardo: {d}", "Activation drill of {s} overdue: {d}",
        "La prova di attivazione di {s} è di nuovo recente", "The activation drill of {s} is recent again",
        "Aprire la pagina Attivazione del DR e avviare la prova (tvox-dr drill): il Master resta in servizio e nulla cambia.",
        "Open the Attivazione page of the DR and begin the drill (tvox-dr drill): the Master goes on serving and nothing changes.";
    /// A grave run waits for the second person.
    ApprovalAwaited = "dr.approval.awaited" / "dr.approval.settled", 5,
        "Aspetta l'approvazione di un'altra persona: {d} ({s})", "Another person's approval is awaited: {d} ({s})",
        "L'operazione {s} non aspetta più un'approvazione", "The run {s} does not wait for an approval any more",
        "Parlare con chi l'ha avviata, poi aprire la pagina Operazioni con il proprio utente e approvare, oppure rifiutare con un motivo. Senza risposta l'operazione si annulla da sola.",
        "Speak to whoever began it, then open the page Operations with your own user and approve, or decline with a reason. Without an answer the run gives itself up.";
    /// A grave run went on without the second person.
    ApprovalBypassed = "dr.approval.bypassed" / "dr.approval.bypass_noted", 6,
        "SENZA LA SECONDA PERSONA: {d} ({s})", "WITHOUT THE SECOND PERSON: {d} ({s})",
        "Dell'operazione {s}, andata avanti senza approvazione, è stato preso atto", "The run {s}, which went on without an approval, has been noted",
        "Verificare subito con chi l'ha avviata che sia voluta. L'allarme resta aperto finché qualcuno non lo prende in carico.",
        "Make sure at once with whoever began it that it is meant to be. The alarm stays open until somebody acknowledges it.";
}

/// Whether a message tells of the beginning or of the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlarmEvent {
    /// It began.
    Raise,
    /// It ended.
    Clear,
}

impl AlarmEvent {
    /// The word in JSON and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raise => "raise",
            Self::Clear => "clear",
        }
    }
}

impl AlarmKind {
    /// Finds a kind by its code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }

    /// What happened, in one sentence.
    #[must_use]
    pub fn text(self, event: AlarmEvent, subject: &str, detail: &Text) -> Text {
        let (it, en) = match event {
            AlarmEvent::Raise => self.raised(),
            AlarmEvent::Clear => self.cleared(),
        };
        let fill = |text: &str, detail: &str| text.replace("{s}", subject).replace("{d}", detail);
        Text::new(fill(it, &detail.it), fill(en, &detail.en))
    }

    /// What to do about it.
    #[must_use]
    pub const fn remedy(self, lang: Lang) -> &'static str {
        let (it, en) = self.to_do();
        lang.pick(it, en)
    }
}

/// How far one message to one recipient is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// On disk, to be sent, or to be tried again.
    Queued,
    /// Taken by the server.
    Sent,
    /// Refused for good.
    Failed,
}

impl DeliveryState {
    /// The word in JSON and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Queued => lang.pick("In attesa", "Waiting"),
            Self::Sent => lang.pick("Inviato", "Sent"),
            Self::Failed => lang.pick("Non riuscito", "Failed"),
        }
    }
}

/// One message to one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryInfo {
    /// By which way.
    pub channel: Channel,
    /// To whom.
    pub to: String,
    /// Of the beginning or of the end.
    pub event: AlarmEvent,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was last tried; `null` before the first try.
    pub at: Option<Timestamp>,
    /// The server's words.
    pub detail: Option<String>,
}

/// Who took note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What they wrote.
    pub note: Option<String>,
}

/// One alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmInfo {
    /// Its id.
    pub id: String,
    /// Its code.
    pub code: String,
    /// The code of its end.
    pub clear_code: String,
    /// 1 to 6.
    pub priority: u8,
    /// The machine that raised it.
    pub host: String,
    /// The part of the product that noticed.
    pub source: String,
    /// What it is about.
    pub subject: String,
    /// When it began.
    pub raised_at: Timestamp,
    /// When it ended; `null` while it is open.
    pub cleared_at: Option<Timestamp>,
    /// Who took note; `null` while nobody did.
    pub acknowledged: Option<Acknowledgement>,
    /// How often its cause came and went while it was already open.
    pub repeats: u32,
    /// What happened.
    pub text: Text,
    /// The messages about it.
    pub deliveries: Vec<DeliveryInfo>,
}

/// `tvox-dr alarm list --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmsReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// Newest first.
    pub alarms: Vec<AlarmInfo>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alarm_has_its_own_codes_a_priority_and_words_in_both_languages() {
        let mut codes = std::collections::HashSet::new();
        for kind in AlarmKind::ALL {
            assert!(codes.insert(kind.code()) && codes.insert(kind.clear_code()), "{}", kind.code());
            assert!((1..=6).contains(&kind.priority()));
            assert_eq!(AlarmKind::from_code(kind.code()), Some(*kind));
            for event in [AlarmEvent::Raise, AlarmEvent::Clear] {
                let text = kind.text(event, "SUBJECT", &Text::new("FATTO", "FACT"));
                assert!(text.it != text.en && !text.it.contains('{') && !text.en.contains('{'), "{text:?}");
            }
            assert!(kind.remedy(Lang::It).ends_with('.') && kind.remedy(Lang::En).ends_with('.'));
        }
    }
}
