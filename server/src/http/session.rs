//! Sessions of the panel: `tower-sessions` over the node's table. The table keeps hashes of ids, and a session that was
//! ended stays ended, whatever a request that was under way writes afterwards.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::{HeaderMap, header};
use contract::users::User;
use node::Node;
use node::sessions::StoredSession;
use time::{Duration, OffsetDateTime};
use tower_sessions::cookie::{Cookie, SameSite};
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};
use tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore};

use super::panel::Panel;

/// Ends a session that nobody uses. Event streams do not count as use.
const IDLE: Duration = Duration::minutes(30);
/// Ends a session in any case, in seconds.
const LONGEST: i64 = 12 * 3600;

/// Whose session it is.
const USER: &str = "user";
/// When it began, in seconds since 1970.
const SINCE: &str = "since";

/// The node's table.
#[derive(Debug, Clone)]
pub(super) struct Store(Arc<Node>);

/// The layer: cookie, lifetime, table. The cookie's name holds the node's id, because cookies ignore ports and both
/// panels of a pair may share one IP.
pub(super) fn layer(panel: &Panel) -> SessionManagerLayer<Store> {
    SessionManagerLayer::new(Store(Arc::clone(&panel.node)))
        .with_name(cookie_name(&panel.node))
        .with_same_site(SameSite::Strict)
        .with_http_only(true)
        .with_secure(panel.is_secure())
        .with_expiry(Expiry::OnInactivity(IDLE))
        .with_always_save(true)
}

pub(super) fn cookie_name(node: &Node) -> String {
    format!("tvox-dr-{}", node.info().id)
}

/// Begins a session after a login or a change of password, under a new id.
pub(super) async fn begin(session: &Session, user: &str, now: i64) -> Result2<()> {
    session.cycle_id().await?;
    session.insert(USER, user).await?;
    session.insert(SINCE, now).await
}

type Result2<T> = std::result::Result<T, tower_sessions::session::Error>;

/// Whose session it is, if it is one.
pub(super) async fn user_of(session: &Session, panel: &Panel) -> Result2<Option<String>> {
    let user = session.get::<String>(USER).await?;
    let since = session.get::<i64>(SINCE).await?;
    Ok(user.filter(|_| since.is_some_and(|since| is_young(since, panel.now()))))
}

fn is_young(since: i64, now: i64) -> bool {
    (0..LONGEST).contains(&now.saturating_sub(since).max(0))
}

/// Looks at the session of a request without prolonging it: for streams.
pub(super) async fn peek(panel: &Panel, headers: &HeaderMap) -> Option<User> {
    let name = cookie_name(&panel.node);
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let id = cookies
        .flat_map(Cookie::split_parse)
        .filter_map(std::result::Result::ok)
        .find(|cookie| cookie.name() == name)
        .and_then(|cookie| cookie.value().parse::<Id>().ok())?;
    let record = Store(Arc::clone(&panel.node)).load(&id).await.ok()??;
    let since = record.data.get(SINCE)?.as_i64()?;
    if !is_young(since, panel.now()) {
        return None;
    }
    let user = panel.node.user(record.data.get(USER)?.as_str()?).await.ok()??;
    (!user.must_change).then_some(user)
}

impl Store {
    fn stored(record: &Record) -> Result<StoredSession> {
        let data = serde_json::to_vec(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
        let user = record.data.get(USER).and_then(|user| user.as_str()).map(str::to_owned);
        Ok(StoredSession { user, data, expires_at: record.expiry_date.unix_timestamp() })
    }
}

fn broken(denied: contract::Denied) -> Error {
    Error::Backend(denied.text(contract::Lang::En))
}

#[async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> Result<()> {
        while !self.0.sessions().create(&record.id.to_string(), Self::stored(record)?).await.map_err(broken)? {
            record.id = Id::default();
        }
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.0.sessions().save(&record.id.to_string(), Self::stored(record)?).await.map_err(broken)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let Some(stored) = self.0.sessions().load(&id.to_string()).await.map_err(broken)? else { return Ok(None) };
        if stored.expires_at <= self.0.clock().now().as_second() {
            return Ok(None);
        }
        let data = serde_json::from_slice(&stored.data).map_err(|error| Error::Decode(error.to_string()))?;
        let expiry_date = OffsetDateTime::from_unix_timestamp(stored.expires_at);
        let expiry_date = expiry_date.map_err(|error| Error::Decode(error.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.0.sessions().delete(&id.to_string()).await.map_err(broken)
    }
}
