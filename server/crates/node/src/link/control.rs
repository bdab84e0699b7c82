//! The conversation that never ends: the Master beats, the Client echoes. It carries what is declared and what has
//! changed, and its silence is how each side notices that it has lost the other.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use contract::{NodeRole, Refused, Rule};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::DialError;
use super::listener::Visitor;
use super::message::{self, Echo, Pulse, Purpose, Reply};
use crate::cluster::Machine;
use crate::mandate::file::Seat;
use crate::node::Node;

/// A beat a second, more when something changes.
const BEAT: Duration = Duration::from_secs(1);
/// Silence after which the other side counts as lost.
pub(crate) const SILENCE: Duration = Duration::from_secs(5);
/// Pause before the next dial.
const AGAIN: Duration = Duration::from_secs(1);

impl Node {
    /// Talks to one machine for ever: greets it until the two are associated; then one of them keeps the control
    /// conversation open and the other one waits for it. Across the sites that is the Client, between the members of a
    /// site the one with the smaller key.
    pub(crate) async fn keep_contact(self: Arc<Self>, seat: Seat) {
        let mut pair = self.link.watch_pair();
        while !self.stop.is_cancelled() {
            pair.mark_unchanged();
            tokio::select! {
                () = self.stop.cancelled() => break,
                changed = pair.changed() => if changed.is_err() { break },
                () = self.contact_once(seat) => {}
            }
        }
    }

    async fn contact_once(self: &Arc<Self>, seat: Seat) {
        let machine = match self.machine(seat).await {
            Ok(machine) => machine,
            Err(error) => {
                tracing::error!(?error, "the pair cannot be read");
                return tokio::time::sleep(AGAIN).await;
            }
        };
        let Some(machine) = machine else { return std::future::pending().await };
        match &machine.pair {
            None => match self.dial(machine.address, None, Purpose::Greet).await {
                Ok(dialled) => {
                    let who = dialled.reply.who();
                    let complaint = match self.fits(who, machine.sibling) {
                        Err(contract::Denied::Refused(list)) => list.into_iter().next(),
                        _ => None,
                    };
                    self.heard(seat, who, complaint);
                }
                Err(error) => self.lost(seat, &error, None),
            },
            Some(pair) => {
                let dials = match machine.sibling {
                    true => *self.identity.fingerprint() < *pair.fingerprint,
                    false => self.info.role == NodeRole::Client,
                };
                if !dials {
                    return std::future::pending().await;
                }
                if !self.converse(&machine, &pair.fingerprint).await {
                    return tokio::time::sleep(AGAIN).await;
                }
            }
        }
        tokio::time::sleep(AGAIN).await;
    }

    /// Dials for a control conversation and holds it to its end; `false` when it was refused.
    async fn converse(self: &Arc<Self>, machine: &Machine, fingerprint: &str) -> bool {
        let seat = machine.seat;
        let purpose = if machine.sibling { Purpose::Sibling } else { Purpose::Control };
        let ended = match self.dial(machine.address, Some(fingerprint), purpose).await {
            Ok(dialled) => match dialled.reply {
                Reply::Welcome { who, .. } if machine.sibling => {
                    self.heard(seat, &who, None);
                    self.talk_with_sibling(dialled.stream, &who).await.map_err(DialError::from)
                }
                Reply::Welcome { who, .. } => {
                    self.heard(seat, &who, None);
                    self.control_as_client(seat, dialled.stream).await
                }
                Reply::Refused { who, refused, .. } => {
                    self.heard(seat, &who, refused.into_iter().next());
                    return false;
                }
            },
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            let complaint = error
                .is_other_machine()
                .then(|| Refused::new(Rule::PeerWrongAddress, machine.address.to_string(), String::new()));
            self.lost(seat, &error, complaint);
        }
        true
    }

    async fn control_as_client(
        self: &Arc<Self>,
        seat: Seat,
        mut stream: tokio_rustls::client::TlsStream<super::Wire>,
    ) -> Result<(), DialError> {
        let talk = self.link.begin_talk(seat);
        loop {
            let pulse: Pulse = timeout(SILENCE, message::read(&mut stream)).await.map_err(|_| DialError::Silent)??;
            if let Err(error) = self.hear_standing(seat, &pulse.standing).await {
                // What cannot be written down is not answered: the next contact tells it again.
                return Err(io::Error::other(error.text(contract::Lang::En)).into());
            }
            talk.goes_on(&pulse.standing);
            if let Err(error) = self.choose_source().await {
                tracing::error!(?error, "the members of the Master site cannot be read");
            }
            if self.may_receive() && self.link.source() == Some(seat) {
                self.replicas_hear(pulse).await;
            }
            let who = self.link.contact(seat).who;
            if let Some(who) = who {
                self.heard(seat, &who, None);
            }
            let echo = Echo {
                bandwidth: self.pacing.limit(),
                datasets: self.replica_briefs(),
                standing: self.standing(seat).await,
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
        let mut sessions = self.begin_conversation(Seat::First);
        let talk = self.link.begin_talk(Seat::First);
        self.heard(Seat::First, &who, None);
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
                self.hear_standing(Seat::First, &echo.standing)
                    .await
                    .map_err(|error| io::Error::other(error.text(contract::Lang::En)))?;
                talk.goes_on(&echo.standing);
                self.heard(Seat::First, &who, None);
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
            self.lost(Seat::First, error, None);
        }
        Ok(())
    }

    /// A control conversation with that machine begins: the one before ends. What comes back tells of the next one.
    pub(crate) fn begin_conversation(&self, seat: Seat) -> watch::Receiver<u64> {
        let sessions = &self.control_sessions[seat.index()];
        sessions.send_modify(|number| *number += 1);
        sessions.subscribe()
    }
}
