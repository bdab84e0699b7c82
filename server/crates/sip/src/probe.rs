//! One question and its answer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};

use crate::message::{LONGEST, Malformed, Options, Response, end_of_headers};

/// When a request by UDP is sent again for the first time; then after twice as long each time (RFC 3261, 17.1.2).
const T1: Duration = Duration::from_millis(500);

/// By which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A connection.
    Tcp,
}

/// What a server answered. Any final answer proves that it is there, a refusal too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// 200 to 699.
    pub status: u16,
    /// What it says beside the number.
    pub reason: String,
    /// What it calls itself (`Server`, or `User-Agent`).
    pub server: Option<String>,
    /// The methods it takes.
    pub allow: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Nothing came in time.
    #[error("no answer in time")]
    Silent,
    /// Somebody said something that is no SIP.
    #[error("something else answers: {0}")]
    NotSip(Malformed),
    /// The network said no.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Asks `to` whether it is there, from an address of this machine where one is given.
///
/// # Errors
/// [`ProbeError`]; a provisional answer alone (1xx) is [`ProbeError::Silent`].
pub async fn options(
    to: SocketAddr,
    from: Option<IpAddr>,
    transport: Transport,
    patience: Duration,
) -> Result<Answer, ProbeError> {
    let asked = async {
        match transport {
            Transport::Udp => by_udp(to, from, patience).await,
            Transport::Tcp => by_tcp(to, from).await,
        }
    };
    timeout(patience, asked).await.unwrap_or(Err(ProbeError::Silent))
}

async fn by_udp(to: SocketAddr, from: Option<IpAddr>, patience: Duration) -> Result<Answer, ProbeError> {
    let any = if to.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
    let socket = UdpSocket::bind((from.unwrap_or(any), 0)).await?;
    // Connected: only that address is heard, and a port that is closed says so.
    socket.connect(to).await?;
    let request = request(to, socket.local_addr()?, "UDP")?;
    let (began, mut bytes, mut pause) = (Instant::now(), vec![0; LONGEST], T1);
    let mut strange = None;
    while began.elapsed() < patience {
        socket.send(request.text().as_bytes()).await?;
        let again = Instant::now() + pause;
        while let Ok(received) = timeout_at(again, socket.recv(&mut bytes)).await {
            match Response::parse(&bytes[..received?]) {
                Ok(response) => match answer(&request, &response, began) {
                    Some(answer) => return Ok(answer),
                    None => continue,
                },
                Err(malformed) => strange = Some(malformed),
            }
        }
        if let Some(malformed) = strange {
            return Err(ProbeError::NotSip(malformed));
        }
        pause *= 2;
    }
    Err(ProbeError::Silent)
}

async fn by_tcp(to: SocketAddr, from: Option<IpAddr>) -> Result<Answer, ProbeError> {
    let began = Instant::now();
    let mut stream = connect(to, from).await?;
    let request = request(to, stream.local_addr()?, "TCP")?;
    stream.write_all(request.text().as_bytes()).await?;
    let mut bytes = Vec::new();
    loop {
        let Some(end) = end_of_headers(&bytes) else {
            if bytes.len() >= LONGEST {
                return Err(ProbeError::NotSip(Malformed::TooLong));
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err(match bytes.is_empty() {
                    true => io::Error::from(io::ErrorKind::UnexpectedEof).into(),
                    false => ProbeError::NotSip(Malformed::Unfinished),
                });
            }
            continue;
        };
        let response = Response::parse(&bytes).map_err(ProbeError::NotSip)?;
        if let Some(answer) = answer(&request, &response, began) {
            return Ok(answer);
        }
        // A provisional answer, or somebody else's: what follows it may be ours.
        bytes.drain(..end + 4);
    }
}

async fn connect(to: SocketAddr, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(from) = from {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    socket.connect(to).await
}

fn request(to: SocketAddr, from: SocketAddr, transport: &'static str) -> io::Result<Options> {
    let mut random = [0; 24];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Ok(Options {
        to,
        from,
        transport,
        branch: format!("z9hG4bK{}", hex(&random[..8])),
        call_id: format!("{}@tvox-dr", hex(&random[8..16])),
        tag: hex(&random[16..]),
    })
}

fn answer(request: &Options, response: &Response, began: Instant) -> Option<Answer> {
    (response.status >= 200 && request.is_answered_by(response)).then(|| Answer {
        status: response.status,
        reason: response.reason.clone(),
        server: response.words("server").or_else(|| response.words("user-agent")),
        allow: response.list("allow"),
        took: began.elapsed(),
    })
}
