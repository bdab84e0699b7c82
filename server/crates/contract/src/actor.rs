//! Who asks. Every command and query comes through the door with its actor, and the audit row keeps it.

use serde::{Deserialize, Serialize};

use crate::role::Role;

/// What kind of somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActorKind {
    /// A person with a session of the panel.
    User,
    /// Somebody with access to the control socket.
    Root,
    /// The node itself.
    System,
}

/// Who acts, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// What kind.
    pub kind: ActorKind,
    /// The user's name; `root` on the socket, `system` for the node itself.
    pub name: String,
    /// Behind root: the uid that logged in to the machine (`/proc/PID/loginuid`), when the kernel knows it.
    pub login_uid: Option<u32>,
    /// The power it acts with.
    pub role: Role,
    /// The IP of the browser, `socket`, or `node`.
    pub from: String,
}

impl Actor {
    /// A person of the panel.
    pub fn user(name: impl Into<String>, role: Role, from: impl Into<String>) -> Self {
        Self { kind: ActorKind::User, name: name.into(), login_uid: None, role, from: from.into() }
    }

    /// Somebody on the control socket.
    #[must_use]
    pub fn root(login_uid: Option<u32>) -> Self {
        Self { kind: ActorKind::Root, name: "root".into(), login_uid, role: Role::Admin, from: "socket".into() }
    }

    /// The node itself.
    #[must_use]
    pub fn system() -> Self {
        Self { kind: ActorKind::System, name: "system".into(), login_uid: None, role: Role::Admin, from: "node".into() }
    }
}
