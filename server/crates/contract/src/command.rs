//! Everything that changes something, as one value. The door of the node takes it with its actor; tables beside it say
//! which role it needs (`rights`) and what the audit log calls it (`audit`).

mod audit;
mod outcome;
mod rights;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::dataset::{DatasetForm, Group};
use crate::failback::Failback;
use crate::gate::GateUnits;
use crate::isolation::Attestation;
use crate::lag::LagLimitForm;
use crate::lang::Lang;
use crate::life::LifeSignsForm;
use crate::own_step::{OwnStepForm, StepGroup};
use crate::power::{PowerForm, PowerOrder};
use crate::preflight::{Accept, Release, Settle, Take};
use crate::preserved::PreservedDiscard;
use crate::recipient::Channel;
use crate::retention::RetentionForm;
use crate::service::ServiceForm;
use crate::sms::SmsForm;
use crate::smtp::SmtpForm;
use crate::task::Scope;
use crate::telephony::TelephonyForm;

pub use outcome::{JoinToken, Outcome};

/// A text that never appears in a log or a debug print.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// One order to the node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Makes a user.
    UserAdd {
        /// The new user's name.
        name: String,
        /// `viewer`, `operator`, `admin`.
        role: String,
        /// The first password.
        password: Secret,
        /// Whether the first login asks for another.
        must_change: bool,
    },
    /// Sets another user's password; ends that user's sessions.
    UserPassword {
        /// Whose.
        name: String,
        /// The new one.
        password: Secret,
        /// Whether the next login asks for another.
        must_change: bool,
    },
    /// Removes a user and ends their sessions.
    UserRemove {
        /// Who.
        name: String,
    },
    /// Changes one's own password; ends one's other sessions.
    PasswordChange {
        /// The present one.
        current: Secret,
        /// The new one.
        new: Secret,
        /// The new one again.
        again: Secret,
    },
    /// Loads a licence.
    LicenceLoad {
        /// The file's text.
        text: String,
    },
    /// Removes the licence.
    LicenceRemove,
    /// Sets the other machine's address and, where given, all recipients: all of it or nothing.
    PeerSet {
        /// `IP[:PORT]`; of a site of two members, its node IP.
        address: String,
        /// Client: the two members, each `IP[:PORT]`; none for a machine that stands alone.
        members: Vec<String>,
        /// Every e-mail recipient, as typed; `None` leaves them.
        email: Option<Vec<String>>,
        /// Every SMS recipient, as typed; `None` leaves them.
        sms: Option<Vec<String>>,
        /// The language of their messages; `None` leaves it.
        language: Option<Lang>,
    },
    /// Makes a join token (Master).
    PeerToken,
    /// Joins with a token (Client).
    PeerJoin {
        /// As copied from the Master.
        token: Secret,
    },
    /// Dissolves the association on this side; the other machine is not needed.
    PeerForget,
    /// Member of a cluster: sets the other member's address and the node IP.
    SiblingSet(SiblingForm),
    /// Member of a cluster: joins the other one with its token.
    SiblingJoin {
        /// As copied from it.
        token: Secret,
    },
    /// Member of a cluster: the site has one machine again.
    SiblingForget,
    /// Adds a recipient.
    RecipientAdd {
        /// By which way.
        channel: Channel,
        /// As typed.
        value: String,
    },
    /// Removes a recipient.
    RecipientRemove {
        /// By which way.
        channel: Channel,
        /// As typed or as stored.
        value: String,
    },
    /// Chooses the language of alarm messages.
    MessageLanguage {
        /// `it` or `en`.
        language: Lang,
    },
    /// Sets the mail server.
    SmtpSet(SmtpForm),
    /// Sends a test mail.
    SmtpTest {
        /// To whom.
        to: String,
    },
    /// Adds an SMS account, or replaces the one of that name.
    SmsAccountAdd(SmsForm),
    /// Removes an SMS account.
    SmsAccountRemove {
        /// Its name.
        name: String,
    },
    /// Makes an SMS account the one that is tried first.
    SmsAccountDefault {
        /// Its name.
        name: String,
    },
    /// Sends a test SMS.
    SmsTest {
        /// Through which account; `None` for the default with its stand-ins.
        name: Option<String>,
        /// To whom.
        to: String,
    },
    /// Sets a limit.
    ThresholdSet {
        /// Its name.
        name: String,
        /// As typed.
        value: String,
    },
    /// Sets several limits: all of them or nothing.
    ThresholdsSet {
        /// Name and value, as typed.
        values: Vec<(String, String)>,
    },
    /// Gives a limit its default back.
    ThresholdReset {
        /// Its name.
        name: String,
    },
    /// Takes note of an alarm.
    AlarmAck {
        /// Its id.
        id: String,
        /// What is to be remembered.
        note: Option<String>,
    },
    /// Declares a dataset (Master).
    DatasetAdd(DatasetForm),
    /// Takes a declaration back (Master). The replica's data stays on the Client.
    DatasetRemove {
        /// Its name.
        name: String,
    },
    /// START and STOP of the Replicazione page (Client).
    SyncSwitch {
        /// One row, or both.
        only: Option<Group>,
        /// START or STOP.
        on: bool,
        /// STOP only: after which span it starts again by itself, as typed; `None` for when somebody presses START.
        pause: Option<String>,
    },
    /// How fast content may travel (Client).
    BandwidthSet {
        /// The general limit, as typed; `None` leaves it.
        limit: Option<String>,
        /// Every window, as typed; `None` leaves them.
        windows: Option<Vec<String>>,
    },
    /// The forced sync (Client).
    SyncFull {
        /// What it covers.
        scope: Scope,
        /// One row, or both.
        only: Option<Group>,
    },
    /// The verification (Client).
    SyncVerify {
        /// One row, or both.
        only: Option<Group>,
        /// A restore point, by its id; `None` for the replica as it is now.
        point: Option<String>,
    },
    /// Ends the forced sync or the verification that runs; what has arrived stays (Client).
    SyncCancel,
    /// Gives a dataset limits of its own for its lag (Client).
    LagLimitSet(LagLimitForm),
    /// Gives it the limits of the Soglie page back (Client).
    LagLimitReset {
        /// Its name.
        dataset: String,
    },
    /// How many restore points are kept (Client).
    RetentionSet(RetentionForm),
    /// In how long every replica is read again, all the time (Client).
    ScrubSet {
        /// A span, as typed.
        every: String,
    },
    /// Declares a service, or replaces the one of that name.
    ServiceAdd(ServiceForm),
    /// Takes a declaration back; what runs goes on running.
    ServiceRemove {
        /// Its name.
        name: String,
    },
    /// Chooses what the return gate does in silence.
    GateSet {
        /// `strict` or `unverified`.
        policy: String,
        /// Seconds; empty leaves it.
        wait: String,
    },
    /// Tells that units were made to ask the gate, or not to ask it any more.
    GateUnits(GateUnits),
    /// Tries what an activation would need, and changes nothing.
    Drill {
        /// Why.
        reason: String,
    },
    /// Undoes the own steps that an activation, or a take-over, has left behind.
    StepsUndo {
        /// Why.
        reason: String,
    },
    /// Chooses whether grave runs need a second person.
    ApprovalSet {
        /// `on` or `off`, as typed; `None` leaves it.
        activation: Option<String>,
        /// Seconds, as typed; `None` leaves it.
        wait: Option<String>,
    },
    /// Declares what proves a machine of the other site to be alive besides its node.
    LifeSignsSet(LifeSignsForm),
    /// Sets what proves after an activation that calls can be made here.
    TelephonySet(TelephonyForm),
    /// Takes all of it back.
    TelephonyClear,
    /// Sets how the power of a machine of the other site is read and switched.
    PowerSet(PowerForm),
    /// Forgets it, its password too.
    PowerRemove {
        /// The machine, as typed.
        ip: String,
    },
    /// Reads the power of a machine now.
    PowerRead {
        /// The machine, as typed.
        ip: String,
    },
    /// Switches a machine of the other site off, outside of a run.
    PowerOff(PowerOrder),
    /// Switches it on.
    PowerOn(PowerOrder),
    /// The button: takes the service (Client); starts the suspended services again where it has it already.
    Activate(Take),
    /// Rolls back: gives the service to the Master (Client).
    Deactivate(Release),
    /// Gives the service to the Master together with what was made on the DR (Client).
    Failback(Failback),
    /// Stops the services of the DR and keeps mandate and data (Client).
    Suspend(Release),
    /// Takes the service back when the DR is lost (Master).
    Takeover(Take),
    /// Declares the machines of the other site lost for good: takes the service, or goes on serving, and they belong to the
    /// pair no more.
    Retire(Take),
    /// States that what was found against the mandate is known and meant to be; who serves goes on serving.
    Settle(Settle),
    /// States that this member of a site of two has the data with which the site serves (Master).
    GateSame(Settle),
    /// Consents that this very content is replaced by the Master's (Client).
    SyncAccept(Accept),
    /// Goes on with a run that is stuck.
    RunResume {
        /// The operator's word again, where a restart has made it void.
        attest: Vec<Attestation>,
    },
    /// Gives a run up and undoes what it did.
    RunAbort,
    /// Approves of the run that waits for a second person.
    RunApprove {
        /// Its id: what is said of another run counts for nothing.
        run: String,
        /// The own password again; asked of whoever comes through the panel.
        password: Option<Secret>,
    },
    /// Does not approve of it: it is given up.
    RunDecline {
        /// Its id.
        run: String,
        /// Why.
        reason: String,
    },
    /// Goes on with it without the second person: an alarm tells everybody.
    RunBypass {
        /// Its id.
        run: String,
        /// Why it cannot wait.
        reason: String,
        /// The own password again; asked of whoever comes through the panel.
        password: Option<Secret>,
    },
    /// Declares a step of one's own, or replaces the one of that name.
    StepAdd(OwnStepForm),
    /// Takes such a declaration back.
    StepRemove {
        /// Its name.
        name: String,
    },
    /// Moves one.
    StepMove {
        /// Its name.
        name: String,
        /// `up`, `down` or a number.
        to: String,
    },
    /// Moves a whole group of them, or switches it on or off.
    StepGroup(StepGroup),
    /// Discards what a failback has replaced.
    PreservedDiscard(PreservedDiscard),
    /// Acknowledges a step: what a person has done, or what is passed because a person answers for it.
    RunAck {
        /// Its id.
        step: String,
        /// What is to be remembered.
        note: Option<String>,
    },
}

/// The other member of a cluster, as typed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SiblingForm {
    /// `IP[:PORT]`.
    pub address: String,
    /// The address that is on whichever of the two serves.
    pub node_ip: String,
    /// The command that ends well where it is; none to look at the machine's interfaces.
    pub check: Option<String>,
}
