//! A step that switches a DNS record on the servers that are authoritative for it (RFC 2136), signed with a shared key
//! (TSIG, RFC 8945).

use serde::{Deserialize, Serialize};

use super::form::{number, typed};
use crate::field::{FieldError, Problem};

/// The TTL of the record unless something else is said, in seconds.
pub const DNS_TTL: u32 = 60;
/// Least and greatest TTL, in seconds.
pub const DNS_TTL_RANGE: (u32, u32) = (0, 86_400);
/// A TTL above this is warned of: so long may others go on asking for the old value, in seconds.
pub const DNS_TTL_LONG: u32 = 300;
/// Types of records that can be switched.
pub const DNS_TYPES: [&str; 4] = ["A", "AAAA", "CNAME", "SRV"];
/// Signatures that can be made.
pub const TSIG_ALGORITHMS: [&str; 3] = ["hmac-sha256", "hmac-sha384", "hmac-sha512"];

/// What is switched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsWork {
    /// The zone, whose apex has the SOA.
    pub zone: String,
    /// The record's full name.
    pub record: String,
    /// One of [`DNS_TYPES`].
    #[serde(rename = "type")]
    pub record_type: String,
    /// The whole set of values before, and again after a roll back.
    pub old: Vec<String>,
    /// The whole set of values while this site serves.
    pub new: Vec<String>,
    /// With which it is written, in seconds.
    pub ttl: u32,
    /// Every server that takes the update: `IP` or `IP:PORT`.
    pub servers: Vec<String>,
    /// With which the updates are signed; `null` for servers that trust an address.
    pub key: Option<TsigKey>,
}

/// A shared key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TsigKey {
    /// Its name, the same on the server.
    pub name: String,
    /// One of [`TSIG_ALGORITHMS`].
    pub algorithm: String,
}

/// The same as typed. Sets are typed one value per line, or with commas.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DnsForm {
    /// The zone.
    pub zone: String,
    /// The record's name.
    pub record: String,
    /// Its type; empty for `A`.
    pub record_type: String,
    /// The values before.
    pub old: String,
    /// The values after.
    pub new: String,
    /// Seconds; empty for the default.
    pub ttl: String,
    /// The servers.
    pub servers: String,
    /// The key's name; empty for none.
    pub key_name: String,
    /// Its algorithm; empty for `hmac-sha256`.
    pub key_algorithm: String,
}

impl DnsForm {
    pub(super) fn check(&self) -> Result<DnsWork, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut keep = |field: &str, problem: Problem| errors.push(FieldError::new(field, problem));
        let [zone, record] = [&self.zone, &self.record].map(|name| full(name));
        for (field, name) in [("zone", &zone), ("record", &record)] {
            if name == "." {
                keep(field, Problem::Required);
            }
        }
        if zone != "." && record != "." && record != zone && !record.ends_with(&format!(".{zone}")) {
            keep("record", Problem::NotInZone);
        }
        let record_type = one_of(&self.record_type.to_ascii_uppercase(), &DNS_TYPES);
        let record_type = record_type.map_err(|problem| keep("record_type", problem)).unwrap_or_default();
        let [old, new, servers] = [&self.old, &self.new, &self.servers].map(|text| list(text));
        for (field, set) in [("old_values", &old), ("new_values", &new), ("servers", &servers)] {
            if set.is_empty() {
                keep(field, Problem::Required);
            }
        }
        if !new.is_empty() && old == new {
            keep("new_values", Problem::SameValue);
        }
        let ttl = number(&self.ttl, DNS_TTL, DNS_TTL_RANGE);
        let ttl = ttl.map_err(|problem| keep("ttl", problem)).unwrap_or_default();
        let algorithm = one_of(&self.key_algorithm.to_ascii_lowercase(), &TSIG_ALGORITHMS);
        let algorithm = algorithm.map_err(|problem| keep("key_algorithm", problem)).unwrap_or_default();
        let key = typed(&self.key_name).map(|name| TsigKey { name: full(&name), algorithm });
        if errors.is_empty() {
            Ok(DnsWork { zone, record, record_type, old, new, ttl, servers, key })
        } else {
            Err(errors)
        }
    }
}

/// A name in lower case, with the dot that ends it.
fn full(name: &str) -> String {
    format!("{}.", name.trim().trim_end_matches('.').to_ascii_lowercase())
}

/// The values of a set, each once.
fn list(text: &str) -> Vec<String> {
    let mut set: Vec<String> = text.split(['\n', ',']).filter_map(typed).collect();
    set.sort();
    set.dedup();
    set
}

/// One of the words; the first where none was typed.
fn one_of(word: &str, words: &[&str]) -> Result<String, Problem> {
    match word.trim() {
        "" => Ok(words[0].to_owned()),
        word if words.contains(&word) => Ok(word.to_owned()),
        _ => Err(Problem::NotOneOf(words.join(", ").into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> DnsForm {
        DnsForm {
            zone: "Example.org".into(),
            record: "pbx.example.org".into(),
            old: "192.0.2.1".into(),
            new: "198.51.100.1, 198.51.100.2\n198.51.100.1".into(),
            servers: "127.0.0.1:5353".into(),
            key_name: "dr-key".into(),
            ..DnsForm::default()
        }
    }

    #[test]
    fn names_are_full_and_sets_hold_each_value_once() {
        let work = form().check().unwrap();
        assert_eq!((work.zone.as_str(), work.record.as_str()), ("example.org.", "pbx.example.org."));
        assert_eq!(work.new, ["198.51.100.1", "198.51.100.2"]);
        let key = TsigKey { name: "dr-key.".into(), algorithm: "hmac-sha256".into() };
        assert_eq!((work.record_type.as_str(), work.ttl, work.key), ("A", 60, Some(key)));
    }

    #[test]
    fn what_cannot_be_switched_is_refused_field_by_field() {
        for (field, form) in [
            ("zone", DnsForm { zone: " ".into(), ..form() }),
            ("record", DnsForm { record: "pbx.example.com".into(), ..form() }),
            ("record", DnsForm { record: "badexample.org".into(), ..form() }),
            ("record_type", DnsForm { record_type: "SOA".into(), ..form() }),
            ("old_values", DnsForm { old: " ,".into(), ..form() }),
            ("new_values", DnsForm { new: "192.0.2.1".into(), ..form() }),
            ("ttl", DnsForm { ttl: "x".into(), ..form() }),
            ("servers", DnsForm { servers: String::new(), ..form() }),
            ("key_algorithm", DnsForm { key_algorithm: "hmac-md5".into(), ..form() }),
        ] {
            let errors = form.check().unwrap_err();
            assert_eq!(errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(), [field]);
        }
    }
}
