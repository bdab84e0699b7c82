//! TLS of the panel: the node's own certificate, or the one that is configured; ring is the one provider.

use std::sync::Arc;

use axum_server::tls_rustls::RustlsConfig;
use node::Node;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::PanelError;

/// Reads certificate and key.
///
/// # Errors
/// [`PanelError::Certificate`].
pub(super) fn config(node: &Node) -> Result<RustlsConfig, PanelError> {
    let wrong = |why: &dyn std::fmt::Display| PanelError::Certificate(why.to_string());
    let (certificate, key) = node.panel_tls().map_err(|error| wrong(&error))?;
    let chain = CertificateDer::pem_slice_iter(&certificate).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| wrong(&error))?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| wrong(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| wrong(&error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(RustlsConfig::from_config(Arc::new(config)))
}
