//! The SMS accounts: which gateways there are, which one is tried first, and that the others stand in for it. Secrets are
//! sealed, and never shown again.

use contract::command::Secret;
use contract::recipient::Channel;
use contract::sms::{SmsAccount, SmsAccountInfo, SmsForm, SmsReport};
use contract::{Denied, Lang, Outcome, Problem, SCHEMA};
use serde_json::{Value, json};

use super::template::{Values, uses_secret};
use super::{Undelivered, Unsent, outbox, seal, sms_gateway, words};
use crate::door::Act;
use crate::identity::sha256;
use crate::node::Node;
use crate::random;
use crate::store::{Tx, db};

/// An account as stored.
#[derive(Debug)]
struct Account {
    definition: SmsAccount,
    sealed: Option<Vec<u8>>,
    default: bool,
}

/// What is sealed: a secret opens for its own account only.
fn what(name: &str) -> String {
    format!("secret of the SMS account {name}")
}

impl Account {
    /// For the audit log: the templates by their hash, because people write keys into them.
    fn told(definition: &SmsAccount, has_secret: bool) -> Value {
        let text = serde_json::to_string(definition).unwrap_or_default();
        json!({
            "gateway": definition.gateway(), "method": definition.method,
            "definition_sha256": sha256(text.as_bytes()), "has_secret": has_secret,
        })
    }
}

impl Node {
    /// In the order in which they are tried.
    async fn sms_accounts(&self) -> Result<Vec<Account>, Denied> {
        let rows: Vec<(String, Option<Vec<u8>>, bool)> = sqlx::query_as(
            "SELECT definition, secret, is_default FROM sms_account ORDER BY is_default DESC, position, name",
        )
        .fetch_all(self.store.pool())
        .await
        .map_err(db("read the SMS accounts"))?;
        let read = |(text, sealed, default): (String, _, _)| {
            let definition =
                serde_json::from_str(&text).map_err(|error| Denied::failed("read an SMS account", error))?;
            Ok(Account { definition, sealed, default })
        };
        rows.into_iter().map(read).collect()
    }

    pub(crate) async fn sms_report(&self) -> Result<SmsReport, Denied> {
        let info = |account: Account| SmsAccountInfo {
            account: account.definition,
            has_secret: account.sealed.is_some(),
            default: account.default,
        };
        Ok(SmsReport { schema: SCHEMA, accounts: self.sms_accounts().await?.into_iter().map(info).collect() })
    }

    pub(crate) async fn sms_account_add(&self, act: Act<'_>, form: &SmsForm) -> Result<Outcome, Denied> {
        let account = form.check().map_err(Denied::Invalid)?;
        sms_gateway::check(&account).map_err(Denied::Invalid)?;
        let stored = self.sms_accounts().await?.into_iter().find(|stored| stored.definition.name == account.name);
        if form.new && stored.is_some() {
            return Err(Denied::field("name", Problem::Taken));
        }
        let typed = form.secret.as_ref().filter(|secret| !secret.reveal().is_empty());
        let sealed = match typed {
            Some(secret) => Some(
                seal::seal(&self.dir, &what(&account.name), secret)
                    .map_err(|error| Denied::failed("keep the secret", error))?,
            ),
            // What was typed for one gateway does not go to another.
            None => stored
                .as_ref()
                .filter(|stored| stored.definition.gateway() == account.gateway())
                .and_then(|stored| stored.sealed.clone()),
        };
        if sealed.is_none() && uses_secret(&account) {
            return Err(Denied::field("secret", Problem::Required));
        }
        let text = serde_json::to_string(&account).map_err(|error| Denied::failed("add an SMS account", error))?;
        let before = stored.map(|stored| Account::told(&stored.definition, stored.sealed.is_some()));
        let after = Account::told(&account, sealed.is_some());
        let mut tx = self.store.begin().await?;
        sqlx::query(
            "INSERT INTO sms_account (name, position, definition, secret) \
             VALUES (?, (SELECT coalesce(max(position), 0) + 1 FROM sms_account), ?, ?) \
             ON CONFLICT (name) DO UPDATE SET definition = excluded.definition, secret = excluded.secret",
        )
        .bind(&account.name)
        .bind(text)
        .bind(sealed)
        .execute(&mut *tx)
        .await
        .map_err(db("add an SMS account"))?;
        self.sms_ways_changed(act, tx, before, Some(after)).await
    }

    pub(crate) async fn sms_account_remove(&self, act: Act<'_>, name: &str) -> Result<Outcome, Denied> {
        let stored = self.sms_accounts().await?.into_iter().find(|stored| stored.definition.name == name);
        let Some(stored) = stored else { return Err(Denied::field("name", Problem::NotFound)) };
        let mut tx = self.store.begin().await?;
        sqlx::query("DELETE FROM sms_account WHERE name = ?")
            .bind(name)
            .execute(&mut *tx)
            .await
            .map_err(db("remove an SMS account"))?;
        let before = Account::told(&stored.definition, stored.sealed.is_some());
        self.sms_ways_changed(act, tx, Some(before), None).await
    }

