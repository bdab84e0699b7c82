//! The licence: an Ed25519 signature over a versioned payload. Authentic or not is decided here; what a missing or
//! expired one means is decided by the guards, and it is never a reason to stop replicating or to refuse an activation.
//!
//! File format: `TVOX-DR-LICENCE-1 <payload> <signature>`, both base64url without padding; the payload is JSON.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract::licence::{LicenceReport, LicenceState, LicenceSummary};
use contract::{Denied, NodeRole, Outcome, Rule, SCHEMA, Timestamp};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::data_dir::{DataDir, write_durably};
use crate::door::Act;
use crate::node::Node;
use crate::store::db;

const MAGIC: &str = "TVOX-DR-LICENCE-1";
const SECRET_MAGIC: &str = "TVOX-DR-LICENCE-KEY-1";
const PUBLIC_MAGIC: &str = "TVOX-DR-LICENCE-PUBLIC-1";

/// The supplier's public key, unless `init --licence-key` gave another. Replaced at build time by `TVOX_DR_LICENCE_KEY`
/// (the text of a `.pub` file). Without either, no licence can be verified and none is needed to look around.
const BUILT_IN: Option<&str> = option_env!("TVOX_DR_LICENCE_KEY");

/// What the supplier signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// Serial number.
    pub serial: String,
    /// The customer.
    pub company: String,
    /// What it grants.
    pub modules: Vec<String>,
    /// The last moment at which it is valid; `None` for ever.
    pub expires: Option<Timestamp>,
    /// The only node it is valid on; `None` for any.
    pub machine: Option<String>,
    /// When it was signed.
    pub issued_at: Timestamp,
}

/// Why a licence text is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LicenceError {
    /// Not in the format, or of a later version of it.
    #[error("the file is not a licence of this product")]
    Format,
    /// The signature does not fit.
    #[error("the signature does not fit: the file was changed, or is from another supplier")]
    Signature,
    /// This node has no key to check with.
    #[error("this machine has no supplier key to check it with; give one to `tvox-dr init --licence-key`")]
    NoKey,
    /// The key file is not one.
    #[error("{0} is not a licence key")]
    KeyFile(String),
}

impl LicenceError {
    /// The word under which the reader's language has a sentence for it.
    const fn code(&self) -> &'static str {
        match self {
            Self::Format | Self::KeyFile(_) => "format",
            Self::Signature => "signature",
            Self::NoKey => "no_key",
        }
    }
}

/// A supplier's public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupplierKey([u8; 32]);

impl SupplierKey {
    /// Reads the text of a `.pub` file.
    ///
    /// # Errors
    /// [`LicenceError::KeyFile`].
    pub fn parse(text: &str) -> Result<Self, LicenceError> {
        unpack(text, PUBLIC_MAGIC)
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| LicenceError::KeyFile("this".into()))
    }

    /// The key this node checks with: its own file, else the built-in one.
    #[must_use]
    pub fn of(dir: &DataDir) -> Option<Self> {
        let own = fs::read_to_string(dir.licence_key()).ok();
        own.as_deref().or(BUILT_IN).and_then(|text| Self::parse(text).ok())
    }
}

fn unpack(text: &str, magic: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim().strip_prefix(magic)?.trim()).ok()
}

/// Makes a key pair for signing licences: the texts of the secret file (keep it 0600) and of its `.pub`.
///
/// # Errors
/// [`LicenceError::KeyFile`] when the kernel gives no random numbers.
pub fn keygen() -> Result<(String, String), LicenceError> {
    let failed = || LicenceError::KeyFile("the new key".into());
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| failed())?;
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).map_err(|_| failed())?;
    let text = |magic: &str, bytes: &[u8]| format!("{magic} {}\n", URL_SAFE_NO_PAD.encode(bytes));
    Ok((text(SECRET_MAGIC, pkcs8.as_ref()), text(PUBLIC_MAGIC, pair.public_key().as_ref())))
}

