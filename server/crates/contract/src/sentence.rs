//! The sentences of the rules: what is wrong and what to do, in both languages, and the words for the fact that decided.

mod beforehand;
mod replacement;

use crate::isolation::probe_label;
use crate::lang::Lang;
use crate::mandate::MandateFinding;
use crate::role::Role;
use crate::rule::Rule;
use crate::run::RunKind;
use crate::state::NodeState;
use crate::task::TaskKind;

pub(crate) type Pair = (&'static str, &'static str);

/// Message and remedy, Italian then English. `{s}` is the subject, `{d}` the deciding fact.
pub(crate) fn sentences(rule: Rule) -> (Pair, Pair) {
    match rule {
        Rule::RoleWrong => (
            (
                "Questa operazione non si fa su questa macchina, che è {d}.",
                "Eseguirla sull'altra macchina della coppia.",
            ),
            ("This is not done on this machine, which is the {d}.", "Do it on the other machine of the pair."),
        ),
        Rule::PermissionDenied => (
            ("Serve il ruolo {d}.", "Chiedere a un amministratore di eseguire l'operazione o di assegnare il ruolo."),
            ("The role {d} is needed.", "Ask an administrator to do it or to give you that role."),
        ),
        Rule::StateIllegal => (
            ("Non è possibile nello stato attuale: {d}.", "Attendere che lo stato cambi, poi riprovare."),
            ("Not possible in the present state: {d}.", "Wait until the state has changed, then try again."),
        ),
        Rule::RunInProgress => (
            ("È già in corso un'altra operazione: {d}.", "Attendere che finisca, poi riprovare."),
            ("Another operation is in progress: {d}.", "Wait until it has ended, then try again."),
        ),
        Rule::ConfirmName => (
            (
                "Il nome scritto non è quello di questa macchina.",
                "Scrivere {s}, dopo aver controllato di essere sulla macchina giusta.",
            ),
            ("The name typed is not this machine's.", "Type {s}, after checking that this is the right machine."),
        ),
        Rule::PairNotAssociated => (
            (
                "Le due macchine non sono ancora associate.",
                "Impostare gli indirizzi IP, creare il codice di associazione sul Master e incollarlo sul DR Client.",
            ),
            (
                "The two machines are not associated yet.",
                "Set the IP addresses, make the join token on the Master and paste it on the DR Client.",
            ),
        ),
        Rule::PairRetired
        | Rule::PairRetiredToken
        | Rule::PairTwoMandates
        | Rule::PairLastMember
        | Rule::PeerRecovering => replacement::sentences(rule),
        Rule::PairAlreadyAssociated => (
            (
                "Questo Master è già associato a {d}.",
                "Per associare un'altra macchina, sciogliere prima l'associazione attuale; se {d} è perduta, dichiararla perduta.",
            ),
            (
                "This machine is already associated with {d}.",
                "To associate another machine, dissolve the present association first; where {d} is lost, declare it lost.",
            ),
        ),
        Rule::PairSameRole => (
            (
                "Le due macchine hanno lo stesso ruolo: {d}.",
                "Una deve essere Master e l'altra DR Client: rifare l'inizializzazione di una delle due.",
            ),
            (
                "Both machines have the same role: {d}.",
                "One must be the Master and the other the DR Client: initialise one of them again.",
            ),
        ),
        Rule::PairSameName => (
            (
                "Le due macchine hanno lo stesso nome: {d}.",
                "Il nome serve a non confonderle: inizializzarne una con un altro nome.",
            ),
            (
                "Both machines have the same name: {d}.",
                "The name is there to tell them apart: initialise one of them with another name.",
            ),
        ),
        Rule::PairIncompatible => (
            (
                "Le versioni delle due macchine non sono compatibili: {d}.",
                "Portare tvox-dr alla stessa versione su entrambe.",
            ),
            (
                "The versions of the two machines do not fit together: {d}.",
                "Bring tvox-dr to the same version on both.",
            ),
        ),
        Rule::PeerUnset => (
            ("L'indirizzo IP dell'altra macchina non è impostato.", "Impostarlo nella pagina Disaster Recovery."),
            ("The other machine's IP address is not set.", "Set it on the Disaster Recovery page."),
        ),
        Rule::PeerOwnAddress => (
            ("{s} è un indirizzo di questa macchina.", "Scrivere l'indirizzo dell'altra macchina della coppia."),
            ("{s} is this machine's own address.", "Write the address of the other machine of the pair."),
        ),
        Rule::PeerWrongAddress => (
            (
                "A {s} risponde una macchina diversa da quella attesa. {d}",
                "Controllare l'indirizzo IP impostato su entrambe le macchine.",
            ),
            ("The machine at {s} is not the expected one. {d}", "Check the IP address that is set on both machines."),
        ),
        Rule::SiblingUnset => (
            (
                "L'indirizzo dell'altra macchina di questo cluster non è impostato.",
                "Impostarlo nella pagina Disaster Recovery, oppure con tvox-dr sibling set.",
            ),
            (
                "The address of the other machine of this cluster is not set.",
                "Set it on the Disaster Recovery page, or with tvox-dr sibling set.",
            ),
        ),
        Rule::SiblingServes => (
            (
                "{s} è la macchina del cluster che ora non ha l'IP di nodo: l'elenco dei dati è quello dell'altra.",
                "Dichiarare o togliere i dati sulla macchina che ha l'IP di nodo: valgono per tutte e due.",
            ),
            (
                "{s} is the machine of the cluster that the node IP is not on now: the list of data is the other one's.",
                "Declare or remove data on the machine that the node IP is on: it holds for both.",
            ),
        ),
        Rule::FailbackCluster => (
            (
                "Il Master è un cluster, e l'altra sua macchina, {s}, non è a riposo: le due possono avere gli stessi dischi.",
                "Attendere che i suoi servizi siano fermi (pagina Servizi di {s}), o scegliere quella macchina per il rientro (--member).",
            ),
            (
                "The Master is a cluster, and its other machine, {s}, is not at rest: the two may have one disk between them.",
                "Wait until its services are down (page Services of {s}), or choose that machine for the failback (--member).",
            ),
        ),
        Rule::FailbackMemberAlive => (
            (
                "Il Master è un cluster, e l'altra sua macchina, {s}, non parla con questa eppure è viva: {d}. Le due possono avere gli stessi dischi.",
                "Isolarla e spegnerla, o avviarvi tvox-dr, che ferma i suoi servizi e lo dice, poi riprovare. Se è perduta, dichiararlo (tvox-dr peer retire --member {s}).",
            ),
            (
                "The Master is a cluster, and its other machine, {s}, does not talk with this one and is alive all the same: {d}. The two may have one disk between them.",
                "Isolate it and power it off, or start tvox-dr on it, which stops its services and says so, then try again. If it is lost, declare that (tvox-dr peer retire --member {s}).",
            ),
        ),
        Rule::SiblingFirst => (
            (
                "{s} non è ancora associata all'altra macchina del suo cluster.",
                "Associare prima le due macchine del cluster fra loro (tvox-dr sibling join), poi il DR Client con ciascuna.",
            ),
            (
                "{s} is not associated with the other machine of its cluster yet.",
                "Associate the two machines of the cluster first (tvox-dr sibling join), then the DR Client with each.",
            ),
        ),
        Rule::TokenExpired => (
            ("Il codice di associazione è scaduto.", "Crearne uno nuovo sul Master: vale 15 minuti."),
            ("The join token has expired.", "Make a new one on the Master: it lasts 15 minutes."),
        ),
        Rule::TokenUsed => (
            ("Il codice di associazione è già stato usato.", "Crearne uno nuovo sul Master: vale una volta sola."),
            ("The join token was used already.", "Make a new one on the Master: it works once."),
        ),
        Rule::TokenInvalid => (
            (
                "Il codice di associazione non è valido.",
                "Copiarlo per intero dalla pagina Disaster Recovery del Master, oppure crearne uno nuovo.",
            ),
            (
                "The join token is not valid.",
                "Copy all of it from the Master's Disaster Recovery page, or make a new one.",
            ),
        ),
        Rule::LicenceModule => (
            ("Manca una licenza con il modulo {d}.", "Caricarla nella pagina Licenza."),
            (
                "There is no licence with the module {d}.",
                "Load it on the Licenza page, or with `tvox-dr licence load`.",
            ),
        ),
        Rule::LicenceInvalid => (
            (
                "La licenza non è valida: {d}.",
                "Caricare il file ricevuto dal fornitore senza modificarlo, oppure chiederne uno nuovo.",
            ),
            ("The licence is not valid: {d}.", "Load the supplier's file without changing it, or ask for a new one."),
        ),
        Rule::IsolationAlive => (
            ("{s} è viva: {d}.", "Isolare e spegnere la macchina, poi riprovare."),
            ("{s} is alive: {d}.", "Isolate the machine and power it off, then try again."),
        ),
        Rule::IsolationUnattested => (
            (
                "Nessuno ha confermato che {s} è spenta. Non raggiungibile non significa isolata.",
                "Verificare di persona e dichiarare chi l'ha vista spenta, e come.",
            ),
            (
                "Nobody vouches that {s} is off. Unreachable is not isolated.",
                "Make sure yourself and state who saw it off, and how.",
            ),
        ),
        Rule::DataNone => (
            ("Non esiste ancora una copia completa di {s}.", "Attendere la prima copia completa."),
            ("There is no complete copy of {s} yet.", "Wait for the first complete copy."),
        ),
        Rule::DataLossConsent => (
            ("Andrebbero persi dei dati: {d}.", "Leggere che cosa si perde e dare il consenso."),
            ("Data would be lost: {d}.", "Read what will be lost and consent to it."),
        ),
        Rule::DrDataDiscard => (
            ("Andrebbero persi i dati creati sul DR: {d}.", "Esportarli, poi confermare di volerli scartare."),
            ("Data made on the DR would be lost: {d}.", "Export it, then confirm that it may be discarded."),
        ),
        Rule::DiskFull => (
            ("Spazio insufficiente su {s}: {d}.", "Liberare spazio, poi riprovare."),
            ("Not enough space on {s}: {d}.", "Free some space, then try again."),
        ),
        Rule::ServiceNone => (
            (
                "Nessun servizio è dichiarato su questa macchina.",
                "Dichiarare i servizi da avviare nella pagina Servizi.",
            ),
            ("No service is declared on this machine.", "Declare the services to start on the Servizi page."),
        ),
        Rule::MandateMissing => (
            (
                "Il mandato di questa macchina manca o non è leggibile: i servizi restano fermi.",
                "Ripristinare il collegamento con l'altra macchina, che lo conserva, oppure usare `tvox-dr rescue`.",
            ),
            (
                "The mandate of this machine is missing or cannot be read: the services stay down.",
                "Restore the link to the other machine, which keeps it, or use `tvox-dr rescue`.",
            ),
        ),
        Rule::MandateFinding => (
            (
                "I mandati delle due sedi non sono conciliabili su {s}: {d}.",
                "Decidere quale macchina deve servire, spegnere l'altra, e prendere il servizio sulla prima.",
            ),
            (
                "The mandates of the two sites do not fit together on {s}: {d}.",
                "Decide which machine is to serve, power the other off, and take the service on the first.",
            ),
        ),
        Rule::SyncMandate => (
            (
                "Le due macchine non hanno lo stesso mandato: nessun dato passa.",
                "Attendere che lo scambino: avviene a ogni contatto.",
            ),
            (
                "The two machines do not hold the same mandate: no data flows.",
                "Wait until they have exchanged it: that happens at every contact.",
            ),
        ),
        Rule::SyncNotHolder => (
            (
                "{s} non ha il mandato: i suoi dati non vengono replicati.",
                "Finché il DR è attivo la replicazione è ferma. Riprende dopo il rientro sul Master.",
            ),
            (
                "{s} does not hold the mandate: its data is not replicated.",
                "While the DR is active the replication rests. It goes on after the roll back to the Master.",
            ),
        ),
        Rule::SyncReceiverServing => (
            (
                "{s} sta servendo: non può ricevere dati.",
                "Eseguire il rientro, oppure attendere la fine dell'operazione in corso.",
            ),
            ("{s} serves: it cannot receive data.", "Roll back, or wait for the end of the operation in progress."),
        ),
        Rule::SyncMemberPassive => (
            (
                "{s} è la macchina del cluster che ora non ha l'IP di nodo: i dati arrivano dall'altra.",
                "Non serve fare nulla: la replicazione segue l'IP di nodo.",
            ),
            (
                "{s} is the machine of the cluster that the node IP is not on now: data comes from the other one.",
                "Nothing needs to be done: the replication follows the node IP.",
            ),
        ),
        Rule::SyncContentUnknown => (
            (
                "La copia di {s} non proviene da questo Master, o è più recente di ciò che il Master ricorda: non viene sovrascritta.",
                "Se il Master è stato ripristinato o sostituito, la copia buona può essere quella del DR: non cancellarla. Se i dati del Master sono quelli giusti, acconsentire nella pagina Replicazione del DR Client.",
            ),
            (
                "The copy of {s} does not come from this Master, or is newer than what the Master remembers: it is not overwritten.",
                "If the Master was restored or replaced, the good copy may be the one on the DR: do not delete it. If the Master's data is the right one, consent on the Replicazione page of the DR Client.",
            ),
        ),
        Rule::SyncNotHeld => (
            (
                "La copia di {s} non è trattenuta: segue già il Master.",
                "Non serve alcun consenso. Aggiornare la pagina.",
            ),
            ("The copy of {s} is not held: it follows the Master already.", "No consent is needed. Reload the page."),
        ),
        Rule::SettleNothing => (
            ("Nulla parla contro il mandato di {s}.", "Non c'è nulla da chiarire."),
            ("Nothing speaks against the mandate of {s}.", "There is nothing to settle."),
        ),
        Rule::SettleByTake => (
            (
                "Con una dichiarazione non basta: {s} non risponde, oppure le due macchine non hanno lo stesso mandato.",
                "Ripristinare il collegamento e riprovare; oppure decidere quale macchina deve servire, spegnere l'altra e prendere il servizio sulla prima.",
            ),
            (
                "A statement does not suffice: {s} does not answer, or the two machines do not hold the same mandate.",
                "Restore the link and try again; or decide which machine is to serve, power the other off and take the service on the first.",
            ),
        ),
        Rule::EvidenceVoid => (
            (
                "La dichiarazione per {s} non vale più: {d}.",
                "Verificare di nuovo che la macchina sia spenta e ripetere la dichiarazione.",
            ),
            (
                "The statement for {s} no longer holds: {d}.",
                "Make sure again that the machine is off and repeat the statement.",
            ),
        ),
        Rule::PeerNotYielding => (
            (
                "{s} è raggiungibile e non ha fermato i propri servizi: {d}.",
                "Fermarli su quella macchina, oppure isolarla e spegnerla, poi riprovare.",
            ),
            (
                "{s} is reachable and has not stopped its services: {d}.",
                "Stop them on that machine, or isolate it and power it off, then try again.",
            ),
        ),
        Rule::PointUnknown => (
            ("Il punto di ripristino {s} non esiste.", "Sceglierne uno di quelli elencati nella pagina Replicazione."),
            ("There is no restore point {s}.", "Choose one of those listed on the Replicazione page."),
        ),
        Rule::PointDamaged => (
            (
                "La copia di {s} in questo punto di ripristino è danneggiata su questo disco. Punto integro più recente: {d}.",
                "Attivare da quel punto, oppure risanare la copia con la sincronizzazione forzata finché il Master c'è.",
            ),
            (
                "The copy of {s} in this restore point is damaged on this disk. Newest sound point: {d}.",
                "Activate from that point, or heal the copy with the forced sync while the Master is there.",
            ),
        ),
        Rule::PointNotUsed => (
            ("Il punto di ripristino {s} non può essere usato: {d}.", "Non indicare alcun punto di ripristino."),
            ("The restore point {s} cannot be used: {d}.", "Name no restore point."),
        ),
        Rule::GateUnverified => beforehand::GATE_UNVERIFIED,
        Rule::GateChosen => beforehand::GATE_CHOSEN,
        Rule::ServiceCommand => beforehand::SERVICE_COMMAND,
        Rule::StepCommand => beforehand::STEP_COMMAND,
        Rule::TelephonyCommand => beforehand::TELEPHONY_COMMAND,
        Rule::ApprovalAlone => beforehand::APPROVAL_ALONE,
        Rule::PeerSilent => (
            (
                "{s} non risponde: finché non torna, nessuno servirebbe.",
                "Accendere la macchina prima del rientro, oppure sospendere il DR se è questo che si vuole.",
            ),
            (
                "{s} does not answer: until it is back nobody would serve.",
                "Switch the machine on before rolling back, or suspend the DR if that is what is wanted.",
            ),
        ),
        Rule::FailbackSends => (
            (
                "{s} sta mandando qui i propri dati, con un rientro ancora in corso.",
                "Lasciare che il rientro finisca; oppure annullarlo dal pannello di {s} (o là con tvox-dr run abort), poi riprendere il servizio qui.",
            ),
            (
                "{s} is sending its data here by a failback that still goes on.",
                "Let the failback come to its end; or abort it on the panel of {s} (or there with tvox-dr run abort), then take the service here.",
            ),
        ),
        Rule::FailbackSettles => (
            (
                "I dati del DR sono arrivati per intero su {s} e vengono messi al loro posto: poi {s} serve da sola.",
                "Attendere. Se qualcosa lo impedisce, l'errore compare qui e il servizio si può riprendere senza quei dati, che restano da parte.",
            ),
            (
                "The data of the DR has arrived on {s} as a whole and is being put in its place: then {s} serves by itself.",
                "Wait. Should something keep it from that, the error is shown here and the service can be taken without that data, which is kept aside.",
            ),
        ),
        Rule::MemberCurrent => (
            ("A {s} non risulta mancare nulla.", "Non c'è nulla da dichiarare."),
            ("Nothing is known to be lacking on {s}.", "There is nothing to state."),
        ),
        Rule::MemberBeside => (
            (
                "Una dichiarazione non basta: l'altra macchina del cluster non conferma ora di servire con i dati della sede.",
                "Accenderla, attendere che serva, poi riprovare. Se è perduta, riprendere il servizio su {s} con i dati che ci sono (tvox-dr takeover), oppure attivare il DR e rientrare verso {s}.",
            ),
            (
                "A statement does not suffice: the other machine of the cluster does not confirm now that it serves with the data of the site.",
                "Switch it on, wait until it serves, then try again. If it is lost, take the service on {s} with the data that is there (tvox-dr takeover), or activate the DR and fail back to {s}.",
            ),
        ),
        Rule::FailbackMaster => (
            (
                "{s} non può ricevere i dati del DR: {d}.",
                "Accendere il Master, attendere che risulti escluso dal servizio con i servizi fermi, poi riprovare.",
            ),
            (
                "{s} cannot receive the data of the DR: {d}.",
                "Switch the Master on, wait until it is fenced with its services down, then try again.",
            ),
        ),
        Rule::FailbackTail => (
            (
                "Prima di fermarsi il Master ha scritto in {s} qualcosa che il DR non ha mai avuto.",
                "Verrà messo da parte sul Master prima di essere sostituito: dare il consenso, oppure lasciare al Master i suoi dati.",
            ),
            (
                "Before it stopped the Master wrote something into {s} that the DR never had.",
                "It will be put aside on the Master before it is replaced: consent to it, or let the Master keep its own data.",
            ),
        ),
        Rule::StepUnreachable => (
            (
                "Il passo proprio {s} ha bisogno di un server che non risponde: {d}.",
                "Ripristinare il server o il collegamento, oppure correggere il passo nella pagina Procedura.",
            ),
            (
                "The own step {s} needs a server that does not answer: {d}.",
                "Restore the server or the link, or correct the step on the page Procedure.",
            ),
        ),
        Rule::StepRefused => (
            (
                "Il passo proprio {s} verrebbe rifiutato: {d}.",
                "Correggere la chiave nella pagina Procedura o permettere gli aggiornamenti sul server.",
            ),
            (
                "The own step {s} would be refused: {d}.",
                "Correct the key on the page Procedure, or allow the updates on the server.",
            ),
        ),
        Rule::StepValue => (
            (
                "Il passo proprio {s} non troverebbe il valore previsto: {d}.",
                "Correggere il record, oppure il valore di partenza nella pagina Procedura.",
            ),
            (
                "The own step {s} would not find the value that it expects: {d}.",
                "Correct the record, or the old value on the page Procedure.",
            ),
        ),
        Rule::StepTtl => (
            (
                "Dopo il passo proprio {s} altri potrebbero usare a lungo il valore vecchio. TTL: {d}.",
                "Abbassare adesso il TTL del record, ad esempio a 60 secondi.",
            ),
            (
                "After the own step {s} others may go on using the old value for long. TTL: {d}.",
                "Lower the TTL of the record now, e.g. to 60 seconds.",
            ),
        ),
        Rule::StepUnlisted => (
            (
                "Dopo il passo proprio {s} un server autorevole che non è in elenco risponderebbe ancora con il valore vecchio: {d}.",
                "Aggiungerlo ai server del passo nella pagina Procedura, oppure ripristinare il suo trasferimento di zona.",
            ),
            (
                "After the own step {s} an authoritative server that is not listed would go on answering with the old value: {d}.",
                "Add it to the servers of the step on the page Procedure, or mend its zone transfer.",
            ),
        ),
        Rule::TelephonyUnset => (
            (
                "Dopo un'attivazione nulla proverebbe che {s} risponde alle chiamate e che i telefoni arrivano.",
                "Impostare il server SIP, i trunk e il conteggio dei telefoni nella pagina Telefonia.",
            ),
            (
                "After an activation nothing would prove that {s} answers calls and that the phones come.",
                "Set the SIP server, the trunks and the count of the phones on the page Telephony.",
            ),
        ),
        Rule::TelephonyTrunk => (
            (
                "Il trunk {s} non risponde da questa macchina: {d}.",
                "Far attestare il trunk anche sul DR dall'operatore telefonico, oppure correggerlo nella pagina Telefonia.",
            ),
            (
                "The trunk {s} does not answer this machine: {d}.",
                "Have the carrier attest the trunk on the DR, too, or correct it on the page Telephony.",
            ),
        ),
        Rule::ApprovalSamePerson => (
            (
                "Chi ha avviato l'operazione ({d}) non può anche approvarla: non risulta che {s} sia un'altra persona.",
                "Far approvare un altro operatore dal pannello, con il suo nome e la sua password. Se nessuno è raggiungibile, procedere senza, con un motivo: parte un allarme a tutti.",
            ),
            (
                "Who began the run ({d}) cannot approve of it as well: {s} is not known to be another person.",
                "Let another operator approve from the panel, with their own name and password. Where nobody can be reached, go on without, giving a reason: an alarm tells everybody.",
            ),
        ),
        Rule::ApprovalVoid => (
            (
                "L'operazione {s} non aspetta un'approvazione: è un'altra, oppure è già stata decisa.",
                "Aprire l'operazione in corso: una risposta vale solo per l'operazione che nomina, finché aspetta.",
            ),
            (
                "The run {s} does not wait for an approval: it is another one, or was decided already.",
                "Open the run in progress: an answer counts only for the run that it names, while that waits.",
            ),
        ),
    }
}

