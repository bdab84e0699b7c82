//! What was made on a server since a position: rows by table, and statements. It counts what was done, row by row: a row
//! that was changed twice counts twice.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::child::{self, Running};
use crate::error::{Error, ErrorKind, Result};
use crate::gtid::Position;
use crate::journal::Journal;

/// The changes of a table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rows {
    /// Rows that were inserted.
    pub added: u64,
    /// Rows that were updated.
    pub changed: u64,
    /// Rows that were deleted.
    pub removed: u64,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Made {
    /// Transactions.
    pub transactions: u64,
    /// By `database.table`.
    pub tables: BTreeMap<String, Rows>,
    /// Statements that are no rows: the first words of each, without what may be a password.
    pub statements: Vec<String>,
}

impl Journal {
    /// What was made since `base`.
    ///
    /// # Errors
    /// [`ErrorKind::Unplayable`] where the journal was never there.
    pub fn made_since(&self, base: &Position, stop: &(dyn Fn() -> bool + Sync)) -> Result<Made> {
        let volume = self.whole()?;
        let found = volume.find(base)?;
        let Some(from) = found.at else {
            let text = format!("the journal was begun anew after {base}: what was made before that cannot be told");
            return Err(Error::new(ErrorKind::Unplayable, text));
        };
        let mut made = Made {
            transactions: found.left,
            statements: found.statements.iter().map(|text| first_words(text)).collect(),
            ..Made::default()
        };
        let Some(to) = found.end.filter(|_| found.left > 0) else { return Ok(made) };
        let mut tool = volume.between(from, to);
        tool.args(["--verbose", "--base64-output=DECODE-ROWS"]).stdout(Stdio::piped());
        let mut running = Running::start(tool)?;
        let said = running.child().stdout.take();
        let tables = &mut made.tables;
        child::wait(vec![running], None, stop, || {
            let Some(said) = said else { return Ok(()) };
            for line in BufReader::new(said).split(b'\n') {
                let line = line.map_err(|error| Error::new(ErrorKind::Io, error))?;
                count(&line, tables);
            }
            Ok(())
        })?;
        Ok(made)
    }
}

fn count(line: &[u8], tables: &mut BTreeMap<String, Rows>) {
    type Add = fn(&mut Rows);
    let kinds: [(&[u8], Add); 3] = [
        (b"### INSERT INTO ", |rows| rows.added += 1),
        (b"### UPDATE ", |rows| rows.changed += 1),
        (b"### DELETE FROM ", |rows| rows.removed += 1),
    ];
    for (word, add) in kinds {
        if let Some(name) = line.strip_prefix(word) {
            let name = String::from_utf8_lossy(name).replace("`.`", ".");
            add(tables.entry(name.trim().trim_matches('`').to_owned()).or_default());
        }
    }
}

/// What a statement does and to what. The rest may be long, and a password.
fn first_words(statement: &str) -> String {
    let head = statement.split(['=', '(']).next().unwrap_or_default();
    head.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_told_without_its_password() {
        for (statement, told) in [
            ("create user 'late'@'localhost' identified by 'secret'", "create user 'late'@'localhost'"),
            ("SET PASSWORD=PASSWORD('secret')", "SET PASSWORD"),
            ("SET PASSWORD FOR 'a'@'b' = PASSWORD('secret')", "SET PASSWORD FOR"),
            ("CREATE TABLE kam.t2(a int)", "CREATE TABLE kam.t2"),
        ] {
            assert_eq!(first_words(statement), told);
        }
    }

    #[test]
    fn rows_are_counted_by_table() {
        let mut tables = BTreeMap::new();
        for line in ["### INSERT INTO `kam`.`sub`", "###   @1=4", "### UPDATE `kam`.`sub`", "#Q> DELETE FROM x"] {
            count(line.as_bytes(), &mut tables);
        }
        assert_eq!(tables, BTreeMap::from([("kam.sub".to_owned(), Rows { added: 1, changed: 1, removed: 0 })]));
    }
}
