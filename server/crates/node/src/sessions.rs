//! Sessions of the panel, in the database: they survive a restart, and end at logout, at a change of password, with the
//! user, and by inactivity.

use contract::Denied;
use sqlx::SqlitePool;

use crate::identity::sha256;
use crate::store::{Store, Tx, db};

/// A session as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// Whose it is; `None` before the login.
    pub user: Option<String>,
    /// What the panel keeps in it.
    pub data: Vec<u8>,
    /// When it ends, in seconds since 1970.
    pub expires_at: i64,
}

/// The table of sessions.
#[derive(Debug, Clone)]
pub struct Sessions {
    pool: SqlitePool,
}

impl Sessions {
    pub(crate) fn new(store: &Store) -> Self {
        Self { pool: store.pool().clone() }
    }

    /// Finds a session.
    ///
    /// # Errors
    /// [`Denied::Failed`] when the database cannot be read.
    pub async fn load(&self, id: &str) -> Result<Option<StoredSession>, Denied> {
        let row: Option<(Option<String>, Vec<u8>, i64)> =
            sqlx::query_as("SELECT user, data, expires_at FROM session WHERE id_hash = ?")
                .bind(sha256(id.as_bytes()))
                .fetch_optional(&self.pool)
                .await
                .map_err(db("read a session"))?;
        Ok(row.map(|(user, data, expires_at)| StoredSession { user, data, expires_at }))
    }

    /// Writes a new session; false when the id is taken.
    ///
    /// # Errors
    /// [`Denied::Failed`] when the database cannot be written.
    pub async fn create(&self, id: &str, session: StoredSession) -> Result<bool, Denied> {
        let done = sqlx::query("INSERT OR IGNORE INTO session (id_hash, user, data, expires_at) VALUES (?, ?, ?, ?)")
            .bind(sha256(id.as_bytes()))
            .bind(session.user)
            .bind(session.data)
            .bind(session.expires_at)
            .execute(&self.pool)
            .await
            .map_err(db("write a session"))?;
        Ok(done.rows_affected() == 1)
    }

    /// Writes a session that exists. One that was ended meanwhile stays ended.
    ///
    /// # Errors
    /// [`Denied::Failed`] when the database cannot be written.
    pub async fn save(&self, id: &str, session: StoredSession) -> Result<(), Denied> {
        sqlx::query("UPDATE session SET user = ?, data = ?, expires_at = ? WHERE id_hash = ?")
            .bind(session.user)
            .bind(session.data)
            .bind(session.expires_at)
            .bind(sha256(id.as_bytes()))
            .execute(&self.pool)
            .await
            .map_err(db("write a session"))?;
        Ok(())
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`Denied::Failed`] when the database cannot be written.
    pub async fn delete(&self, id: &str) -> Result<(), Denied> {
        sqlx::query("DELETE FROM session WHERE id_hash = ?")
            .bind(sha256(id.as_bytes()))
            .execute(&self.pool)
            .await
            .map_err(db("end a session"))?;
        Ok(())
    }

    /// Sweeps out what has ended by itself.
    ///
    /// # Errors
    /// [`Denied::Failed`] when the database cannot be written.
    pub async fn delete_expired(&self, now: i64) -> Result<u64, Denied> {
        let done = sqlx::query("DELETE FROM session WHERE expires_at <= ?")
            .bind(now)
            .execute(&self.pool)
            .await
            .map_err(db("sweep the sessions"))?;
        Ok(done.rows_affected())
    }

    /// Ends all sessions of a user, in the transaction that changes the password.
    pub(crate) async fn end_in(tx: &mut Tx, user: &str) -> Result<(), Denied> {
        sqlx::query("DELETE FROM session WHERE user = ?")
            .bind(user)
            .execute(&mut **tx)
            .await
            .map_err(db("end sessions"))?;
        Ok(())
    }
}
