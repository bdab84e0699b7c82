//! What a message says: what happened, on which machine, when, and what to do about it. Pure: every message that can be
//! sent is in `tests/golden/messages.txt`, reviewed.

use contract::alarm::AlarmEvent;
use contract::{Lang, Timestamp};

use super::Announcement;

/// The longest SMS that is one SMS (3GPP TS 23.038).
const LONGEST_SMS: usize = 160;

/// An e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mail {
    /// Its subject line.
    pub(super) title: String,
    /// Plain text.
    pub(super) body: String,
}

/// A moment in the reader's way of writing it, in UTC, because the two sites need not share a time zone.
fn moment(at: Timestamp, lang: Lang) -> String {
    at.strftime(lang.pick("%d/%m/%Y %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S UTC")).to_string()
}

/// The e-mail about an event.
pub(super) fn mail(job: &Announcement<'_>) -> Mail {
    let lang = job.language;
    let sentence = job.kind.text(job.event, job.subject, job.detail);
    // Some facts are sentences themselves.
    let sentence = sentence.get(lang).trim_end_matches('.');
    let raised = job.event == AlarmEvent::Raise;
    let over = if raised { "" } else { lang.pick("RIENTRATO ", "ENDED ") };
    let code = if raised { job.kind.code() } else { job.kind.clear_code() };
    let mut facts = vec![
        (lang.pick("Macchina", "Machine"), format!("{} ({})", job.host, job.role.label())),
        (lang.pick("Priorità", "Priority"), format!("{} {} 6", job.kind.priority(), lang.pick("su", "of"))),
        (lang.pick("Codice", "Code"), code.to_owned()),
        (lang.pick("Inizio", "Began"), moment(job.raised_at, lang)),
    ];
    if !raised {
        facts.push((lang.pick("Fine", "Ended"), moment(job.at, lang)));
    }
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0) + 1;
    let facts: String = facts.iter().map(|(name, value)| format!("{:width$} {value}\n", format!("{name}:"))).collect();
    let to_do = if raised {
        format!("{}\n{}", lang.pick("Che cosa fare", "What to do"), job.kind.remedy(lang))
    } else {
        lang.pick("L'allarme è rientrato: non serve fare altro.", "The alarm has ended: nothing more is to be done.")
            .to_owned()
    };
    Mail {
        title: format!("[TVox DR] {over}P{} {}: {sentence}", job.kind.priority(), job.host),
        body: format!("{sentence}.\n\n{facts}\n{to_do}\n"),
    }
}

/// The SMS about an event: one SMS, with the code at its end even where the sentence had to be cut, and with as much of
/// what to do as there is room for in whole sentences.
pub(super) fn sms(job: &Announcement<'_>) -> String {
    let lang = job.language;
    let sentence = job.kind.text(job.event, job.subject, job.detail);
    let (over, code) = match job.event {
        AlarmEvent::Raise => ("", job.kind.code()),
        AlarmEvent::Clear => (lang.pick("RIENTRATO ", "ENDED "), job.kind.clear_code()),
    };
    let head = format!("TVox DR {over}P{} {}: ", job.kind.priority(), job.host);
    let tail = format!(" ({code})");
    let room = LONGEST_SMS.saturating_sub(head.chars().count() + tail.chars().count());
    let mut sentence = sentence.get(lang).to_owned();
    if sentence.chars().count() > room {
        sentence = sentence.chars().take(room.saturating_sub(2)).collect::<String>().trim_end().to_owned() + "..";
    }
    let room = room.saturating_sub(sentence.chars().count());
    let to_do =
        if job.event == AlarmEvent::Raise { whole_sentences(job.kind.remedy(lang), room) } else { String::new() };
    format!("{head}{sentence}{to_do}{tail}")
}