/// Signs a licence with the secret file's text.
///
/// # Errors
/// [`LicenceError::KeyFile`] when that is no key.
pub fn issue(secret: &str, payload: &Payload) -> Result<String, LicenceError> {
    let bad = || LicenceError::KeyFile("the given file".into());
    let pkcs8 = unpack(secret, SECRET_MAGIC).ok_or_else(bad)?;
    let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| bad())?;
    let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(payload).map_err(|_| LicenceError::Format)?);
    let signature = pair.sign(format!("{MAGIC} {payload}").as_bytes());
    Ok(format!("{MAGIC} {payload} {}\n", URL_SAFE_NO_PAD.encode(signature)))
}

/// Checks a licence text and reads what it says. Dates and machine are the caller's business.
///
/// # Errors
/// [`LicenceError`].
pub fn verify(text: &str, key: Option<&SupplierKey>) -> Result<Payload, LicenceError> {
    let key = key.ok_or(LicenceError::NoKey)?;
    let text = text.trim();
    if text.len() > 16 * 1024 {
        return Err(LicenceError::Format);
    }
    let (signed, signature) = text.rsplit_once(' ').ok_or(LicenceError::Format)?;
    let payload = signed.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix(' ')).ok_or(LicenceError::Format)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| LicenceError::Signature)?;
    UnparsedPublicKey::new(&ED25519, key.0)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| LicenceError::Signature)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload).map_err(|_| LicenceError::Format)?;
    serde_json::from_slice(&bytes).map_err(|_| LicenceError::Format)
}

/// Installs another supplier key in a node's directory.
///
/// # Errors
/// [`LicenceError::KeyFile`] naming the file.
pub fn install_key(dir: &DataDir, file: &Path) -> Result<(), LicenceError> {
    let bad = || LicenceError::KeyFile(file.display().to_string());
    let text = fs::read_to_string(file).map_err(|_| bad())?;
    SupplierKey::parse(&text).map_err(|_| bad())?;
    write_durably(&dir.licence_key(), text.as_bytes(), 0o644).map_err(|_| bad())
}

fn state(payload: &Payload, node: &str, now: Timestamp) -> LicenceState {
    if payload.machine.as_deref().is_some_and(|machine| machine != node) {
        LicenceState::Invalid
    } else if payload.expires.is_some_and(|end| end < now) {
        LicenceState::Expired
    } else {
        LicenceState::Valid
    }
}

impl Node {
    pub(crate) async fn licence(&self) -> Result<LicenceReport, Denied> {
        let text: Option<String> = sqlx::query_scalar("SELECT text FROM licence")
            .fetch_optional(self.store.pool())
            .await
            .map_err(db("read the licence"))?;
        let needed = self.info.role.module();
        let payload = text.as_deref().map(|text| verify(text, self.supplier_key.as_ref()));
        let (state, payload) = match payload {
            None => (LicenceState::Missing, None),
            Some(Err(_)) => (LicenceState::Invalid, None),
            Some(Ok(payload)) => (state(&payload, &self.info.id, self.clock.now()), Some(payload)),
        };
        let granted = payload.as_ref().is_some_and(|p| p.modules.iter().any(|module| module == needed));
        let payload = payload.as_ref();
        Ok(LicenceReport {
            schema: SCHEMA,
            summary: LicenceSummary {
                state,
                serial: payload.map(|p| p.serial.clone()),
                company: payload.map(|p| p.company.clone()),
                modules: payload.map(|p| p.modules.clone()).unwrap_or_default(),
                expires: payload.and_then(|p| p.expires),
            },
            needed: needed.to_owned(),
            granted,
            machine: self.info.id.clone(),
            bound_to: payload.and_then(|p| p.machine.clone()),
        })
    }

