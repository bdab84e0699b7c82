//! The sentences of loss and replacement.

use super::Pair;
use crate::rule::Rule;

/// Of the rules that are about a machine that was lost, or about the one in its place.
pub(super) const fn sentences(rule: Rule) -> (Pair, Pair) {
    match rule {
        Rule::PairTwoMandates => (
            (
                "Sia questa macchina sia {s} appartengono già a una coppia, ognuna con il proprio mandato.",
                "Associare una macchina appena inizializzata (tvox-dr init), oppure sciogliere prima l'associazione di quella che non deve decidere chi serve.",
            ),
            (
                "Both this machine and {s} belong to a pair already, each with a mandate of its own.",
                "Associate a machine that was just initialised (tvox-dr init), or first dissolve the association of the one that is not to decide who serves.",
            ),
        ),
        Rule::PairRetiredToken => (
            (
                "Il codice è di {s}, che è stata dichiarata perduta e non fa più parte della coppia.",
                "Per riusare quella macchina, inizializzarvi un nodo nuovo in una directory vuota (tvox-dr init) e creare un codice nuovo.",
            ),
            (
                "The token is of {s}, which was declared lost and belongs to the pair no more.",
                "To use that machine again, initialise a new node on it in an empty directory (tvox-dr init) and make a new token.",
            ),
        ),
        Rule::PairLastMember => (
            (
                "{s} è l'ultima macchina associata della sua sede.",
                "Dichiarare perduta l'intera sede: tvox-dr peer retire senza --member.",
            ),
            (
                "{s} is the last associated machine of its site.",
                "Declare the whole site lost: tvox-dr peer retire without --member.",
            ),
        ),
        Rule::PeerRecovering => (
            (
                "{s} sostituisce un Master perduto e non ha ancora i dati: con il rientro semplice servirebbe vuoto.",
                "Eseguire il rientro con i dati (tvox-dr failback).",
            ),
            (
                "{s} replaces a Master that was lost and has no data yet: after a plain roll back it would serve empty.",
                "Go back with the data (tvox-dr failback).",
            ),
        ),
        _ => (
            (
                "{s} è stata dichiarata perduta e non fa più parte della coppia.",
                "Per riusarla, inizializzare un nodo nuovo in una directory vuota (tvox-dr init) e associarlo. Se è rimasta solo questa macchina, e solo se l'altra è spenta per sempre: tvox-dr rescue open.",
            ),
            (
                "{s} was declared lost and belongs to the pair no more.",
                "To use it again, initialise a new node in an empty directory (tvox-dr init) and join it. Where only this machine is left, and only if the other one is off for good: tvox-dr rescue open.",
            ),
        ),
    }
}
