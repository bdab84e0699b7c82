//! Requests as written and responses as read (RFC 3261, 7 and 20): start line and headers. Bodies are skipped.

use std::fmt::Write as _;
use std::net::SocketAddr;

/// Longest response that is read.
pub(crate) const LONGEST: usize = 64 * 1024;
/// Most headers of one response.
const MOST_HEADERS: usize = 256;

/// Why some bytes are no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It does not begin with `SIP/2.0 STATUS`.
    #[error("it is no SIP response")]
    StartLine,
    /// A header without a name or without a colon.
    #[error("a header cannot be read")]
    Header,
    /// More than anybody needs.
    #[error("it is too long")]
    TooLong,
    /// The empty line after the headers has not come.
    #[error("it has no end")]
    Unfinished,
}

/// A response without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// 100 to 699.
    pub status: u16,
    /// What it says beside the number, without control characters.
    pub reason: String,
    headers: Vec<(String, String)>,
}

impl Response {
    /// Reads start line and headers.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let end = end_of_headers(bytes).ok_or(if bytes.len() >= LONGEST {
            Malformed::TooLong
        } else {
            Malformed::Unfinished
        })?;
        let text = String::from_utf8_lossy(&bytes[..end]);
        let mut lines = text.split("\r\n").flat_map(|line| line.split('\n'));
        let start = lines.next().unwrap_or_default();
        let rest = start.strip_prefix("SIP/2.0 ").ok_or(Malformed::StartLine)?;
        let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let digits = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
        let status = status.parse().ok().filter(|status| digits && (100..700).contains(status));
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            if line.starts_with([' ', '\t']) {
                // A header that goes on (RFC 3261, 7.3.1).
                let (_, value) = headers.last_mut().ok_or(Malformed::Header)?;
                let _ = write!(value, " {}", line.trim());
                continue;
            }
            let (name, value) = line.split_once(':').ok_or(Malformed::Header)?;
            let name = name.trim_end();
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(Malformed::Header);
            }
            if headers.len() == MOST_HEADERS {
                return Err(Malformed::TooLong);
            }
            headers.push((long_form(name), value.trim().to_owned()));
        }
        Ok(Self { status: status.ok_or(Malformed::StartLine)?, reason: plain(reason), headers })
    }

    /// The first value of a header, by its long name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every element of a header that is a list (RFC 3261, 7.3.1).
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        let values = self.headers.iter().filter(|(known, _)| known == name);
        let elements = values.flat_map(|(_, value)| value.split(',')).map(|element| plain(element.trim()));
        elements.filter(|element| !element.is_empty()).collect()
    }

    /// A header for people: without control characters, and not too long.
    #[must_use]
    pub fn words(&self, name: &str) -> Option<String> {
        self.header(name).map(plain).filter(|words| !words.is_empty())
    }
}

/// Where the headers end, if they do.
pub(crate) fn end_of_headers(bytes: &[u8]) -> Option<usize> {
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    bytes.windows(4).position(|window| window == b"\r\n\r\n")
}

/// RFC 3261, 25.1.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

/// The long name of a header, in lower case (RFC 3261, 7.3.3).
fn long_form(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "i" => "call-id".to_owned(),
        "v" => "via".to_owned(),
        "f" => "from".to_owned(),
        "t" => "to".to_owned(),
        "k" => "supported".to_owned(),
        "l" => "content-length".to_owned(),
        _ => name,
    }
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// One OPTIONS request: who asks, and by which words its answer is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) to: SocketAddr,
    pub(crate) from: SocketAddr,
    /// `UDP` or `TCP`.
    pub(crate) transport: &'static str,
    /// Begins with the magic cookie of RFC 3261, 8.1.1.7.
    pub(crate) branch: String,
    pub(crate) call_id: String,
    pub(crate) tag: String,
}

impl Options {
    /// As it goes over the wire.
    pub(crate) fn text(&self) -> String {
        let Self { to, from, transport, branch, call_id, tag } = self;
        let by = if *transport == "TCP" { ";transport=tcp" } else { "" };
        format!(
            "OPTIONS sip:{to}{by} SIP/2.0\r\nVia: SIP/2.0/{transport} {from};rport;branch={branch}\r\nMax-Forwards: 70\r\n\
             From: <sip:tvox-dr@{from}>;tag={tag}\r\nTo: <sip:{to}>\r\nCall-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\n\
             Contact: <sip:tvox-dr@{from}{by}>\r\nAccept: application/sdp\r\nUser-Agent: tvox-dr\r\nContent-Length: 0\r\n\r\n"
        )
    }

