//! One e-mail to one recipient over SMTP (RFC 5321): in clear, with STARTTLS required, or in TLS from the first byte.
//!
//! A connection per message: alarms are rare, and a connection that was kept is one that the server may have closed.

use std::error::Error as _;
use std::time::{Duration, SystemTime};

use contract::command::Secret;
use contract::smtp::{Security, SmtpSettings};
use contract::{Lang, Timestamp};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::words::Mail;
use super::{Undelivered, short};

/// For the connection.
const CONNECT: Duration = Duration::from_secs(20);
/// For all of it: a message is short.
const ALL: Duration = Duration::from_secs(40);

/// What goes on the envelope and into the head of a mail.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    /// To whom.
    pub(super) to: &'a str,
    /// The Message-ID without its brackets; the same at every try.
    pub(super) reference: &'a str,
    /// The sender's name.
    pub(super) host: &'a str,
    /// When it was written.
    pub(super) at: Timestamp,
    /// In which language.
    pub(super) language: Lang,
}

/// Whether there is at least one certificate in this text, and nothing that is none.
pub(crate) fn is_certificate(pem: &str) -> bool {
    let mut roots = RootCertStore::empty();
    let all = CertificateDer::pem_slice_iter(pem.as_bytes()).all(|one| one.is_ok_and(|one| roots.add(one).is_ok()));
    all && !roots.is_empty()
}

/// Sends one mail.
/// The server's words.
///
/// # Errors
/// [`Undelivered`] with the server's words: `lasting` after a 5xx answer (RFC 5321, 4.2.1).
pub(super) async fn send(
    settings: &SmtpSettings,
    password: Option<&Secret>,
    envelope: &Envelope<'_>,
    mail: &Mail,
) -> Result<String, Undelivered> {
    let message = message(settings, envelope, mail)?;
    let transport = transport(settings, password).await?;
    match tokio::time::timeout(ALL, transport.send(message)).await {
        Ok(Ok(taken)) => Ok(short(&format!("{} {}", taken.code(), taken.message().collect::<Vec<_>>().join(" ")))),
        Ok(Err(error)) => Err(told(&error, password)),
        Err(_) => Err(Undelivered::for_now("the mail server did not answer in time")),
    }
}

fn message(settings: &SmtpSettings, envelope: &Envelope<'_>, mail: &Mail) -> Result<Message, Undelivered> {
    let address = |text: &str| {
        text.parse::<Address>().map_err(|error| Undelivered::for_good(format!("the address cannot be used: {error}")))
    };
    let header =
        |name: &'static str, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
    Message::builder()
        .from(Mailbox::new(Some(format!("TVox DR {}", envelope.host)), address(&settings.from)?))
        .to(Mailbox::new(None, address(envelope.to)?))
        .subject(&mail.title)
        .date(SystemTime::from(envelope.at))
        .message_id(Some(format!("<{}>", envelope.reference)))
        // RFC 3834: an answering machine does not answer this.
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("Content-Language", envelope.language.tag()))
        .header(ContentType::TEXT_PLAIN)
        .body(mail.body.clone())
        .map_err(|error| Undelivered::for_good(format!("the message cannot be written: {error}")))
}

async fn transport(
    settings: &SmtpSettings,
    password: Option<&Secret>,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, Undelivered> {
    let tls = match settings.security {
        Security::None => Tls::None,
        Security::StartTls => Tls::Required(parameters(settings).await?),
        Security::Tls => Tls::Wrapper(parameters(settings).await?),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.server)
        .port(settings.port)
        .timeout(Some(CONNECT))
        .tls(tls);
    if let (Some(user), Some(password)) = (&settings.user, password) {
        builder = builder.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
    }
    Ok(builder.build())
}

async fn parameters(settings: &SmtpSettings) -> Result<TlsParameters, Undelivered> {
    let (server, ca) = (settings.server.clone(), settings.ca.clone());
    // Without an authority of its own, the system's are read from disk each time: they may change while we run.
    let build = move || {
        let mut builder = TlsParameters::builder(server);
        if let Some(pem) = ca {
            builder = builder
                .certificate_store(CertificateStore::None)
                .add_root_certificate(Certificate::from_pem(pem.as_bytes())?);
        }
        builder.build_rustls()
    };
    let unusable = |why: String| Undelivered::for_now(format!("TLS cannot be set up: {why}"));
    let built = tokio::task::spawn_blocking(build).await.map_err(|error| unusable(error.to_string()))?;
    built.map_err(|error| unusable(error.to_string()))
}

/// The server's words with its code, or the system's.
fn told(error: &lettre::transport::smtp::Error, password: Option<&Secret>) -> Undelivered {
    // A server that repeats what it was told does not give the password away.
    let hidden = |words: String| match password.map(Secret::reveal).filter(|password| !password.is_empty()) {
        Some(password) => words.replace(password, "***"),
        None => words,
    };
    match (error.status(), error.source()) {
        (Some(code), cause) => {
            let words = hidden(format!("{code} {}", cause.map(ToString::to_string).unwrap_or_default()));
            if error.is_permanent() { Undelivered::for_good(words) } else { Undelivered::for_now(words) }
        }
        (None, _) => Undelivered::for_now(hidden(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_says_who_wrote_it_when_and_that_it_was_a_machine() {
        let settings = SmtpSettings {
            server: "mail.example".into(),
            port: 25,
            security: Security::None,
            from: "pbx@example.com".into(),
            user: None,
            ca: None,
        };
        let envelope = Envelope {
            to: "ops@example.com",
            reference: "0123@dr1.tvox-dr",
            host: "dr1",
            at: "2026-11-22T16:58:03Z".parse().unwrap(),
            language: Lang::It,
        };
        let mail = Mail { title: "Priorità: il Master è giù\r\nBcc: x@y.it".into(), body: "è così\n.\n".into() };
        let text = String::from_utf8(message(&settings, &envelope, &mail).unwrap().formatted()).unwrap();
        for line in [
            "From: \"TVox DR dr1\" <pbx@example.com>",
            "To: ops@example.com",
            "Date: Sun, 22 Nov 2026 16:58:03 +0000",
            "Message-ID: <0123@dr1.tvox-dr>",
            "Auto-Submitted: auto-generated",
            "Content-Language: it",
        ] {
            assert!(text.lines().any(|have| have == line), "{line} not in\n{text}");
        }
        assert!(!text.lines().any(|line| line.starts_with("Bcc")), "{text}");
    }

    #[test]
    fn only_certificates_are_certificates() {
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = rcgen::CertificateParams::default().self_signed(&key).unwrap().pem();
        assert!(is_certificate(&pem) && is_certificate(&format!("{pem}{pem}")));
        for bad in ["", "x", &key.serialize_pem(), &pem.replace("MII", "AAA"), &pem[..pem.len() / 2]] {
            assert!(!is_certificate(bad), "{bad}");
        }
    }
}
