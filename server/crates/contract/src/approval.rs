//! The second person: a house may want that whatever writes a mandate is approved by somebody else than who pressed the
//! button. Who is somebody else, how long they are waited for, and what became of it.

use serde::{Deserialize, Serialize};

use crate::actor::{Actor, ActorKind};
use crate::lang::Lang;
use crate::run::RunKind;
use crate::sync::Switch;
use crate::{Problem, Timestamp};

/// The default of the wait for the other person, in seconds.
pub const APPROVAL_WAIT: u32 = 900;
/// Shortest and longest wait, in seconds.
pub const APPROVAL_WAIT_RANGE: (u32, u32) = (1, 86_400);

/// What a house wants. In the status it is called `approval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalPolicy {
    /// Whether two persons are needed for whatever writes a mandate: activation, take-over, roll back, failback.
    pub activation: Switch,
    /// How long the other one is waited for, in seconds; then the run gives itself up.
    pub wait_seconds: u32,
}

impl Default for ApprovalPolicy {
    fn default() -> Self {
        Self { activation: Switch::Off, wait_seconds: APPROVAL_WAIT }
    }
}

impl ApprovalPolicy {
    /// Whether a run of this kind begins with the other person's word. What writes no mandate can be undone by one
    /// button, and a suspension must not wait: it is what stops a machine that serves wrongly.
    #[must_use]
    pub const fn asks_for(&self, kind: RunKind) -> bool {
        self.activation.is_on() && !matches!(kind, RunKind::Suspension | RunKind::Resumption) && !kind.stands_aside()
    }

    /// The policy that somebody typed; `None` stays as it was.
    ///
    /// # Errors
    /// What is wrong with the switch, and with the wait.
    pub fn typed(
        &self,
        activation: Option<&str>,
        wait: Option<&str>,
    ) -> Result<Self, (Option<Problem>, Option<Problem>)> {
        let switch = match activation.map(str::trim) {
            Some("on") => Ok(Switch::On),
            Some("off") => Ok(Switch::Off),
            None => Ok(self.activation),
            Some(_) => Err(Problem::NotOneOf("on, off".into())),
        };
        let (min, max) = APPROVAL_WAIT_RANGE;
        let seconds = match wait.map(str::trim) {
            None => Ok(self.wait_seconds),
            Some("") => Err(Problem::Required),
            Some(typed) => match typed.parse::<u32>() {
                Ok(wait) if (min..=max).contains(&wait) => Ok(wait),
                Ok(_) => Err(Problem::OutOfRange { min, max }),
                Err(_) => Err(Problem::NotANumber),
            },
        };
        match (switch, seconds) {
            (Ok(activation), Ok(wait_seconds)) => Ok(Self { activation, wait_seconds }),
            (switch, seconds) => Err((switch.err(), seconds.err())),
        }
    }
}

/// Who asks for an approval, or gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// What kind of somebody.
    pub kind: ActorKind,
    /// The user of the panel; `root` on the socket.
    pub name: String,
    /// Behind root: the uid that logged in to the machine; `null` where the kernel does not know it.
    pub login_uid: Option<u32>,
    /// Behind root: the name of that account; `null` where it is not known.
    pub account: Option<String>,
}

impl Person {
    /// The person behind an actor. `account` is the name of the account that logged in to the machine.
    #[must_use]
    pub fn of(actor: &Actor, account: Option<String>) -> Self {
        Self { kind: actor.kind, name: actor.name.clone(), login_uid: actor.login_uid, account }
    }

    /// Whether this is somebody else than the other one.
    ///
    /// Users of the panel are told apart by their names. Everybody on the control socket is root: they are told apart by
    /// the uid that logged in to the machine, which `su` and `sudo` do not change; two of which the kernel does not know
    /// it for both count as one. A user and a root are two, unless the account that became root has the user's name.
    /// This is for people who mean well and are in a hurry: whoever is root can do without any approval.
    #[must_use]
    pub fn is_another_than(&self, other: &Self) -> bool {
        match (self.kind, other.kind) {
            (ActorKind::User, ActorKind::User) => !self.name.eq_ignore_ascii_case(&other.name),
            (ActorKind::Root, ActorKind::Root) => {
                self.login_uid.zip(other.login_uid).is_some_and(|(one, other)| one != other)
            }
            (ActorKind::User, ActorKind::Root) => !other.is_account_of(&self.name),
            (ActorKind::Root, ActorKind::User) => !self.is_account_of(&other.name),
            // The node itself is nobody.
            _ => false,
        }
    }

    fn is_account_of(&self, user: &str) -> bool {
        self.account.as_ref().is_some_and(|account| account.eq_ignore_ascii_case(user))
    }

    /// Whether this is that user of the panel.
    #[must_use]
    pub fn is_user(&self, name: &str) -> bool {
        self.kind == ActorKind::User && self.name.eq_ignore_ascii_case(name)
    }

    /// The name as people read it.
    #[must_use]
    pub fn told(&self) -> String {
        match (&self.account, self.login_uid) {
            (Some(account), _) => format!("{} ({account})", self.name),
            (None, Some(uid)) => format!("{} (uid {uid})", self.name),
            (None, None) => self.name.clone(),
        }
    }
}

