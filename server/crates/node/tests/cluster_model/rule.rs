//! What a second member adds to the rules: each can be left out, and then the model must find what it is for.

/// What the product does; named after what holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// An activation needs evidence for each member, by its own ground.
    EvidenceForEach,
    /// A sibling's answer never opens a gate.
    SiblingOpensNoGate,
    /// It can keep one closed.
    SiblingIsAsked,
    /// A gate that was opened in silence is confirmed by the other site alone.
    SiblingConfirmsNobody,
    /// What is remembered of a machine is kept for each apart.
    SeatsAreApart,
    /// A machine that joins a site which has handed something on is not believed to have it.
    NewMemberLacks,
    /// The mandate is given away only by the right to serve: after a boot the gate is asked first.
    OnlyTheRightGives,
}
