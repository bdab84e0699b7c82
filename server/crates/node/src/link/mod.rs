//! The peer link: who the other machine is, whether it is in reach, and how it is dialled. What travels over it is the
//! business of [`control`] and of the sync.

pub(crate) mod control;
pub mod errand;
pub(crate) mod listener;
pub mod message;
mod talk;
pub mod tls;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use contract::address::PeerAddress;
use contract::status::{DatasetBrief, MachineInfo, PairInfo, PeerInfo};
use contract::{Denied, Refused, Timestamp};
use rustls::pki_types::ServerName;
use tokio::io::BufReader;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::cluster::Machine;
use crate::mandate::file::Seat;
use crate::mandate::lost::Returned;
use crate::mandate::rules::Standing;
use crate::node::Node;
use message::{Hello, Purpose, Reply, Who};
use talk::Talk;

/// The connection below TLS. Its library reads four kilobytes at a time: this fetches more at once.
pub(crate) type Wire = BufReader<TcpStream>;

/// What is fetched at once.
const FETCHED: usize = 64 * 1024;

/// Makes a connection ready for TLS.
pub(crate) fn wire(tcp: TcpStream) -> Wire {
    BufReader::with_capacity(FETCHED, tcp)
}

/// How long a machine may take to answer a dial and a greeting.
const ANSWER: Duration = Duration::from_secs(5);

/// What is known of another machine at this moment. Lost with the process, and found again by talking.
#[derive(Debug, Default, Clone)]
pub(crate) struct Contact {
    pub(crate) reachable: bool,
    pub(crate) since: Option<Timestamp>,
    pub(crate) last_seen: Option<Timestamp>,
    pub(crate) who: Option<Who>,
    pub(crate) compatible: Option<bool>,
    pub(crate) complaint: Option<Refused>,
    /// Master: what the Client last said of its replicas.
    pub(crate) echo: Option<(Vec<DatasetBrief>, Instant)>,
    /// What it last said of the mandate.
    standing: Option<(Standing, Instant)>,
    /// Since when its words have come without a gap.
    unbroken: Option<Instant>,
}

/// The link as the rest of the node sees it.
#[derive(Debug)]
pub(crate) struct Link {
    contacts: Mutex<[Contact; 2]>,
    pair: watch::Sender<u64>,
    talks: [Talk; 2],
    /// Client: the machine that content comes from; `None` while no member says that it serves.
    source: Mutex<Option<Seat>>,
    /// Machines that were declared lost and answer all the same.
    pub(crate) returned: Returned,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            contacts: Mutex::default(),
            pair: watch::Sender::new(0),
            talks: Default::default(),
            source: Mutex::new(Some(Seat::First)),
            returned: Returned::default(),
        }
    }
}

impl Link {
    pub(crate) fn contact(&self, seat: Seat) -> Contact {
        self.contacts.lock().unwrap_or_else(PoisonError::into_inner)[seat.index()].clone()
    }

    /// The machine that content comes from.
    pub(crate) fn source(&self) -> Option<Seat> {
        *self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets it; what it was.
    pub(crate) fn set_source(&self, seat: Option<Seat>) -> Option<Seat> {
        std::mem::replace(&mut *self.source.lock().unwrap_or_else(PoisonError::into_inner), seat)
    }

    /// Whether that machine is in reach.
    pub(crate) fn source_is_reachable(&self) -> bool {
        self.source().is_some_and(|seat| self.contact(seat).reachable)
    }

    /// The address or the association changed: whoever talks begins anew.
    pub(crate) fn pair_changed(&self) {
        *self.contacts.lock().unwrap_or_else(PoisonError::into_inner) = Default::default();
        self.set_source(Some(Seat::First));
        self.pair.send_modify(|version| *version += 1);
    }

    pub(crate) fn watch_pair(&self) -> watch::Receiver<u64> {
        self.pair.subscribe()
    }

    /// Keeps what a machine says now. `fresh` is how long a word lasts: one that comes later ends a silence.
    pub(crate) fn keep_standing(&self, seat: Seat, told: Standing, fresh: Duration) {
        let now = Instant::now();
        self.change(seat, |contact| {
            let goes_on = contact.standing.as_ref().is_some_and(|(_, at)| now.duration_since(*at) < fresh);
            contact.unbroken = contact.unbroken.filter(|_| goes_on).or(Some(now));
            contact.standing = Some((told, now));
        });
    }

    /// Since when a machine has not been silent for longer than a word lasts.
    pub(crate) fn unbroken(&self, seat: Seat) -> Option<Instant> {
        self.contact(seat).unbroken
    }

    /// What a machine said of the mandate, unless that is longer ago.
    pub(crate) fn standing(&self, seat: Seat, fresh: Duration) -> Option<Standing> {
        self.contact(seat).standing.filter(|(_, at)| at.elapsed() < fresh).map(|(told, _)| told)
    }

    /// What it said last, however long ago.
    pub(crate) fn last_standing(&self, seat: Seat) -> Option<Standing> {
        self.contact(seat).standing.map(|(told, _)| told)
    }

    fn change(&self, seat: Seat, change: impl FnOnce(&mut Contact)) {
        change(&mut self.contacts.lock().unwrap_or_else(PoisonError::into_inner)[seat.index()]);
    }
}

/// Why a dial came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    /// Nobody answered in time.
    #[error("no answer within {} seconds", ANSWER.as_secs())]
    Silent,
    /// The network or the conversation failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// No TLS with this node's own key.
    #[error("this node's certificate cannot be used: {0}")]
    Identity(rustls::Error),
}

