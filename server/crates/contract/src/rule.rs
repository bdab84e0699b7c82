//! The guards of the product: each has a name that scripts may rely on, a sentence and a remedy in both languages, and
//! says whether an operator may override it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::field::FieldError;
use crate::lang::Lang;
use crate::sentence::{fact, sentences};

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $(, $over:ident)?;)*) => {
        /// A guard's name. The words are part of the contract with scripts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Rule { $($(#[$doc])* #[serde(rename = $name)] $variant,)* }

        impl Rule {
            /// Every rule there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in commands and JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whether `--override` may pass it.
            #[must_use]
            pub const fn overridable(self) -> bool {
                match self { $(Self::$variant => rules!(@over $($over)?),)* }
            }
        }
    };
    (@over overridable) => { true };
    (@over) => { false };
}

rules! {
    /// The command belongs to the other side of the pair.
    RoleWrong = "role.wrong";
    /// The person's role does not suffice.
    PermissionDenied = "permission.denied";
    /// The state of the node does not allow it.
    StateIllegal = "state.illegal";
    /// Another long operation runs.
    RunInProgress = "run.in_progress";
    /// The typed machine name is not this machine's.
    ConfirmName = "confirm_name";
    /// There is no pair yet.
    PairNotAssociated = "pair.not_associated";
    /// The machine was declared lost.
    PairRetired = "pair.retired";
    /// The machine that made the token was declared lost.
    PairRetiredToken = "pair.retired_token";
    /// Each of the two machines has a mandate of its own.
    PairTwoMandates = "pair.two_mandates";
    /// The Master is new and holds nothing yet.
    PeerRecovering = "peer.recovering";
    /// The machine is the last one of its site.
    PairLastMember = "pair.last_member";
    /// There is a pair already.
    PairAlreadyAssociated = "pair.already_associated";
    /// Both machines have the same role.
    PairSameRole = "pair.same_role";
    /// Both machines have the same name.
    PairSameName = "pair.same_name";
    /// Product version or protocol differ.
    PairIncompatible = "pair.incompatible";
    /// The other machine's address is not set.
    PeerUnset = "peer.unset";
    /// The address is this machine's own.
    PeerOwnAddress = "peer.own_address";
    /// Behind the address stands another machine than expected.
    PeerWrongAddress = "peer.wrong_address";
    /// The address of this site's other member is not set.
    SiblingUnset = "sibling.unset";
    /// Datasets are declared on the member that serves.
    SiblingServes = "sibling.serves";
    /// A member is to be associated that does not belong to the pair yet.
    SiblingFirst = "sibling.first";
    /// The join token is too old.
    TokenExpired = "token.expired";
    /// The join token was used already.
    TokenUsed = "token.used";
    /// Not a join token, or not one of that machine.
    TokenInvalid = "token.invalid";
    /// The licence with the needed module was never loaded.
    LicenceModule = "licence.module";
    /// The licence is forged, damaged, expired or another machine's.
    LicenceInvalid = "licence.invalid";
    /// A Master machine answers.
    IsolationAlive = "isolation.alive", overridable;
    /// Nobody vouches that a Master machine is off.
    IsolationUnattested = "isolation.unattested";
    /// There is no complete generation.
    DataNone = "data.none", overridable;
    /// Data would be lost without consent.
    DataLossConsent = "data_loss.consent";
    /// Data made on the DR would be discarded without consent.
    DrDataDiscard = "dr_data.discard";
    /// Too little free space.
    DiskFull = "disk.full", overridable;
    /// No service is declared.
    ServiceNone = "service.none", overridable;
    /// The mandate is missing or cannot be read.
    MandateMissing = "mandate.missing";
    /// Fork, set back or cloned: nothing flows until an operator settles it.
    MandateFinding = "mandate.finding";
    /// The two sides do not hold the same mandate.
    SyncMandate = "sync.mandate";
    /// Who is asked for data does not hold the mandate.
    SyncNotHolder = "sync.not_holder";
    /// Who asks for data serves, or is about to.
    SyncReceiverServing = "sync.receiver_serving";
    /// Who is asked for data is the member of its site that does not serve.
    SyncMemberPassive = "sync.member_passive";
    /// What the receiver has was never offered by the source.
    SyncContentUnknown = "sync.content_unknown";
    /// The replica is not held: there is nothing to consent to.
    SyncNotHeld = "sync.not_held";
    /// Nothing speaks against the mandate.
    SettleNothing = "settle.nothing";
    /// What was found can be settled only by taking the service.
    SettleByTake = "settle.by_take";
    /// The evidence has lost its value: a restart, or a sign of life.
    EvidenceVoid = "evidence.void";
    /// The reachable other machine did not stop its services.
    PeerNotYielding = "peer.not_yielding", overridable;
    /// No such restore point.
    PointUnknown = "point.unknown";
    /// What a restore point holds is not what was copied.
    PointDamaged = "point.damaged", overridable;
    /// The service goes on from data that is here already, not from a restore point.
    PointNotUsed = "point.not_used";
    /// Where the other machine would resume by itself after a silence.
    GateUnverified = "gate.unverified";
    /// What happens in silence was never chosen by a person.
    GateChosen = "gate.chosen";
    /// A program that a service is started, stopped or checked by cannot be run.
    ServiceCommand = "service.command";
    /// Nobody would serve: the other machine does not answer.
    PeerSilent = "peer.silent";
    /// A program that a step of the customer's own begins with cannot be run.
    StepCommand = "step.command";
    /// The other machine of the Master site is not at rest while content is to be put in its place on one.
    FailbackCluster = "failback.cluster";
    /// The DR says at this moment that it sends its content here: the service is given up there, not taken past it.
    FailbackSends = "failback.sends";
    /// The content that the mandate names is being put in its place here, and then this machine serves by itself.
    FailbackSettles = "failback.settles";
    /// The other machine of a cluster says nothing of itself, and is alive.
    FailbackMemberAlive = "failback.member_alive";
    /// The Master cannot take in what was made on the DR.
    FailbackMaster = "failback.master";
    /// Nothing is known to be lacking on the member.
    MemberCurrent = "member.current";
    /// The other member does not say at this moment that it serves with the data of the site.
    MemberBeside = "member.beside";
    /// The Master wrote something last that the DR never had, and it would be replaced.
    FailbackTail = "failback.tail";
    /// A server that a step of the customer's own needs does not answer.
    StepUnreachable = "step.unreachable";
    /// It answers and would not do what the step asks for.
    StepRefused = "step.refused";
    /// What is to be switched has a value that nobody declared.
    StepValue = "step.value";
    /// Others may go on using the old value for long.
    StepTtl = "step.ttl";
    /// A server answers for the zone that the step does not switch and that does not follow by itself.
    StepUnlisted = "step.unlisted";
    /// Nothing would prove after an activation that calls can be made.
    TelephonyUnset = "telephony.unset";
    /// A trunk does not answer from here.
    TelephonyTrunk = "telephony.trunk";
    /// The program that counts the registered phones cannot be run.
    TelephonyCommand = "telephony.command";
    /// Who began a run cannot approve of it as well.
    ApprovalSamePerson = "approval.same_person";
    /// The run that was named does not wait for an approval.
    ApprovalVoid = "approval.void";
    /// Two persons are wanted, and there is one.
    ApprovalAlone = "approval.alone";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A guard that said no, in no language yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The guard.
    pub rule: Rule,
    /// What it is about: a machine, an address, a dataset, a command.
    pub subject: String,
    /// The fact that decided, where the sentence needs one (a version, a role, a reason); may be empty.
    pub detail: String,
}

