//! Secrets at rest: sealed with a key that lies beside the database, not in it, so that a copy of the database gives
//! nothing away. What a sealed secret is for is part of the seal: moved to another row it does not open.
//!
//! `[version 1][nonce, 12 bytes][ciphertext][tag, 16 bytes]`, ChaCha20-Poly1305 (RFC 8439).

use std::fs;
use std::io;
use std::path::PathBuf;

use contract::command::Secret;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::data_dir::{DataDir, write_durably};
use crate::random;

const VERSION: u8 = 1;
const KEY: usize = 32;

/// Why a secret cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    /// The key file cannot be read or made.
    #[error("the key file {file} cannot be used: {why}")]
    Key {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        why: String,
    },
    /// The key is not the one it was sealed with, or the text is damaged.
    #[error("the stored {what} cannot be opened with {file}: type it again")]
    Closed {
        /// What it is.
        what: String,
        /// The key file.
        file: PathBuf,
    },
}

fn file(dir: &DataDir) -> PathBuf {
    dir.root().join("secret.key")
}

fn key(dir: &DataDir, create: bool) -> Result<LessSafeKey, SealError> {
    let file = file(dir);
    let unusable = |why: String| SealError::Key { file: file.clone(), why };
    let bytes = match fs::read(&file) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound && create => {
            let bytes = Zeroizing::new(random::bytes::<KEY>().to_vec());
            write_durably(&file, &bytes, 0o600).map_err(|error| unusable(error.to_string()))?;
            bytes
        }
        Err(error) => return Err(unusable(error.to_string())),
    };
    let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(|_| unusable(format!("it is not {KEY} bytes")))?;
    Ok(LessSafeKey::new(key))
}

/// Seals a secret; `what` says what it is, such as `smtp password`.
pub(crate) fn seal(dir: &DataDir, what: &str, secret: &Secret) -> Result<Vec<u8>, SealError> {
    let key = key(dir, true)?;
    let nonce = random::bytes::<NONCE_LEN>();
    let mut text = secret.reveal().as_bytes().to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(what), &mut text)
        .map_err(|_| SealError::Key { file: file(dir), why: "it cannot seal".into() })?;
    let mut sealed = vec![VERSION];
    sealed.extend_from_slice(&nonce);
    sealed.append(&mut text);
    Ok(sealed)
}

/// Opens what [`seal`] made for the same `what`.
pub(crate) fn open(dir: &DataDir, what: &str, sealed: &[u8]) -> Result<Secret, SealError> {
    let closed = || SealError::Closed { what: what.to_owned(), file: file(dir) };
    let key = key(dir, false)?;
    let (head, text) = sealed.split_at_checked(1 + NONCE_LEN).ok_or_else(closed)?;
    let nonce: [u8; NONCE_LEN] = head[1..].try_into().map_err(|_| closed())?;
    if head[0] != VERSION {
        return Err(closed());
    }
    let mut text = Zeroizing::new(text.to_vec());
    let plain =
        key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(what), &mut text).map_err(|_| closed())?;
    Ok(Secret::new(std::str::from_utf8(plain).map_err(|_| closed())?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_sealed_secret_opens_only_as_what_it_is_and_with_its_own_key() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = DataDir::create(&tmp.path().join("n")).unwrap();
        let secret = Secret::new("segreto è ✓");
        let sealed = seal(&dir, "smtp password", &secret).unwrap();
        assert_ne!(sealed, seal(&dir, "smtp password", &secret).unwrap(), "a nonce is used once");
        assert_eq!(open(&dir, "smtp password", &sealed).unwrap(), secret);
        assert_eq!(fs::metadata(file(&dir)).unwrap().permissions().mode() & 0o777, 0o600);

        assert!(matches!(open(&dir, "sms secret of a", &sealed), Err(SealError::Closed { .. })));
        for damaged in [&sealed[..5], &[], &[&[2], &sealed[1..]].concat()[..]] {
            assert!(matches!(open(&dir, "smtp password", damaged), Err(SealError::Closed { .. })));
        }
        fs::write(file(&dir), [7; KEY]).unwrap();
        let told = open(&dir, "smtp password", &sealed).unwrap_err().to_string();
        assert!(told.contains("type it again") && !told.contains("segreto"), "{told}");
        fs::remove_file(file(&dir)).unwrap();
        assert!(matches!(open(&dir, "smtp password", &sealed), Err(SealError::Key { .. })));
        assert!(!file(&dir).exists(), "opening makes no key");
    }
}