impl DialError {
    /// Whether somebody answered with another certificate than the pinned one.
    pub(crate) fn is_other_machine(&self) -> bool {
        let Self::Io(error) = self else { return false };
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        matches!(tls, Some(rustls::Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure)))
    }
}

/// An answered dial.
#[derive(Debug)]
pub(crate) struct Dialled {
    pub(crate) stream: TlsStream<Wire>,
    pub(crate) reply: Reply,
}

impl Node {
    pub(crate) fn who(&self) -> Who {
        Who {
            protocol: self.info.protocol,
            version: self.info.version.clone(),
            node_id: self.info.id.clone(),
            name: self.info.name.clone(),
            role: self.info.role,
        }
    }

    /// Dials, proves itself, and hears the first answer. With a fingerprint only that machine will do.
    pub(crate) async fn dial(
        &self,
        address: PeerAddress,
        fingerprint: Option<&str>,
        purpose: Purpose,
    ) -> Result<Dialled, DialError> {
        let talk = async {
            let tcp = connect(address.socket(), self.config.peer.ip()).await?;
            let config = tls::client(&self.identity, fingerprint).map_err(DialError::Identity)?;
            let name = ServerName::IpAddress(address.ip.into());
            let mut stream = TlsConnector::from(Arc::new(config)).connect(name, wire(tcp)).await?;
            let pair = self.pair_id().await.ok().flatten();
            let seat = match fingerprint {
                Some(fingerprint) => self.machine_of(fingerprint).await.map(|machine| machine.seat),
                None => None,
            };
            // A stranger, or whoever is only about to become the pair, learns nothing of the mandate.
            let joining = matches!(purpose, Purpose::Join { .. });
            let known = seat.filter(|_| !joining);
            let lost = fingerprint.is_some_and(|fingerprint| self.tombstone_of(fingerprint).is_some());
            let standing = match known {
                Some(seat) => Some(self.standing(seat).await),
                None if lost && !joining => Some(self.standing_to_the_lost().await),
                None => None,
            };
            message::write(&mut stream, &Hello { who: self.who(), pair, purpose, standing }).await?;
            let reply: Reply = message::read(&mut stream).await?;
            let heard = match (reply.standing(), known) {
                (Some(told), Some(seat)) => self.hear_standing(seat, told).await,
                (Some(told), None) if lost => self.hear_the_lost(fingerprint.unwrap_or_default(), told).await,
                _ => Ok(()),
            };
            heard.map_err(|error| io::Error::other(error.text(contract::Lang::En)))?;
            Ok(Dialled { stream, reply })
        };
        tokio::time::timeout(ANSWER, talk).await.map_err(|_| DialError::Silent)?
    }

    /// The address or the association changed: talks and transfers of before end.
    pub(crate) fn pair_changed(&self) {
        self.link.pair_changed();
        self.copies.cancel_pulls(|_, _| true);
        self.verdict_is_stale();
    }