    pub(crate) async fn licence_load(&self, act: Act<'_>, text: &str) -> Result<Outcome, Denied> {
        let invalid = |why: String| Denied::rule(Rule::LicenceInvalid, &self.info.name, why);
        let payload = verify(text, self.supplier_key.as_ref()).map_err(|error| invalid(error.code().to_owned()))?;
        let now = self.clock.now();
        match state(&payload, &self.info.id, now) {
            LicenceState::Expired => return Err(invalid(format!("expired={}", payload.expires.unwrap_or(now)))),
            LicenceState::Invalid => {
                return Err(invalid(format!("bound={}", payload.machine.unwrap_or_default())));
            }
            LicenceState::Valid | LicenceState::Missing => {}
        }
        let before = self.licence().await?.summary;
        let mut tx = self.store.begin().await?;
        sqlx::query("INSERT OR REPLACE INTO licence (one, text, loaded_at) VALUES (1, ?, ?)")
            .bind(text.trim())
            .bind(now.to_string())
            .execute(&mut *tx)
            .await
            .map_err(db("write the licence"))?;
        if payload.modules.iter().any(|module| module == self.info.role.module()) {
            sqlx::query("UPDATE node SET licensed_at = coalesce(licensed_at, ?)")
                .bind(now.to_string())
                .execute(&mut *tx)
                .await
                .map_err(db("write the licence"))?;
        }
        let after = json!({ "serial": payload.serial, "modules": payload.modules, "expires": payload.expires });
        act.done(tx, before.serial.map(|serial| json!({ "serial": serial })), Some(after)).await
    }

    pub(crate) async fn licence_remove(&self, act: Act<'_>) -> Result<Outcome, Denied> {
        let before = self.licence().await?.summary;
        let mut tx = self.store.begin().await?;
        sqlx::query("DELETE FROM licence").execute(&mut *tx).await.map_err(db("remove the licence"))?;
        act.done(tx, before.serial.map(|serial| json!({ "serial": serial })), None).await
    }

    /// Whether a licence with this side's module was ever loaded.
    pub(crate) async fn was_licensed(&self) -> Result<bool, Denied> {
        let licensed: Option<String> = sqlx::query_scalar("SELECT licensed_at FROM node")
            .fetch_one(self.store.pool())
            .await
            .map_err(db("read the licence"))?;
        Ok(licensed.is_some())
    }

    /// Refuses until a licence with this side's module was loaded once.
    pub(crate) async fn require_licence(&self) -> Result<(), Denied> {
        if self.was_licensed().await? {
            return Ok(());
        }
        Err(Denied::rule(Rule::LicenceModule, &self.info.name, self.info.role.module()))
    }
}

/// The modules that exist.
pub const MODULES: [&str; 2] = [NodeRole::Master.module(), NodeRole::Client.module()];

#[cfg(test)]
mod tests {
    use super::*;

    fn payload() -> Payload {
        Payload {
            serial: "S1".into(),
            company: "Società & Figli".into(),
            modules: vec![MODULES[0].into()],
            expires: None,
            machine: None,
            issued_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_licence_with_any_byte_changed_is_refused() {
        let (secret, public) = keygen().unwrap();
        let key = SupplierKey::parse(&public).unwrap();
        let text = issue(&secret, &payload()).unwrap();
        assert_eq!(verify(&text, Some(&key)), Ok(payload()));
        let bytes = text.trim_end().as_bytes();
        for at in 0..bytes.len() {
            let mut forged = bytes.to_vec();
            forged[at] ^= 0x02;
            if let Ok(forged) = String::from_utf8(forged) {
                assert!(verify(&forged, Some(&key)).is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn another_suppliers_licence_is_refused() {
        let (_, public) = keygen().unwrap();
        let (other, _) = keygen().unwrap();
        let text = issue(&other, &payload()).unwrap();
        assert_eq!(verify(&text, Some(&SupplierKey::parse(&public).unwrap())), Err(LicenceError::Signature));
        assert_eq!(verify(&text, None), Err(LicenceError::NoKey));
    }

    #[test]
    fn dates_and_machine_decide_the_state_and_nothing_else() {
        let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        let ended = Payload { expires: Some("2026-05-31T23:59:59Z".parse().unwrap()), ..payload() };
        let bound = Payload { machine: Some("a".into()), ..payload() };
        assert_eq!(state(&payload(), "a", now), LicenceState::Valid);
        assert_eq!(state(&ended, "a", now), LicenceState::Expired);
        assert_eq!(state(&bound, "a", now), LicenceState::Valid);
        assert_eq!(state(&bound, "b", now), LicenceState::Invalid);
    }
}
