//! The configuration file: only what is needed before the database opens. Everything else is in the database and is
//! changed through the door.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::data_dir::DataDir;
use crate::error::OpenError;

/// `tvox-dr.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the web panel listens.
    pub panel: SocketAddr,
    /// Where the peer link listens, and from which IP it dials unless that is unspecified.
    pub peer: SocketAddr,
    /// Serve the panel without TLS; only on a loopback address.
    #[serde(default)]
    pub insecure_http: bool,
    /// A certificate of one's own for the panel.
    #[serde(default)]
    pub panel_tls: Option<PanelTls>,
}

/// PEM files of the panel's own certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PanelTls {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Config {
    /// The panel where none is given.
    pub const DEFAULT_PANEL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8443);
    /// The peer link where none is given.
    pub const DEFAULT_PEER: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), contract::address::DEFAULT_PORT);

    /// Reads the file.
    ///
    /// # Errors
    /// [`OpenError::Configuration`] with the line at fault; [`OpenError::Unusable`] when there is no file at all.
    pub fn read(dir: &DataDir) -> Result<Self, OpenError> {
        let file = dir.config();
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let why = "there is no node in it; make one with `tvox-dr init`".into();
                return Err(OpenError::Unusable { dir: dir.root().to_owned(), why });
            }
            Err(error) => return Err(OpenError::Configuration { file, why: error.to_string() }),
        };
        let config: Self = toml::from_str(&text).map_err(|error| OpenError::Configuration {
            file: file.clone(),
            why: error.to_string().trim().replace('\n', " "),
        })?;
        config.check().map_err(|why| OpenError::Configuration { file, why })?;
        Ok(config)
    }

    /// What no file and no argument may ask for.
    ///
    /// # Errors
    /// The sentence that says so.
    pub fn check(&self) -> Result<(), String> {
        if self.insecure_http && !self.panel.ip().is_loopback() {
            return Err(format!("insecure-http is allowed on a loopback address only, and {} is none", self.panel));
        }
        if self.panel == self.peer && self.panel.port() != 0 {
            return Err(format!("the panel and the peer link cannot both listen on {}", self.panel));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_without_tls_is_refused_anywhere_but_on_loopback() {
        let config = |panel: &str| Config {
            panel: panel.parse().unwrap(),
            peer: Config::DEFAULT_PEER,
            insecure_http: true,
            panel_tls: None,
        };
        assert!(config("127.0.0.1:8080").check().is_ok());
        assert!(config("[::1]:8080").check().is_ok());
        assert!(config("0.0.0.0:8080").check().is_err());
        assert!(config("10.0.0.1:8080").check().is_err());
    }
}
