//! The node's own key and certificate. The key is the identity: addresses, names and dates are not.

use std::fs;
use std::path::Path;

use ring::digest::{SHA256, digest};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::data_dir::{DataDir, write_durably};
use crate::error::OpenError;
use crate::random::hex;

/// A key and its self-signed certificate.
#[derive(Debug)]
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    pem: (Vec<u8>, Vec<u8>),
    fingerprint: String,
}

impl Identity {
    /// Makes a key (ECDSA P-256) and a certificate for it, and writes both into the data directory.
    ///
    /// # Errors
    /// [`OpenError::Unusable`] when the files cannot be written.
    pub fn create(dir: &DataDir, name: &str) -> Result<Self, OpenError> {
        let unusable = |why: String| OpenError::Unusable { dir: dir.root().to_owned(), why };
        let made = || -> Result<(String, String), rcgen::Error> {
            let key = rcgen::KeyPair::generate()?;
            let names = vec![name.to_owned(), "localhost".into(), "127.0.0.1".into(), "::1".into()];
            let mut params = rcgen::CertificateParams::new(names)?;
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
        };
        let (certificate, key) = made().map_err(|error| unusable(format!("no certificate can be made: {error}")))?;
        let write = |path: &Path, text: &str, mode| {
            write_durably(path, text.as_bytes(), mode)
                .map_err(|error| unusable(format!("{} cannot be written: {error}", path.display())))
        };
        write(&dir.key(), &key, 0o600)?;
        write(&dir.certificate(), &certificate, 0o644)?;
        Self::read(dir)
    }

    /// Reads what [`Identity::create`] wrote.
    ///
    /// # Errors
    /// [`OpenError::Unusable`] when it is missing or damaged: a node without its key is not itself any more.
    pub fn read(dir: &DataDir) -> Result<Self, OpenError> {
        let unusable = |path: &Path, why: String| OpenError::Unusable {
            dir: dir.root().to_owned(),
            why: format!("{} cannot be used: {why}", path.display()),
        };
        let read = |path: &Path| fs::read(path).map_err(|error| unusable(path, error.to_string()));
        let pem = (read(&dir.certificate())?, read(&dir.key())?);
        let certificate =
            CertificateDer::from_pem_slice(&pem.0).map_err(|error| unusable(&dir.certificate(), error.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(&pem.1).map_err(|error| unusable(&dir.key(), error.to_string()))?;
        let fingerprint = fingerprint(&certificate);
        Ok(Self { certificate, key, pem, fingerprint })
    }

    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    /// The private key.
    #[must_use]
    pub fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }

    /// Certificate and key as PEM, for the panel.
    #[must_use]
    pub fn pem(&self) -> (Vec<u8>, Vec<u8>) {
        self.pem.clone()
    }

    /// SHA-256 of the certificate, in hex.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// SHA-256 of a certificate (DER), in hex.
#[must_use]
pub fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    sha256(certificate)
}

/// SHA-256 of anything, in hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}
