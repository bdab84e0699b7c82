//! The people who may log in to the panel: kept in the database, changed only through the door.

use std::net::IpAddr;
use std::time::Instant;

use contract::command::Secret;
use contract::users::{User, UsersReport, check_password};
use contract::{Actor, ActorKind, Denied, Outcome, Problem, Role, SCHEMA, Timestamp, name};
use serde_json::json;

use crate::audit::{self, Event};
use crate::door::Act;
use crate::node::Node;
use crate::passwords;
use crate::sessions::Sessions;
use crate::store::{Tx, db, time};

/// Why somebody could not log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginDenied {
    /// No such user, or not that password: which of the two is not told.
    Wrong,
    /// Too many failures from this address for this name.
    TooMany {
        /// How long to wait, in seconds.
        retry_after_seconds: u64,
    },
    /// The node could not find out.
    Unavailable,
}

type Row = (String, String, bool, String, Option<String>);

fn user((name, role, must_change, created_at, last_login): Row) -> Result<User, Denied> {
    Ok(User {
        name,
        role: role.parse().map_err(|error| Denied::failed("read a user", error))?,
        must_change,
        created_at: time(&created_at)?,
        last_login: last_login.as_deref().map(time).transpose()?,
    })
}

/// Writes a new user, in somebody's transaction.
pub(crate) async fn insert(
    tx: &mut Tx,
    name: &str,
    role: Role,
    hash: &str,
    must_change: bool,
    now: Timestamp,
) -> Result<bool, Denied> {
    let done = sqlx::query(
        "INSERT OR IGNORE INTO user (name, role, password_hash, must_change, created_at) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(name)
    .bind(role.as_str())
    .bind(hash)
    .bind(must_change)
    .bind(now.to_string())
    .execute(&mut **tx)
    .await
    .map_err(db("add a user"))?;
    Ok(done.rows_affected() == 1)
}

impl Node {
    /// Everybody who may log in.
    pub(crate) async fn users(&self) -> Result<UsersReport, Denied> {
        let rows: Vec<Row> =
            sqlx::query_as("SELECT name, role, must_change, created_at, last_login FROM user ORDER BY name")
                .fetch_all(self.store.pool())
                .await
                .map_err(db("read the users"))?;
        let users = rows.into_iter().map(user).collect::<Result<_, _>>()?;
        Ok(UsersReport { schema: SCHEMA, users })
    }

    /// One user as they are now: a session is only as good as this.
    ///
    /// # Errors
    /// [`Denied::Failed`] when the database cannot be read.
    pub async fn user(&self, name: &str) -> Result<Option<User>, Denied> {
        let row: Option<Row> =
            sqlx::query_as("SELECT name, role, must_change, created_at, last_login FROM user WHERE name = ?")
                .bind(name)
                .fetch_optional(self.store.pool())
                .await
                .map_err(db("read a user"))?;
        row.map(user).transpose()
    }

    async fn stored_hash(&self, name: &str) -> Result<Option<String>, Denied> {
        sqlx::query_scalar("SELECT password_hash FROM user WHERE name = ?")
            .bind(name)
            .fetch_optional(self.store.pool())
            .await
            .map_err(db("read a user"))
    }

    /// Checks name and password of somebody at `from`, slows down guessing, and writes the audit row either way.
    ///
    /// # Errors
    /// [`LoginDenied`]; an attempt during the wait is not even compared.
    pub async fn login(&self, name: &str, password: &Secret, from: IpAddr) -> Result<User, LoginDenied> {
        let name = name.trim();
        let now = Instant::now();
        if let Some(left) = self.throttle.remaining(from, name, now) {
            return Err(LoginDenied::TooMany { retry_after_seconds: left.as_secs().max(1) });
        }
        let Some(_place) = self.throttle.place(from) else {
            return Err(LoginDenied::TooMany { retry_after_seconds: 1 });
        };
        // Counted before the comparison: parallel guesses do not slip through while one is being hashed.
        self.throttle.failed(from, name, now);
        let unavailable = |_| LoginDenied::Unavailable;
        let known = if name::check(name).is_ok() { self.user(name).await.map_err(unavailable)? } else { None };
        let stored = match &known {
            Some(user) => self.stored_hash(&user.name).await.map_err(unavailable)?,
            None => None,
        };
        let right = password.reveal().len() <= 4 * contract::users::PASSWORD_MAX
            && passwords::fits(password, stored).await.map_err(unavailable)?;
        let actor = Actor::user(
            known.as_ref().map_or_else(|| name.chars().take(63).collect(), |user| user.name.clone()),
            known.as_ref().map_or(Role::Viewer, |user| user.role),
            from.to_string(),
        );
        let mut event = Event::done(&actor, "login", None);
        let mut tx = self.store.begin().await.map_err(unavailable)?;
        let granted = known.filter(|_| right);
        if let Some(user) = &granted {
            sqlx::query("UPDATE user SET last_login = ? WHERE name = ?")
                .bind(self.clock.now().to_string())
                .bind(&user.name)
                .execute(&mut *tx)
                .await
                .map_err(|_| LoginDenied::Unavailable)?;
        } else {
            event.outcome = contract::audit::AuditOutcome::Refused;
        }
        audit::append(&mut tx, self.clock.now(), event).await.map_err(unavailable)?;
        tx.commit().await.map_err(|_| LoginDenied::Unavailable)?;
        if granted.is_some() {
            self.throttle.succeeded(from, name);
        }
        granted.ok_or(LoginDenied::Wrong)
    }

    /// Checks the own password of whoever is logged in to the panel, before something grave; guessing is slowed down as
    /// at the login. Root on the socket has shown another right already.
    pub(crate) async fn confirm_password(
        &self,
        actor: &Actor,
        password: Option<&Secret>,
    ) -> Result<Result<(), Problem>, Denied> {
        if actor.kind != ActorKind::User {
            return Ok(Ok(()));
        }
        let Some(password) = password.filter(|password| !password.reveal().is_empty()) else {
            return Ok(Err(Problem::Required));
        };
        let from = actor.from.parse().unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        let now = Instant::now();
        let soon = |seconds: u64| Problem::TooSoon { seconds };
        if let Some(left) = self.throttle.remaining(from, &actor.name, now) {
            return Ok(Err(soon(left.as_secs().max(1))));
        }
        let Some(_place) = self.throttle.place(from) else { return Ok(Err(soon(1))) };
        self.throttle.failed(from, &actor.name, now);
        let stored = self.stored_hash(&actor.name).await?;
        let short = password.reveal().len() <= 4 * contract::users::PASSWORD_MAX;
        if !(short && passwords::fits(password, stored).await?) {
            return Ok(Err(Problem::WrongPassword));
        }
        self.throttle.succeeded(from, &actor.name);
        Ok(Ok(()))
    }

    /// Writes down that somebody left.
    pub async fn logout(&self, actor: &Actor) {
        if let Ok(mut tx) = self.store.begin().await
            && audit::append(&mut tx, self.clock.now(), Event::done(actor, "logout", None)).await.is_ok()
            && let Err(error) = tx.commit().await
        {
            tracing::error!(%error, "a logout could not be written down");
        }
    }

    pub(crate) async fn user_add(
        &self,
        act: Act<'_>,
        name: &str,
        role: &str,
        password: &Secret,
        must_change: bool,
    ) -> Result<Outcome, Denied> {
        name::check(name).map_err(|problem| Denied::field("name", problem))?;
        let role: Role = role.parse().map_err(|problem| Denied::field("role", problem))?;
        check_password(password.reveal()).map_err(|problem| Denied::field("password", problem))?;
        let hash = passwords::hash(password).await?;
        let mut tx = self.store.begin().await?;
        if !insert(&mut tx, name, role, &hash, must_change, self.clock.now()).await? {
            return Err(Denied::field("name", Problem::Taken));
        }
        act.done(tx, None, Some(json!({ "role": role }))).await
    }

    pub(crate) async fn user_password(
        &self,
        act: Act<'_>,
        name: &str,
        password: &Secret,
        must_change: bool,
    ) -> Result<Outcome, Denied> {
        check_password(password.reveal()).map_err(|problem| Denied::field("password", problem))?;
        let hash = passwords::hash(password).await?;
        let mut tx = self.store.begin().await?;
        let done = sqlx::query("UPDATE user SET password_hash = ?, must_change = ? WHERE name = ?")
            .bind(hash)
            .bind(must_change)
            .bind(name)
            .execute(&mut *tx)
            .await
            .map_err(db("set a password"))?;
        if done.rows_affected() == 0 {
            return Err(Denied::field("name", Problem::NotFound));
        }
        Sessions::end_in(&mut tx, name).await?;
        act.done(tx, None, None).await
    }

    pub(crate) async fn user_remove(&self, act: Act<'_>, name: &str) -> Result<Outcome, Denied> {
        let mut tx = self.store.begin().await?;
        let role: Option<String> = sqlx::query_scalar("DELETE FROM user WHERE name = ? RETURNING role")
            .bind(name)
            .fetch_optional(&mut *tx)
            .await
            .map_err(db("remove a user"))?;
        let role = role.ok_or_else(|| Denied::field("name", Problem::NotFound))?;
        let admins: i64 = sqlx::query_scalar("SELECT count(*) FROM user WHERE role = 'admin'")
            .fetch_one(&mut *tx)
            .await
            .map_err(db("count the administrators"))?;
        if admins == 0 {
            return Err(Denied::field("name", Problem::LastAdmin));
        }
        act.done(tx, Some(json!({ "role": role })), None).await
    }

    pub(crate) async fn password_change(
        &self,
        act: Act<'_>,
        current: &Secret,
        new: &Secret,
        again: &Secret,
    ) -> Result<Outcome, Denied> {
        let name = act.actor.name.clone();
        let stored = self.stored_hash(&name).await?;
        if stored.is_none() {
            return Err(Denied::field("current", Problem::NotFound));
        }
        check_password(new.reveal()).map_err(|problem| Denied::field("new", problem))?;
        if new != again {
            return Err(Denied::field("again", Problem::NotTheSame));
        }
        if !passwords::fits(current, stored).await? {
            return Err(Denied::field("current", Problem::WrongPassword));
        }
        if new == current {
            return Err(Denied::field("new", Problem::SamePassword));
        }
        let hash = passwords::hash(new).await?;
        let mut tx = self.store.begin().await?;
        sqlx::query("UPDATE user SET password_hash = ?, must_change = 0 WHERE name = ?")
            .bind(hash)
            .bind(&name)
            .execute(&mut *tx)
            .await
            .map_err(db("set a password"))?;
        Sessions::end_in(&mut tx, &name).await?;
        act.done(tx, None, None).await
    }
}
