//! One look at one machine: what is tried, and what the network's answer means.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use contract::address::PeerAddress;
use contract::isolation::ProbeResult::{self, Answered, NotApplicable, Refused, Timeout};
use contract::isolation::own_words;
use contract::life::SipAddress;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};
use sip::{ProbeError, Transport};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::link::DialError;
use crate::link::message::Purpose;
use crate::node::Node;
use crate::pairing::is_of_this_machine;

/// How long a machine may take to open a connection.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it may take to greet; what is left of two seconds is for finding out whether it takes connections at all.
const GREETING: Duration = Duration::from_millis(1400);
const CONNECTION: Duration = Duration::from_millis(600);
/// How often it is pinged meanwhile: one packet may get lost.
const PINGS: u16 = 3;

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    /// The peer link, with the pinned key.
    PeerLink(u16),
    /// A connection to the panel, where its port is known.
    Panel(Option<u16>),
    /// An echo request.
    Icmp,
    /// A connection to a service.
    Tcp(u16),
    /// An OPTIONS request.
    Sip(SipAddress),
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerLink(_) => f.write_str("peer_link"),
            Self::Panel(_) => f.write_str("panel"),
            Self::Icmp => f.write_str("icmp"),
            Self::Tcp(port) => write!(f, "tcp:{port}"),
            Self::Sip(address) => write!(f, "sip:{address}"),
        }
    }
}

/// What a probe came to, and how the network says so.
type Look = (ProbeResult, String);

impl Node {
    /// Tries one probe.
    pub(super) async fn try_probe(&self, probe: Probe, ip: IpAddr, fingerprint: Option<&str>) -> Look {
        let from = self.config.peer.ip();
        match probe {
            Probe::PeerLink(port) => self.greet(PeerAddress { ip, port }, fingerprint).await,
            Probe::Panel(None) => (NotApplicable, own_words::NO_PORT.into()),
            Probe::Panel(Some(port)) | Probe::Tcp(port) => knock(SocketAddr::new(ip, port), from, PATIENCE).await,
            Probe::Icmp => ping(ip).await,
            Probe::Sip(address) => ask(address, from).await,
        }
    }

    /// Whoever answers is alive, also another machine than the expected one.
    async fn greet(&self, address: PeerAddress, fingerprint: Option<&str>) -> Look {
        let dialled = timeout(GREETING, self.dial(address, fingerprint, Purpose::Greet)).await;
        match dialled {
            Ok(Ok(dialled)) => {
                let who = dialled.reply.who();
                (Answered, format!("{} {}", who.name, who.version))
            }
            Ok(Err(error)) if error.is_other_machine() => (Answered, own_words::ANOTHER_MACHINE.into()),
            Ok(Err(DialError::Io(error))) if is_of_a_conversation(&error) => {
                (Answered, format!("something else answers: {error}"))
            }
            Ok(Err(DialError::Io(error))) => unanswered(&error, address.ip),
            Ok(Err(DialError::Silent | DialError::Identity(_))) | Err(_) => {
                // A machine that hangs still takes connections.
                knock(address.socket(), self.config.peer.ip(), CONNECTION).await
            }
        }
    }
}

/// Asks a telephone system whether it is there. Whatever it answers, it is.
async fn ask(address: SipAddress, from: IpAddr) -> Look {
    let from = Some(from).filter(|from| !from.is_unspecified() && from.is_ipv4() == address.at.is_ipv4());
    let transport = if address.tcp { Transport::Tcp } else { Transport::Udp };
    match sip::options(address.at, from, transport, PATIENCE).await {
        Ok(answer) => {
            let server = answer.server.map(|server| format!(", {server}")).unwrap_or_default();
            (Answered, format!("{} {}{server}", answer.status, answer.reason))
        }
        Err(ProbeError::Silent) => (Timeout, own_words::NO_ANSWER.into()),
        Err(error @ ProbeError::NotSip(_)) => (Answered, error.to_string()),
        Err(ProbeError::Io(error)) if is_of_a_conversation(&error) => {
            (Answered, format!("something else answers: {error}"))
        }
        Err(ProbeError::Io(error)) => unanswered(&error, address.at.ip()),
    }
}

/// Opens a connection and says nothing.
async fn knock(to: SocketAddr, from: IpAddr, patience: Duration) -> Look {
    match timeout(patience, connect(to, from)).await {
        Ok(Ok(_)) => (Answered, own_words::TAKES_CONNECTIONS.into()),
        Ok(Err(error)) => unanswered(&error, to.ip()),
        Err(_) => (Timeout, own_words::NO_ANSWER.into()),
    }
}

