//! Lists of alarms as people look for them: the latest in short, and the history by filter and page.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::alarm::AlarmInfo;
use crate::lang::Text;

/// As many alarms as the short list holds.
pub const LATEST: u32 = 10;
/// As many alarms as one page of the history holds.
pub const PAGE: usize = 25;

/// One alarm in short, as *Ultimi Allarmi di Sistema* shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmBrief {
    /// Its id.
    pub id: String,
    /// 1 to 6.
    pub priority: u8,
    /// The machine that raised it.
    pub host: String,
    /// When it began.
    pub raised_at: Timestamp,
    /// When it ended; `null` while it is open.
    pub cleared_at: Option<Timestamp>,
    /// Whether somebody took note.
    pub acknowledged: bool,
    /// What happened.
    pub text: Text,
}

/// Which alarms are looked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AlarmFilter {
    /// Also those that have ended.
    pub all: bool,
    /// Only of this priority.
    pub priority: Option<u8>,
    /// Part of the code or of the clear code; empty for any.
    pub code: String,
    /// Part of what happened, in either language, of its subject, or of a note; empty for any.
    pub text: String,
}

impl AlarmFilter {
    /// Whether an alarm is among them. Capital letters make no difference.
    #[must_use]
    pub fn fits(&self, alarm: &AlarmInfo) -> bool {
        let within = |wanted: &str, texts: &[&str]| {
            let wanted = wanted.trim().to_lowercase();
            wanted.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(&wanted))
        };
        let note = alarm.acknowledged.as_ref().and_then(|ack| ack.note.as_deref()).unwrap_or_default();
        (self.all || alarm.cleared_at.is_none())
            && self.priority.is_none_or(|priority| priority == alarm.priority)
            && within(&self.code, &[&alarm.code, &alarm.clear_code])
            && within(&self.text, &[&alarm.text.it, &alarm.text.en, &alarm.subject, note])
    }
}

/// One page of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmHistory {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// Newest first.
    pub alarms: Vec<AlarmInfo>,
    /// How many there are on all pages.
    pub total: usize,
    /// This page, from 1.
    pub page: usize,
    /// How many pages there are, at least 1.
    pub pages: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::{Acknowledgement, AlarmEvent, AlarmKind};

    fn alarm(kind: AlarmKind, cleared: bool) -> AlarmInfo {
        AlarmInfo {
            id: "a".into(),
            code: kind.code().into(),
            clear_code: kind.clear_code().into(),
            priority: kind.priority(),
            host: "dr1".into(),
            source: "tvox-dr".into(),
            subject: "master1".into(),
            raised_at: Timestamp::UNIX_EPOCH,
            cleared_at: cleared.then_some(Timestamp::UNIX_EPOCH),
            acknowledged: Some(Acknowledgement {
                by: "anna".into(),
                at: Timestamp::UNIX_EPOCH,
                note: Some("Chiamato il fornitore".into()),
            }),
            repeats: 0,
            text: kind.text(AlarmEvent::Raise, "master1", &Text::new("", "")),
            deliveries: Vec::new(),
        }
    }

    #[test]
    fn a_filter_looks_at_state_priority_code_and_words_of_both_languages() {
        let open = alarm(AlarmKind::MasterUnreachable, false);
        let ended = alarm(AlarmKind::MasterUnreachable, true);
        let any = AlarmFilter::default();
        assert!(any.fits(&open) && !any.fits(&ended));
        assert!(AlarmFilter { all: true, ..any.clone() }.fits(&ended));
        for (priority, fits) in [(6, true), (5, false)] {
            assert_eq!(AlarmFilter { priority: Some(priority), ..any.clone() }.fits(&open), fits);
        }
        for (code, fits) in [("MASTER.unreach", true), (" reachable ", true), ("licence", false)] {
            assert_eq!(AlarmFilter { code: code.into(), ..any.clone() }.fits(&open), fits, "{code}");
        }
        for (text, fits) in [("NON risponde", true), ("does not answer", true), ("fornitore", true), ("disco", false)] {
            assert_eq!(AlarmFilter { text: text.into(), ..any.clone() }.fits(&open), fits, "{text}");
        }
    }
}
