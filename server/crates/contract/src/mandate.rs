//! The mandate: who may serve, written down. What decides between two of them is descent, never the larger number.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::lang::Lang;
use crate::role::NodeRole;

/// How a mandate came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MandateKind {
    /// Written with the association: the Master serves.
    Initial,
    /// An operator took it on the Client.
    Activation,
    /// An operator took it on the Master.
    Takeover,
    /// The Client gave it back.
    Rollback,
    /// The Client gave it back with the content to begin with.
    Failback,
    /// An operator took it with `tvox-dr rescue`, without database or daemon.
    Rescue,
    /// An operator settled what was found; the holder stays the same.
    Settlement,
    /// The holder declared the machines of the other site lost, or one of two members; it goes on serving.
    Retirement,
}

impl MandateKind {
    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Activation => "activation",
            Self::Takeover => "takeover",
            Self::Rollback => "rollback",
            Self::Failback => "failback",
            Self::Rescue => "rescue",
            Self::Settlement => "settlement",
            Self::Retirement => "retirement",
        }
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Initial => lang.pick("Iniziale", "Initial"),
            Self::Activation => lang.pick("Attivazione del DR", "Activation of the DR"),
            Self::Takeover => lang.pick("Ripresa da parte del Master", "Take-over by the Master"),
            Self::Rollback => lang.pick("Rientro sul Master", "Roll back to the Master"),
            Self::Failback => lang.pick("Rientro sul Master con i dati del DR", "Failback with the data of the DR"),
            Self::Rescue => lang.pick("Emergenza", "Rescue"),
            Self::Settlement => lang.pick("Anomalia chiarita", "Finding settled"),
            Self::Retirement => lang.pick("Macchina dichiarata perduta", "Machine declared lost"),
        }
    }
}

/// What is known for ever of a machine that an operator has declared lost: it belongs to the pair no more, whatever it
/// holds and says, and comes back only as a new node. The pinned key is what it is known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tombstone {
    /// SHA-256 of its certificate.
    pub fingerprint: String,
    /// Its node id, by which it finds itself in a list.
    pub node: String,
    /// Its name.
    pub name: String,
    /// Where it answered, `IP:PORT`: there it is told.
    pub address: String,
    /// Who declared it lost.
    pub operator: String,
    /// Why.
    pub reason: String,
    /// When, by the clock of the machine that was left; tells people, decides nothing.
    pub at: Timestamp,
}

/// The right to serve, given to one site. Never changed once written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mandate {
    /// The pair it belongs to.
    pub pair: String,
    /// The number people see; one more than the largest among the parents.
    pub epoch: u64,
    /// Random; what identifies it.
    pub id: String,
    /// The mandates that it directly replaces; two when it settles a fork.
    pub parents: Vec<String>,
    /// All that came before, parents included, oldest first.
    pub ancestors: Vec<String>,
    /// The site that may serve.
    pub holder: NodeRole,
    /// The id of the node that wrote it.
    pub issuer: String,
    /// How it came to be.
    pub kind: MandateKind,
    /// The content that the holder begins with, per dataset; `None` for whatever it has.
    pub base: Option<BTreeMap<String, String>>,
    /// Who decided.
    pub operator: String,
    /// Why.
    pub reason: String,
    /// What the decision stood on: one sentence per machine of the other site.
    pub evidence: Vec<String>,
    /// When, by the clock of the issuer; tells people, decides nothing.
    pub at: Timestamp,
    /// The machines that were declared lost, by this mandate or by one before it.
    #[serde(default)]
    pub retired: Vec<Tombstone>,
}

/// How one mandate stands to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It is the same one.
    Same,
    /// It has the other among its ancestors.
    Newer,
    /// The other has it among its ancestors.
    Older,
    /// Neither knows the other: both were taken from a common past.
    Fork,
    /// It belongs to another pair.
    Foreign,
}