/// The deciding fact in the reader's language. Facts that are words of ours travel as codes; names, addresses and versions
/// are the same in every language.
pub(crate) fn fact(rule: Rule, detail: &str, lang: Lang) -> String {
    let (code, value) = detail.split_once('=').unwrap_or((detail, ""));
    match (rule, code) {
        (Rule::LicenceInvalid, "format") => lang
            .pick("il file non è una licenza di questo prodotto", "the file is not a licence of this product")
            .into(),
        (Rule::LicenceInvalid, "signature") => lang
            .pick(
                "la firma non corrisponde: il file è stato modificato, oppure è di un altro fornitore",
                "the signature does not fit: the file was changed, or is from another supplier",
            )
            .into(),
        (Rule::LicenceInvalid, "no_key") => lang
            .pick(
                "su questa macchina manca la chiave del fornitore con cui verificarla (tvox-dr init --licence-key)",
                "this machine has no supplier key to check it with (tvox-dr init --licence-key)",
            )
            .into(),
        (Rule::LicenceInvalid, "expired") => format!("{} {value}", lang.pick("è scaduta il", "it expired on")),
        (Rule::LicenceInvalid, "bound") => {
            format!("{} {value}", lang.pick("è legata alla macchina", "it is bound to the machine"))
        }
        (Rule::StateIllegal, "no_run") => {
            lang.pick("nessuna operazione aspetta un operatore", "no run waits for an operator").into()
        }
        (Rule::StateIllegal, "no_steps_left") => {
            lang.pick("nessun passo proprio resta da annullare", "no own step is left to be undone").into()
        }
        (Rule::StateIllegal, "aborting") => {
            lang.pick("l'operazione viene già annullata", "the run is being aborted already").into()
        }
        (Rule::StateIllegal, "no_task") => lang
            .pick("nessuna sincronizzazione forzata o verifica è in corso", "no forced sync or verification is running")
            .into(),
        (Rule::StateIllegal, "suspended") => lang.pick("il DR è già sospeso", "the DR is suspended already").into(),
        (Rule::StateIllegal, "mandate_written") => lang
            .pick(
                "il mandato è già scritto e non si annulla; portare a termine l'operazione con Riprendi, poi eseguire quella contraria",
                "the mandate is written and cannot be taken back; resume the run to its end, then do the opposite one",
            )
            .into(),
        (Rule::StateIllegal, "not_waiting") => lang
            .pick("il passo non aspetta nessuno, o è già stato confermato", "the step waits for nobody, or was acknowledged already")
            .into(),
        (Rule::StepCommand | Rule::TelephonyCommand | Rule::ServiceCommand, "missing") => {
            format!("{} {value}", lang.pick("manca il programma", "there is no program"))
        }
        (Rule::ServiceCommand, "unit") => format!("{} {value}", lang.pick("manca la unit", "there is no unit")),
        (Rule::StepCommand | Rule::TelephonyCommand | Rule::ServiceCommand, "not_executable") => {
            format!("{value} {}", lang.pick("non è eseguibile", "is not executable"))
        }
        (Rule::FailbackMaster, "silent") => lang.pick("non risponde", "it does not answer").into(),
        (Rule::FailbackMaster, "holder") => lang.pick("il mandato è suo", "it holds the mandate").into(),
        (Rule::FailbackMaster, "finding") => lang
            .pick("qualcosa contraddice ciò che sa del mandato", "something speaks against what it knows of the mandate")
            .into(),
        (Rule::FailbackMaster, "services_up") => {
            lang.pick("i suoi servizi non risultano fermi", "its services were not seen down").into()
        }
        (Rule::FailbackMaster, "no_services") => {
            lang.pick("non vi è dichiarato alcun servizio", "no service is declared on it").into()
        }
        (Rule::FailbackMaster, "not_receiving") => {
            lang.pick("non aspetta questi dati", "it is not waiting for this data").into()
        }
        (Rule::FailbackMaster, "content") => {
            lang.pick("non ha ricevuto ciò che è sul DR", "it has not received what is on the DR").into()
        }
        (Rule::FailbackMaster, "dataset") => {
            lang.pick("i dati dichiarati non sono gli stessi", "other data is declared on it").into()
        }
        (Rule::PointDamaged, "none") => lang.pick("nessuno", "none").into(),
        (Rule::PointNotUsed, "master") => {
            lang.pick("il Master riparte dai propri dati", "the Master goes on from its own data").into()
        }
        (Rule::PointNotUsed, "serving") => lang
            .pick(
                "qui il servizio continua dai dati con cui serviva già",
                "the service goes on here from the data that it served from already",
            )
            .into(),
        (Rule::StateIllegal, word) => NodeState::ALL
            .iter()
            .find(|state| state.as_str() == word)
            .map_or_else(|| detail.to_owned(), |state| state.label(lang).to_owned()),
        (Rule::MandateFinding, word) => {
            [MandateFinding::Fork, MandateFinding::SetBack, MandateFinding::Cloned, MandateFinding::Missing]
                .into_iter()
                .find(|finding| finding.as_str() == word)
                .map_or_else(|| detail.to_owned(), |finding| finding.sentence(lang).trim_end_matches('.').to_owned())
        }
        (Rule::IsolationAlive | Rule::FailbackMemberAlive, probes) => {
            probes.split(", ").map(|probe| probe_label(probe, lang)).collect::<Vec<_>>().join(", ")
        }
        (Rule::EvidenceVoid, "restart") => lang.pick("tvox-dr è stato riavviato", "tvox-dr was restarted").into(),
        (Rule::EvidenceVoid, "life") => {
            lang.pick("la macchina ha dato segno di vita", "the machine gave a sign of life").into()
        }
        (Rule::RunInProgress, word) if RunKind::ALL.iter().any(|kind| kind.as_str() == word) => RunKind::ALL
            .iter()
            .find(|kind| kind.as_str() == word)
            .map_or_else(|| detail.to_owned(), |kind| kind.label(lang).to_owned()),
        (Rule::RunInProgress, "full") => TaskKind::Full.label(lang).into(),
        (Rule::RunInProgress, "verify") => TaskKind::Verify.label(lang).into(),
        (Rule::PermissionDenied, role) => {
            role.parse::<Role>().map_or_else(|_| detail.to_owned(), |role| role.label(lang).to_owned())
        }
        _ => detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_of_ours_is_told_in_the_readers_language_and_a_name_as_it_is() {
        for code in ["format", "signature", "no_key", "expired=2027-01-01", "bound=abc"] {
            let (it, en) = (fact(Rule::LicenceInvalid, code, Lang::It), fact(Rule::LicenceInvalid, code, Lang::En));
            assert!(it != en && it != code && en != code, "{code}");
        }
        assert_eq!(fact(Rule::PermissionDenied, "admin", Lang::It), "Amministratore");
        assert_eq!(fact(Rule::RunInProgress, "verify", Lang::It), "Verifica");
        assert_eq!(fact(Rule::PairSameName, "dr1", Lang::It), "dr1");
        assert_eq!(fact(Rule::IsolationAlive, "panel, tcp:5060", Lang::It), "pannello web, porta 5060");
    }
}
