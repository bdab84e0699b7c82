//! One SMS to one number through one HTTP gateway, as its account describes it. No redirect is followed and no proxy of
//! the environment is used: a message goes where the account says, or nowhere.

use std::time::Duration;

use contract::sms::SmsAccount;
use contract::{FieldError, Problem};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Uri};
use regex::Regex;

use super::mailer::is_certificate;
use super::template::{Place, Values, fill};
use super::{Undelivered, short};
use crate::http_client::{self, HttpError, Trust, target};

/// For one request with its answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// A regular expression that needs more memory than this is a mistake.
const LARGEST_REGEX: usize = 256 * 1024;

/// What only the connection may say.
const OURS: [&str; 6] = ["host", "connection", "content-length", "transfer-encoding", "upgrade", "expect"];

fn regex(text: &str) -> Result<Regex, regex::Error> {
    regex::RegexBuilder::new(text).size_limit(LARGEST_REGEX).build()
}

/// What [`contract::sms::SmsForm::check`] cannot find out: whether the filled templates are a request.
pub(super) fn check(account: &SmsAccount) -> Result<(), Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut keep = |field: &str, problem: Problem| errors.push(FieldError::new(field, problem));
    let sample = Values { to: "+393470000000", text: "x", reference: "x", secret: "x" };
    if target(&fill(&account.url, Place::Url, sample)).is_none() {
        keep("url", Problem::NotAUrl);
    }
    let forbidden = |name: &str| OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name));
    if account.headers.iter().any(|(name, _)| forbidden(name)) {
        keep("headers", Problem::NotAHeader);
    }
    match Place::of_body(account) {
        None => {
            let known = "application/json, application/xml, application/x-www-form-urlencoded, text/plain";
            keep("headers", Problem::NotOneOf(known.into()));
        }
        Some(Place::Json) if !account.body.is_empty() => {
            let filled = fill(&account.body, Place::Json, sample);
            if let Err(error) = serde_json::from_str::<serde_json::Value>(&filled) {
                keep("body", Problem::Other(format!("JSON: {error}")));
            }
        }
        Some(_) => {}
    }
    if account.success_body.as_deref().is_some_and(|text| regex(text).is_err()) {
        keep("success_body", Problem::NotARegex);
    }
    if account.ca.as_deref().is_some_and(|pem| !is_certificate(pem)) {
        keep("ca", Problem::NotACertificate);
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Sends one message; the gateway's words.
///
/// # Errors
/// [`Undelivered`] with the gateway's words: `lasting` after a 4xx answer other than 408, 425 and 429.
pub(super) async fn send(account: &SmsAccount, values: Values<'_>) -> Result<String, Undelivered> {
    let (status, body) = match tokio::time::timeout(PATIENCE, exchange(account, values)).await {
        Ok(answer) => answer?,
        Err(_) => return Err(Undelivered::for_now("the gateway did not answer in time")),
    };
    let words = format!("HTTP {status}: {}", redacted(&body, values.secret));
    judge(account, status, &body, &words).map(|()| short(&words))
}

/// A gateway that repeats the request in its answer does not give the secret away.
fn redacted(body: &str, secret: &str) -> String {
    if secret.is_empty() {
        return body.to_owned();
    }
    let places = [Place::Plain, Place::Url, Place::Form, Place::Json, Place::Xml];
    places.iter().fold(body.to_owned(), |words, place| words.replace(&place.escape(secret), "***"))
}

async fn exchange(account: &SmsAccount, values: Values<'_>) -> Result<(u16, String), Undelivered> {
    let url = fill(&account.url, Place::Url, values);
    let unusable = || Undelivered::for_good("the URL cannot be used");
    let (uri, tls, host, port) = target(&url).ok_or_else(unusable)?;
    let request = request(account, values, &uri)?;
    let trust = tls.then(|| account.ca.clone().map_or(Trust::System, Trust::Authority));
    let answer = http_client::exchange(&host, port, trust.as_ref(), request).await;
    answer.map_err(|error| match error {
        HttpError::Unreachable(error) => Undelivered::for_now(format!("{host}:{port}: {error}")),
        HttpError::Broken(words) => Undelivered::for_now(format!("the gateway: {words}")),
        error @ HttpError::Tls(_) => Undelivered::for_now(error.to_string()),
    })
}

fn request(account: &SmsAccount, values: Values<'_>, uri: &Uri) -> Result<Request<Full<Bytes>>, Undelivered> {
    let unusable = |what: &str| Undelivered::for_good(format!("{what} cannot be used"));
    let place = Place::of_body(account).ok_or_else(|| unusable("the Content-Type"))?;
    let body = fill(&account.body, place, values);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    let mut request = Request::new(Full::new(Bytes::from(body.clone())));
    *request.method_mut() = if account.method == "GET" { Method::GET } else { Method::POST };
    *request.uri_mut() = path.parse().map_err(|_| unusable("the URL"))?;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(&authority).map_err(|_| unusable("the URL"))?);
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("tvox-dr/", env!("CARGO_PKG_VERSION"))));
    if !body.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(place.content_type()));
    }
    for (name, value) in &account.headers {
        let name: HeaderName = name.parse().map_err(|_| unusable("a header"))?;
        // UTF-8 goes as it is: a header of ours has no control characters left.
        let mut value =
            HeaderValue::from_bytes(fill(value, Place::Header, values).as_bytes()).map_err(|_| unusable("a header"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(request)
}

fn judge(account: &SmsAccount, status: u16, body: &str, words: &str) -> Result<(), Undelivered> {
    if !(account.status_from..=account.status_to).contains(&status) {
        let lasting = (400..500).contains(&status) && !matches!(status, 408 | 425 | 429);
        return Err(if lasting { Undelivered::for_good(words) } else { Undelivered::for_now(words) });
    }
    match &account.success_body {
        None => Ok(()),
        Some(text) => match regex(text) {
            Ok(regex) if regex.is_match(body) => Ok(()),
            Ok(_) => Err(Undelivered::for_now(format!("not the answer of a success: {words}"))),
            Err(_) => Err(Undelivered::for_good("the regular expression cannot be used")),
        },
    }
}

#[cfg(test)]
mod tests {
    use contract::sms::SmsForm;

    use super::*;

    fn form() -> SmsForm {
        SmsForm {
            name: "gateway".into(),
            url: "https://gateway.example/send".into(),
            body: r#"{"to":"{to}","text":"{text}"}"#.into(),
            success_body: "^OK".into(),
            ..SmsForm::default()
        }
    }

    #[test]
    fn an_answer_is_judged_by_status_then_by_body() {
        let account = form().check().unwrap();
        assert_eq!(judge(&account, 200, "OK 17", ""), Ok(()));
        for (status, body, lasting) in [
            (200, "ERR no credit", false),
            (302, "", false),
            (400, "bad number", true),
            (403, "forbidden", true),
            (408, "", false),
            (425, "", false),
            (429, "slow down", false),
            (503, "later", false),
        ] {
            let undelivered = judge(&account, status, body, "words").unwrap_err();
            assert_eq!((undelivered.lasting, undelivered.words.ends_with("words")), (lasting, true), "{status}");
        }
    }

    #[test]
    fn what_cannot_become_a_request_is_refused_beside_its_field() {
        assert_eq!(check(&form().check().unwrap()), Ok(()));
        for (field, form) in [
            ("url", SmsForm { url: "http://x:99999/{text}".into(), ..form() }),
            ("url", SmsForm { url: "http://x/a b".into(), ..form() }),
            ("headers", SmsForm { headers: vec!["Host: elsewhere".into()], ..form() }),
            ("headers", SmsForm { headers: vec!["Content-Type: multipart/form-data".into()], ..form() }),
            ("body", SmsForm { body: r#"{"text":{text}}"#.into(), ..form() }),
            ("success_body", SmsForm { success_body: "(".into(), ..form() }),
            ("ca", SmsForm { ca: "none".into(), ..form() }),
        ] {
            let account = form.check().unwrap();
            let errors = check(&account).unwrap_err();
            assert!(errors.iter().any(|error| error.field == field), "{field}: {errors:?}");
        }
    }

    #[test]
    fn an_echoed_secret_is_not_told_in_any_spelling() {
        let secret = "p&ss \"w\"<";
        let echo: String = [Place::Plain, Place::Url, Place::Form, Place::Json, Place::Xml]
            .map(|place| format!("[{}]", place.escape(secret)))
            .concat();
        assert_eq!(redacted(&echo, secret), "[***][***][***][***][***]");
    }
}
