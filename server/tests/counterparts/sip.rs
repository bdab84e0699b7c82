//! A telephone system as far as OPTIONS can see it.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// It answers until dropped.
pub struct Phones {
    pub port: u16,
    hung_up: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Phones {
    pub fn ring() -> Self {
        Self::ring_at(0)
    }

    /// At this port; 0 for any.
    pub fn ring_at(port: u16) -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let hung_up = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&hung_up);
        let thread = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut bytes) {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let text = String::from_utf8_lossy(&bytes[..length]);
                let echoed = ["Via", "From", "To", "Call-ID", "CSeq"];
                let headers =
                    text.lines().filter(|line| echoed.iter().any(|name| line.starts_with(&format!("{name}:"))));
                let headers: String = headers.map(|line| format!("{line}\r\n")).collect();
                let answer =
                    format!("SIP/2.0 483 Too Many Hops\r\n{headers}Server: pbx 7\r\nContent-Length: 0\r\n\r\n");
                let _ = socket.send_to(answer.as_bytes(), from);
            }
        });
        Self { port, hung_up, thread: Some(thread) }
    }
}

impl Drop for Phones {
    fn drop(&mut self) {
        self.hung_up.store(true, Ordering::SeqCst);
        // Something to wake up by.
        let _ = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(b"x", ("127.0.0.1", self.port)));
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}
