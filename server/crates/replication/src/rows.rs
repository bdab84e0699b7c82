//! How the rows of a database differ from those of another: both are opened for reading, in one connection, and SQLite
//! does the comparing. It refuses to mix two moments, and to pass over a table it cannot compare.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Change, DatabaseLedger, SchemaLedger, TableLedger};
use crate::sqlite::{fault, immutable, open_live};
use crate::watch::{Phase, Tally, Watch};

/// How soon a statement that runs learns that the caller has had enough.
const LOOK_UP: Duration = Duration::from_millis(100);

/// What `live` has that `base` has not, and the other way round. `base` is a file nobody writes to; `live` may have
/// writers, and what they committed counts, in the write-ahead log too.
pub(crate) fn compare(base: &Path, live: &Path, watch: &dyn Watch) -> Result<DatabaseLedger> {
    let db = open_live(live)?;
    let stop = db.get_interrupt_handle();
    let (done, wait) = mpsc::channel();
    thread::scope(|scope| {
        let work = scope.spawn(move || {
            let compared = Both { db, live }.compare(base, watch);
            let _ = done.send(());
            compared
        });
        while let Err(RecvTimeoutError::Timeout) = wait.recv_timeout(LOOK_UP) {
            if watch.cancelled() {
                stop.interrupt();
            }
        }
        work.join()
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Io, "the comparison of two databases failed").at(live)))
    })
}

/// `main` is the live database, `base` the one it began as.
struct Both<'a> {
    db: Connection,
    live: &'a Path,
}

/// A table as both have it.
struct Table {
    name: String,
    /// Columns that both have.
    columns: Vec<String>,
    /// What identifies a row; empty if nothing does.
    key: Vec<String>,
}

/// A table as one of them has it.
#[derive(PartialEq)]
struct Shape {
    without_rowid: bool,
    columns: Vec<String>,
    primary: Vec<String>,
}

type Sql<T> = rusqlite::Result<T>;

impl Both<'_> {
    fn compare(&self, base: &Path, watch: &dyn Watch) -> Result<DatabaseLedger> {
        let failed = |e| self.failed(e);
        self.db.execute("ATTACH ?1 AS base", [immutable(base)]).map_err(|e| self.failed_at(base, e))?;
        // One transaction: all tables are compared at one moment.
        self.db.execute_batch("BEGIN; SELECT count(*) FROM main.sqlite_schema;").map_err(failed)?;
        let schema = self.schema().map_err(failed)?;
        let (old, new) = (self.tables("base").map_err(failed)?, self.tables("main").map_err(failed)?);
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let mut tally = Tally::new(watch, Phase::Verifying, Some((names.len() as u64, 0)))?;
        let mut tables = Vec::new();
        for name in names {
            let table = match self.table(name, old.get(name), new.get(name)) {
                Ok(table) => table,
                Err(e) if interrupted(&e) => return Err(Error::cancelled()),
                Err(e) => TableLedger {
                    name: name.clone(),
                    unreadable: Some(self.failed(e).chain()),
                    ..TableLedger::default()
                },
            };
            if table != (TableLedger { name: name.clone(), ..TableLedger::default() }) {
                tables.push(table);
            }
            tally.file()?;
        }
        tally.finish()?;
        Ok(DatabaseLedger { tables, schema, unreadable: None })
    }

    fn failed(&self, e: rusqlite::Error) -> Error {
        self.failed_at(self.live, e)
    }

    fn failed_at(&self, path: &Path, e: rusqlite::Error) -> Error {
        if interrupted(&e) { Error::cancelled() } else { fault("cannot compare the database", path, e) }
    }

    fn schema(&self) -> Sql<Vec<SchemaLedger>> {
        let (old, new) = (self.definitions("base")?, self.definitions("main")?);
        let names: BTreeSet<&(String, String)> = old.keys().chain(new.keys()).collect();
        let change = |name: &(String, String)| match (old.get(name), new.get(name)) {
            (Some(before), Some(after)) if before == after => None,
            (Some(_), Some(_)) => Some(Change::Changed),
            (None, _) => Some(Change::Added),
            (_, None) => Some(Change::Removed),
        };
        let changed = names.into_iter().filter_map(|name| {
            let (kind, text) = name.clone();
            Some(SchemaLedger { kind, name: text, change: change(name)? })
        });
        Ok(changed.collect())
    }

    /// What the schema holds, by type and name. Numbers of the header that applications use count, too.
    fn definitions(&self, of: &str) -> Sql<BTreeMap<(String, String), String>> {
        let sql = format!("SELECT type, name, coalesce(sql, '') FROM {of}.sqlite_schema");
        let mut statement = self.db.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut all = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(1)?;
            if !is_internal(&name) {
                all.insert((row.get(0)?, name), row.get(2)?);
            }
        }
        for pragma in ["application_id", "user_version"] {
            let number: i64 = self.db.query_row(&format!("PRAGMA {of}.{pragma}"), [], |row| row.get(0))?;
            all.insert(("pragma".into(), pragma.into()), number.to_string());
        }
        Ok(all)
    }

    /// The tables with rows of their own. A virtual table keeps its rows in others, which are among these.
    fn tables(&self, of: &str) -> Sql<BTreeMap<String, Shape>> {
        let mut statement = self.db.prepare(&format!("PRAGMA {of}.table_list"))?;
        let mut rows = statement.query([])?;
        let mut all = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let (name, kind): (String, String) = (row.get("name")?, row.get("type")?);
            if matches!(kind.as_str(), "table" | "shadow") && !is_internal(&name) {
                let shape = self.shape(of, &name, row.get("wr")?)?;
                all.insert(name, shape);
            }
        }
        Ok(all)
    }

    fn shape(&self, of: &str, table: &str, without_rowid: bool) -> Sql<Shape> {
        let mut statement = self.db.prepare(&format!("PRAGMA {of}.table_xinfo({})", quoted(table)))?;
        let mut rows = statement.query([])?;
        let (mut columns, mut primary) = (Vec::new(), BTreeMap::new());
        while let Some(row) = rows.next()? {
            let (name, place, hidden): (String, i64, i64) = (row.get("name")?, row.get("pk")?, row.get("hidden")?);
            if place > 0 {
                primary.insert(place, name.clone());
            }
            // What is generated follows from the rest.
            if hidden == 0 {
                columns.push(name);
            }
        }
        Ok(Shape { without_rowid, columns, primary: primary.into_values().collect() })
    }

    fn table(&self, name: &str, old: Option<&Shape>, new: Option<&Shape>) -> Sql<TableLedger> {
        let mut ledger = TableLedger { name: name.into(), ..TableLedger::default() };
        let key = |shape: &Shape| shape.key();
        match (old, new) {
            (Some(old), Some(new)) if key(old) == key(new) => {
                let columns = new.columns.iter().filter(|column| old.columns.contains(column)).cloned().collect();
                Table { name: name.into(), columns, key: new.key() }.compare(&self.db, &mut ledger)?;
            }
            // It appeared, went, or was made anew with another key.
            _ => {
                if new.is_some() {
                    ledger.added = count(&self.db, &format!("SELECT count(*) FROM main.{}", quoted(name)))?;
                }
                if old.is_some() {
                    ledger.removed = count(&self.db, &format!("SELECT count(*) FROM base.{}", quoted(name)))?;
                }
            }
        }
        Ok(ledger)
    }
}

