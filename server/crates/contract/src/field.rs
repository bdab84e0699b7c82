//! What is wrong with one typed value, said in the reader's language beside its field.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::lang::Lang;

/// Why a value cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[error("{}", self.text(Lang::En))]
pub enum Problem {
    /// Nothing was typed.
    Required,
    /// Outside `[a-z0-9-]{1,63}`.
    NotAName,
    /// Not an IP address.
    NotAnIp,
    /// `0.0.0.0` or `::`.
    UnspecifiedIp,
    /// Broadcast or multicast.
    BroadcastIp,
    /// Port 0.
    BadPort,
    /// Not `local@domain`.
    NotAnEmail,
    /// Not a mobile number.
    NotAMobile,
    /// Shorter than the minimum, in characters.
    TooShort(u32),
    /// Longer than the maximum, in characters.
    TooLong(u32),
    /// The two passwords typed differ.
    NotTheSame,
    /// The current password is wrong.
    WrongPassword,
    /// Too many wrong ones: it is not even compared before this time has passed.
    TooSoon {
        /// How long to wait.
        seconds: u64,
    },
    /// The new password equals the old one.
    SamePassword,
    /// Not one of the listed words.
    NotOneOf(Cow<'static, str>),
    /// Not an absolute path, or with `..` in it.
    NotAbsolute,
    /// The path does not exist on this machine.
    NoSuchPath,
    /// A tree was expected, the path is something else.
    NotADirectory,
    /// A SQLite database was expected, the path is something else.
    NotADatabase,
    /// The path is, holds, or lies in `tvox-dr`'s own data directory.
    OwnData,
    /// A glob that cannot be read.
    BadGlob,
    /// The name, or the target, is taken.
    Taken,
    /// No such item.
    NotFound,
    /// The last administrator cannot be removed.
    LastAdmin,
    /// Not a whole number.
    NotANumber,
    /// Outside the range that makes sense.
    OutOfRange {
        /// The least.
        min: u32,
        /// The greatest.
        max: u32,
    },
    /// Not a span of time such as `2h`.
    NotASpan,
    /// A span outside the range that makes sense, in seconds.
    SpanOutOfRange {
        /// The least.
        min: u32,
        /// The greatest.
        max: u32,
    },
    /// Not a server's name or IP.
    NotAServer,
    /// Not an `http` or `https` URL, or with a placeholder where the host stands.
    NotAUrl,
    /// Not `Name: value`.
    NotAHeader,
    /// Not an HTTP status or a range of them.
    NotAStatus,
    /// Not a regular expression.
    NotARegex,
    /// Not a certificate in PEM.
    NotACertificate,
    /// Not the name of a systemd unit.
    NotAUnit,
    /// A systemd unit and commands of one's own at the same time.
    UnitAndCommands,
    /// In clear over a network, where a password would go.
    NotProtected,
    /// Not an id that may stand in an address.
    NotAnId,
    /// Not a value of a record of that type.
    NotARecord,
    /// A record that does not lie in its zone.
    NotInZone,
    /// Two values that must differ are the same.
    SameValue,
    /// Not Base64.
    NotBase64,
    /// Not the SHA-256 of a certificate in hex.
    NotAFingerprint,
    /// More values than make sense.
    TooMany(u32),
    /// A site of two members that is not an address and two others.
    TwoMembers,
    /// A step whose group stands in the other place.
    GroupElsewhere,
    /// Two fields of which only one may be filled in.
    OnlyOne,
    /// Several fields of which only one may be filled in.
    OnlyOneOf(Cow<'static, str>),
    /// The text that stands here must be typed to confirm.
    TypeToConfirm(String),
    /// A template without a placeholder that it needs.
    NoPlaceholder(String),
    /// Not a rate.
    NotARate,
    /// Not days, hours and a rate.
    NotAWindow,
    /// One of several values in the field cannot be taken.
    Value {
        /// Which one.
        value: String,
        /// Why.
        problem: Box<Problem>,
    },
    /// What makes a machine itself: its identity, its network.
    MachinesOwn,
    /// Something else, in the words of who found it (already in the reader's language or a machine's).
    Other(String),
}

impl Problem {
    /// The sentence shown beside the field.
    #[must_use]
    pub fn text(&self, lang: Lang) -> String {
        let (it, en): (&str, &str) = match self {
            Self::Required => ("Campo obbligatorio", "This field is required"),
            Self::NotAName => (
                "Solo lettere minuscole, cifre e trattini, al massimo 63 caratteri",
                "Only lower-case letters, digits and dashes, at most 63 characters",
            ),
            Self::NotAnIp => (
                "Non è un indirizzo IP. Scrivere ad esempio 10.0.100.206 oppure 10.0.100.206:5461",
                "Not an IP address. Write for example 10.0.100.206 or 10.0.100.206:5461",
            ),
            Self::UnspecifiedIp => (
                "L'indirizzo 0.0.0.0 (o ::) non indica nessuna macchina",
                "The address 0.0.0.0 (or ::) is no machine's address",
            ),
            Self::BroadcastIp => (
                "Un indirizzo broadcast o multicast non indica una macchina sola",
                "A broadcast or multicast address is not one machine's address",
            ),
            Self::BadPort => ("La porta deve essere fra 1 e 65535", "The port must be between 1 and 65535"),
            Self::NotAnEmail => ("Non è un indirizzo e-mail valido", "Not a valid e-mail address"),
            Self::NotAMobile => (
                "Non è un numero di cellulare. Scrivere ad esempio 3471234567 oppure +393471234567",
                "Not a mobile number. Write for example 3471234567 or +393471234567",
            ),
            Self::TooShort(n) => {
                return match lang {
                    Lang::It => format!("Almeno {n} caratteri"),
                    Lang::En => format!("At least {n} characters"),
                };
            }
            Self::TooLong(n) => {
                return match lang {
                    Lang::It => format!("Al massimo {n} caratteri"),
                    Lang::En => format!("At most {n} characters"),
                };
            }
            Self::NotTheSame => ("Le due password sono diverse", "The two passwords differ"),
            Self::WrongPassword => ("La password attuale non è corretta", "The current password is wrong"),
            Self::TooSoon { seconds } => {
                return match lang {
                    Lang::It => format!("Troppi tentativi: riprovare fra {seconds} secondi"),
                    Lang::En => format!("Too many attempts: try again in {seconds} seconds"),
                };
            }
            Self::SamePassword => (
                "La nuova password deve essere diversa da quella attuale",
                "The new password must differ from the current one",
            ),
            Self::NotOneOf(words) => {
                return match lang {
                    Lang::It => format!("Valore non ammesso. Valori possibili: {words}"),
                    Lang::En => format!("Not a possible value. Possible values: {words}"),
                };
            }
            Self::NotAbsolute => (
                "Scrivere il percorso completo, che comincia con / e non contiene ..",
                "Write the full path: it begins with / and has no .. in it",
            ),
            Self::NoSuchPath => ("Il percorso non esiste su questa macchina", "There is no such path on this machine"),
            Self::NotADirectory => ("Il percorso non è una cartella", "The path is not a directory"),
            Self::NotADatabase => ("Il percorso non è un database SQLite", "The path is not a SQLite database"),
            Self::OwnData => {
                ("I dati propri di tvox-dr non vengono mai replicati", "tvox-dr's own data is never replicated")
            }
            Self::BadGlob => ("Il modello di esclusione non è valido", "The exclude pattern cannot be read"),
            Self::TwoMembers => (
                "Un cluster ha un IP di nodo e due macchine, con indirizzi IP tutti diversi",
                "A cluster has a node IP and two machines, all with different IP addresses",
            ),
            Self::GroupElsewhere => (
                "Il suo gruppo sta nell'altro punto: spostare il gruppo intero",
                "Its group stands in the other place: move the group as a whole",
            ),
            Self::Taken => ("Già in uso", "Already in use"),
            Self::NotFound => ("Non esiste", "There is no such item"),
            Self::LastAdmin => (
                "È l'ultimo amministratore: crearne prima un altro",
                "This is the last administrator: make another one first",
            ),
            Self::NotANumber => ("Scrivere un numero intero", "Write a whole number"),
            Self::OutOfRange { min, max } => {
                return match lang {
                    Lang::It => format!("Scrivere un numero fra {min} e {max}"),
                    Lang::En => format!("Write a number between {min} and {max}"),
                };
            }
            Self::NotASpan => (
                "Non è una durata. Scrivere ad esempio 30m, 2h oppure 7d",
                "Not a span of time. Write for example 30m, 2h or 7d",
            ),
            Self::SpanOutOfRange { min, max } => {
                let (min, max) = (crate::span::written(*min), crate::span::written(*max));
                return match lang {
                    Lang::It => format!("Scrivere una durata fra {min} e {max}"),
                    Lang::En => format!("Write a span of time between {min} and {max}"),
                };
            }
            Self::NotAServer => {
                ("Non è un nome di server né un indirizzo IP", "Neither a server's name nor an IP address")
            }
            Self::NotAUrl => (
                "Scrivere un indirizzo che comincia con https:// o http://, senza segnaposto nel nome del server",
                "Write an address that begins with https:// or http://, without a placeholder in the server's name",
            ),
            Self::NotAHeader => ("Scrivere ogni intestazione come Nome: valore", "Write each header as Name: value"),
            Self::NotAStatus => ("Scrivere ad esempio 200 oppure 200-299", "Write for example 200 or 200-299"),
            Self::NotAUnit => (
                "Non è il nome di una unit systemd. Scrivere ad esempio kamailio.service",
                "Not the name of a systemd unit. Write for example kamailio.service",
            ),
            Self::UnitAndCommands => (
                "Indicare una unit systemd oppure i tre comandi, non entrambi",
                "Give a systemd unit or the three commands, not both",
            ),
            Self::NotARegex => ("Non è un'espressione regolare", "Not a regular expression"),
            Self::NotACertificate => ("Non è un certificato in formato PEM", "Not a certificate in PEM"),
            Self::NotARecord => {
                ("Non è un valore valido per questo tipo di record", "Not a value that a record of this type can have")
            }
            Self::NotInZone => ("Il record non appartiene alla zona", "The record does not lie in the zone"),
            Self::SameValue => ("I due valori sono uguali", "The two values are the same"),
            Self::NotBase64 => ("Non è in Base64: copiare la chiave per intero", "Not Base64: copy the whole key"),
            Self::NotARate => (
                "Scrivere ad esempio 10 Mbit/s oppure 512 kbit/s; niente per nessun limite",
                "Write for example 10 Mbit/s or 512 kbit/s; nothing for no limit",
            ),
            Self::NotAWindow => {
                ("Scrivere ad esempio: lun-ven 08:00-18:00 2 Mbit/s", "Write for example: mon-fri 08:00-18:00 2 Mbit/s")
            }
            Self::NotProtected => (
                "Serve https://: in chiaro la password andrebbe a chiunque ascolti",
                "https:// is needed: in clear the password would go to whoever listens",
            ),
            Self::NotAnId => ("Solo lettere, cifre, punto, trattino", "Only letters, digits, dots and dashes"),
            Self::NotAFingerprint => (
                "Non è l'impronta SHA-256 di un certificato: 64 cifre esadecimali",
                "Not the SHA-256 fingerprint of a certificate: 64 hexadecimal digits",
            ),
            Self::OnlyOne => (
                "Indicare l'impronta oppure l'autorità, non entrambe",
                "Give the fingerprint or the authority, not both",
            ),
            Self::OnlyOneOf(fields) => {
                return match lang {
                    Lang::It => format!("Compilare uno solo di questi: {fields}"),
                    Lang::En => format!("Fill in only one of these: {fields}"),
                };
            }
            Self::TooMany(most) => {
                return match lang {
                    Lang::It => format!("Al massimo {most} valori"),
                    Lang::En => format!("At most {most} values"),
                };
            }
            Self::TypeToConfirm(text) => {
                return match lang {
                    Lang::It => format!("Per confermare, scrivere {text}"),
                    Lang::En => format!("To confirm, type {text}"),
                };
            }
            Self::NoPlaceholder(text) => {
                return match lang {
                    Lang::It => format!("Manca il segnaposto {text}"),
                    Lang::En => format!("The placeholder {text} is missing"),
                };
            }
            Self::Value { value, problem } => return format!("{value}: {}", problem.text(lang)),
            Self::MachinesOwn => (
                "Appartiene alla macchina stessa (identità o rete): non viene mai replicato",
                "It belongs to the machine itself (identity or network): it is never replicated",
            ),
            Self::Other(text) => (text, text),
        };
        lang.pick(it, en).to_owned()
    }
}

/// One field and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The name of the field, as in the form and in the command.
    pub field: String,
    /// What is wrong.
    pub problem: Problem,
}

impl FieldError {
    /// A problem with one field.
    pub fn new(field: impl Into<String>, problem: Problem) -> Self {
        Self { field: field.into(), problem }
    }
}
