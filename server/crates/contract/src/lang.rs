//! The two languages of the product. Every sentence that a person reads exists in both, side by side, so that neither
//! can be forgotten.

use serde::{Deserialize, Serialize};

/// A reader's language. Italian is the default of the panel, English of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// Italian.
    #[default]
    It,
    /// English.
    En,
}

impl Lang {
    /// The BCP 47 tag, as the `lang` attribute of a page wants it.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::It => "it",
            Self::En => "en",
        }
    }

    /// Reads a tag; anything unknown is `None`.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        match tag {
            "it" => Some(Self::It),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    /// Picks the sentence of this language.
    #[must_use]
    pub const fn pick<'a>(self, it: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::It => it,
            Self::En => en,
        }
    }
}

/// One sentence in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// Italian.
    pub it: String,
    /// English.
    pub en: String,
}

impl Text {
    /// A sentence in both languages.
    pub fn new(it: impl Into<String>, en: impl Into<String>) -> Self {
        Self { it: it.into(), en: en.into() }
    }

    /// The sentence in one language.
    #[must_use]
    pub fn get(&self, lang: Lang) -> &str {
        lang.pick(&self.it, &self.en)
    }
}
