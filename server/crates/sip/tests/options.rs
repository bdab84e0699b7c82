//! One question to servers of every kind: willing, slow, lossy, hostile, gone.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::net::SocketAddr;
use std::time::Duration;

use sip::{Answer, ProbeError, Transport, options};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

const PATIENCE: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

/// An answer to a request, with what an answer must repeat.
fn answer(request: &str, status: &str) -> String {
    let echoed = ["Via", "From", "To", "Call-ID", "CSeq"];
    let headers = request.lines().filter(|line| echoed.iter().any(|name| line.starts_with(&format!("{name}:"))));
    let headers: String = headers.map(|line| format!("{line}\r\n")).collect();
    format!("SIP/2.0 {status}\r\n{headers}Allow: INVITE, ACK\r\nServer: pbx\r\nContent-Length: 0\r\n\r\n")
}

/// A server that says this to each request that arrives; from the `deaf` first ones on.
async fn udp(deaf: usize, says: impl Fn(&str) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut bytes = vec![0; 65_536];
        let mut heard = 0;
        while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
            heard += 1;
            if heard > deaf {
                for said in says(&String::from_utf8_lossy(&bytes[..length])) {
                    let _ = socket.send_to(&said, from).await;
                }
            }
        }
    });
    at
}

async fn ask(at: SocketAddr, transport: Transport, patience: Duration) -> Result<Answer, ProbeError> {
    options(at, None, transport, patience).await
}

#[tokio::test]
async fn a_server_that_answers_is_heard_past_a_provisional_answer_and_somebody_elses() {
    let at = udp(0, |request| {
        let other = answer(&request.replace("Call-ID: ", "Call-ID: x"), "200 Not Yours");
        [answer(request, "100 Trying"), other, answer(request, "200 OK")].map(String::into_bytes).into()
    })
    .await;
    let heard = ask(at, Transport::Udp, PATIENCE).await.unwrap();
    assert_eq!((heard.status, heard.reason.as_str(), heard.server.as_deref()), (200, "OK", Some("pbx")));
    assert_eq!(heard.allow, ["INVITE", "ACK"]);
}

#[tokio::test]
async fn a_lost_request_is_sent_again() {
    let at = udp(2, |request| vec![answer(request, "486 Busy Here").into_bytes()]).await;
    assert_eq!(ask(at, Transport::Udp, PATIENCE).await.unwrap().status, 486, "a refusal is an answer");
}

#[tokio::test]
async fn silence_noise_and_refusal_are_told_apart() {
    let silent = udp(usize::MAX, |_| Vec::new()).await;
    assert!(matches!(ask(silent, Transport::Udp, SHORT).await, Err(ProbeError::Silent)));
    let noisy = udp(0, |_| vec![b"\x80\x00 hello".to_vec()]).await;
    assert!(matches!(ask(noisy, Transport::Udp, PATIENCE).await, Err(ProbeError::NotSip(_))));
    let gone = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = ask(gone, Transport::Udp, PATIENCE).await;
    assert!(matches!(&refused, Err(ProbeError::Io(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused));
}

#[tokio::test]
async fn by_tcp_an_answer_may_come_in_pieces_and_a_flood_is_cut_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = vec![0; 4096];
        let length = stream.read(&mut bytes).await.unwrap();
        let said = answer(&String::from_utf8_lossy(&bytes[..length]), "200 OK");
        for piece in said.as_bytes().chunks(7) {
            stream.write_all(piece).await.unwrap();
            stream.flush().await.unwrap();
        }
        let (mut stream, _) = listener.accept().await.unwrap();
        while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
    });
    assert_eq!(ask(at, Transport::Tcp, PATIENCE).await.unwrap().status, 200);
    assert!(matches!(ask(at, Transport::Tcp, PATIENCE).await, Err(ProbeError::NotSip(_))));
}
