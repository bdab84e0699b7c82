//! The rules, each of which a model can be run without: then it must find what the rule is for.

/// What the product does; named after what holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// After a boot of the machine the gate is closed.
    BootClosesGate,
    /// Whoever learns a newer mandate and is named anew asks before it starts.
    AdoptionClosesGate,
    /// During a take the answer is *hold*.
    HoldDuringTake,
    /// Yielding closes the question that is open.
    YieldClosesQuestion,
    /// Only a yield that this very run has asked for is evidence.
    YieldIsAskedAnew,
    /// Whoever takes the service itself has not yielded.
    TakerYieldsToNobody,
    /// Having yielded survives the process and the machine.
    YieldIsDurable,
    /// Evidence ends with the process that has it.
    EvidencePerishes,
    /// A word for a machine is void once that machine speaks.
    WordIsVoidByLife,
    /// A yield is void once that machine says otherwise, or tells of a newer mandate.
    YieldLastsWhileSaid,
    /// A machine says that it serves until its services are seen down.
    ServesUntilSeenDown,
    /// A starting node never displaces one that serves.
    StartingNeverDisplaces,
    /// Of two that serve the lesser one gives way.
    LesserGivesWay,
    /// No run lets services go on without the right.
    NoRunKeepsServices,
    /// Mandates of which neither knows the other are found.
    ForkIsFound,
    /// A take is written over all that is known.
    TakeSettlesBoth,
    /// Whoever has less than is remembered of it was set back.
    LessThanRememberedIsFound,
    /// The mandate is given away only by the right to serve: after a boot the gate is asked first.
    OnlyTheRightGives,
    /// A run that waits for its gate is in nobody's way.
    WhoWaitsStandsAside,
    /// Data flows only between equal mandates, from the holder, to one that does not serve.
    DataFollowsMandate,
}
