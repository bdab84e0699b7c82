//! The gate in plain words: why it stands as it does, who was asked and what was answered, what is still missing, what an
//! operator can do now. Pure: command line and panel say the same.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::gate::{Asked, GateAnswer, GatePolicy, GateReason, GateReport, GateState, all_in_all};
use crate::lang::{Lang, Text};
use crate::role::NodeRole;

/// `explanation` of `tvox-dr gate show --explain --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateExplanation {
    /// Why it stands as it does.
    pub why: Vec<Text>,
    /// Every machine that was asked, with what its answer means.
    pub asked: Vec<AskedExplained>,
    /// What is still missing before the services may run; empty where nothing is.
    pub missing: Vec<Text>,
    /// What an operator can do now.
    pub to_do: Vec<Text>,
}

/// One machine that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedExplained {
    /// Its IP.
    pub ip: IpAddr,
    /// What it said; `null` before the first answer.
    pub answer: Option<GateAnswer>,
    /// What that means.
    pub text: Text,
}

/// Explains how a gate stands on the machine `here`, whose other machine is called `there`.
#[must_use]
pub fn explain(gate: &GateReport, side: NodeRole, here: &str, there: &str) -> GateExplanation {
    let place = Place { side, here, there };
    let asked =
        gate.asked.iter().map(|asked| AskedExplained { ip: asked.ip, answer: asked.answer, text: place.answer(asked) });
    let why: Vec<Text> = gate.because.iter().map(|reason| place.reason(*reason, gate)).collect();
    GateExplanation {
        why: if why.is_empty() { vec![place.open(gate)] } else { why },
        asked: asked.collect(),
        missing: place.missing(gate),
        to_do: place.to_do(gate),
    }
}

/// Whose gate it is.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    side: NodeRole,
    here: &'a str,
    there: &'a str,
}

