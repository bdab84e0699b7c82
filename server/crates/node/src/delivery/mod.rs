//! How people are told: messages are written down with their alarm, in one transaction, and sent afterwards, each to its
//! recipient, until a server has taken it. A crash loses none; it doubles one only where it fell between sending and
//! recording, and then both carry the same reference.
//!
//! Nothing here decides what is worth telling: that is the business of `alarms`.

mod mail_server;
mod mailer;
mod outbox;
pub(crate) mod seal;
mod sms_accounts;
mod sms_gateway;
mod template;
mod words;

use contract::alarm::{AlarmEvent, AlarmKind};
use contract::{Denied, Lang, NodeRole, Text, Timestamp};

use crate::identity::sha256;
use crate::store::{Tx, db};

pub(crate) use mailer::is_certificate;
pub(crate) use outbox::Outbox;

/// One event of one alarm, to be told to every recipient.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announcement<'a> {
    pub(crate) alarm_id: &'a str,
    pub(crate) kind: AlarmKind,
    pub(crate) event: AlarmEvent,
    pub(crate) subject: &'a str,
    pub(crate) detail: &'a Text,
    /// When the alarm began.
    pub(crate) raised_at: Timestamp,
    /// When this event happened.
    pub(crate) at: Timestamp,
    /// The name of the machine that tells.
    pub(crate) host: &'a str,
    pub(crate) role: NodeRole,
    pub(crate) language: Lang,
}

/// Why a server did not take a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undelivered {
    /// Whether trying again is of no use.
    pub(crate) lasting: bool,
    /// The server's words, or the system's.
    pub(crate) words: String,
}

impl Undelivered {
    /// It may work later.
    fn for_now(words: impl AsRef<str>) -> Self {
        Self { lasting: false, words: short(words.as_ref()) }
    }

    /// It will not work.
    fn for_good(words: impl AsRef<str>) -> Self {
        Self { lasting: true, words: short(words.as_ref()) }
    }
}

/// Why a message was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Unsent {
    /// There is nothing to send it with yet.
    NotSet(&'static str),
    /// It was tried.
    Tried(Undelivered),
}

impl From<Undelivered> for Unsent {
    fn from(undelivered: Undelivered) -> Self {
        Self::Tried(undelivered)
    }
}

impl Unsent {
    fn words(&self) -> &str {
        match self {
            Self::NotSet(words) => words,
            Self::Tried(undelivered) => &undelivered.words,
        }
    }
}

/// The longest detail that is kept, in characters.
const LONGEST: usize = 300;

/// What a server said, on one line and not too long.
fn short(words: &str) -> String {
    let line = words.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = line.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// A time as the outbox compares it: always with three decimals, so that texts sort as times do.
fn stamp(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Writes one message per recipient into the transaction of the alarm. After its commit, [`Outbox::wake`].
///
/// # Errors
/// [`Denied::Failed`]: then the alarm must not be committed either.
pub(crate) async fn enqueue(tx: &mut Tx, job: &Announcement<'_>) -> Result<(), Denied> {
    let recipients: Vec<(String, String)> =
        sqlx::query_as("SELECT channel, value FROM recipient ORDER BY channel, value")
            .fetch_all(&mut **tx)
            .await
            .map_err(db("read the recipients"))?;
    let (mail, sms) = (words::mail(job), words::sms(job));
    for (channel, recipient) in recipients {
        let key = format!("{}\n{}\n{channel}\n{recipient}", job.alarm_id, job.event.as_str());
        let reference = &sha256(key.as_bytes())[..32];
        let (reference, title, body) = if channel == "email" {
            (format!("{reference}@{}.tvox-dr", job.host), mail.title.as_str(), mail.body.as_str())
        } else {
            (reference.to_owned(), "", sms.as_str())
        };
        // An event is told once, however often it is announced.
        sqlx::query(
            "INSERT OR IGNORE INTO delivery (alarm, event, channel, recipient, reference, language, title, body, next_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(job.alarm_id)
        .bind(job.event.as_str())
        .bind(&channel)
        .bind(&recipient)
        .bind(reference)
        .bind(job.language.tag())
        .bind(title)
        .bind(body)
        .bind(stamp(job.at))
        .execute(&mut **tx)
        .await
        .map_err(db("write a message into the outbox"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_outbox_sort_as_texts() {
        let times = ["2026-11-22T10:00:00Z", "2026-11-22T10:00:00.5Z", "2026-11-22T10:00:01Z"];
        let texts: Vec<String> = times.iter().map(|time| stamp(time.parse().unwrap())).collect();
        assert!(texts.is_sorted(), "{texts:?}");
        assert_eq!(texts[0].parse::<Timestamp>().unwrap(), times[0].parse().unwrap());
    }

    #[tokio::test]
    async fn each_recipient_gets_one_message_per_event_however_often_it_is_announced() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = crate::data_dir::DataDir::create(&tmp.path().join("n")).unwrap();
        let store = crate::store::Store::open(&dir, true).await.unwrap();
        let at = "2026-11-22T16:58:03Z".parse().unwrap();
        let detail = Text::new("7%", "7%");
        let raise = Announcement {
            alarm_id: "a1",
            kind: AlarmKind::DiskLow,
            event: AlarmEvent::Raise,
            subject: "/",
            detail: &detail,
            raised_at: at,
            at,
            host: "dr1",
            role: NodeRole::Client,
            language: Lang::En,
        };
        let clear = Announcement { event: AlarmEvent::Clear, ..raise };
        let mut tx = store.begin().await.unwrap();
        for sql in [
            "INSERT INTO recipient VALUES ('email', 'a@b.it'), ('email', 'c@d.it'), ('sms', '+393471234567')",
            "INSERT INTO alarm (id, code, subject, detail_it, detail_en, raised_at) VALUES ('a1', 'dr.disk.low', '/', '', '', '')",
        ] {
            sqlx::query(sql).execute(&mut *tx).await.unwrap();
        }
        for job in [&raise, &raise, &clear, &raise] {
            enqueue(&mut tx, job).await.unwrap();
        }
        let rows: Vec<(String, String, String, String, String)> =
            sqlx::query_as("SELECT event, channel, recipient, reference, title || body FROM delivery ORDER BY id")
                .fetch_all(&mut *tx)
                .await
                .unwrap();
        let told: Vec<_> = rows.iter().map(|row| (row.0.as_str(), row.1.as_str(), row.2.as_str())).collect();
        let each = |event| [(event, "email", "a@b.it"), (event, "email", "c@d.it"), (event, "sms", "+393471234567")];
        assert_eq!(told, [each("raise"), each("clear")].concat());
        for (event, channel, _, reference, text) in rows {
            assert_eq!(reference.ends_with("@dr1.tvox-dr"), channel == "email", "{reference}");
            assert!(text.contains(if event == "raise" { "Disk nearly full" } else { "ENDED" }), "{text}");
        }
    }

    #[test]
    fn words_of_a_server_become_one_short_line() {
        assert_eq!(short("550 no\r\n such  user\0"), "550 no such user");
        assert_eq!(short(&"é".repeat(1000)).chars().count(), LONGEST + 1);
    }
}
