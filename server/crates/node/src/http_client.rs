//! One HTTP request to one server, in clear or in TLS. No redirect is followed, no proxy of the environment is used, no
//! connection is kept: what is sent goes where it was meant to go, or nowhere.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Bytes};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::identity::fingerprint;
use crate::link::tls::provider;

/// What is read of an answer.
const LONGEST_ANSWER: usize = 256 * 1024;
/// How long an answer may come after the connection has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Whom to believe that a server is who it says.
#[derive(Debug, Clone)]
pub(crate) enum Trust {
    /// Whom the machine trusts; read each time, because it may change while we run.
    System,
    /// This authority, as PEM.
    Authority(String),
    /// Only this certificate, by the SHA-256 of its DER form; names and dates are not looked at.
    Pinned(String),
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// No connection, or no TLS over it.
    #[error("{0}")]
    Unreachable(io::Error),
    /// TLS cannot be set up on this side.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// The conversation broke off.
    #[error("{0}")]
    Broken(String),
}

impl HttpError {
    /// Whether the server could not show that it is the expected one.
    pub(crate) fn is_of_its_certificate(&self) -> bool {
        let Self::Unreachable(error) = self else { return false };
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
    }
}

/// Where a URL leads: TLS or not, host, port.
pub(crate) fn target(url: &str) -> Option<(Uri, bool, String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let tls = match uri.scheme_str()? {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let written = uri.authority()?.as_str().len() > uri.host()?.len();
    let port = match uri.port_u16() {
        Some(port) => port,
        None if written => return None,
        None if tls => 443,
        None => 80,
    };
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    (!host.is_empty()).then_some((uri, tls, host, port))
}

/// Sends one request; status and text of the answer. The caller sets the limit.
///
/// # Errors
/// [`HttpError`].
pub(crate) async fn exchange(
    host: &str,
    port: u16,
    trust: Option<&Trust>,
    request: Request<Full<Bytes>>,
) -> Result<(u16, String), HttpError> {
    let stream = TcpStream::connect((host, port)).await.map_err(HttpError::Unreachable)?;
    let Some(trust) = trust else { return talk(stream, request).await };
    let name = ServerName::try_from(host.to_owned()).map_err(|error| HttpError::Tls(error.to_string()))?;
    let connector = tokio_rustls::TlsConnector::from(config(trust.clone()).await?);
    talk(connector.connect(name, stream).await.map_err(HttpError::Unreachable)?, request).await
}

async fn config(trust: Trust) -> Result<Arc<ClientConfig>, HttpError> {
    let make = move || {
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let mut roots = RootCertStore::empty();
        match trust {
            Trust::Pinned(fingerprint) => {
                let algorithms = provider().signature_verification_algorithms;
                let verifier = Arc::new(Pinned { fingerprint, algorithms });
                let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
                return Ok(Arc::new(builder.with_no_client_auth()));
            }
            Trust::Authority(pem) => {
                roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem.as_bytes()).flatten())
            }
            Trust::System => roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
        };
        Ok::<_, rustls::Error>(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
    };
    let made = tokio::task::spawn_blocking(make).await.map_err(|error| HttpError::Tls(error.to_string()))?;
    made.map_err(|error| HttpError::Tls(error.to_string()))
}

async fn talk<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(u16, String), HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| HttpError::Broken(error.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let mut answer = Box::pin(async move {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let mut body = response.into_body();
        let mut text = Vec::new();
        while text.len() < LONGEST_ANSWER && !body.is_end_stream() {
            match body.frame().await {
                Some(Ok(frame)) => text.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..])),
                // The status is what counts: some servers close without a word.
                Some(Err(_)) | None => break,
            }
        }
        text.truncate(LONGEST_ANSWER);
        Ok((status, String::from_utf8_lossy(&text).into_owned()))
    });
    let mut connection = Box::pin(connection);
    // The connection moves only while somebody asks it to; its end is not the answer's.
    tokio::select! {
        biased;
        answer = &mut answer => answer.map_err(broken),
        ended = &mut connection => match tokio::time::timeout(LAST_WORDS, answer).await {
            Ok(answer) => answer.map_err(broken),
            Err(_) => Err(HttpError::Broken(format!("the connection was closed: {ended:?}"))),
        },
    }
}

/// Takes one certificate and no other, also where the server knows nothing newer than TLS 1.2.
#[derive(Debug)]
struct Pinned {
    fingerprint: String,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if fingerprint(end_entity) == self.fingerprint {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
