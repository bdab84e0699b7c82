//! The other machine's address as people type it: `IP` or `IP[:PORT]`, IPv6 in brackets when a port follows.
//!
//! Names are refused on purpose: nothing on the way to an activation may need DNS.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::field::Problem;

/// The port of the peer link where none is typed.
pub const DEFAULT_PORT: u16 = 5461;

/// Where the other machine's peer link listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PeerAddress {
    /// Its IP.
    pub ip: IpAddr,
    /// Its port, [`DEFAULT_PORT`] unless typed.
    pub port: u16,
}

impl PeerAddress {
    /// As the standard library wants it.
    #[must_use]
    pub const fn socket(self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port)
    }
}

impl fmt::Display for PeerAddress {
    /// The default port is left out, as a person would type it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.port == DEFAULT_PORT { self.ip.fmt(f) } else { self.socket().fmt(f) }
    }
}

impl FromStr for PeerAddress {
    type Err = Problem;

    /// Reads an address and refuses what can be nobody's: unspecified, broadcast, multicast, port 0.
    fn from_str(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Problem::Required);
        }
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        let (ip, port) = if let Ok(ip) = bare.parse::<IpAddr>() {
            (ip, DEFAULT_PORT)
        } else if let Ok(socket) = text.parse::<SocketAddr>() {
            (socket.ip(), socket.port())
        } else {
            return Err(Problem::NotAnIp);
        };
        let ip = ip.to_canonical();
        if ip.is_unspecified() {
            return Err(Problem::UnspecifiedIp);
        }
        let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
        if broadcast || ip.is_multicast() {
            return Err(Problem::BroadcastIp);
        }
        // 0.0.0.0/8 and 240.0.0.0/4 are assigned to no host (RFC 1122, RFC 1112).
        if matches!(ip, IpAddr::V4(v4) if v4.octets()[0] == 0 || v4.octets()[0] >= 240) {
            return Err(Problem::NotAnIp);
        }
        if port == 0 {
            return Err(Problem::BadPort);
        }
        Ok(Self { ip, port })
    }
}

/// Reads `HOST[:PORT]`: a name or an IP, IPv6 in brackets where a port follows. Without a default the port is needed.
///
/// # Errors
/// [`Problem::Required`], [`Problem::NotAServer`] or [`Problem::BadPort`].
pub fn host_and_port(text: &str, default: Option<u16>) -> Result<(String, u16), Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Problem::Required);
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let (Ok(ip), Some(port)) = (bare.parse::<IpAddr>(), default) {
        return Ok((ip.to_string(), port));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let named = |host: &str| host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(ip) => ip.parse::<std::net::Ipv6Addr>().map_err(|_| Problem::NotAServer)?.to_string(),
        None if !host.is_empty() && named(host) => host.to_owned(),
        None => return Err(Problem::NotAServer),
    };
    match (port.map(str::parse::<u16>), default) {
        (Some(Ok(port)), _) if port > 0 => Ok((host, port)),
        (Some(_), _) => Err(Problem::BadPort),
        (None, Some(port)) => Ok((host, port)),
        (None, None) => Err(Problem::NotAServer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ip_with_or_without_port_is_read_and_printed_back() {
        for (typed, printed) in [
            ("10.0.100.206", "10.0.100.206"),
            (" 10.0.100.206 ", "10.0.100.206"),
            ("10.0.100.206:5461", "10.0.100.206"),
            ("127.0.0.1:7001", "127.0.0.1:7001"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("[2001:db8::7]:7001", "[2001:db8::7]:7001"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(typed.parse::<PeerAddress>().map(|a| a.to_string()), Ok(printed.to_owned()), "{typed}");
        }
    }

    #[test]
    fn what_can_be_nobodys_address_is_refused_with_its_reason() {
        for (typed, problem) in [
            ("", Problem::Required),
            ("dr.example.com", Problem::NotAnIp),
            ("10.0.0", Problem::NotAnIp),
            ("10.0.0.256", Problem::NotAnIp),
            ("0.1.2.3", Problem::NotAnIp),
            ("250.1.2.3", Problem::NotAnIp),
            ("0.0.0.0", Problem::UnspecifiedIp),
            ("[::]:5461", Problem::UnspecifiedIp),
            ("255.255.255.255", Problem::BroadcastIp),
            ("224.0.0.1", Problem::BroadcastIp),
            ("ff02::1", Problem::BroadcastIp),
            ("10.0.0.1:0", Problem::BadPort),
            ("10.0.0.1:70000", Problem::NotAnIp),
            ("10.0.0.1; rm -rf /", Problem::NotAnIp),
        ] {
            assert_eq!(typed.parse::<PeerAddress>(), Err(problem), "{typed}");
        }
    }
}
