//! A step that calls a URL: a carrier's portal, a load balancer, a session border controller.

use serde::{Deserialize, Serialize};

use super::form::typed;
use crate::field::{FieldError, Problem};

/// Methods that can be used.
pub const HTTP_METHODS: [&str; 5] = ["POST", "PUT", "PATCH", "DELETE", "GET"];
/// Stands for the secret in a header.
pub const SECRET: &str = "{secret}";

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpWork {
    /// Does it.
    #[serde(flatten)]
    pub call: HttpCall,
    /// Takes it back.
    pub undo: Option<HttpCall>,
    /// Answers `GET` with success exactly while it is in effect.
    pub check: Option<String>,
    /// Names and values, the same for each call; [`SECRET`] stands for the secret.
    pub headers: Vec<(String, String)>,
    /// The first status that means success.
    pub status_from: u16,
    /// The last one.
    pub status_to: u16,
    /// The authority that signed the server's certificate, as PEM; `null` for the system's.
    pub ca: Option<String>,
    /// SHA-256 of the only certificate that is taken, in hexadecimal digits; `null` where an authority vouches.
    pub pin: Option<String>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpCall {
    /// One of [`HTTP_METHODS`].
    pub method: String,
    /// `http` or `https`.
    pub url: String,
    /// Sent as it is; the header `Content-Type` says what it is.
    pub body: String,
}

/// The same as typed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HttpForm {
    /// Empty for `POST`.
    pub method: String,
    /// Where to.
    pub url: String,
    /// What is sent.
    pub body: String,
    /// Empty for `POST`.
    pub undo_method: String,
    /// Empty where there is nothing to undo.
    pub undo_url: String,
    /// What is sent to undo it.
    pub undo_body: String,
    /// Empty where it cannot be asked whether it is in effect.
    pub check_url: String,
    /// `Name: value`, one a line.
    pub headers: String,
    /// `200` or `200-299`; empty for the latter.
    pub success_status: String,
    /// PEM; empty for the system's authorities.
    pub ca: String,
    /// The certificate's SHA-256, with or without colons; empty where an authority vouches.
    pub pin: String,
}

impl HttpForm {
    pub(super) fn check(&self) -> Result<HttpWork, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut keep = |field: &str, problem: Problem| errors.push(FieldError::new(field, problem));
        let mut call = |prefix: &str, method: &str, url: &str, body: &str| {
            let method = match method.trim().to_ascii_uppercase() {
                word if word.is_empty() => HTTP_METHODS[0].to_owned(),
                word => word,
            };
            if !HTTP_METHODS.contains(&method.as_str()) {
                keep(&format!("{prefix}method"), Problem::NotOneOf(HTTP_METHODS.join(", ").into()));
            }
            if !is_url(url) {
                keep(&format!("{prefix}url"), Problem::NotAUrl);
            }
            HttpCall { method, url: url.trim().to_owned(), body: body.to_owned() }
        };
        let there = call("", &self.method, &self.url, &self.body);
        let undo = typed(&self.undo_url).map(|url| call("undo_", &self.undo_method, &url, &self.undo_body));
        let check = typed(&self.check_url);
        if check.as_deref().is_some_and(|url| !is_url(url)) {
            keep("check_url", Problem::NotAUrl);
        }
        let headers: Option<Vec<_>> = self.headers.lines().filter_map(typed).map(|line| header(&line)).collect();
        let headers = headers.unwrap_or_else(|| {
            keep("headers", Problem::NotAHeader);
            Vec::new()
        });
        let (status_from, status_to) = status(&self.success_status).unwrap_or_else(|| {
            keep("success_status", Problem::NotAStatus);
            (0, 0)
        });
        let pin = typed(&self.pin).map(|pin| pin.replace([':', ' '], "").to_ascii_lowercase());
        if pin.as_ref().is_some_and(|pin| pin.len() != 64 || !pin.chars().all(|c| c.is_ascii_hexdigit())) {
            keep("pin", Problem::NotAFingerprint);
        }
        let ca = typed(&self.ca);
        if errors.is_empty() {
            Ok(HttpWork { call: there, undo, check, headers, status_from, status_to, ca, pin })
        } else {
            Err(errors)
        }
    }
}

impl HttpWork {
    /// Whether a secret stands in it.
    #[must_use]
    pub fn wants_secret(&self) -> bool {
        self.headers.iter().any(|(_, value)| value.contains(SECRET))
    }

    /// Scheme, host and port of every URL: to whom the secret goes.
    #[must_use]
    pub fn servers(&self) -> Vec<&str> {
        let urls = [Some(&self.call.url), self.undo.as_ref().map(|call| &call.url), self.check.as_ref()];
        let mut servers: Vec<&str> = urls.into_iter().flatten().map(|url| server(url)).collect();
        servers.sort_unstable();
        servers.dedup();
        servers
    }
}

/// Scheme, host and port of a URL.
fn server(url: &str) -> &str {
    let after = url.find("://").map_or(0, |at| at + 3);
    let end = url[after..].find(['/', '?', '#']).map_or(url.len(), |at| after + at);
    &url[..end]
}

fn is_url(url: &str) -> bool {
    let url = url.trim();
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = host.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    host.is_some_and(|host| !host.is_empty() && !host.contains(['{', '}', '@']))
        && !url.contains(char::is_whitespace)
        && !url.contains(char::is_control)
}

fn header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let name = name.trim();
    let fits = !name.is_empty() && name.chars().all(token) && !value.contains(char::is_control);
    fits.then(|| (name.to_owned(), value.trim().to_owned()))
}

fn status(range: &str) -> Option<(u16, u16)> {
    let range = if range.trim().is_empty() { "200-299" } else { range.trim() };
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    let bound = |text: &str| text.trim().parse::<u16>().ok().filter(|status| (100..600).contains(status));
    bound(from).zip(bound(to)).filter(|(from, to)| from <= to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> HttpForm {
        HttpForm {
            url: "https://sbc.example:8443/route?x=1".into(),
            headers: "Authorization: Bearer {secret}\nX-A: b".into(),
            ..HttpForm::default()
        }
    }

    #[test]
    fn a_call_has_sensible_defaults_and_is_one_flat_object() {
        let work = form().check().unwrap();
        assert_eq!((work.call.method.as_str(), work.status_from, work.status_to), ("POST", 200, 299));
        assert!(work.wants_secret() && work.undo.is_none());
        assert_eq!(work.servers(), ["https://sbc.example:8443"]);
        assert_eq!(serde_json::to_value(&work).unwrap()["url"], "https://sbc.example:8443/route?x=1");
    }

    #[test]
    fn what_cannot_be_called_is_refused_field_by_field() {
        for (field, form) in [
            ("url", HttpForm { url: "ftp://x".into(), ..form() }),
            ("url", HttpForm { url: "https://{secret}/".into(), ..form() }),
            ("method", HttpForm { method: "DANCE".into(), ..form() }),
            ("undo_url", HttpForm { undo_url: "x".into(), ..form() }),
            ("check_url", HttpForm { check_url: "x".into(), ..form() }),
            ("headers", HttpForm { headers: "no colon".into(), ..form() }),
            ("success_status", HttpForm { success_status: "299-200".into(), ..form() }),
            ("pin", HttpForm { pin: "aa:bb".into(), ..form() }),
        ] {
            let errors = form.check().unwrap_err();
            assert_eq!(errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(), [field]);
        }
    }
}
