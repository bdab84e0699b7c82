//! The states of a node and the one table of transitions between them. An illegal transition is a typed error, and the
//! diagram in the documentation is written from this table.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::lang::Lang;
use crate::role::NodeRole;

macro_rules! states {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $it:literal, $en:literal;)*) => {
        /// What a node is doing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum NodeState { $($(#[$doc])* $variant,)* }

        impl NodeState {
            /// All states.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word in commands, tables and JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The words a reader sees.
            #[must_use]
            pub const fn label(self, lang: Lang) -> &'static str {
                match self { $(Self::$variant => lang.pick($it, $en),)* }
            }
        }
    };
}

states! {
    /// Client: receives data, ready to be activated.
    Standby, "standby", "In attesa", "Standby";
    /// Client: an activation runs.
    Activating, "activating", "Attivazione in corso", "Activating";
    /// Client: it serves.
    Active, "active", "DR ATTIVO", "DR ACTIVE";
    /// Client: service goes back to the Master.
    HandingBack, "handing_back", "Restituzione in corso", "Handing back";
    /// Any: takes data from the other side; never on a serving node.
    Receiving, "receiving", "In ricezione", "Receiving";
    /// Any: the mandate may name it, its gate is asking whether it may serve.
    Held, "held", "In attesa di conferma", "Held";
    /// Master: it serves.
    Serving, "serving", "In servizio", "Serving";
    /// Master: it serves under the standing override of its gate policy.
    Unverified, "unverified", "In servizio, non verificato", "Serving, unverified";
    /// Master: somebody else holds the mandate, its services stay down.
    Fenced, "fenced", "Escluso dal servizio", "Fenced";
    /// Master: it replaces one that was lost, and serves only once the Client has given it data and mandate.
    Recovering, "recovering", "In ripristino", "Recovering";
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

use NodeState::{Activating, Active, Fenced, HandingBack, Held, Receiving, Recovering, Serving, Standby, Unverified};

/// Role, from, to, why: everything a node may do.
pub const TRANSITIONS: &[(NodeRole, NodeState, NodeState, &str)] = &[
    (NodeRole::Client, Standby, Activating, "an operator activates"),
    (NodeRole::Client, Activating, Active, "every step is done"),
    (NodeRole::Client, Activating, Standby, "aborted before the mandate was written"),
    (NodeRole::Client, Active, HandingBack, "an operator hands the service back"),
    (NodeRole::Client, HandingBack, Standby, "the mandate names the Master"),
    (NodeRole::Client, HandingBack, Active, "aborted before the mandate was written"),
    (NodeRole::Client, Active, Standby, "a newer mandate names the Master"),
    (NodeRole::Client, Activating, Held, "the machine booted in the middle"),
    (NodeRole::Client, Active, Held, "the machine booted, or something speaks against the mandate"),
    (NodeRole::Client, Held, Active, "the gate opened"),
    (NodeRole::Client, Held, Activating, "the run goes on, or an operator activates"),
    (NodeRole::Client, Held, Standby, "a mandate names the Master"),
    (NodeRole::Client, Standby, Held, "something speaks against the mandate, or it was declared lost"),
    (NodeRole::Master, Held, Serving, "the gate opened"),
    (NodeRole::Master, Held, Unverified, "nobody answered and the policy allows it"),
    (NodeRole::Master, Held, Fenced, "a mandate names the Client"),
    (NodeRole::Master, Unverified, Serving, "the Client confirmed"),
    (NodeRole::Master, Unverified, Fenced, "a mandate names the Client"),
    (NodeRole::Master, Serving, Fenced, "a mandate names the Client"),
    (NodeRole::Master, Serving, Held, "it yielded, or something speaks against the mandate"),
    (NodeRole::Master, Unverified, Held, "it yielded, or something speaks against the mandate"),
    (NodeRole::Master, Fenced, Held, "a mandate names the Master; the gate asks"),
    (NodeRole::Master, Fenced, Receiving, "failback brings the Client's changes home"),
    (NodeRole::Master, Receiving, Fenced, "the reverse sync ended"),
    (NodeRole::Master, Receiving, Held, "the content is in its place; the gate asks"),
    (NodeRole::Master, Fenced, Serving, "a mandate names the Master"),
    (NodeRole::Master, Serving, Recovering, "it joined in the place of a Master that was lost"),
    (NodeRole::Master, Recovering, Receiving, "failback brings the Client's data to it"),
    (NodeRole::Master, Receiving, Recovering, "the reverse sync was given up"),
    (NodeRole::Master, Receiving, Serving, "an operator takes the service, and what was replaced is put back"),
    (NodeRole::Master, Recovering, Held, "a mandate names the Master; the gate asks"),
    (NodeRole::Master, Recovering, Serving, "an operator takes the service on it"),
];

/// A step that the table does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {role} cannot go from {from} to {to}")]
pub struct IllegalTransition {
    /// Which side.
    pub role: NodeRole,
    /// Where it stands.
    pub from: NodeState,
    /// Where it was to go.
    pub to: NodeState,
}

impl NodeState {
    /// Where a node stands on its first start.
    #[must_use]
    pub const fn initial(role: NodeRole) -> Self {
        match role {
            NodeRole::Master => Serving,
            NodeRole::Client => Standby,
        }
    }

    /// Whether an operator may take the service in this state.
    #[must_use]
    pub const fn may_be_taken_from(self, role: NodeRole) -> bool {
        match role {
            NodeRole::Client => matches!(self, Standby | Held),
            NodeRole::Master => matches!(self, Fenced | Held | Recovering | Receiving),
        }
    }

    /// Takes one step.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the table has no such row. Staying where one is, is no step and always legal.
    pub fn step(self, role: NodeRole, to: Self) -> Result<Self, IllegalTransition> {
        let known = TRANSITIONS.iter().any(|&(r, f, t, _)| r == role && f == self && t == to);
        if self == to || known { Ok(to) } else { Err(IllegalTransition { role, from: self, to }) }
    }
}

/// The table as a Mermaid diagram, one side at a time.
#[must_use]
pub fn diagram(role: NodeRole) -> String {
    let mut text = format!("stateDiagram-v2\n    [*] --> {}\n", NodeState::initial(role));
    for (_, from, to, why) in TRANSITIONS.iter().filter(|(r, ..)| *r == role) {
        text.push_str(&format!("    {from} --> {to}: {why}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_never_becomes_active_without_an_activation() {
        assert_eq!(
            Standby.step(NodeRole::Client, Active),
            Err(IllegalTransition { role: NodeRole::Client, from: Standby, to: Active })
        );
        assert_eq!(Standby.step(NodeRole::Client, Activating), Ok(Activating));
    }

    #[test]
    fn no_transition_leads_to_receiving_on_a_serving_node() {
        for (role, from, to, _) in TRANSITIONS {
            assert!(*to != Receiving || !matches!(from, Active | Serving | Unverified), "{role}: {from} → {to}");
        }
    }

    #[test]
    fn the_diagrams_in_the_documentation_are_this_table() {
        let documented = include_str!("../../../../ARCHITECTURE.md");
        for role in [NodeRole::Master, NodeRole::Client] {
            let drawn = diagram(role);
            assert!(documented.contains(&drawn), "ARCHITECTURE.md lacks:\n{drawn}");
        }
    }

    #[test]
    fn every_state_of_the_table_can_be_left() {
        for (role, _, to, _) in TRANSITIONS {
            assert!(TRANSITIONS.iter().any(|(r, from, ..)| r == role && from == to), "{role}: nothing leaves {to}");
        }
    }
}
