//! Making a node: directory, key, database, first administrator. All of it or nothing: until the last step the directory
//! holds no configuration file, and without one it is no node.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use contract::command::Secret;
use contract::{Actor, Denied, NodeRole, Role, name};
use serde_json::json;

use crate::audit::{self, Event};
use crate::clock::Clock;
use crate::config::Config;
use crate::data_dir::{DataDir, write_durably};
use crate::error::OpenError;
use crate::identity::Identity;
use crate::store::Store;
use crate::{licence, passwords, random, users};

/// What a new node is to be.
#[derive(Debug, Clone)]
pub struct Init {
    /// Its side.
    pub role: NodeRole,
    /// Its name.
    pub name: String,
    /// Where the panel listens.
    pub panel: SocketAddr,
    /// Where the peer link listens.
    pub peer: SocketAddr,
    /// The panel without TLS.
    pub insecure_http: bool,
    /// The supplier's public key for licences, where it is not the built-in one.
    pub licence_key: Option<PathBuf>,
}

/// What `init` tells, once.
#[derive(Debug, Clone)]
pub struct Initialised {
    /// Its name.
    pub name: String,
    /// Its id.
    pub node_id: String,
    /// The first administrator.
    pub user: &'static str,
    /// The first password; the first login asks for another.
    pub password: Secret,
    /// Where the panel will be.
    pub panel: String,
    /// SHA-256 of the node's certificate.
    pub fingerprint: String,
}

/// The first administrator's name.
const ADMIN: &str = "admin";

impl Init {
    /// Makes the node.
    ///
    /// # Errors
    /// [`OpenError`]; what was begun is removed again.
    pub async fn run(self, root: &Path, clock: &dyn Clock) -> Result<Initialised, OpenError> {
        name::check(&self.name).map_err(|problem| OpenError::Value { field: "name", problem: problem.to_string() })?;
        let config = Config { panel: self.panel, peer: self.peer, insecure_http: self.insecure_http, panel_tls: None };
        config.check().map_err(|problem| OpenError::Value { field: "panel", problem })?;
        let existed = root.exists();
        let dir = DataDir::create(root)?;
        let made = self.fill(&dir, &config, clock).await;
        if made.is_err() {
            // The directory was empty before: nothing of anybody's is lost.
            let _ = if existed { clear(dir.root()) } else { fs::remove_dir_all(dir.root()) };
        }
        made
    }

    async fn fill(&self, dir: &DataDir, config: &Config, clock: &dyn Clock) -> Result<Initialised, OpenError> {
        let unusable = |why: String| OpenError::Unusable { dir: dir.root().to_owned(), why };
        let denied =
            |denied: Denied| OpenError::Unusable { dir: dir.root().to_owned(), why: denied.text(contract::Lang::En) };
        if let Some(key) = &self.licence_key {
            licence::install_key(dir, key)
                .map_err(|error| OpenError::Value { field: "licence-key", problem: error.to_string() })?;
        }
        let identity = Identity::create(dir, &self.name)?;
        let store = Store::open(dir, true).await?;
        let (node_id, password, now) = (random::id(), Secret::new(random::password()), clock.now());
        let hash = passwords::hash(&password).await.map_err(denied)?;
        let actor = Actor::root(login_uid());
        let mut tx = store.begin().await.map_err(denied)?;
        sqlx::query("INSERT INTO node (one, id, name, role, created_at) VALUES (1, ?, ?, ?, ?)")
            .bind(&node_id)
            .bind(&self.name)
            .bind(self.role.as_str())
            .bind(now.to_string())
            .execute(&mut *tx)
            .await
            .map_err(|error| unusable(format!("its database cannot be written: {error}")))?;
        users::insert(&mut tx, ADMIN, Role::Admin, &hash, true, now).await.map_err(denied)?;
        let mut event = Event::done(&actor, "init", Some(self.name.clone()));
        event.after = Some(json!({ "role": self.role, "node_id": node_id }));
        audit::append(&mut tx, now, event).await.map_err(denied)?;
        tx.commit().await.map_err(|error| unusable(format!("its database cannot be written: {error}")))?;
        store.close().await;
        let text = toml::to_string(config)
            .map_err(|error| unusable(format!("its configuration cannot be written: {error}")))?;
        write_durably(&dir.config(), text.as_bytes(), 0o600)
            .map_err(|error| unusable(format!("its configuration cannot be written: {error}")))?;
        let scheme = if self.insecure_http { "http" } else { "https" };
        Ok(Initialised {
            name: self.name.clone(),
            node_id,
            user: ADMIN,
            password,
            panel: format!("{scheme}://{}", self.panel),
            fingerprint: identity.fingerprint().to_owned(),
        })
    }
}

fn clear(dir: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
    }
    Ok(())
}

/// The uid that logged in to the machine, behind `sudo` and `su`; the kernel says 2^32-1 when nobody did.
#[must_use]
pub fn login_uid() -> Option<u32> {
    let text = fs::read_to_string("/proc/self/loginuid").ok()?;
    text.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}