impl Mandate {
    /// How this one stands to `other`.
    #[must_use]
    pub fn relation(&self, other: &Self) -> Relation {
        if self.pair != other.pair {
            Relation::Foreign
        } else if self.id == other.id {
            Relation::Same
        } else if self.ancestors.contains(&other.id) {
            Relation::Newer
        } else if other.ancestors.contains(&self.id) {
            Relation::Older
        } else {
            Relation::Fork
        }
    }

    /// The tombstone of a node, if it was declared lost.
    #[must_use]
    pub fn tombstone_of(&self, node: &str) -> Option<&Tombstone> {
        self.retired.iter().find(|lost| lost.node == node)
    }

    /// The tombstones of a mandate that replaces these and declares `lost`: none is ever dropped.
    #[must_use]
    pub fn bury(parents: &[&Self], lost: Vec<Tombstone>) -> Vec<Tombstone> {
        let mut all: Vec<Tombstone> = Vec::new();
        for tombstone in parents.iter().flat_map(|parent| parent.retired.iter().cloned()).chain(lost) {
            if !all.iter().any(|known| known.fingerprint == tombstone.fingerprint) {
                all.push(tombstone);
            }
        }
        all
    }

    /// The lineage of a mandate that replaces these: direct parents, all ancestors, and its epoch.
    #[must_use]
    pub fn descend(parents: &[&Self]) -> (Vec<String>, Vec<String>, u64) {
        let mut ancestors: Vec<String> = Vec::new();
        let ids = parents.iter().flat_map(|parent| parent.ancestors.iter().chain([&parent.id]));
        for id in ids {
            if !ancestors.contains(id) {
                ancestors.push(id.clone());
            }
        }
        let epoch = parents.iter().map(|parent| parent.epoch).max().unwrap_or(0) + 1;
        (parents.iter().map(|parent| parent.id.clone()).collect(), ancestors, epoch)
    }
}

/// What speaks against a node's knowledge of the mandate, and closes sync and gate until an operator settles it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MandateFinding {
    /// The two sides hold mandates of which neither knows the other.
    Fork,
    /// This node was put back to an earlier copy of itself.
    SetBack,
    /// There are two of one node.
    Cloned,
    /// The mandate of a node that was once paired is missing or unreadable.
    Missing,
}

