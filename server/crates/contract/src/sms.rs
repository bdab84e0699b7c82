//! SMS accounts: a gateway is described, not programmed. URL, method, headers and body are templates in which `{to}`,
//! `{text}`, `{ref}` and `{secret}` stand; what is filled in is escaped for the place it stands in, so that no text can
//! break out of it.

use serde::{Deserialize, Serialize};

use crate::command::Secret;
use crate::field::{FieldError, Problem};
use crate::name;

/// An account as typed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SmsForm {
    /// Its name.
    pub name: String,
    /// The gateway's URL, with templates.
    pub url: String,
    /// `GET` or `POST`; empty for `POST`.
    pub method: String,
    /// `Name: value`, with templates.
    pub headers: Vec<String>,
    /// The body, with templates.
    pub body: String,
    /// The HTTP status that means success: `200`, `200-299`; empty for the latter.
    pub success_status: String,
    /// What the answer's body must match, too; empty for anything.
    pub success_body: String,
    /// `None` leaves the one that is stored.
    pub secret: Option<Secret>,
    /// The authority that signed the gateway's certificate, as PEM; empty for the system's.
    #[serde(default)]
    pub ca: String,
    /// Refused where there is one of that name, instead of replacing it.
    #[serde(default)]
    pub new: bool,
}

/// An account, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmsAccount {
    /// Its name.
    pub name: String,
    /// The gateway's URL, with templates.
    pub url: String,
    /// `GET` or `POST`.
    pub method: String,
    /// Names and values, with templates.
    pub headers: Vec<(String, String)>,
    /// The body, with templates.
    pub body: String,
    /// The first status that means success.
    pub status_from: u16,
    /// The last one.
    pub status_to: u16,
    /// A regular expression that the answer's body must match, too.
    pub success_body: Option<String>,
    /// The authority that signed the gateway's certificate, as PEM; `null` for the system's.
    #[serde(default)]
    pub ca: Option<String>,
}

/// One account as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmsAccountInfo {
    /// The account.
    #[serde(flatten)]
    pub account: SmsAccount,
    /// Whether a secret is stored.
    pub has_secret: bool,
    /// Whether it is tried first.
    pub default: bool,
}

/// `tvox-dr sms account list --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmsReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// The default first, the others in the order in which they are tried.
    pub accounts: Vec<SmsAccountInfo>,
}

/// The placeholders of a template.
pub const PLACEHOLDERS: [&str; 4] = ["{to}", "{text}", "{ref}", "{secret}"];

impl SmsForm {
    /// Checks everything that can be checked without asking the gateway. The regular expression is the node's business.
    ///
    /// # Errors
    /// One [`FieldError`] for each field that cannot be taken.
    pub fn check(&self) -> Result<SmsAccount, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut keep = |field: &str, problem: Problem| errors.push(FieldError::new(field, problem));
        if let Err(problem) = name::check(&self.name) {
            keep("name", problem);
        }
        let url = self.url.trim();
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        // A template in the host would let a message choose where it goes.
        let host = host.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        if host.is_none_or(|host| host.is_empty() || host.contains(['{', '}', '@', ' '])) {
            keep("url", Problem::NotAUrl);
        }
        let method = match self.method.trim().to_ascii_uppercase().as_str() {
            "" | "POST" => "POST",
            "GET" => "GET",
            _ => {
                keep("method", Problem::NotOneOf("GET, POST".into()));
                ""
            }
        };
        let headers: Vec<(String, String)> = self
            .headers
            .iter()
            .filter(|line| !line.trim().is_empty())
            .filter_map(|line| {
                let split = line.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
                let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
                let fits = split.filter(|(name, value)| {
                    !name.is_empty() && name.chars().all(token) && !value.contains(['\r', '\n'])
                });
                if fits.is_none() {
                    keep("headers", Problem::NotAHeader);
                }
                fits
            })
            .collect();
        let range = self.success_status.trim();
        let status = if range.is_empty() {
            Some((200, 299))
        } else {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            let bound = |text: &str| text.trim().parse::<u16>().ok().filter(|status| (100..600).contains(status));
            bound(from).zip(bound(to)).filter(|(from, to)| from <= to)
        };
        let (status_from, status_to) = status.unwrap_or_else(|| {
            keep("success_status", Problem::NotAStatus);
            (0, 0)
        });
        let places = [url, &self.body].into_iter().chain(headers.iter().map(|(_, value)| value.as_str()));
        if !places.into_iter().any(|place| place.contains("{text}")) {
            keep("body", Problem::NoPlaceholder("{text}".into()));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(SmsAccount {
            name: self.name.clone(),
            url: url.to_owned(),
            method: method.to_owned(),
            headers,
            body: self.body.clone(),
            status_from,
            status_to,
            success_body: Some(self.success_body.trim()).filter(|text| !text.is_empty()).map(str::to_owned),
            ca: Some(self.ca.trim()).filter(|ca| !ca.is_empty()).map(str::to_owned),
        })
    }
}

impl SmsAccount {
    /// Scheme, host and port: to whom it talks. The rest of the URL is for those who may write it, because people write
    /// keys into it.
    #[must_use]
    pub fn gateway(&self) -> &str {
        let after = self.url.find("://").map_or(0, |at| at + 3);
        let end = self.url[after..].find(['/', '?', '#']).map_or(self.url.len(), |at| after + at);
        &self.url[..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> SmsForm {
        SmsForm {
            name: "kannel".into(),
            url: "http://127.0.0.1:13013/sendsms?to={to}&text={text}".into(),
            ..SmsForm::default()
        }
    }

    #[test]
    fn an_account_has_sensible_defaults() {
        let account = form().check().unwrap();
        assert_eq!((account.method.as_str(), account.status_from, account.status_to), ("POST", 200, 299));
    }

    #[test]
    fn a_gateway_is_scheme_host_and_port() {
        for (url, is) in [
            ("https://g.example:8443/send?key={secret}", "https://g.example:8443"),
            ("http://g?x=1", "http://g"),
            ("http://g", "http://g"),
        ] {
            let form = SmsForm { name: "g".into(), url: url.into(), body: "{text}".into(), ..SmsForm::default() };
            assert_eq!(form.check().unwrap().gateway(), is);
        }
    }

    #[test]
    fn what_cannot_be_an_account_is_refused_field_by_field() {
        let cases: [(&str, SmsForm); 7] = [
            ("name", SmsForm { name: "A".into(), ..form() }),
            ("url", SmsForm { url: "ftp://x/{text}".into(), ..form() }),
            ("url", SmsForm { url: "http://{to}/{text}".into(), ..form() }),
            ("method", SmsForm { method: "DELETE".into(), ..form() }),
            ("headers", SmsForm { headers: vec!["no colon".into()], ..form() }),
            ("success_status", SmsForm { success_status: "299-200".into(), ..form() }),
            ("body", SmsForm { url: "http://x/".into(), ..form() }),
        ];
        for (field, form) in cases {
            let errors = form.check().unwrap_err();
            assert!(errors.iter().any(|error| error.field == field), "{field}: {errors:?}");
        }
    }
}