    /// The machines of the other site as they stand, and what this node is in a cluster.
    pub(crate) async fn pair_info(&self) -> Result<PairInfo, Denied> {
        let machines = self.machines_across().await?;
        let contact = |machine: &Machine| self.link.contact(machine.seat);
        let said = |machine: &Machine| contact(machine).who.map(|who| who.name);
        let name = |machine: &Machine| said(machine).or_else(|| machine.pair.as_ref().map(|pair| pair.name.clone()));
        let names: Vec<_> = machines.iter().filter_map(name).collect();
        let heard: Vec<_> = machines.iter().map(contact).collect();
        let peer_info = PeerInfo {
            name: (!names.is_empty()).then(|| names.join(", ")),
            version: heard.iter().find_map(|contact| contact.who.as_ref()).map(|who| who.version.clone()),
            // One that does not fit is enough.
            compatible: heard.iter().filter_map(|contact| contact.compatible).min(),
            machines: machines.iter().map(|machine| self.machine_info(machine)).collect(),
            complaint: heard.iter().find_map(|contact| contact.complaint.clone()),
        };
        let told = !machines.is_empty();
        Ok(PairInfo {
            id: machines.iter().find_map(|machine| machine.pair.as_ref()).map(|pair| pair.id.clone()),
            // A site of two is associated with both or with neither.
            associated: told && machines.iter().all(|machine| machine.pair.is_some()),
            peer: told.then_some(peer_info),
            cluster: self.cluster_info().await?,
        })
    }

    pub(crate) fn machine_info(&self, machine: &Machine) -> MachineInfo {
        let contact = self.link.contact(machine.seat);
        let told = self.standing_of(machine.seat);
        MachineInfo {
            ip: machine.address.ip,
            port: machine.address.port,
            reachable: contact.reachable,
            since: contact.since,
            last_seen: contact.last_seen,
            name: contact.who.map(|who| who.name).or_else(|| machine.pair.as_ref().map(|pair| pair.name.clone())),
            associated: machine.pair.is_some(),
            state: told.as_ref().and_then(|told| told.state),
            serves: told.as_ref().and_then(|told| told.serves_site),
        }
    }

    /// Notes that the other machine answered.
    pub(crate) fn heard(&self, seat: Seat, who: &Who, complaint: Option<Refused>) {
        let now = self.clock.now();
        let compatible = self.incompatible(who).is_none();
        self.link.change(seat, |contact| {
            if !contact.reachable {
                contact.since = Some(now);
                tracing::info!(peer = who.name, version = who.version, "the other machine answers");
                self.lookout.look_again();
            }
            contact.reachable = true;
            contact.last_seen = Some(now);
            contact.compatible = Some(compatible);
            contact.complaint = complaint;
            contact.who = Some(who.clone());
        });
        self.poke();
    }

    /// Notes that the other machine does not answer.
    pub(crate) fn lost(&self, seat: Seat, why: &dyn std::fmt::Display, complaint: Option<Refused>) {
        let now = self.clock.now();
        self.link.change(seat, |contact| {
            if contact.reachable || contact.since.is_none() {
                contact.since = Some(now);
                tracing::warn!(%why, "the other machine does not answer");
                self.lookout.look_again();
            }
            contact.reachable = false;
            contact.complaint = complaint;
        });
        // A pull from a machine that fell silent would wait for ever; what has arrived is kept.
        if self.link.source() == Some(seat) {
            self.copies.cancel_pulls(|_, _| true);
        }
        self.poke();
    }

    pub(crate) fn keep_echo(&self, echo: Vec<DatasetBrief>) {
        self.link.change(Seat::First, |contact| contact.echo = Some((echo, Instant::now())));
        self.poke();
    }
}

/// Connects from the address of the peer link unless that is unspecified.
async fn connect(to: SocketAddr, from: IpAddr) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if !from.is_unspecified() && from.is_ipv4() == to.is_ipv4() {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    let stream = socket.connect(to).await?;
    keep_alive(&stream)?;
    Ok(stream)
}

/// A machine that loses power says no farewell: the kernel is told to notice within ten seconds.
pub(crate) fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    stream.set_nodelay(true)?;
    let fd = stream.as_fd();
    sockopt::set_socket_keepalive(fd, true)?;
    sockopt::set_tcp_keepidle(fd, Duration::from_secs(3))?;
    sockopt::set_tcp_keepintvl(fd, Duration::from_secs(2))?;
    sockopt::set_tcp_keepcnt(fd, 3)?;
    sockopt::set_tcp_user_timeout(fd, 10_000)?;
    Ok(())
}