impl MandateFinding {
    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::SetBack => "set_back",
            Self::Cloned => "cloned",
            Self::Missing => "missing",
        }
    }

    /// What it means, in a sentence.
    #[must_use]
    pub const fn sentence(self, lang: Lang) -> &'static str {
        match self {
            Self::Fork => lang.pick(
                "Le due sedi hanno mandati diversi e nessuno dei due discende dall'altro: non è possibile stabilire da soli chi debba servire.",
                "The two sites hold different mandates and neither descends from the other: who is to serve cannot be told by software.",
            ),
            Self::SetBack => lang.pick(
                "Questa macchina è stata riportata a una copia precedente di se stessa.",
                "This machine was put back to an earlier copy of itself.",
            ),
            Self::Cloned => {
                lang.pick("Esistono due copie della stessa macchina.", "There are two copies of the same machine.")
            }
            Self::Missing => lang.pick(
                "Il mandato di questa macchina manca o non è leggibile.",
                "The mandate of this machine is missing or cannot be read.",
            ),
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn remedy(self, lang: Lang) -> &'static str {
        match self {
            Self::Fork => lang.pick(
                "I dati non passano più in nessuna direzione. Decidere quale macchina deve servire, spegnere l'altra e prendere il servizio sulla prima.",
                "No data flows in either direction. Decide which machine is to serve, power the other off and take the service on the first.",
            ),
            Self::Cloned => lang.pick(
                "I dati non passano più in nessuna direzione. Spegnere la copia di troppo e fare in modo che non si riaccenda; poi dichiararlo nella pagina Attivazione, oppure prendere il servizio sulla macchina che deve servire.",
                "No data flows in either direction. Power the superfluous copy off and see to it that it stays off; then state so on the Activation page, or take the service on the machine that is to serve.",
            ),
            Self::SetBack => lang.pick(
                "Nulla viene sovrascritto: la copia buona è quella dell'altra macchina. Non cancellarla, e chiedere a chi ha ripristinato questa macchina da quale copia è partito. Se è tutto voluto, dichiararlo nella pagina Attivazione; altrimenti prendere il servizio sulla macchina che deve servire.",
                "Nothing is overwritten: the good copy is the one on the other machine. Do not delete it, and ask whoever restored this machine which copy it came from. If all of it was meant to be, state so on the Activation page; else take the service on the machine that is to serve.",
            ),
            Self::Missing => lang.pick(
                "I servizi restano fermi. Ripristinare il collegamento con l'altra macchina, che conserva il mandato, oppure usare tvox-dr rescue.",
                "The services stay down. Restore the link to the other machine, which keeps the mandate, or use tvox-dr rescue.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mandate(id: &str, parents: &[&Mandate]) -> Mandate {
        let (parents, ancestors, epoch) = Mandate::descend(parents);
        Mandate {
            pair: "p".into(),
            epoch,
            id: id.into(),
            parents,
            ancestors,
            holder: NodeRole::Master,
            issuer: "n".into(),
            kind: MandateKind::Initial,
            base: None,
            operator: String::new(),
            reason: String::new(),
            evidence: Vec::new(),
            at: Timestamp::UNIX_EPOCH,
            retired: Vec::new(),
        }
    }

    #[test]
    fn a_mandate_is_newer_than_each_of_its_ancestors_and_a_larger_number_alone_says_nothing() {
        let first = mandate("1", &[]);
        let second = mandate("2", &[&first]);
        let third = mandate("3", &[&second]);
        let rival = mandate("r", &[&first]);
        assert_eq!(third.relation(&first), Relation::Newer);
        assert_eq!(first.relation(&third), Relation::Older);
        assert_eq!(third.relation(&third.clone()), Relation::Same);
        assert_eq!(third.relation(&rival), Relation::Fork, "3 is larger than 2, and still no descendant");
        let foreign = Mandate { pair: "q".into(), ..first.clone() };
        assert_eq!(foreign.relation(&first), Relation::Foreign);
    }

    #[test]
    fn a_machine_that_was_declared_lost_stays_lost_under_every_later_mandate() {
        let lost = |node: &str| Tombstone {
            fingerprint: format!("key of {node}"),
            node: node.into(),
            name: "milano".into(),
            address: "10.0.0.1:5461".into(),
            operator: "anna".into(),
            reason: "fire".into(),
            at: Timestamp::UNIX_EPOCH,
        };
        let first = mandate("1", &[]);
        let retired = Mandate { retired: Mandate::bury(&[&first], vec![lost("x")]), ..mandate("2", &[&first]) };
        let rival = Mandate { retired: Mandate::bury(&[&first], vec![lost("y")]), ..mandate("r", &[&first]) };
        let settled = Mandate::bury(&[&retired, &rival], vec![lost("x")]);
        assert_eq!(settled, [lost("x"), lost("y")]);
        assert_eq!(retired.tombstone_of("x"), Some(&lost("x")));
        assert_eq!((retired.tombstone_of("y"), first.tombstone_of("x")), (None, None));
    }

    #[test]
    fn a_mandate_with_two_parents_settles_their_fork() {
        let first = mandate("1", &[]);
        let (a, b) = (mandate("a", &[&first]), mandate("b", &[&first]));
        let settled = mandate("s", &[&a, &b]);
        assert_eq!(settled.relation(&a), Relation::Newer);
        assert_eq!(settled.relation(&b), Relation::Newer);
        assert_eq!(settled.epoch, 3);
        assert_eq!(settled.ancestors, ["1", "a", "b"]);
    }
}
