//! Calling a URL for a step: what counts is the status of the answer, or, where one is given, what the check answers.

use std::time::Duration;

use contract::command::Secret;
use contract::own_step::{HttpCall, HttpWork, SECRET};
use contract::{FieldError, Problem};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Uri};

use crate::http_client::{Trust, exchange, target};

/// What only the connection may say.
const OURS: [&str; 6] = ["host", "connection", "content-length", "transfer-encoding", "upgrade", "expect"];
/// As much of an answer is kept, in characters.
const WORDS: usize = 500;

/// What [`HttpWork`]'s own check cannot find out.
///
/// # Errors
/// One [`FieldError`] for each field that cannot be taken.
pub(crate) fn check(work: &HttpWork, secret: Option<&Secret>) -> Result<(), Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut keep = |field: &str, problem: Problem| errors.push(FieldError::new(field, problem));
    let urls = [
        ("url", Some(&work.call.url)),
        ("undo_url", work.undo.as_ref().map(|call| &call.url)),
        ("check_url", work.check.as_ref()),
    ];
    for (field, url) in urls {
        if url.is_some_and(|url| target(url).is_none()) {
            keep(field, Problem::NotAUrl);
        }
    }
    if work.headers.iter().any(|(name, _)| OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name))) {
        keep("headers", Problem::NotAHeader);
    }
    if work.ca.as_deref().is_some_and(|pem| !crate::delivery::is_certificate(pem)) {
        keep("ca", Problem::NotACertificate);
    }
    if work.wants_secret() && secret.is_none() {
        keep("secret", Problem::Required);
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Makes one call; the server's words.
///
/// # Errors
/// The words of what did not work, or of an answer that is no success. The secret is in none of them.
pub(crate) async fn make(
    work: &HttpWork,
    call: &HttpCall,
    secret: Option<&Secret>,
    patience: Duration,
) -> Result<String, String> {
    let (status, words) = ask(work, call, secret, patience).await?;
    if is_success(work, status) { Ok(words) } else { Err(words) }
}

/// Whether the check says that it is in effect; `None` where it does not answer, or there is none.
pub(crate) async fn is_in_effect(work: &HttpWork, secret: Option<&Secret>, patience: Duration) -> Option<bool> {
    let call = HttpCall { method: "GET".into(), url: work.check.clone()?, body: String::new() };
    let (status, _) = ask(work, &call, secret, patience).await.ok()?;
    Some(is_success(work, status))
}

fn is_success(work: &HttpWork, status: u16) -> bool {
    (work.status_from..=work.status_to).contains(&status)
}

/// The status of the answer, and its words.
async fn ask(
    work: &HttpWork,
    call: &HttpCall,
    secret: Option<&Secret>,
    patience: Duration,
) -> Result<(u16, String), String> {
    let secret = secret.map(Secret::reveal).unwrap_or_default();
    let (uri, tls, host, port) = target(&call.url).ok_or("the URL cannot be used")?;
    let request = request(work, call, &uri, secret)?;
    let trust = match (&work.pin, &work.ca) {
        (Some(pin), _) => Trust::Pinned(pin.clone()),
        (None, Some(ca)) => Trust::Authority(ca.clone()),
        (None, None) => Trust::System,
    };
    let answer = exchange(&host, port, tls.then_some(&trust), request);
    let answered = tokio::time::timeout(patience, answer).await;
    let answered = answered.map_err(|_| format!("{host}:{port}: no answer in time"))?;
    let (status, body) = answered.map_err(|error| format!("{host}:{port}: {error}"))?;
    let words = format!("HTTP {status}: {}", short(&redacted(&body, secret)));
    Ok((status, words.trim_end_matches([':', ' ']).to_owned()))
}

fn request(work: &HttpWork, call: &HttpCall, uri: &Uri, secret: &str) -> Result<Request<Full<Bytes>>, String> {
    let unusable = |what: &str| format!("{what} cannot be used");
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    let mut request = Request::new(Full::new(Bytes::from(call.body.clone())));
    *request.method_mut() = Method::from_bytes(call.method.as_bytes()).map_err(|_| unusable("the method"))?;
    *request.uri_mut() = path.parse().map_err(|_| unusable("the URL"))?;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(&authority).map_err(|_| unusable("the URL"))?);
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("tvox-dr/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in &work.headers {
        let name: HeaderName = name.parse().map_err(|_| unusable("a header"))?;
        let value = value.replace(SECRET, secret);
        let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| unusable("a header"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(request)
}

/// A server that repeats the request in its answer does not give the secret away.
fn redacted(body: &str, secret: &str) -> String {
    if secret.is_empty() { body.to_owned() } else { body.replace(secret, "***") }
}

fn short(words: &str) -> String {
    words.trim().chars().filter(|c| *c == '\n' || !c.is_control()).take(WORDS).collect()
}
