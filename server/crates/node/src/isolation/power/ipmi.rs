//! A management controller over IPMI 2.0 (RMCP+), by `ipmitool`: the one program that knows the quirks of every make.
//! The privilege *Operator* suffices (IPMI 2.0, table G-1), the password goes by the environment.

use contract::command::Secret;
use contract::power::{PowerFault, PowerState};

use super::Order;
use super::child::{self, Said};

/// The cipher suites that are tried, the better one first. Left to itself the tool asks the controller which ones it knows,
/// and waits ten seconds for those that do not understand the question.
const SUITES: [&str; 2] = ["17", "3"];

/// One controller.
#[derive(Debug)]
pub(super) struct Controller<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) user: &'a str,
    pub(super) password: Option<&'a Secret>,
}

impl Controller<'_> {
    /// Asks whether the machine has power.
    pub(super) async fn status(&self) -> Result<PowerState, PowerFault> {
        let said = self.say("status").await?;
        match said.out.lines().find_map(|line| line.trim().strip_prefix("Chassis Power is ")) {
            Some("on") => Ok(PowerState::On),
            Some("off") => Ok(PowerState::Off),
            _ => Err(PowerFault::Unclear(said.last_words())),
        }
    }

    /// Orders what is to become of the power. The controller takes the order; what comes of it must be read.
    pub(super) async fn give(&self, order: Order) -> Result<(), PowerFault> {
        let verb = match order {
            Order::Off => "off",
            Order::Shutdown => "soft",
            Order::On => "on",
        };
        self.say(verb).await.map(drop)
    }

    /// `chassis power VERB`.
    async fn say(&self, verb: &str) -> Result<Said, PowerFault> {
        for suite in SUITES {
            match self.say_with(suite, verb).await {
                Err(PowerFault::NoCommonCipher) => {}
                other => return other,
            }
        }
        Err(PowerFault::NoCommonCipher)
    }

    async fn say_with(&self, suite: &str, verb: &str) -> Result<Said, PowerFault> {
        let port = self.port.to_string();
        let args = [
            // `-v`: it says then why no session came about.
            &["-v", "-I", "lanplus", "-E", "-L", "OPERATOR", "-N", "2", "-R", "3", "-C", suite][..],
            &["-H", self.host, "-p", &port, "-U", self.user, "chassis", "power", verb],
        ]
        .concat();
        let password = self.password.map(Secret::reveal).unwrap_or_default();
        let said = child::ask("ipmitool", &args, &[("IPMI_PASSWORD", password)]).await?;
        if said.status.success() { Ok(said) } else { Err(fault(&said)) }
    }
}

/// What went wrong, from the words of ipmitool 1.8.
fn fault(said: &Said) -> PowerFault {
    let words = |part: &str| said.err.contains(part) || said.out.contains(part);
    if words("Error in open session response") {
        PowerFault::NoCommonCipher
    } else if words("unauthorized name") {
        PowerFault::WrongUser
    } else if words("HMAC is invalid") {
        PowerFault::WrongPassword
    } else if words("Address lookup for") {
        PowerFault::NoRoute
    } else if words("Privilege Level") || words("Insufficient privilege") {
        PowerFault::NotPermitted
    } else if words("Unable to establish") {
        PowerFault::Silent
    } else {
        PowerFault::Failed(said.last_words())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn the_tools_words_become_plain_ones() {
        let end = "Error: Unable to establish IPMI v2 / RMCP+ session";
        for (err, expected) in [
            ("> RAKP 2 HMAC is invalid", PowerFault::WrongPassword),
            ("RAKP 2 message indicates an error : unauthorized name", PowerFault::WrongUser),
            ("Error in open session response message : no matching cipher suite", PowerFault::NoCommonCipher),
            ("Error in open session response message : invalid authentication algorithm", PowerFault::NoCommonCipher),
            ("Address lookup for bmc.example failed\nCould not open socket!", PowerFault::NoRoute),
            ("Set Session Privilege Level to OPERATOR failed: Unknown (0x81)", PowerFault::NotPermitted),
            ("Error issuing Get Channel Authentication Capabilities request", PowerFault::Silent),
        ] {
            let said = Said { status: ExitStatus::from_raw(256), out: String::new(), err: format!("{err}\n{end}\n") };
            assert_eq!(fault(&said), expected, "{err}");
        }
        let said = Said { status: ExitStatus::from_raw(256), out: String::new(), err: "Node busy\n".into() };
        assert_eq!(fault(&said), PowerFault::Failed("Node busy".into()));
    }
}
