//! Passwords: argon2id with the parameters of the OWASP cheat sheet (19 MiB, 2 passes, 1 lane), hashed on a blocking
//! thread and never more than two at once, so that a flood of logins cannot take the machine's memory or its cores.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use contract::Denied;
use contract::command::Secret;
use tokio::sync::Semaphore;

static SLOTS: Semaphore = Semaphore::const_new(2);

/// A hash of no password at all: verified when the user does not exist, so that the answer takes as long.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

async fn on_slot<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Denied> {
    let _slot = SLOTS.acquire().await.map_err(|error| Denied::failed("hash a password", error))?;
    tokio::task::spawn_blocking(work).await.map_err(|error| Denied::failed("hash a password", error))
}

/// Hashes a new password with a fresh salt.
///
/// # Errors
/// [`Denied::Failed`] when there is no memory for it.
pub async fn hash(password: &Secret) -> Result<String, Denied> {
    let password = password.clone();
    on_slot(move || Argon2::default().hash_password(password.reveal().as_bytes()).map(|hash| hash.to_string()))
        .await?
        .map_err(|error| Denied::failed("hash a password", error))
}

/// Whether the password fits the stored hash; without a hash the same work is done for nothing.
///
/// # Errors
/// [`Denied::Failed`] when the work could not be done, which is not the same as a wrong password.
pub async fn fits(password: &Secret, stored: Option<String>) -> Result<bool, Denied> {
    let password = password.clone();
    on_slot(move || {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| NOBODY.to_owned());
        let fits = PasswordHash::new(&stored)
            .is_ok_and(|hash| Argon2::default().verify_password(password.reveal().as_bytes(), &hash).is_ok());
        known && fits
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let stored = hash(&Secret::new("correct horse")).await.unwrap();
        assert!(stored.starts_with("$argon2id$"), "{stored}");
        assert!(fits(&Secret::new("correct horse"), Some(stored.clone())).await.unwrap());
        assert!(!fits(&Secret::new("correct horsf"), Some(stored)).await.unwrap());
        assert!(!fits(&Secret::new("correct horse"), None).await.unwrap());
    }

    #[test]
    fn the_hash_of_nobody_costs_as_much_as_a_real_one() {
        assert!(PasswordHash::new(NOBODY).is_ok(), "else an unknown user would be answered at once");
    }
}
