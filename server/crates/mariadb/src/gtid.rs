//! The names of transactions.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The name of a transaction: `domain-server-sequence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gtid {
    /// The replication domain.
    pub domain: u32,
    /// The server that it was committed on first.
    pub server: u32,
    /// Its number in the domain.
    pub sequence: u64,
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.domain, self.server, self.sequence)
    }
}

/// Not what a server writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a GTID position")]
pub struct NotAPosition;

impl FromStr for Gtid {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let mut parts = text.split('-');
        let (Some(domain), Some(server), Some(sequence), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NotAPosition);
        };
        if [domain, server, sequence].iter().any(|part| !part.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(NotAPosition);
        }
        Ok(Self {
            domain: domain.parse().map_err(|_| NotAPosition)?,
            server: server.parse().map_err(|_| NotAPosition)?,
            sequence: sequence.parse().map_err(|_| NotAPosition)?,
        })
    }
}

/// How far a server is, or a journal: the last transaction of each domain (`@@gtid_binlog_pos`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Position(BTreeMap<u32, Gtid>);

impl Position {
    /// Whether nothing was ever written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One more transaction.
    pub(crate) fn advance(&mut self, gtid: Gtid) {
        self.0.insert(gtid.domain, gtid);
    }

    /// Whether this is as far as the other, or further, in every domain. Who wrote is not compared: where two servers
    /// wrote under the same number, this cannot tell.
    #[must_use]
    pub fn reaches(&self, other: &Self) -> bool {
        other.0.iter().all(|(domain, gtid)| self.0.get(domain).is_some_and(|own| own.sequence >= gtid.sequence))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for gtid in self.0.values() {
            write!(f, "{comma}{gtid}")?;
            comma = ",";
        }
        Ok(())
    }
}

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let mut position = Self::default();
        for gtid in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            position.advance(gtid.parse()?);
        }
        Ok(position)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(parts in prop::collection::btree_map(any::<u32>(), (any::<u32>(), any::<u64>()), 0..5)) {
            let mut position = Position::default();
            for (domain, (server, sequence)) in parts {
                position.advance(Gtid { domain, server, sequence });
            }
            prop_assert_eq!(position.to_string().parse::<Position>(), Ok(position));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = text.parse::<Position>();
        }
    }

    #[test]
    fn a_position_reaches_another_when_it_is_as_far_in_every_domain() {
        let at = |text: &str| text.parse::<Position>().unwrap();
        assert!(at("0-1-7,1-1-2").reaches(&at("0-2-7")));
        assert!(at("0-1-7").reaches(&at("")));
        assert!(!at("0-1-7").reaches(&at("0-1-8")));
        assert!(!at("0-1-7").reaches(&at("0-1-7,1-1-1")));
    }
}
