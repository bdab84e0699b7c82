//! The conversation that never ends: the Master beats, the Client echoes. It carries what is declared and what has
//! changed, and its silence is how each side notices that it has lost the other.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use contract::{NodeRole, Refused, Rule};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::DialError;
use super::listener::Visitor;
use super::message::{self, Echo, Pulse, Purpose, Reply};
use crate::node::Node;

/// A beat a second, more when something changes.
const BEAT: Duration = Duration::from_secs(1);
/// Silence after which the other side counts as lost.
pub(crate) const SILENCE: Duration = Duration::from_secs(5);
/// Pause before the next dial.
const AGAIN: Duration = Duration::from_secs(1);

impl Node {
    /// Talks to the other machine for ever: greets it until the two are associated; then the Client keeps the control
    /// conversation open and the Master waits for it.
    pub(crate) async fn keep_contact(self: Arc<Self>) {
        let mut pair = self.link.watch_pair();
        while !self.stop.is_cancelled() {
            pair.mark_unchanged();
            tokio::select! {
                () = self.stop.cancelled() => break,
                changed = pair.changed() => if changed.is_err() { break },
                () = self.contact_once() => {}
            }
        }
    }

    async fn contact_once(self: &Arc<Self>) {
        let peer = match self.peer().await {
            Ok(peer) => peer,
            Err(error) => {
                tracing::error!(?error, "the pair cannot be read");
                return tokio::time::sleep(AGAIN).await;
            }
        };
        let Some(address) = peer.address else { return std::future::pending().await };
        match (peer.pair, self.info.role) {
            (Some(_), NodeRole::Master) => std::future::pending().await,
            (None, _) => match self.dial(address, None, Purpose::Greet).await {
                Ok(dialled) => {
                    let who = dialled.reply.who();
                    let complaint = match self.fits_as_peer(who) {
                        Err(contract::Denied::Refused(list)) => list.into_iter().next(),
                        _ => None,
                    };
                    self.heard(who, complaint);
                }
                Err(error) => self.lost(&error, None),
            },
            (Some(pair), NodeRole::Client) => {
                let ended = match self.dial(address, Some(&pair.fingerprint), Purpose::Control).await {
                    Ok(dialled) => match dialled.reply {
                        Reply::Welcome { who, .. } => {
                            self.heard(&who, None);
                            self.control_as_client(dialled.stream).await
                        }
                        Reply::Refused { who, refused, .. } => {
                            self.heard(&who, refused.into_iter().next());
                            return tokio::time::sleep(AGAIN).await;
                        }
                    },
                    Err(error) => Err(error),
                };
                if let Err(error) = ended {
                    let complaint = error
                        .is_other_machine()
                        .then(|| Refused::new(Rule::PeerWrongAddress, address.to_string(), String::new()));
                    self.lost(&error, complaint);
                }
            }
        }
        tokio::time::sleep(AGAIN).await;
    }

    async fn control_as_client(
        self: &Arc<Self>,
        mut stream: tokio_rustls::client::TlsStream<tokio::net::TcpStream>,
    ) -> Result<(), DialError> {
        let talk = self.link.begin_talk();
        loop {
            let pulse: Pulse = timeout(SILENCE, message::read(&mut stream)).await.map_err(|_| DialError::Silent)??;
            if let Err(error) = self.hear_standing(&pulse.standing).await {
                // What cannot be written down is not answered: the next contact tells it again.
                return Err(io::Error::other(error.text(contract::Lang::En)).into());
            }
            talk.goes_on(&pulse.standing);
            if self.may_receive() {
                self.replicas_hear(pulse).await;
            }
            let who = self.link.contact().who;
            if let Some(who) = who {
                self.heard(&who, None);
            }
            let echo = Echo {
                bandwidth: self.pacing.limit(),
                datasets: self.replica_briefs(),
                standing: self.standing().await,
            };
            message::write(&mut stream, &echo).await?;
        }
    }

    /// Serves one Client's control conversation until it ends, another one begins, or the node stops.
    pub(crate) async fn control_as_master(self: &Arc<Self>, visitor: Visitor) -> io::Result<()> {
        let who = visitor.hello.who.clone();
        let (mut reading, mut writing) = tokio::io::split(visitor.stream);
        let mut pair = self.link.watch_pair();
        let mut book = self.book.watch();
        let mut sessions = self.control_session.subscribe();
        self.control_session.send_modify(|number| *number += 1);
        sessions.mark_unchanged();
        let talk = self.link.begin_talk();
        self.heard(&who, None);
        let beats = async {
            let mut ticks = interval(BEAT);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = self.sources_changed() => {}
                    _ = book.changed() => {}
                }
                message::write(&mut writing, &self.pulse().await).await?;
            }
        };
        let echoes = async {
            loop {
                let echo: Echo =
                    timeout(SILENCE, message::read(&mut reading)).await.map_err(|_| io::ErrorKind::TimedOut)??;
                self.hear_standing(&echo.standing)
                    .await
                    .map_err(|error| io::Error::other(error.text(contract::Lang::En)))?;
                talk.goes_on(&echo.standing);
                self.heard(&who, None);
                self.hear_bandwidth(echo.bandwidth);
                self.keep_echo(echo.datasets);
            }
        };
        let ended: io::Result<()> = tokio::select! {
            ended = beats => ended,
            ended = echoes => ended,
            _ = sessions.changed() => return Ok(()),
            _ = pair.changed() => return Ok(()),
        };
        if let Err(error) = &ended {
            self.lost(error, None);
        }
        Ok(())
    }
}
