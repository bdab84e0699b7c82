//! The rules of loss and return, each of which the model can be run without: then it must find what the rule is for.

/// What the product does; named after what holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Whoever was declared lost stops when it hears of it, whatever it holds itself.
    LostStops,
    /// It takes nothing any more, either.
    LostTakesNothing,
    /// It stops nobody: its mandate is heard for nothing but a tombstone.
    LostStopsNobody,
    /// Of two that declared each other lost the one that serves goes on.
    ServingGoesOn,
    /// Whoever declared the other one lost over all that this one holds goes on.
    NewerGoesOn,
    /// A tombstone is handed down from mandate to mandate.
    TombstonesStay,
    /// A Master in the place of a lost one has nothing to serve with, and says so.
    NewMasterRecovers,
    /// Nothing is given back to one that says so.
    NothingForTheEmpty,
    /// Whoever is named with a content serves only once it has it in its place.
    ContentIsAwaited,
    /// While content comes in, nothing is served: the mark is on disk.
    ReceivingIsMarked,
    /// The service can be taken on a machine to which content was coming, once nobody sends it.
    TakenFromReceiving,
    /// What is named is what both have compared.
    ComparedIsNamed,
}
