//! Mutual TLS 1.3 between nodes, with pinned certificates. Identity is the key: names, issuers and dates in a certificate
//! are not looked at, because on the worst day the clock may be wrong and no authority in reach.
//!
//! The listener takes any key that proves itself in the handshake and lets the conversation decide what it may do:
//! a machine that may have no data still gets an answer.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, CipherSuite, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved,
    ServerConfig, SignatureScheme, SupportedCipherSuite, version,
};

use crate::identity::{Identity, fingerprint};

/// The one cryptographic provider of the product.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The same for the peer link: AES with keys of 128 bits first, a quarter faster than with 256 and as far out of reach.
fn of_the_link() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::ring::default_provider();
    let first = |suite: &SupportedCipherSuite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256;
    provider.cipher_suites.sort_by_key(first);
    Arc::new(provider)
}

#[derive(Debug)]
struct Pinned {
    /// SHA-256 of the only certificate that is taken; `None` takes any that proves its key.
    fingerprint: Option<String>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pinned {
    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        match &self.fingerprint {
            Some(pinned) if *pinned != fingerprint(certificate) => {
                Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
            _ => Ok(()),
        }
    }

    fn proven(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }
}

const ONLY_13: Error = Error::PeerMisbehaved(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(ONLY_13)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.proven(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(ONLY_13)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.proven(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn pinned(fingerprint: Option<&str>) -> Arc<Pinned> {
    Arc::new(Pinned {
        fingerprint: fingerprint.map(str::to_owned),
        algorithms: provider().signature_verification_algorithms,
    })
}

/// How this node listens.
///
/// # Errors
/// When key and certificate do not belong together.
pub fn server(identity: &Identity) -> Result<ServerConfig, Error> {
    ServerConfig::builder_with_provider(of_the_link())
        .with_protocol_versions(&[&version::TLS13])?
        .with_client_cert_verifier(pinned(None))
        .with_single_cert(vec![identity.certificate()], identity.key())
}

/// How this node dials a machine of which it knows the certificate; without one it takes any, to see who is there.
///
/// # Errors
/// When key and certificate do not belong together.
pub fn client(identity: &Identity, fingerprint: Option<&str>) -> Result<ClientConfig, Error> {
    ClientConfig::builder_with_provider(of_the_link())
        .with_protocol_versions(&[&version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(pinned(fingerprint))
        .with_client_auth_cert(vec![identity.certificate()], identity.key())
}