    /// Whether a response is one to this request (RFC 3261, 17.1.3).
    pub(crate) fn is_answered_by(&self, response: &Response) -> bool {
        let branch = format!("branch={}", self.branch);
        response.header("via").is_some_and(|via| via.split(';').any(|part| part.trim() == branch))
            && response.header("call-id") == Some(self.call_id.as_str())
            && response.header("cseq").is_some_and(|cseq| cseq.split_whitespace().eq(["1", "OPTIONS"]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options {
            to: "192.0.2.1:5060".parse().unwrap(),
            from: "192.0.2.9:40000".parse().unwrap(),
            transport: "UDP",
            branch: "z9hG4bKabc".into(),
            call_id: "id@192.0.2.9".into(),
            tag: "t".into(),
        }
    }

    fn answer(headers: &str) -> Result<Response, Malformed> {
        Response::parse(format!("SIP/2.0 200 OK\r\n{headers}\r\n\r\n").as_bytes())
    }

    const ITS: &str =
        "v: SIP/2.0/UDP 192.0.2.9:40000;received=192.0.2.9;branch=z9hG4bKabc\r\ni: id@192.0.2.9\r\nCSeq: 1  OPTIONS";

    #[test]
    fn an_answer_is_known_by_branch_call_and_sequence_in_long_and_short_form() {
        assert!(options().is_answered_by(&answer(ITS).unwrap()));
        for (what, with) in [("abc", "abd"), ("id@", "ie@"), ("1  OPTIONS", "2 OPTIONS"), ("OPTIONS", "INVITE")] {
            assert!(!options().is_answered_by(&answer(&ITS.replace(what, with)).unwrap()), "{with}");
        }
    }

    #[test]
    fn headers_are_read_folded_listed_and_without_control_characters() {
        let response = answer("Allow: INVITE,\r\n ACK\r\nallow: BYE\r\nServer: kama\u{1b}[1milio").unwrap();
        assert_eq!(response.list("allow"), ["INVITE", "ACK", "BYE"]);
        assert_eq!(response.words("server").as_deref(), Some("kama[1milio"));
        assert_eq!((response.status, response.reason.as_str()), (200, "OK"));
    }

    #[test]
    fn what_is_no_response_is_told_apart_and_never_panics() {
        for (bytes, expected) in [
            (&b"HTTP/1.1 200 OK\r\n\r\n"[..], Malformed::StartLine),
            (b"SIP/2.0 2000 OK\r\n\r\n", Malformed::StartLine),
            (b"SIP/2.0 +99 OK\r\n\r\n", Malformed::StartLine),
            (b"SIP/2.0 700 x\r\n\r\n", Malformed::StartLine),
            (b"OPTIONS sip:x SIP/2.0\r\n\r\n", Malformed::StartLine),
            (b"SIP/2.0 200 OK\r\n folded\r\n\r\n", Malformed::Header),
            (b"SIP/2.0 200 OK\r\nno colon\r\n\r\n", Malformed::Header),
            (b"SIP/2.0 200 OK\r\n: x\r\n\r\n", Malformed::Header),
            (b"SIP/2.0 200 OK\r\nA: b", Malformed::Unfinished),
            (b"", Malformed::Unfinished),
            (b"\xff\xfe\r\n\r\n", Malformed::StartLine),
        ] {
            assert_eq!(Response::parse(bytes), Err(expected), "{:?}", String::from_utf8_lossy(bytes));
        }
        let many = "a: b\r\n".repeat(MOST_HEADERS + 1);
        assert_eq!(answer(&many), Err(Malformed::TooLong));
        assert_eq!(Response::parse(&vec![b'x'; LONGEST]), Err(Malformed::TooLong));
    }

    #[test]
    fn a_request_names_both_ends_and_ends() {
        let text = options().text();
        assert!(text.starts_with(
            "OPTIONS sip:192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:40000;rport;branch=z9hG4bKabc\r\n"
        ));
        assert!(text.ends_with("Content-Length: 0\r\n\r\n"));
    }
}
