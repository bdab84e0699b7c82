//! What the Master wrote last before it lost the service, as far as the DR has it: what would be replaced by a way back
//! with the DR's data, or lost by one without.

use serde::{Deserialize, Serialize};

use crate::lang::Lang;

/// What is known of one dataset on a Master that does not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastWritten {
    /// The DR has all of it.
    Clean,
    /// Something was written after the last generation that the DR has: normal after a crash.
    Tail,
    /// The same, and this machine still served when it learnt that the DR does: both have written.
    SplitBrain,
}

impl LastWritten {
    /// Every verdict.
    pub const ALL: [Self; 3] = [Self::Clean, Self::Tail, Self::SplitBrain];

    /// What is to be said of data, given what the Master has now, what the DR has of it, and whether both have served.
    #[must_use]
    pub fn of(live: &str, known: Option<&str>, both_served: bool) -> Self {
        match (known == Some(live), both_served) {
            (true, _) => Self::Clean,
            (false, true) => Self::SplitBrain,
            (false, false) => Self::Tail,
        }
    }

    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Tail => "tail",
            Self::SplitBrain => "split_brain",
        }
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Clean => lang.pick("Integro", "Clean"),
            Self::Tail => lang.pick("Coda", "Tail"),
            Self::SplitBrain => lang.pick("Doppio servizio", "Split brain"),
        }
    }

    /// What it means.
    #[must_use]
    pub const fn sentence(self, lang: Lang) -> &'static str {
        match self {
            Self::Clean => lang.pick(
                "Il DR ha tutto ciò che il Master aveva scritto.",
                "The DR has everything that the Master had written.",
            ),
            Self::Tail => lang.pick(
                "Il Master ha scritto qualcosa dopo l'ultima copia: è normale dopo un guasto. Il DR non l'ha mai avuto.",
                "The Master wrote something after the last copy, which is normal after a crash. The DR never had it.",
            ),
            Self::SplitBrain => lang.pick(
                "Il Master serviva ancora quando il DR era già attivo: hanno scritto entrambi.",
                "The Master still served when the DR was active already: both have written.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_dr_has_is_clean_whoever_served_and_what_it_has_not_is_never() {
        assert_eq!(LastWritten::of("a", Some("a"), true), LastWritten::Clean);
        assert_eq!(LastWritten::of("b", Some("a"), false), LastWritten::Tail);
        assert_eq!(LastWritten::of("b", None, false), LastWritten::Tail);
        assert_eq!(LastWritten::of("b", Some("a"), true), LastWritten::SplitBrain);
        for verdict in LastWritten::ALL {
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.as_str());
            assert_ne!(verdict.sentence(Lang::It), verdict.sentence(Lang::En));
        }
    }
}