    pub(crate) async fn sms_account_default(&self, act: Act<'_>, name: &str) -> Result<Outcome, Denied> {
        let accounts = self.sms_accounts().await?;
        if !accounts.iter().any(|account| account.definition.name == name) {
            return Err(Denied::field("name", Problem::NotFound));
        }
        let before = accounts.iter().find(|account| account.default).map(|account| json!(account.definition.name));
        let mut tx = self.store.begin().await?;
        // In this order: one default at most holds after every statement.
        for (sql, name) in [
            ("UPDATE sms_account SET is_default = 0 WHERE name <> ?", name),
            ("UPDATE sms_account SET is_default = 1 WHERE name = ?", name),
        ] {
            sqlx::query(sql).bind(name).execute(&mut *tx).await.map_err(db("choose an SMS account"))?;
        }
        self.sms_ways_changed(act, tx, before, Some(json!(name))).await
    }

    /// What every change of the accounts ends with: there is a default, and messages that wait are tried again.
    async fn sms_ways_changed(
        &self,
        act: Act<'_>,
        mut tx: Tx,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Result<Outcome, Denied> {
        sqlx::query(
            "UPDATE sms_account SET is_default = 1 \
             WHERE name = (SELECT name FROM sms_account ORDER BY position, name LIMIT 1) \
             AND NOT EXISTS (SELECT 1 FROM sms_account WHERE is_default = 1)",
        )
        .execute(&mut *tx)
        .await
        .map_err(db("choose an SMS account"))?;
        outbox::try_again(&mut tx, Channel::Sms, self.clock.now()).await?;
        let outcome = act.done(tx, before, after).await?;
        self.outbox.way_changed();
        Ok(outcome)
    }

    pub(crate) async fn sms_test(&self, act: Act<'_>, name: Option<&str>, to: &str) -> Result<Outcome, Denied> {
        let to = Channel::Sms.normalise(to).map_err(|problem| Denied::field("to", problem))?;
        if let Some(name) = name
            && !self.sms_accounts().await?.iter().any(|account| account.definition.name == name)
        {
            return Err(Denied::field("name", Problem::NotFound));
        }
        let text = words::test_sms(&self.info.name, self.clock.now(), self.message_lang().await?);
        let reference = format!("test-{}", random::id());
        let taken = self.send_sms(name, &to, &text, &reference).await;
        let words = taken.map_err(|unsent| Denied::failed(format!("send a test SMS to {to}"), unsent.words()))?;
        act.done(self.store.begin().await?, None, Some(json!({ "to": to, "gateway": words }))).await?;
        Ok(Outcome::Answered { words })
    }

    /// Sends one SMS by one account, or by the default and, where it fails, by the others in their order; the gateway's
    /// words.
    pub(super) async fn send_sms(
        &self,
        only: Option<&str>,
        to: &str,
        text: &str,
        reference: &str,
    ) -> Result<String, Unsent> {
        let unreadable = |denied: Denied| Undelivered::for_now(denied.text(Lang::En));
        let mut accounts = self.sms_accounts().await.map_err(unreadable)?;
        accounts.retain(|account| only.is_none_or(|name| account.definition.name == name));
        if accounts.is_empty() {
            return Err(Unsent::NotSet("no SMS account is set"));
        }
        let mut failures = Vec::new();
        for account in &accounts {
            let name = &account.definition.name;
            match self.send_sms_by(account, to, text, reference).await {
                Ok(words) => return Ok(format!("{name}: {words}")),
                Err(undelivered) => failures.push((name, undelivered)),
            }
        }
        // One account that may work later is reason enough to try again.
        let lasting = failures.iter().all(|(_, undelivered)| undelivered.lasting);
        let words = failures.iter().map(|(name, undelivered)| format!("{name}: {}", undelivered.words));
        let words = words.collect::<Vec<_>>().join("; ");
        Err(Undelivered { lasting, words }.into())
    }

    async fn send_sms_by(
        &self,
        account: &Account,
        to: &str,
        text: &str,
        reference: &str,
    ) -> Result<String, Undelivered> {
        let secret = match &account.sealed {
            Some(sealed) if uses_secret(&account.definition) => {
                seal::open(&self.dir, &what(&account.definition.name), sealed)
                    .map_err(|error| Undelivered::for_now(error.to_string()))?
            }
            _ => Secret::default(),
        };
        let values = Values { to, text, reference, secret: secret.reveal() };
        sms_gateway::send(&account.definition, values).await
    }
}