impl Refused {
    /// A refusal.
    pub fn new(rule: Rule, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { rule, subject: subject.into(), detail: detail.into() }
    }

    /// The refusal as people and scripts read it.
    #[must_use]
    pub fn finding(&self, lang: Lang) -> Finding {
        let (message, remedy) = self.sentences(lang);
        Finding {
            rule: self.rule,
            subject: self.subject.clone(),
            message,
            remedy,
            overridable: self.rule.overridable(),
        }
    }

    fn sentences(&self, lang: Lang) -> (String, String) {
        let (subject, detail) = (&self.subject, &self.detail);
        let (it, en) = sentences(self.rule);
        let detail = &fact(self.rule, detail, lang);
        let fill = |text: &str| text.replace("{s}", subject).replace("{d}", detail);
        let (message, remedy) = match lang {
            Lang::It => it,
            Lang::En => en,
        };
        (fill(message), fill(remedy))
    }
}

/// A refusal in one language, as printed with `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The guard.
    pub rule: Rule,
    /// What it is about.
    pub subject: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// Whether `--override` may pass it.
    pub overridable: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}: {} Remedy: {}", self.rule, self.subject, self.message, self.remedy)
    }
}

/// Something that was allowed and did not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What was attempted, on what.
    pub attempt: String,
    /// Why it did not work.
    pub cause: String,
}