impl Shape {
    /// The columns that identify a row: the primary key, else the row id, unless columns hide all of its names.
    fn key(&self) -> Vec<String> {
        if !self.primary.is_empty() {
            return self.primary.clone();
        }
        let hidden = |name: &&str| self.columns.iter().any(|column| column.eq_ignore_ascii_case(name));
        ["rowid", "_rowid_", "oid"]
            .iter()
            .find(|name| !hidden(name))
            .map(|name| (*name).to_owned())
            .into_iter()
            .collect()
    }
}

impl Table {
    fn compare(&self, db: &Connection, ledger: &mut TableLedger) -> Sql<()> {
        let name = quoted(&self.name);
        let rows = |of: &str| count(db, &format!("SELECT count(*) FROM {of}.{name}"));
        let (rows_now, rows_before) = (rows("main")?, rows("base")?);
        let lacking = |here: &str, there: &str, same: &str| {
            count(
                db,
                &format!(
                    "SELECT count(*) FROM {here}.{name} AS a WHERE NOT EXISTS (SELECT 1 FROM {there}.{name} AS b WHERE {same})"
                ),
            )
        };
        let same_row = self.same_row();
        if self.key.is_empty() {
            ledger.added = lacking("main", "base", &same_row)?;
            ledger.removed = lacking("base", "main", &same_row)?;
        } else {
            let same_key = self.same_key();
            ledger.added = lacking("main", "base", &same_key)?;
            ledger.removed = lacking("base", "main", &same_key)?;
            ledger.changed = lacking("main", "base", &same_row)?.saturating_sub(ledger.added);
        }
        // Rows that are each other's twins, where the key may be NULL or is none.
        let (kept_now, kept_before) =
            (rows_now.saturating_sub(ledger.added), rows_before.saturating_sub(ledger.removed));
        ledger.added += kept_now.saturating_sub(kept_before);
        ledger.removed += kept_before.saturating_sub(kept_now);
        Ok(())
    }

    fn same_key(&self) -> String {
        let equal = |column: &String| format!("a.{0} IS b.{0}", quoted(column));
        self.key.iter().map(equal).collect::<Vec<_>>().join(" AND ")
    }

    /// Byte for byte: neither a collation nor the type of a number may hide a change.
    fn same_row(&self) -> String {
        let equal = |column: &String| {
            format!("a.{0} IS b.{0} COLLATE BINARY AND typeof(a.{0}) = typeof(b.{0})", quoted(column))
        };
        let mut all: Vec<String> = self.columns.iter().map(equal).collect();
        if !self.key.is_empty() {
            all.insert(0, self.same_key());
        }
        if all.is_empty() { "1".into() } else { all.join(" AND ") }
    }
}

fn count(db: &Connection, sql: &str) -> Sql<u64> {
    let rows: i64 = db.query_row(sql, [], |row| row.get(0))?;
    Ok(rows.unsigned_abs())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn is_internal(name: &str) -> bool {
    name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"))
}

fn interrupted(e: &rusqlite::Error) -> bool {
    e.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}
