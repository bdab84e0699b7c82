//! The listening side of the peer link: who may come in, and for what.
//!
//! Data is refused to strangers, the answer never is: everybody is told who listens here and why they get nothing.
//! Every refusal is counted; each kind from each address is logged once.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use contract::{Denied, Refused, Rule};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::message::{self, Hello, Purpose, Reply};
use super::{Wire, keep_alive, tls, wire};
use crate::cluster::Machine;
use crate::error::OpenError;
use crate::identity::fingerprint;
use crate::mandate::file::Seat;
use crate::node::Node;

/// How long a stranger may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections that have not yet said who they are. When one more comes, the oldest is cut: an honest machine needs
/// milliseconds, so that whoever holds connections open only cuts off others of its kind.
const MOST_UNPROVEN: usize = 64;

/// A connection whose other end has proven its key and said what it wants.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) stream: TlsStream<Wire>,
    pub(crate) hello: Hello,
    pub(crate) from: IpAddr,
    fingerprint: String,
}

impl Node {
    /// Binds the peer link.
    ///
    /// # Errors
    /// [`OpenError::Listen`].
    pub(crate) async fn bind_peer_link(&self) -> Result<TcpListener, OpenError> {
        let address = self.config.peer;
        TcpListener::bind(address).await.map_err(|error| OpenError::Listen {
            address: address.to_string(),
            what: "the peer link",
            why: error.to_string(),
        })
    }