/// How an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// Nobody has answered yet.
    Waiting,
    /// Somebody else has approved.
    Approved,
    /// Somebody does not approve: the run was given up.
    Declined,
    /// Nobody answered in time: the run was given up.
    Lapsed,
    /// An operator went on alone, with a reason and an alarm.
    Bypassed,
    /// The run ended otherwise before anybody answered.
    Withdrawn,
}

impl ApprovalState {
    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Waiting => lang.pick("in attesa di un'altra persona", "waiting for another person"),
            Self::Approved => lang.pick("approvata da", "approved by"),
            Self::Declined => lang.pick("non approvata da", "not approved by"),
            Self::Lapsed => lang.pick("nessuno ha risposto in tempo", "nobody answered in time"),
            Self::Bypassed => lang.pick("SENZA la seconda persona:", "WITHOUT the second person:"),
            Self::Withdrawn => lang.pick("annullata prima di una risposta", "given up before anybody answered"),
        }
    }
}

/// `approval` of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// How it stands.
    pub state: ApprovalState,
    /// Who began the run.
    pub asked_by: Person,
    /// Until when the other person is waited for.
    pub until: Timestamp,
    /// Who answered; `null` where nobody did.
    pub by: Option<Person>,
    /// Why, where somebody declined or went on alone.
    pub reason: Option<String>,
    /// When it was settled; `null` while it waits, and where it was withdrawn.
    pub at: Option<Timestamp>,
}

impl Approval {
    /// Whether somebody's answer would count.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.state == ApprovalState::Waiting
    }

    /// How it stands, with whoever decided and why.
    #[must_use]
    pub fn told(&self, lang: Lang) -> String {
        let by = self.by.as_ref().map(|by| format!(" {}", by.told())).unwrap_or_default();
        let why = self.reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        format!("{}{by}{why}", self.state.label(lang))
    }
}

/// `tvox-dr approval show --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// What the house wants.
    #[serde(flatten)]
    pub policy: ApprovalPolicy,
    /// How many users of this panel may approve.
    pub operators: u32,
    /// The run that waits for an approval; `null` where none does.
    pub waiting: Option<Waiting>,
}

/// The run that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Its id: an approval names it.
    pub run: String,
    /// What it would do.
    pub kind: RunKind,
    /// Why it was begun.
    pub reason: String,
    /// Who asks, and until when.
    #[serde(flatten)]
    pub approval: Approval,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;

    fn user(name: &str) -> Person {
        Person::of(&Actor::user(name, Role::Operator, "10.0.0.9"), None)
    }

    fn root(uid: Option<u32>, account: Option<&str>) -> Person {
        Person::of(&Actor::root(uid), account.map(str::to_owned))
    }

    #[test]
    fn two_are_two_only_where_that_can_be_told() {
        let (anna, bruno, nobody) = (user("anna"), user("bruno"), root(None, None));
        let (uid1, uid2) = (root(Some(1001), Some("anna")), root(Some(1002), None));
        for (one, other, two) in [
            (&anna, &bruno, true),
            (&anna, &user("Anna"), false),
            (&anna, &uid2, true),
            (&anna, &uid1, false),
            (&bruno, &uid1, true),
            (&anna, &nobody, true),
            (&uid1, &uid2, true),
            (&uid1, &uid1.clone(), false),
            (&uid1, &nobody, false),
            (&nobody, &nobody.clone(), false),
            (&anna, &Person::of(&Actor::system(), None), false),
        ] {
            assert_eq!(one.is_another_than(other), two, "{one:?} {other:?}");
            assert_eq!(other.is_another_than(one), two, "{other:?} {one:?}");
        }
    }

    #[test]
    fn only_what_writes_a_mandate_needs_two_and_only_where_the_house_wants_it() {
        let wants = ApprovalPolicy { activation: Switch::On, ..ApprovalPolicy::default() };
        let asked: Vec<_> = RunKind::ALL.into_iter().filter(|kind| wants.asks_for(*kind)).collect();
        use RunKind::{Activation, Deactivation, Failback, Retirement, Takeover};
        assert_eq!(asked, [Activation, Deactivation, Takeover, Failback, Retirement]);
        assert!(!RunKind::ALL.into_iter().any(|kind| ApprovalPolicy::default().asks_for(kind)));
    }

    #[test]
    fn what_is_typed_is_taken_whole_or_not_at_all() {
        let before = ApprovalPolicy::default();
        assert_eq!(
            before.typed(Some("on"), Some(" 60 ")),
            Ok(ApprovalPolicy { activation: Switch::On, wait_seconds: 60 })
        );
        assert_eq!(before.typed(None, None), Ok(before));
        let (switch, wait) = before.typed(Some("perhaps"), Some("0")).unwrap_err();
        assert!(switch.is_some() && wait.is_some());
        assert!(matches!(before.typed(Some("on"), Some("soon")), Err((None, Some(Problem::NotANumber)))));
        assert!(matches!(before.typed(Some(""), Some("")), Err((Some(_), Some(Problem::Required)))));
    }
}