/// The sentences of a text that fit, from the first on, each after a full stop.
fn whole_sentences(text: &str, room: usize) -> String {
    let mut out = String::new();
    for sentence in text.split_inclusive(". ") {
        let sentence = format!(". {}", sentence.trim_end().trim_end_matches('.'));
        if out.chars().count() + sentence.chars().count() > room {
            break;
        }
        out += &sentence;
    }
    out
}

/// The test e-mail.
pub(super) fn test_mail(host: &str, at: Timestamp, lang: Lang) -> Mail {
    let when = moment(at, lang);
    Mail {
        title: format!("[TVox DR] {} {host}", lang.pick("Messaggio di prova da", "Test message from")),
        body: match lang {
            Lang::It => format!(
                "Messaggio di prova inviato da {host} il {when}.\n\n\
                 Se lo leggete, gli allarmi di TVox DR arrivano a questo indirizzo.\n"
            ),
            Lang::En => format!(
                "Test message sent by {host} at {when}.\n\n\
                 If you read this, the alarms of TVox DR reach this address.\n"
            ),
        },
    }
}

/// The test SMS.
pub(super) fn test_sms(host: &str, at: Timestamp, lang: Lang) -> String {
    format!("TVox DR {host}: {} {}", lang.pick("messaggio di prova,", "test message,"), moment(at, lang))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use contract::alarm::AlarmKind;
    use contract::{NodeRole, Text};

    use super::*;

    /// 3GPP TS 23.038, the basic alphabet, without the letters nobody here writes.
    const GSM_7: &str = "@£$¥èéùìòÇ\nØø\rÅåÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà_";

    /// Subject and deciding fact as the monitor gives them.
    fn example(kind: AlarmKind) -> (&'static str, Text) {
        match kind {
            AlarmKind::MasterUnreachable => ("master1", Text::new("timed out", "timed out")),
            AlarmKind::ClientUnreachable => ("dr1", Text::new("timed out", "timed out")),
            AlarmKind::MemberStale => ("master1", Text::new("", "")),
            AlarmKind::SiblingUnreachable => ("master2", Text::new("timed out", "timed out")),
            AlarmKind::SyncStopped => ("rubrica", Text::new("OFF", "OFF")),
            AlarmKind::LagWarning => ("rubrica", Text::new("75 secondi", "75 seconds")),
            AlarmKind::LagExceeded => ("rubrica", Text::new("6 minuti", "6 minutes")),
            AlarmKind::DiskLow => ("/var/lib/tvox-dr", Text::new("7%", "7%")),
            AlarmKind::LicenceExpiring => ("CLIENT_DISASTER_RECOVERY", Text::new("2026-12-31", "2026-12-31")),
            AlarmKind::LicenceExpired => ("CLIENT_DISASTER_RECOVERY", Text::new("scaduta", "expired")),
            AlarmKind::VersionMismatch => {
                let told = "dr1 0.1.0 (1), master1 0.2.0 (1)";
                ("master1", Text::new(told, told))
            }
            AlarmKind::Active => ("dr1", Text::new("", "")),
            AlarmKind::MasterFenced => ("master1", Text::new("", "")),
            AlarmKind::SplitBrain => ("master1", Text::new("mandati divergenti", "forked mandates")),
            AlarmKind::SetBack => ("dr1", Text::new("", "")),
            AlarmKind::Cloned => ("master1", Text::new("", "")),
            AlarmKind::NobodyServes | AlarmKind::GateUnverified => ("master1", Text::new("", "")),
            AlarmKind::ServiceWrong => ("kamailio", Text::new("fermo", "down")),
            AlarmKind::ReplicaDamaged => {
                ("conf", Text::new("2 differenze, la prima in sip.conf", "2 differences, the first in sip.conf"))
            }
            AlarmKind::ApprovalAwaited => (
                "activation-1f2e3d4c",
                Text::new(
                    "Attivazione del DR, chiesta da anna fino al 2026-11-22 17:13 UTC: incendio",
                    "Activation of the DR, asked for by anna until 2026-11-22 17:13 UTC: fire",
                ),
            ),
            AlarmKind::ApprovalBypassed => (
                "activation-1f2e3d4c",
                Text::new("Attivazione del DR, anna: nessuno risponde", "Activation of the DR, anna: nobody answers"),
            ),
            AlarmKind::StepsLeft => ("dr1", Text::new("carrier, dns", "carrier, dns")),
            AlarmKind::DrillOverdue => {
                ("dr1", Text::new("l'ultima riuscita 100 giorni fa", "the last one passed 100 days ago"))
            }
            AlarmKind::LostReturned => {
                ("master1", Text::new("risponde a 10.0.100.206:5461", "it answers at 10.0.100.206:5461"))
            }
            AlarmKind::RunStuck => ("Attivazione del DR", Text::new("start:kamailio", "start:kamailio")),
        }
    }

    fn every_message(mut look: impl FnMut(&Announcement<'_>)) {
        let raised_at = "2026-11-22T16:58:03.25Z".parse().unwrap();
        for kind in AlarmKind::ALL {
            let (subject, detail) = example(*kind);
            let (host, role) = match kind {
                AlarmKind::ClientUnreachable
                | AlarmKind::SiblingUnreachable
                | AlarmKind::MemberStale
                | AlarmKind::MasterFenced
                | AlarmKind::GateUnverified => ("master1", NodeRole::Master),
                _ => ("dr1", NodeRole::Client),
            };
            for event in [AlarmEvent::Raise, AlarmEvent::Clear] {
                let at = if event == AlarmEvent::Raise { "2026-11-22T16:58:03.25Z" } else { "2026-11-22T17:20:00Z" };
                for language in [Lang::It, Lang::En] {
                    let (alarm_id, kind, at) = ("", *kind, at.parse().unwrap());
                    let detail = &detail;
                    look(&Announcement { alarm_id, kind, event, subject, detail, raised_at, at, host, role, language });
                }
            }
        }
    }

    #[test]
    fn every_message_is_the_reviewed_one() {
        let mut text =
            String::from("Every message that can be sent. Changed by UPDATE_GOLDEN=1 cargo test -p node words\n");
        every_message(|job| {
            let Mail { title, body } = mail(job);
            let code = if job.event == AlarmEvent::Raise { job.kind.code() } else { job.kind.clear_code() };
            let lang = job.language.tag();
            let _ = write!(text, "\n==== {code} email {lang}\nSubject: {title}\n\n{body}");
            let _ = write!(text, "---- {code} sms {lang}\n{}\n", sms(job));
        });
        for lang in [Lang::It, Lang::En] {
            let at = "2026-11-22T16:58:03Z".parse().unwrap();
            let Mail { title, body } = test_mail("dr1", at, lang);
            let _ = write!(text, "\n==== test email {}\nSubject: {title}\n\n{body}", lang.tag());
            let _ = write!(text, "---- test sms {}\n{}\n", lang.tag(), test_sms("dr1", at, lang));
        }
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/messages.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).unwrap();
            std::fs::write(golden, &text).unwrap();
        }
        let reviewed = std::fs::read_to_string(golden).unwrap();
        for (was, is) in reviewed.lines().zip(text.lines()) {
            assert_eq!(is, was, "a message changed: review it, then UPDATE_GOLDEN=1");
        }
        assert_eq!(text, reviewed);
    }

    #[test]
    fn every_sms_fits_into_one_and_keeps_its_code_however_long_the_names_are() {
        let mut check = |job: &Announcement<'_>| {
            let text = sms(job);
            assert!(text.chars().count() <= LONGEST_SMS, "{text}");
            assert!(text.chars().all(|c| GSM_7.contains(c)), "not in the GSM alphabet: {text}");
            assert!(text.ends_with(')') && text.contains(job.host), "{text}");
        };
        every_message(&mut check);
        let long = "x".repeat(63);
        every_message(|job| check(&Announcement { host: &long, subject: &long, ..*job }));
    }
}
