//! A command of one's own: a hypervisor, a switched socket, whatever no standard covers. It is trusted to the letter and
//! no further: anything but the one word `on` or `off`, with exit code 0, is no reading.

use std::net::IpAddr;

use contract::command::Secret;
use contract::power::{PowerFault, PowerState};

use super::child::{self, Said};

/// Runs the command that prints `on` or `off`.
pub(super) async fn status(ip: IpAddr, script: &str, password: Option<&Secret>) -> Result<PowerState, PowerFault> {
    let said = run(ip, script, password).await?;
    match said.out.trim().to_ascii_lowercase().as_str() {
        "on" => Ok(PowerState::On),
        "off" => Ok(PowerState::Off),
        _ => Err(PowerFault::Unclear(hidden(&said, password))),
    }
}

/// Runs any of them.
pub(super) async fn run(ip: IpAddr, script: &str, password: Option<&Secret>) -> Result<Said, PowerFault> {
    let ip = ip.to_string();
    let mut env = vec![("TVOX_DR_MACHINE", ip.as_str())];
    env.extend(password.map(|password| ("TVOX_DR_POWER_PASSWORD", password.reveal())));
    let said = child::ask("/bin/sh", &["-c", script], &env).await?;
    if said.status.success() { Ok(said) } else { Err(PowerFault::Failed(hidden(&said, password))) }
}

/// A command that repeats its password in a complaint does not give it away.
fn hidden(said: &Said, password: Option<&Secret>) -> String {
    let words = said.last_words();
    match password.map(Secret::reveal).filter(|password| !password.is_empty()) {
        Some(password) => words.replace(password, "***"),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(script: &str) -> Result<PowerState, PowerFault> {
        status("192.0.2.1".parse().unwrap(), script, Some(&Secret::new("segreta"))).await
    }

    #[tokio::test]
    async fn only_the_one_word_counts_and_only_from_a_command_that_succeeded() {
        assert_eq!(read("echo on").await, Ok(PowerState::On));
        assert_eq!(read("printf ' OFF\\r\\n'").await, Ok(PowerState::Off));
        assert_eq!(read("echo off; exit 1").await, Err(PowerFault::Failed("off".into())));
        for (script, words) in [("echo shut off", "shut off"), ("echo on; echo off", "off"), ("true", "exit status: 0")]
        {
            assert_eq!(read(script).await, Err(PowerFault::Unclear(words.into())), "{script}");
        }
    }

    #[tokio::test]
    async fn it_knows_the_machine_and_the_password_and_does_not_tell_the_latter() {
        assert_eq!(read("test $TVOX_DR_MACHINE = 192.0.2.1 && echo on").await, Ok(PowerState::On));
        assert_eq!(
            read("echo \"bad $TVOX_DR_POWER_PASSWORD\" >&2; exit 1").await,
            Err(PowerFault::Failed("bad ***".into()))
        );
    }
}
