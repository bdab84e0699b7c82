//! A step that waits until somebody answers. So many seconds are no kind of step: they prove nothing.

use serde::{Deserialize, Serialize};

use crate::field::{FieldError, Problem};

/// Who is to answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitWork {
    /// `HOST:PORT` that is to take a TCP connection.
    pub tcp: String,
}

impl WaitWork {
    pub(super) fn check(tcp: &str) -> Result<Self, Vec<FieldError>> {
        let wrong = |problem| vec![FieldError::new("tcp", problem)];
        let tcp = tcp.trim();
        if tcp.is_empty() {
            return Err(wrong(Problem::Required));
        }
        let (host, port) = tcp.rsplit_once(':').ok_or_else(|| wrong(Problem::NotAServer))?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let named = |host: &str| host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
        let fits = match bare {
            Some(ip) => ip.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && named(host),
        };
        match port.parse::<u16>() {
            _ if !fits => Err(wrong(Problem::NotAServer)),
            Ok(port) if port > 0 => Ok(Self { tcp: tcp.to_owned() }),
            _ => Err(wrong(Problem::BadPort)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_are_waited_for() {
        for good in ["127.0.0.1:5060", " sbc.example.org:443 ", "[::1]:80"] {
            assert!(WaitWork::check(good).is_ok(), "{good}");
        }
        for bad in ["", "host", "host:0", "host:99999", ":80", "a b:80", "::1:80", "[x]:80"] {
            assert!(WaitWork::check(bad).is_err(), "{bad}");
        }
    }
}