async fn connect(to: SocketAddr, from: IpAddr) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if !from.is_unspecified() && from.is_ipv4() == to.is_ipv4() {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    let stream = socket.connect(to).await?;
    if stream.local_addr()? == stream.peer_addr()? {
        // On one machine a free port may be given to the caller, who then talks to itself.
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

/// Whether an error says that somebody spoke, however badly. Only what a conversation alone can come to counts: a fault of
/// this side must not make a dead machine live.
fn is_of_a_conversation(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::UnexpectedEof | Kind::InvalidData | Kind::ConnectionAborted | Kind::BrokenPipe)
}

/// What it means that no connection came about. A reset is an answer; from this machine's own address it is our own.
fn unanswered(error: &io::Error, ip: IpAddr) -> Look {
    use io::ErrorKind as Kind;
    let result = match error.kind() {
        Kind::ConnectionRefused if is_of_this_machine(ip) => {
            return (NotApplicable, own_words::OWN_REFUSAL.into());
        }
        Kind::ConnectionRefused | Kind::ConnectionReset => Refused,
        // The fault is on this side.
        Kind::AddrNotAvailable | Kind::PermissionDenied | Kind::InvalidInput => NotApplicable,
        _ => Timeout,
    };
    (result, error.to_string())
}

/// Echo requests by the kernel's unprivileged ICMP socket (icmp(7)), where the machine permits it.
async fn ping(ip: IpAddr) -> Look {
    if is_of_this_machine(ip) {
        return (NotApplicable, own_words::OWN_ADDRESS.into());
    }
    let socket = match echo_socket(ip) {
        Ok(socket) => socket,
        Err(error) => return (NotApplicable, format!("not permitted: {error}")),
    };
    let each = PATIENCE / u32::from(PINGS);
    for number in 0..PINGS {
        match timeout(each, echo(&socket, ip, number)).await {
            Ok(Ok(())) => return (Answered, own_words::ECHO.into()),
            Ok(Err(error)) => return unanswered(&error, ip),
            Err(_) => {}
        }
    }
    (Timeout, own_words::NO_ECHO.into())
}

fn echo_socket(ip: IpAddr) -> io::Result<UdpSocket> {
    let (family, protocol) = match ip {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(family, SocketType::DGRAM, flags, Some(protocol))?;
    // A datagram socket like one of UDP to everything that is done with it here: connect, send, receive.
    UdpSocket::from_std(fd.into())
}

/// One request, and the reply to any (RFC 792, RFC 4443). The kernel fills in identifier and checksum.
async fn echo(socket: &UdpSocket, ip: IpAddr, number: u16) -> io::Result<()> {
    let (request, reply) = if ip.is_ipv4() { (8, 0) } else { (128, 129) };
    socket.connect(SocketAddr::new(ip, 0)).await?;
    let [high, low] = number.to_be_bytes();
    socket.send(&[request, 0, 0, 0, 0, 0, high, low]).await?;
    let mut answer = [0; 64];
    loop {
        let length = socket.recv(&mut answer).await?;
        if answer[..length].first() == Some(&reply) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn an_open_port_is_life_and_a_closed_one_of_this_machine_says_nothing() {
        let listener = TcpListener::bind((HERE, 0)).unwrap();
        let at = listener.local_addr().unwrap();
        assert_eq!(knock(at, HERE, PATIENCE).await.0, Answered);
        drop(listener);
        assert_eq!(knock(at, HERE, PATIENCE).await.0, NotApplicable);
    }

    #[test]
    fn a_reset_of_another_machine_is_life_and_a_route_that_is_missing_is_silence() {
        let elsewhere: IpAddr = "192.0.2.1".parse().unwrap();
        for (kind, expected) in [
            (io::ErrorKind::ConnectionRefused, Refused),
            (io::ErrorKind::ConnectionReset, Refused),
            (io::ErrorKind::HostUnreachable, Timeout),
            (io::ErrorKind::TimedOut, Timeout),
            (io::ErrorKind::AddrNotAvailable, NotApplicable),
            (io::ErrorKind::InvalidInput, NotApplicable),
        ] {
            assert_eq!(unanswered(&kind.into(), elsewhere).0, expected, "{kind:?}");
        }
        assert_eq!(unanswered(&io::ErrorKind::ConnectionReset.into(), HERE).0, Refused, "somebody listened");
    }

    #[tokio::test]
    async fn a_source_address_that_leads_nowhere_is_a_fault_of_this_side_and_no_sign_of_life() {
        let elsewhere = SocketAddr::new("192.0.2.1".parse().unwrap(), 5461);
        let (result, detail) = knock(elsewhere, HERE, CONNECTION).await;
        assert!(matches!(result, NotApplicable | Timeout), "{result:?}: {detail}");
    }

    #[tokio::test]
    async fn a_ping_of_this_machine_says_nothing_and_never_fails_the_look() {
        assert_eq!(ping(HERE).await.0, NotApplicable);
    }
}