impl Place<'_> {
    fn say(self, it: &str, en: &str) -> Text {
        let fill = |text: &str| text.replace("{h}", self.here).replace("{t}", self.there);
        Text::new(fill(it), fill(en))
    }

    fn open(self, gate: &GateReport) -> Text {
        if gate.unverified {
            return self.say(
                "Il consenso è aperto senza conferma: {t} non rispondeva, e la scelta fatta per il silenzio lo permette.",
                "The gate is open without a confirmation: {t} did not answer, and the choice made for silence allows it.",
            );
        }
        self.say(
            "Il consenso è aperto: {h} ha il mandato e lo ha verificato in questo avvio della macchina.",
            "The gate is open: {h} holds the mandate and has verified it in this boot of the machine.",
        )
    }

    fn reason(self, reason: GateReason, gate: &GateReport) -> Text {
        match reason {
            GateReason::NotPaired => match self.side {
                NodeRole::Master => self.say(
                    "{h} non è ancora associata: non c'è nessuno a cui chiedere, e i servizi possono funzionare.",
                    "{h} is not associated yet: there is nobody to ask, and the services may run.",
                ),
                NodeRole::Client => self.say(
                    "{h} non è ancora associata: un DR non serve prima di essere attivato.",
                    "{h} is not associated yet: a DR does not serve before it is activated.",
                ),
            },
            GateReason::MandateMissing => self.say(
                "{h} ha perso il proprio mandato e non sa più se può servire.",
                "{h} has lost its mandate and does not know any more whether it may serve.",
            ),
            GateReason::Elsewhere => self.say(
                "Il mandato è di {t}: i servizi di {h} restano fermi, perché due macchine non servano insieme.",
                "The mandate is {t}'s: the services of {h} stay down, so that never two machines serve at once.",
            ),
            GateReason::HeldByOperator => {
                let why = gate.held_by.as_deref().unwrap_or("-");
                let text = self.say(
                    "Un operatore tiene fermi i servizi di {h}: «{r}».",
                    "An operator keeps the services of {h} down: “{r}”.",
                );
                Text::new(text.it.replace("{r}", why), text.en.replace("{r}", why))
            }
            GateReason::Finding => self.say(
                "Qualcosa contraddice ciò che {h} sa del mandato.",
                "Something speaks against what {h} knows of the mandate.",
            ),
            GateReason::Receiving => self.say(
                "{h} sta ricevendo i dati del DR: finché non sono al loro posto nulla deve servire.",
                "{h} is receiving the data of the DR: until it is in its place nothing may serve.",
            ),
            GateReason::AwaitsContent => self.say(
                "{h} ha il mandato per servire con i dati del DR, e quei dati non sono ancora al loro posto.",
                "{h} holds the mandate to serve with the data of the DR, and that data is not in its place yet.",
            ),
            GateReason::Yielded => self.say(
                "{h} si è fermata su richiesta di {t}, e riparte solo quando quella lo conferma.",
                "{h} has stopped at the request of {t}, and starts again only when that confirms it.",
            ),
            GateReason::NotVerified => self.say(
                "{h} ha il mandato, ma da quando la macchina è stata accesa nessuno lo ha confermato.",
                "{h} holds the mandate, but nobody has confirmed it since the machine was started.",
            ),
            GateReason::Suspended => self.say(
                "{h} ha il mandato, ma un operatore ha sospeso i servizi.",
                "{h} holds the mandate, but an operator has suspended the services.",
            ),
            GateReason::HandingBack => self.say(
                "{h} sta restituendo il servizio, o lo sta sospendendo: i servizi non si riavviano a mano.",
                "{h} is giving the service back, or is suspending it: services are not started by hand now.",
            ),
            GateReason::DeclaredLost => {
                let text = self.say(
                    "{h} è stata dichiarata perduta da {o} («{r}»): non fa più parte della coppia, e i suoi servizi restano fermi.",
                    "{h} was declared lost by {o} (“{r}”): it belongs to the pair no more, and its services stay down.",
                );
                let (by, why) = gate.declared_lost.as_ref().map_or(("-", "-"), |lost| (&lost.operator, &lost.reason));
                let fill = |text: String| text.replace("{o}", by).replace("{r}", why);
                Text::new(fill(text.it), fill(text.en))
            }
            GateReason::Recovering => self.say(
                "{h} sostituisce un Master perduto e non ha ancora i dati: non serve finché {t} non glieli ha dati.",
                "{h} replaces a Master that was lost and has no data yet: it does not serve before {t} has given it that.",
            ),
            GateReason::Stale => self.say(
                "Ciò che è stato fatto sul DR è tornato sull'altra macchina del cluster: {h} non ha ancora gli stessi dati, e non serve con i vecchi.",
                "What was made on the DR went to the other machine of the cluster: {h} has not the same data yet, and does not serve with the old one.",
            ),
            GateReason::LacksContent => self.say(
                "I dati del DR che erano destinati a {h} non le sono mai arrivati: {h} non serve da sola con quelli più vecchi.",
                "The data of the DR that was meant for {h} has never come to it: {h} does not serve by itself with the older one.",
            ),
        }
    }

    fn answer(self, asked: &Asked) -> Text {
        match asked.answer {
            None => self.say("non ancora sentita.", "not heard yet."),
            Some(GateAnswer::Confirmed) if asked.sibling => self.say(
                "conosce lo stesso mandato; a confermarlo, però, è {t}.",
                "knows the same mandate; it is {t}, though, that confirms it.",
            ),
            Some(GateAnswer::Confirmed) => self.say(
                "conferma: conosce lo stesso mandato, che è di {h}, e non sta servendo.",
                "confirms: it knows the same mandate, which is {h}'s, and does not serve.",
            ),
            Some(GateAnswer::Elsewhere) if asked.sibling => {
                self.say("risponde che il mandato è di {t}.", "answers that {t} holds the mandate.")
            }
            Some(GateAnswer::Elsewhere) => {
                self.say("risponde che il mandato è suo.", "answers that it holds the mandate itself.")
            }
            Some(GateAnswer::Hold) => self.say(
                "risponde di aspettare: vi è in corso un'operazione, o i due mandati non sono ancora gli stessi.",
                "answers to wait: an operation runs there, or the two mandates are not the same yet.",
            ),
            Some(GateAnswer::Serving) => self.say(
                "risponde, e sta servendo benché il mandato sia di {h}.",
                "answers, and serves although the mandate is {h}'s.",
            ),
            Some(GateAnswer::Stale) => self.say(
                "risponde, e ha dati di questa sede che {h} non conosce: {h} non è aggiornata.",
                "answers, and has data of this site that {h} does not know: {h} is not recent.",
            ),
            Some(GateAnswer::Finding) => self.say(
                "risponde, ma i due mandati non sono conciliabili.",
                "answers, but the two mandates do not fit together.",
            ),
            Some(GateAnswer::Silent) => {
                self.say("non risponde. Silenzio non vuol dire spenta.", "does not answer. Silence does not mean off.")
            }
        }
    }

    fn missing(self, gate: &GateReport) -> Vec<Text> {
        let said = all_in_all(&gate.asked);
        let has = |reason| gate.because.contains(&reason);
        if gate.answer != GateState::Held {
            return Vec::new();
        }
        if has(GateReason::HeldByOperator) {
            return vec![self.say(
                "Che un operatore riprenda il servizio su {h}: nessuna risposta basta.",
                "That an operator takes the service on {h}: no answer is enough.",
            )];
        }
        if has(GateReason::Finding) || said == Some(GateAnswer::Finding) {
            return vec![self.say(
                "Che un operatore decida chi deve servire: nessuna risposta basta.",
                "That an operator decides who is to serve: no answer is enough.",
            )];
        }
        if has(GateReason::Stale) {
            return vec![self.say(
                "Che i dati di {h} siano quelli dell'altra macchina del cluster, poi la conferma di {t}.",
                "That the data of {h} is that of the other machine of the cluster, then the confirmation by {t}.",
            )];
        }
        if has(GateReason::LacksContent) {
            return vec![self.say(
                "Che un rientro porti i dati del DR su {h}, o che un operatore vi riprenda il servizio: nessuna risposta basta.",
                "That a failback brings the data of the DR to {h}, or that an operator takes the service there: no answer is enough.",
            )];
        }
        if has(GateReason::Receiving) || has(GateReason::AwaitsContent) {
            return vec![self.say(
                "Che i dati del DR siano al loro posto, poi la conferma di {t}.",
                "That the data of the DR is in its place, then the confirmation by {t}.",
            )];
        }
        vec![match (said, gate.opens_at) {
            (Some(GateAnswer::Stale), _) => self.say(
                "Che l'altra macchina del cluster risponda a {h} e la aggiorni, oppure un operatore.",
                "That the other machine of the cluster answers {h} and tells it what it missed, or an operator.",
            ),
            (Some(GateAnswer::Hold), _) => self.say(
                "Che l'operazione su {t} finisca: {h} continua a chiedere da sola.",
                "That the operation on {t} ends: {h} goes on asking by itself.",
            ),
            (Some(GateAnswer::Serving), _) => self.say(
                "Che {t} fermi i propri servizi: {h} continua a chiedere da sola.",
                "That {t} stops its services: {h} goes on asking by itself.",
            ),
            (_, Some(at)) => {
                let at = at.strftime("%H:%M:%S UTC");
                let text = self.say(
                    "Una risposta di {t}. Se nessuno risponde, {h} riprende il servizio da sola alle {at}.",
                    "An answer of {t}. If nobody answers, {h} resumes the service by itself at {at}.",
                );
                Text::new(text.it.replace("{at}", &at.to_string()), text.en.replace("{at}", &at.to_string()))
            }
            _ if gate.policy == GatePolicy::Unverified && said.is_none() => {
                self.say("Una risposta di {t}.", "An answer of {t}.")
            }
            _ => self.say(
                "Una risposta di {t}, oppure un operatore: da sola {h} non riprende.",
                "An answer of {t}, or an operator: {h} does not resume by itself.",
            ),
        }]
    }

    fn to_do(self, gate: &GateReport) -> Vec<Text> {
        let said = all_in_all(&gate.asked);
        let has = |reason| gate.because.contains(&reason);
        let take = match self.side {
            NodeRole::Master => self.say(
                "Se {t} è perduta, isolarla e spegnerla, poi riprendere il servizio qui: pagina Attivazione, o tvox-dr takeover.",
                "If {t} is lost, isolate it and power it off, then take the service here: page Activation, or tvox-dr takeover.",
            ),
            NodeRole::Client => self.say(
                "Se {t} è perduta, isolarla e spegnerla, poi attivare il DR: pagina Attivazione, o tvox-dr activate.",
                "If {t} is lost, isolate it and power it off, then activate the DR: page Activation, or tvox-dr activate.",
            ),
        };
        let link = self.say(
            "Controllare che {t} sia accesa, che vi giri tvox-dr e che il collegamento fra le sedi funzioni.",
            "Make sure that {t} is on, that tvox-dr runs there and that the link between the sites works.",
        );
        if has(GateReason::Suspended) {
            return vec![self.say(
                "Riattivare il DR (pagina Attivazione, o tvox-dr activate), oppure rientrare sul Master.",
                "Activate the DR again (page Activation, or tvox-dr activate), or go back to the Master.",
            )];
        }
        if has(GateReason::HandingBack) {
            return vec![self.say(
                "Seguire l'operazione (tvox-dr run show), o annullarla finché si può (tvox-dr run abort).",
                "Follow the run (tvox-dr run show), or abort it as long as that can be done (tvox-dr run abort).",
            )];
        }
        if has(GateReason::DeclaredLost) {
            return vec![self.say(
                "Per riusarla, inizializzare un nodo nuovo in una directory vuota (tvox-dr init) e associarlo; i dati che sono qui restano finché non si tolgono a mano.",
                "To use it again, initialise a new node in an empty directory (tvox-dr init) and join it; the data that is here stays until it is removed by hand.",
            )];
        }
        if has(GateReason::Recovering) {
            return vec![self.say(
                "Dichiarare qui gli stessi dati e servizi di prima, poi dal pannello di {t} il rientro con i dati.",
                "Declare the same data and services as before here, then fail back with the data on the panel of {t}.",
            )];
        }
        match (gate.answer, self.side) {
            (GateState::Open, _) if gate.unverified => vec![self.say(
                "Verificare subito che {t} non stia servendo, poi ripristinare il collegamento.",
                "Make sure at once that {t} does not serve, then restore the link.",
            )],
            (GateState::Open, _) => Vec::new(),
            (GateState::Closed, NodeRole::Master) => vec![
                self.say(
                    "Nulla, finché il DR serve: si torna indietro dal pannello di {t}, con il rientro. I servizi qui non si avviano a mano.",
                    "Nothing while the DR serves: the way back is on the panel of {t}, by a roll back or a failback. Services are not started by hand here.",
                ),
                take,
            ],
            (GateState::Closed, NodeRole::Client) => vec![self.say(
                "Nulla: è una macchina di riserva. Serve solo se un operatore attiva il DR.",
                "Nothing: this is the machine in reserve. It serves only if an operator activates the DR.",
            )],
            (GateState::Held, _) if has(GateReason::Finding) || said == Some(GateAnswer::Finding) => {
                vec![self.say(
                    "Decidere quale macchina deve servire, spegnere l'altra e prendere il servizio sulla prima; se entrambe sanno lo stesso mandato, basta chiarire (tvox-dr settle).",
                    "Decide which machine is to serve, power the other off and take the service on the first; where both know the same mandate it is enough to settle it (tvox-dr settle).",
                )]
            }
            (GateState::Held, _) if has(GateReason::Stale) => vec![
                self.say(
                    "Lasciare che il cluster allinei {h} (o copiarvi i dati dall'altra macchina): il confronto si ripete ogni pochi secondi, e il consenso si apre da solo.",
                    "Let the cluster bring {h} in line (or copy the data there from the other machine): they are compared every few seconds, and the gate opens by itself.",
                ),
                self.say(
                    "Se {h} ha già quei dati e il confronto non può riuscire (il disco è montato solo sull'altra macchina, o vi si scrive sempre), dichiararlo: pagina Attivazione, o tvox-dr gate same.",
                    "If {h} has that data already and comparing cannot succeed (the disk is mounted on the other machine only, or is always written to), state it: page Activation, or tvox-dr gate same.",
                ),
                self.say(
                    "Se l'altra macchina del cluster è perduta: attivare il DR, poi il rientro con i dati verso {h}; oppure riprendere il servizio qui con i dati che ci sono (tvox-dr takeover).",
                    "If the other machine of the cluster is lost: activate the DR, then fail back to {h}; or take the service here with the data that is here (tvox-dr takeover).",
                ),
            ],
            (GateState::Held, _) if has(GateReason::LacksContent) => vec![
                self.say(
                    "Attivare il DR, poi il rientro con i dati verso {h}.",
                    "Activate the DR, then fail back to {h}.",
                ),
                self.say(
                    "Se i dati del DR non servono più, riprendere il servizio qui con quelli che ci sono: pagina Attivazione, o tvox-dr takeover.",
                    "If the data of the DR is not wanted any more, take the service here with the data that is here: page Activation, or tvox-dr takeover.",
                ),
            ],
            (GateState::Held, _) if has(GateReason::Receiving) || has(GateReason::AwaitsContent) => vec![self.say(
                "Attendere, e non spegnere la macchina: l'operazione si segue dal pannello di {t}.",
                "Wait, and do not switch the machine off: the run is followed on the panel of {t}.",
            )],
            (GateState::Held, _) if said == Some(GateAnswer::Stale) => vec![
                self.say(
                    "Accendere l'altra macchina del cluster e controllare che vi giri tvox-dr: i suoi dati sono più recenti.",
                    "Switch the other machine of the cluster on and make sure that tvox-dr runs there: its data is newer.",
                ),
                take,
            ],
            (GateState::Held, _) => vec![link, take],
        }
    }
}

impl GateExplanation {
    /// All of it, one line each, for people at a terminal.
    #[must_use]
    pub fn lines(&self, lang: Lang) -> Vec<String> {
        let part = |label: &str, texts: &[Text]| -> Vec<String> {
            texts.iter().map(|text| format!("{label:<9}{}", text.get(lang))).collect()
        };
        let asked: Vec<Text> = self
            .asked
            .iter()
            .map(|one| Text::new(format!("{} {}", one.ip, one.text.it), format!("{} {}", one.ip, one.text.en)))
            .collect();
        [
            part(lang.pick("Perché:", "Why:"), &self.why),
            part(lang.pick("Chiesto:", "Asked:"), &asked),
            part(lang.pick("Manca:", "Missing:"), &self.missing),
            part(lang.pick("Da fare:", "To do:"), &self.to_do),
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests;
