//! The mail server: how it is set, tried out and shown. Its password is sealed, and never shown again.

use contract::recipient::Channel;
use contract::smtp::{Security, SmtpForm, SmtpReport, SmtpSettings};
use contract::{Denied, Lang, Outcome, Problem, SCHEMA, Timestamp};
use serde_json::{Value, json};

use super::mailer::{self, Envelope};
use super::words::{self, Mail};
use super::{Undelivered, Unsent, outbox, seal};
use crate::door::Act;
use crate::identity::sha256;
use crate::node::Node;
use crate::random;
use crate::store::db;

/// What is sealed.
const WHAT: &str = "SMTP password";

/// The mail server as stored.
#[derive(Debug)]
struct MailServer {
    settings: SmtpSettings,
    sealed: Option<Vec<u8>>,
}

impl MailServer {
    /// Whether a password typed for this one may go to the other: same server, same user, and not suddenly in clear.
    fn trusts(&self, other: &SmtpSettings) -> bool {
        let bared = other.security == Security::None && self.settings.security != Security::None;
        self.settings.server == other.server && self.settings.user == other.user && !bared
    }

    /// For the audit log.
    fn told(settings: &SmtpSettings, has_password: bool) -> Value {
        let SmtpSettings { server, port, security, from, user, ca } = settings;
        let ca = ca.as_ref().map(|pem| sha256(pem.as_bytes()));
        json!({
            "server": server, "port": port, "security": security, "from": from, "user": user, "ca_sha256": ca,
            "has_password": has_password,
        })
    }
}

impl Node {
    async fn mail_server(&self) -> Result<Option<MailServer>, Denied> {
        let row: Option<(String, Option<Vec<u8>>)> = sqlx::query_as("SELECT settings, password FROM smtp")
            .fetch_optional(self.store.pool())
            .await
            .map_err(db("read the mail server"))?;
        let read = |(text, sealed): (String, _)| {
            let settings =
                serde_json::from_str(&text).map_err(|error| Denied::failed("read the mail server", error))?;
            Ok(MailServer { settings, sealed })
        };
        row.map(read).transpose()
    }

    pub(crate) async fn smtp_report(&self) -> Result<SmtpReport, Denied> {
        let server = self.mail_server().await?;
        let has_password = server.as_ref().is_some_and(|server| server.sealed.is_some());
        Ok(SmtpReport { schema: SCHEMA, smtp: server.map(|server| server.settings), has_password })
    }

    pub(crate) async fn smtp_set(&self, act: Act<'_>, form: &SmtpForm) -> Result<Outcome, Denied> {
        let settings = form.check().map_err(Denied::Invalid)?;
        if settings.ca.as_deref().is_some_and(|pem| !mailer::is_certificate(pem)) {
            return Err(Denied::field("ca", Problem::NotACertificate));
        }
        let stored = self.mail_server().await?;
        let typed = form.password.as_ref().filter(|password| !password.reveal().is_empty());
        let sealed = match (&settings.user, typed) {
            (None, None) => None,
            (None, Some(_)) => return Err(Denied::field("user", Problem::Required)),
            (Some(_), Some(password)) => Some(
                seal::seal(&self.dir, WHAT, password).map_err(|error| Denied::failed("keep the password", error))?,
            ),
            (Some(_), None) => {
                let kept = stored.as_ref().filter(|stored| stored.trusts(&settings)).and_then(|s| s.sealed.clone());
                Some(kept.ok_or_else(|| Denied::field("password", Problem::Required))?)
            }
        };
        let text = serde_json::to_string(&settings).map_err(|error| Denied::failed("set the mail server", error))?;
        let before = stored.map(|stored| MailServer::told(&stored.settings, stored.sealed.is_some()));
        let after = MailServer::told(&settings, sealed.is_some());
        let mut tx = self.store.begin().await?;
        sqlx::query(
            "INSERT INTO smtp (one, settings, password) VALUES (1, ?, ?) \
             ON CONFLICT (one) DO UPDATE SET settings = excluded.settings, password = excluded.password",
        )
        .bind(text)
        .bind(sealed)
        .execute(&mut *tx)
        .await
        .map_err(db("set the mail server"))?;
        outbox::try_again(&mut tx, Channel::Email, self.clock.now()).await?;
        let outcome = act.done(tx, before, Some(after)).await?;
        self.outbox.way_changed();
        Ok(outcome)
    }

    pub(crate) async fn smtp_test(&self, act: Act<'_>, to: &str) -> Result<Outcome, Denied> {
        let to = Channel::Email.normalise(to).map_err(|problem| Denied::field("to", problem))?;
        let (language, now) = (self.message_lang().await?, self.clock.now());
        let mail = words::test_mail(&self.info.name, now, language);
        let reference = format!("test-{}@{}.tvox-dr", random::id(), self.info.name);
        let taken = self.send_mail(&to, &reference, now, language, &mail).await;
        let words = taken.map_err(|unsent| Denied::failed(format!("send a test mail to {to}"), unsent.words()))?;
        act.done(self.store.begin().await?, None, Some(json!({ "to": to, "server": words }))).await?;
        Ok(Outcome::Answered { words })
    }

    /// Sends one mail by the server that is set; its words.
    pub(super) async fn send_mail(
        &self,
        to: &str,
        reference: &str,
        at: Timestamp,
        language: Lang,
        mail: &Mail,
    ) -> Result<String, Unsent> {
        let unreadable = |denied: Denied| Undelivered::for_now(denied.text(Lang::En));
        let Some(server) = self.mail_server().await.map_err(unreadable)? else {
            return Err(Unsent::NotSet("no mail server is set"));
        };
        let password = match &server.sealed {
            Some(sealed) => {
                let opened = seal::open(&self.dir, WHAT, sealed);
                Some(opened.map_err(|error| Undelivered::for_now(error.to_string()))?)
            }
            None => None,
        };
        let envelope = Envelope { to, reference, host: &self.info.name, at, language };
        Ok(mailer::send(&server.settings, password.as_ref(), &envelope, mail).await?)
    }
}