    /// Takes visitors until the node stops.
    pub(crate) async fn listen(self: Arc<Self>, listener: TcpListener) {
        let acceptor = match tls::server(&self.identity) {
            Ok(config) => TlsAcceptor::from(Arc::new(config)),
            Err(error) => return tracing::error!(%error, "the peer link cannot listen"),
        };
        let (tasks, known) = (TaskTracker::new(), Arc::new(Mutex::new(HashSet::new())));
        let mut unproven: VecDeque<CancellationToken> = VecDeque::new();
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => break,
                accepted = accept(&listener) => accepted,
            };
            let Ok((tcp, from)) = accepted else { continue };
            unproven.retain(|greeting| !greeting.is_cancelled());
            if unproven.len() >= MOST_UNPROVEN
                && let Some(oldest) = unproven.pop_front()
            {
                oldest.cancel();
            }
            let greeting = CancellationToken::new();
            unproven.push_back(greeting.clone());
            let (node, acceptor, known) = (Arc::clone(&self), acceptor.clone(), Arc::clone(&known));
            tasks.spawn(async move {
                tokio::select! {
                    () = node.stop.cancelled() => {}
                    outcome = node.receive(acceptor, tcp, from.ip(), greeting) => if let Err(why) = outcome {
                        let mut known = known.lock().await;
                        if known.len() < 1000 && known.insert((from.ip(), why.to_string())) {
                            tracing::warn!(from = %from.ip(), %why, "a visitor of the peer link was sent away");
                        }
                    }
                }
            });
        }
        tasks.close();
        tasks.wait().await;
    }

    async fn receive(
        self: &Arc<Self>,
        acceptor: TlsAcceptor,
        tcp: TcpStream,
        from: IpAddr,
        greeting: CancellationToken,
    ) -> io::Result<()> {
        keep_alive(&tcp)?;
        // Cancelled by who needs the place; or by its own end, which gives the place back.
        let place = greeting.clone().drop_guard();
        let hello = async {
            let mut stream = acceptor.accept(wire(tcp)).await?;
            let presented = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let fingerprint = presented.map(fingerprint).ok_or(io::ErrorKind::PermissionDenied)?;
            let hello: Hello = message::read(&mut stream).await?;
            Ok::<_, io::Error>(Visitor { stream, hello, from: from.to_canonical(), fingerprint })
        };
        let visitor = tokio::select! {
            () = greeting.cancelled() => return Err(io::ErrorKind::ConnectionAborted.into()),
            visitor = tokio::time::timeout(PATIENCE, hello) => visitor.map_err(|_| io::ErrorKind::TimedOut)??,
        };
        drop(place);
        self.serve(visitor).await
    }

    async fn serve(self: &Arc<Self>, mut visitor: Visitor) -> io::Result<()> {
        let who = self.who();
        let known = self.machine_of(&visitor.fingerprint).await;
        if let (Some(told), Some(machine)) = (&visitor.hello.standing, &known) {
            // First on disk, and stopped where it must; then the answer.
            self.hear_standing(machine.seat, told)
                .await
                .map_err(|error| io::Error::other(error.text(contract::Lang::En)))?;
        }
        // Whoever was declared lost gets the answer, and nothing else.
        let lost = self.tombstone_of(&visitor.fingerprint);
        if let (Some(told), Some(_)) = (&visitor.hello.standing, &lost) {
            self.hear_the_lost(&visitor.fingerprint, told)
                .await
                .map_err(|error| io::Error::other(error.text(contract::Lang::En)))?;
        }
        let admitted = match &lost {
            Some(lost) => Err(vec![Refused::new(Rule::PairRetired, &lost.name, "")]),
            None => self.admit_visitor(&visitor, known.as_ref()).await,
        };
        let standing = match (&known, &lost) {
            (Some(machine), _) => Some(self.standing(machine.seat).await),
            (None, Some(_)) => Some(self.standing_to_the_lost().await),
            (None, None) => None,
        };
        let pair = match admitted {
            Ok(pair) => pair,
            Err(refused) => {
                let why = refused.iter().map(|r| r.rule.as_str()).collect::<Vec<_>>().join(", ");
                message::write(&mut visitor.stream, &Reply::Refused { who, refused, standing }).await?;
                let _ = tokio::io::AsyncWriteExt::shutdown(&mut visitor.stream).await;
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
            }
        };
        let standing = match &visitor.hello.purpose {
            // The new pair's first mandate travels with the answer.
            Purpose::Join { .. } => {
                let joined = self.machine_of(&visitor.fingerprint).await.map_or(Seat::First, |machine| machine.seat);
                Some(self.standing(joined).await)
            }
            _ => standing,
        };
        message::write(&mut visitor.stream, &Reply::Welcome { who, pair, standing }).await?;
        let mut pair = self.link.watch_pair();
        let served = async {
            match visitor.hello.purpose.clone() {
                Purpose::Greet | Purpose::Ask | Purpose::Join { .. } => {
                    tokio::io::AsyncWriteExt::shutdown(&mut visitor.stream).await
                }
                Purpose::Control => self.control_as_master(visitor).await,
                Purpose::Sibling => self.talk_with_sibling(visitor.stream, &visitor.hello.who).await,
                Purpose::Given { generations, datasets } => {
                    self.keep_given(visitor, &generations, datasets.as_deref()).await
                }
                Purpose::Yield => self.yield_to(visitor, known.map_or(Seat::First, |machine| machine.seat)).await,
                Purpose::Home(errand) => self.run_errand(visitor, errand).await,
                Purpose::Pull { dataset, rehash, .. } => self.offer(visitor, &dataset, rehash).await,
                Purpose::Manifest { dataset } => self.offer_manifest(visitor, &dataset).await,
            }
        };
        // What was allowed to one pair ends with it.
        tokio::select! {
            served = served => served,
            _ = pair.changed() => Ok(()),
        }
    }

    /// Stops serving, and says so until it is true.
    async fn yield_to(self: &Arc<Self>, mut visitor: Visitor, seat: Seat) -> io::Result<()> {
        self.give_up_serving().await.map_err(|error| io::Error::other(error.text(contract::Lang::En)))?;
        let mut ticks = tokio::time::interval(Duration::from_millis(200));
        loop {
            ticks.tick().await;
            let standing = self.standing(seat).await;
            message::write(&mut visitor.stream, &standing).await?;
            if crate::mandate::rules::has_stood_down(&standing) {
                return tokio::io::AsyncWriteExt::shutdown(&mut visitor.stream).await;
            }
        }
    }

    /// Decides what a visitor may have; the pair's id, or every reason why not.
    async fn admit_visitor(&self, visitor: &Visitor, known: Option<&Machine>) -> Result<Option<String>, Vec<Refused>> {
        let refused = |denied: Denied| match denied {
            Denied::Refused(list) => list,
            other => {
                tracing::error!(?other, "a visitor could not be judged");
                vec![Refused::new(Rule::StateIllegal, &self.info.name, "internal error")]
            }
        };
        let who = &visitor.hello.who;
        match &visitor.hello.purpose {
            Purpose::Greet => Ok(None),
            Purpose::Join { secret, .. } => self
                .accept_join(&visitor.hello, secret, &visitor.fingerprint, visitor.from)
                .await
                .map(Some)
                .map_err(refused),
            purpose => {
                // What a sibling may have is another thing than what the other site may.
                let of_siblings = matches!(purpose, Purpose::Sibling | Purpose::Given { .. });
                let meant = |machine: &&Machine| *purpose == Purpose::Ask || machine.sibling == of_siblings;
                let machine = known.filter(meant);
                let Some((machine, pair)) = machine.and_then(|machine| Some((machine, machine.pair.clone()?))) else {
                    return Err(vec![Refused::new(Rule::PairNotAssociated, &self.info.name, "")]);
                };
                if let Err(denied) = self.fits(who, machine.sibling) {
                    let refused = refused(denied);
                    self.heard(machine.seat, who, refused.first().cloned());
                    return Err(refused);
                }
                self.admit_pull(&visitor.hello).await.map_err(refused)?;
                Ok(Some(pair.id))
            }
        }
    }
}

async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let accepted = listener.accept().await;
    if let Err(error) = &accepted {
        // Out of descriptors, most likely: give those that are open a moment to end.
        tracing::warn!(%error, "the peer link could not take a visitor");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    accepted
}
