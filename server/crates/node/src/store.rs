//! The node's own SQLite database: how it is opened, migrated, and how its errors are told.
//!
//! WAL with `synchronous=FULL`: what was answered "done" is on disk. Every write begins with `BEGIN IMMEDIATE`, so that
//! two writers queue instead of failing in the middle.

use std::fmt;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use contract::{Denied, Timestamp};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::data_dir::DataDir;
use crate::error::OpenError;

/// A write in progress.
pub type Tx = Transaction<'static, Sqlite>;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../../migrations");

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens the database, makes it on `create`, and brings its schema up to date.
    ///
    /// # Errors
    /// [`OpenError::Unusable`] when it is missing, damaged, or from a newer version of the product.
    pub async fn open(dir: &DataDir, create: bool) -> Result<Self, OpenError> {
        let unusable = |why: String| OpenError::Unusable { dir: dir.root().to_owned(), why };
        let file = dir.database();
        if !create && !file.exists() {
            return Err(unusable(format!("its database {} is missing", file.display())));
        }
        if create {
            // SQLite gives its log and its index the mode of the database.
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&file)
                .map_err(|error| unusable(format!("its database {} cannot be made: {error}", file.display())))?;
        }
        let store = Self::connect(&file).await.map_err(|error| unusable(damaged(&file, &error)))?;
        let verdict: Result<String, _> = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&store.pool).await;
        match verdict {
            Ok(text) if text == "ok" => {}
            Ok(text) => return Err(unusable(damaged(&file, &text))),
            Err(error) => return Err(unusable(damaged(&file, &error))),
        }
        MIGRATIONS.run(&store.pool).await.map_err(|error| {
            unusable(match error {
                sqlx::migrate::MigrateError::VersionMissing(_) => {
                    format!(
                        "its database {} was written by a newer version of tvox-dr; install that version",
                        file.display()
                    )
                }
                other => format!("its database {} cannot be brought up to date: {other}", file.display()),
            })
        })?;
        Ok(store)
    }

    async fn connect(file: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        Ok(Self { pool: SqlitePoolOptions::new().max_connections(4).connect_with(options).await? })
    }

    /// For reading.
    #[must_use]
    pub const fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// For writing.
    ///
    /// # Errors
    /// [`Denied::Failed`] when the database is locked for too long or unwritable.
    pub async fn begin(&self) -> Result<Tx, Denied> {
        self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(db("begin a change"))
    }

    /// Closes the database, so that the write-ahead log is folded in.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn damaged(file: &Path, cause: &dyn fmt::Display) -> String {
    format!("its database {} is damaged ({cause}); restore it from a backup", file.display())
}

/// Turns a database error into the door's word, naming what was attempted.
pub fn db(attempt: &'static str) -> impl FnOnce(sqlx::Error) -> Denied {
    move |error| {
        tracing::error!(attempt, %error, "database");
        Denied::failed(attempt, error)
    }
}

/// Reads a stored time; a damaged one is told as such.
pub fn time(text: &str) -> Result<Timestamp, Denied> {
    text.parse().map_err(|error| Denied::failed("read a stored time", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_audit_log_can_only_grow() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = DataDir::create(&tmp.path().join("n")).unwrap();
        let store = Store::open(&dir, true).await.unwrap();
        sqlx::query("INSERT INTO audit VALUES (1, 'line', 'hash')").execute(store.pool()).await.unwrap();
        for change in ["UPDATE audit SET line = 'other'", "DELETE FROM audit"] {
            let error = sqlx::query(change).execute(store.pool()).await.unwrap_err();
            assert!(error.to_string().contains("append-only"), "{error}");
        }
    }
}