/// Why the door did not do what it was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denied {
    /// A value cannot be taken.
    Invalid(Vec<FieldError>),
    /// Guards said no: all of them, at once.
    Refused(Vec<Refused>),
    /// It was tried and failed.
    Failed(Failure),
}

impl Denied {
    /// One guard's no.
    pub fn rule(rule: Rule, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Refused(vec![Refused::new(rule, subject, detail)])
    }

    /// One bad field.
    pub fn field(field: impl Into<String>, problem: crate::Problem) -> Self {
        Self::Invalid(vec![FieldError::new(field, problem)])
    }

    /// A failed attempt.
    pub fn failed(attempt: impl Into<String>, cause: impl fmt::Display) -> Self {
        Self::Failed(Failure { attempt: attempt.into(), cause: cause.to_string() })
    }

    /// The first rule that said no, for the audit row.
    #[must_use]
    pub fn first_rule(&self) -> Option<Rule> {
        match self {
            Self::Refused(list) => list.first().map(|refused| refused.rule),
            _ => None,
        }
    }

    /// All of it as sentences, one per line.
    #[must_use]
    pub fn text(&self, lang: Lang) -> String {
        let lines: Vec<String> = match self {
            Self::Invalid(errors) => errors.iter().map(|e| format!("{}: {}", e.field, e.problem.text(lang))).collect(),
            Self::Refused(list) => {
                list.iter().map(|r| r.finding(lang)).map(|f| format!("{} {}", f.message, f.remedy)).collect()
            }
            Self::Failed(failure) => vec![format!("{}: {}", failure.attempt, failure.cause)],
        };
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_two_sentences_in_two_languages_and_a_name_of_its_own() {
        let mut names = std::collections::HashSet::new();
        for rule in Rule::ALL {
            assert!(names.insert(rule.as_str()), "{rule} twice");
            let refused = Refused::new(*rule, "SUBJECT", "DETAIL");
            let (it, en) = (refused.finding(Lang::It), refused.finding(Lang::En));
            for text in [&it.message, &it.remedy, &en.message, &en.remedy] {
                assert!(text.ends_with('.') || text.ends_with("DETAIL"), "{rule}: {text}");
                assert!(!text.contains('{'), "{rule}: {text}");
            }
            assert_ne!(it.message, en.message, "{rule}");
        }
    }

    #[test]
    fn only_the_starred_rules_of_the_contract_can_be_overridden() {
        let starred: Vec<_> = Rule::ALL.iter().filter(|r| r.overridable()).map(|r| r.as_str()).collect();
        // `peer.not_yielding` is ours beside those of the contract: it passes a machine that says it goes on serving.
        // So is `point.damaged`: on the worst day what can be read is better than nothing.
        let ours = ["peer.not_yielding", "point.damaged"];
        assert_eq!(starred, [&["isolation.alive", "data.none", "disk.full", "service.none"][..], &ours].concat());
    }

    #[test]
    fn a_finding_prints_rule_subject_sentence_and_remedy_on_one_line() {
        let finding = Refused::new(Rule::PeerOwnAddress, "127.0.0.1:7001", "").finding(Lang::En);
        assert_eq!(
            finding.to_string(),
            "peer.own_address@127.0.0.1:7001: 127.0.0.1:7001 is this machine's own address. \
             Remedy: Write the address of the other machine of the pair."
        );
    }
}
