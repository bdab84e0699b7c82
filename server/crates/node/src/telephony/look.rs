//! Asks SIP servers whether they are there, and judges beforehand what would not be.

use std::net::SocketAddr;
use std::time::Duration;

use contract::telephony::{Heard, SipServer, Telephony};
use contract::{Denied, NodeRole, Refused, Rule};
use futures_util::future::{join_all, select_ok};
use sip::Transport;

use crate::node::Node;
use crate::process::program::missing;

/// How long a server may take to answer one question.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks one server; its words, or why there are none. Of a name with several addresses any may answer.
pub(crate) async fn ask(server: &SipServer, patience: Duration) -> Result<String, String> {
    let transport = if server.tcp { Transport::Tcp } else { Transport::Udp };
    let asked = async {
        let named = tokio::net::lookup_host((server.host.as_str(), server.port)).await;
        let addresses: Vec<SocketAddr> = named.map_err(|error| error.to_string())?.collect();
        if addresses.is_empty() {
            return Err("the name has no address".to_owned());
        }
        let questions = addresses.into_iter().map(|at| Box::pin(sip::options(at, None, transport, patience)));
        match select_ok(questions).await {
            Ok((answer, _)) => {
                let server = answer.server.map(|server| format!(", {server}")).unwrap_or_default();
                Ok(format!("{} {}{server}", answer.status, answer.reason))
            }
            Err(error) => Err(error.to_string()),
        }
    };
    tokio::time::timeout(patience, asked).await.unwrap_or_else(|_| Err("no answer in time".into()))
}

impl Node {
    /// Asks one server now.
    pub(crate) async fn hear_sip(&self, server: &SipServer) -> Heard {
        let asked = ask(server, PATIENCE).await;
        let (answered, detail) = (asked.is_ok(), asked.unwrap_or_else(|why| why));
        Heard { server: server.clone(), answered, at: self.clock.now(), detail }
    }

    /// Asks all of them at once.
    pub(crate) async fn hear_all(&self, servers: &[SipServer]) -> Vec<Heard> {
        join_all(servers.iter().map(|server| self.hear_sip(server))).await
    }

    /// What is worth knowing before an activation. The own SIP server is to be silent until then.
    pub(crate) async fn preview_telephony(&self) -> Result<(Telephony, Vec<Refused>), Denied> {
        let telephony = self.telephony_settings().await?;
        let name = &self.info.name;
        let mut found = Vec::new();
        if telephony.is_empty() && self.info.role == NodeRole::Client {
            found.push(Refused::new(Rule::TelephonyUnset, name, ""));
        }
        let why = telephony.registrations.as_deref().and_then(missing);
        found.extend(why.map(|why| Refused::new(Rule::TelephonyCommand, name, why)));
        let trunks = self.hear_all(&telephony.trunks).await;
        let silent = trunks.iter().filter(|trunk| !trunk.answered);
        found.extend(silent.map(|one| Refused::new(Rule::TelephonyTrunk, one.server.to_string(), &*one.detail)));
        self.switchboard.keep(None, trunks);
        Ok((telephony, found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_at_which_nobody_answers_and_a_name_that_nobody_has_are_told_apart() {
        let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let server: SipServer = closed.to_string().parse().unwrap();
        let why = ask(&server, PATIENCE).await.unwrap_err();
        assert!(why.contains("refused"), "{why}");
        let server: SipServer = "no-such-host.invalid".parse().unwrap();
        assert!(ask(&server, PATIENCE).await.is_err());
    }
}
