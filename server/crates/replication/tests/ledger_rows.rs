//! The ledger of an activation over a database: every row that was made on the copy that serves, also where a running
//! or a killed service has it in its log.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use pair::{Pair, now};
use replication::{Change, ErrorKind, Ledger, TableLedger, Unwatched, Watch};
use rusqlite::Connection;

fn promote(pair: &mut Pair) -> PathBuf {
    pair.sync().unwrap();
    pair.replica().promote("run-1", None, 0, now(), &Unwatched).unwrap().tree
}

fn ledger(pair: &mut Pair) -> Ledger {
    pair.replica().ledger(&Unwatched).unwrap()
}

/// The tables of a PBX, as different as tables can be.
const SCHEMA: &str = "
    CREATE TABLE calls(id INTEGER PRIMARY KEY, caller TEXT, seconds INTEGER);
    CREATE TABLE users(name TEXT PRIMARY KEY COLLATE NOCASE, phone TEXT COLLATE NOCASE, extra);
    CREATE TABLE members(queue TEXT, user TEXT, prio INTEGER, PRIMARY KEY (queue, user)) WITHOUT ROWID;
    CREATE TABLE notes(text);
    CREATE TABLE odd(rowid, \"with \"\"quotes\"\"\", upper GENERATED ALWAYS AS (rowid + 1));
    CREATE TABLE idle(x);
    INSERT INTO calls VALUES (1, '100', 10), (2, '101', 20), (3, '102', 30);
    INSERT INTO users VALUES ('anna', 'abc', 1), ('bruno', 'def', 2), (NULL, 'nobody', 3);
    INSERT INTO members VALUES ('sales', 'anna', 1), ('sales', 'bruno', 2);
    INSERT INTO notes VALUES ('one'), ('two'), ('two');
    INSERT INTO odd(rowid, \"with \"\"quotes\"\"\") VALUES (1, 2);
    INSERT INTO idle VALUES (1);
";

/// A database of a PBX, promoted; and a connection as the service on the DR has it.
fn pbx(journal: &str) -> (Pair, Connection) {
    let mut pair = Pair::sqlite();
    let db = Connection::open(pair.dir.path().join("live/pbx.db")).unwrap();
    db.pragma_update(None, "journal_mode", journal).unwrap();
    db.execute_batch(SCHEMA).unwrap();
    let tree = promote(&mut pair);
    (pair, Connection::open(tree.join("database")).unwrap())
}

fn table(name: &str, added: u64, changed: u64, removed: u64) -> TableLedger {
    TableLedger { name: name.into(), added, changed, removed, unreadable: None }
}

#[test]
fn rows_are_counted_by_table_while_the_service_holds_them_in_its_log() {
    for journal in ["WAL", "DELETE"] {
        let (mut pair, db) = pbx(journal);
        db.execute_batch(
            "INSERT INTO calls VALUES (4, '103', 40), (5, '104', 50);
             UPDATE calls SET seconds = 11 WHERE id = 1;
             DELETE FROM calls WHERE id = 2;
             UPDATE users SET phone = 'ABC' WHERE name = 'anna';
             INSERT INTO users VALUES (NULL, 'nobody', 3);
             UPDATE users SET extra = 2.0 WHERE name = 'bruno';
             UPDATE members SET prio = 9 WHERE user = 'bruno';
             INSERT INTO members VALUES ('support', 'anna', 1);
             DELETE FROM notes WHERE rowid = 3;
             UPDATE odd SET \"with \"\"quotes\"\"\" = 3;",
        )
        .unwrap();
        let wal = pair.seen("database-wal");
        assert_eq!(wal.exists() && fs::metadata(&wal).unwrap().len() > 0, journal == "WAL");
        let ledger = ledger(&mut pair);
        let database = ledger.database.clone().expect("a database");
        assert_eq!(
            database.tables,
            [
                table("calls", 2, 1, 1),
                table("members", 1, 1, 0),
                table("notes", 0, 0, 1),
                table("odd", 0, 1, 0),
                table("users", 1, 2, 0),
            ],
            "{journal}"
        );
        assert_eq!((database.schema.len(), database.unreadable), (0, None));
        assert_eq!(ledger.names, [], "{journal}: by rows, not as a file");
        assert!(!ledger.is_empty());
        let text = serde_json::to_string(&ledger).unwrap();
        assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), ledger);
        assert_eq!(pair.replica().verify(&Unwatched).unwrap(), [], "{journal}: the base is as it was");
        let base = pair.dir.path().join("store/generations/1/tree");
        assert_eq!(pair::list(&base), ["database"], "{journal}: SQLite makes nothing beside the base");
    }
}

#[test]
fn a_database_that_was_only_read_or_put_in_order_holds_what_it_held() {
    for journal in ["WAL", "DELETE"] {
        let (mut pair, db) = pbx(journal);
        assert!(ledger(&mut pair).is_empty(), "{journal}: untouched");
        let rows: i64 = db.query_row("SELECT count(*) FROM calls", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 3);
        assert!(ledger(&mut pair).is_empty(), "{journal}: read");
        db.execute_batch("UPDATE calls SET seconds = 99; UPDATE calls SET seconds = id * 10; VACUUM; ANALYZE;")
            .unwrap();
        assert!(ledger(&mut pair).is_empty(), "{journal}: written and put back, {:?}", ledger(&mut pair));
        let mode = if journal == "WAL" { "DELETE" } else { "WAL" };
        db.pragma_update(None, "journal_mode", mode).unwrap();
        assert!(ledger(&mut pair).is_empty(), "{journal}: another journal");
    }
}

#[test]
fn new_dropped_and_altered_tables_are_said() {
    let (mut pair, db) = pbx("WAL");
    db.execute_batch(
        "CREATE TABLE made(x); INSERT INTO made VALUES (1), (2);
         CREATE TABLE empty(x);
         DROP TABLE idle;
         ALTER TABLE calls ADD COLUMN note DEFAULT 'none';
         CREATE INDEX by_caller ON calls(caller);
         CREATE VIEW long AS SELECT * FROM calls WHERE seconds > 15;
         DROP TABLE members; CREATE TABLE members(queue PRIMARY KEY); INSERT INTO members VALUES ('sales');
         PRAGMA user_version = 7;",
    )
    .unwrap();
    let database = ledger(&mut pair).database.expect("a database");
    assert_eq!(database.tables, [table("idle", 0, 0, 1), table("made", 2, 0, 0), table("members", 1, 0, 2)]);
    let schema: Vec<_> = database.schema.iter().map(|one| (one.kind.as_str(), one.name.as_str(), one.change)).collect();
    assert_eq!(
        schema,
        [
            ("index", "by_caller", Change::Added),
            ("pragma", "user_version", Change::Changed),
            ("table", "calls", Change::Changed),
            ("table", "empty", Change::Added),
            ("table", "idle", Change::Removed),
            ("table", "made", Change::Added),
            ("table", "members", Change::Changed),
            ("view", "long", Change::Added),
        ]
    );
}

#[test]
fn what_a_killed_service_left_in_its_log_counts() {
    let (mut pair, db) = pbx("WAL");
    db.execute_batch("INSERT INTO calls VALUES (4, '103', 40);").unwrap();
    // The files as a machine that lost its power leaves them.
    let (database, wal) = (fs::read(pair.seen("database")).unwrap(), fs::read(pair.seen("database-wal")).unwrap());
    drop(db);
    fs::write(pair.seen("database"), database).unwrap();
    fs::write(pair.seen("database-wal"), wal).unwrap();
    let _ = fs::remove_file(pair.seen("database-shm"));
    assert_eq!(ledger(&mut pair).database.unwrap().tables, [table("calls", 1, 0, 0)]);
}

#[test]
fn a_database_that_cannot_be_opened_says_so_and_counts_as_a_changed_file() {
    let (mut pair, db) = pbx("DELETE");
    drop(db);
    fs::write(pair.seen("database"), "no database any more").unwrap();
    let garbled = ledger(&mut pair);
    assert_eq!((garbled.names[0].path.as_str(), garbled.names[0].change), ("database", Change::Changed));
    assert_eq!((garbled.changed.files, garbled.changed.bytes), (1, 20));
    let text = garbled.database.as_ref().unwrap().unreadable.clone().unwrap();
    assert!(text.contains("cannot compare the database"), "{text}");
    fs::remove_file(pair.seen("database")).unwrap();
    let gone = ledger(&mut pair);
    assert_eq!((gone.removed.files, gone.database.clone()), (1, None));
    assert!(!garbled.is_empty() && !gone.is_empty());
}

#[test]
fn a_journal_that_only_its_owner_may_roll_back_is_left_alone_and_said() {
    let (mut pair, db) = pbx("DELETE");
    db.execute_batch("PRAGMA cache_size = 1; BEGIN;").unwrap();
    for _ in 0..100 {
        db.execute_batch("INSERT INTO notes VALUES (randomblob(4000)); UPDATE calls SET seconds = seconds + 1;")
            .unwrap();
    }
    // The files as a machine that lost its power leaves them.
    let names = ["database", "database-journal"];
    let files = names.map(|name| fs::read(pair.seen(name)).unwrap());
    drop(db);
    for (name, content) in names.iter().zip(&files) {
        fs::write(pair.seen(name), content).unwrap();
    }
    let ledger = ledger(&mut pair);
    assert_eq!((ledger.changed.files, ledger.names.len()), (1, 1));
    assert!(ledger.database.unwrap().unreadable.is_some());
    assert_eq!(names.map(|name| fs::read(pair.seen(name)).unwrap()), files);
}

#[test]
fn a_table_that_cannot_be_compared_says_so_and_the_others_are() {
    let (mut pair, db) = pbx("WAL");
    // A collation that only its owner knows.
    db.execute_batch(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'NOCASE', 'theirs') WHERE name = 'users';
         PRAGMA writable_schema = RESET;
         INSERT INTO calls VALUES (4, '103', 40);",
    )
    .unwrap();
    let tables = ledger(&mut pair).database.unwrap().tables;
    assert_eq!(tables[0], table("calls", 1, 0, 0));
    assert_eq!((tables.len(), tables[1].name.as_str()), (2, "users"));
    let text = tables[1].unreadable.clone().unwrap();
    assert!(text.contains("collation"), "{text}");
}

#[test]
fn a_file_beside_the_database_and_its_permissions_count_as_files() {
    let (mut pair, _db) = pbx("WAL");
    fs::write(pair.seen("dump.sql"), "x").unwrap();
    fs::set_permissions(pair.seen("database"), PermissionsExt::from_mode(0o640)).unwrap();
    let ledger = ledger(&mut pair);
    let names: Vec<&str> = ledger.names.iter().map(|one| one.path.as_str()).collect();
    assert_eq!((names, ledger.database), (vec!["database", "dump.sql"], None));
}

#[test]
fn a_ledger_beside_a_live_writer_is_one_moment_and_stops_nobody() {
    let (mut pair, db) = pbx("WAL");
    // Between the two that are written to stands one that takes its time.
    db.execute_batch(
        "CREATE TABLE a(n INTEGER PRIMARY KEY); CREATE TABLE b(n INTEGER PRIMARY KEY); CREATE TABLE c(n INTEGER PRIMARY KEY);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) INSERT INTO b SELECT i FROM n;
         PRAGMA synchronous = OFF;",
    )
    .unwrap();
    let stop = AtomicBool::new(false);
    let written = AtomicU64::new(0);
    let (halt, done) = (&stop, &written);
    thread::scope(|scope| {
        scope.spawn(move || {
            while !halt.load(Ordering::Relaxed) {
                db.execute_batch("BEGIN; INSERT INTO a DEFAULT VALUES; INSERT INTO c DEFAULT VALUES; COMMIT;").unwrap();
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut last = 0;
        let mut grown = 0;
        for _ in 0..20 {
            let before = written.load(Ordering::Relaxed);
            let ledger = pair.replica().ledger(&Unwatched);
            if ledger.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
            let tables = ledger.unwrap().database.unwrap().tables;
            let rows = |name: &str| tables.iter().find(|table| table.name == name).map_or(0, |table| table.added);
            let (a, c) = (rows("a"), rows("c"));
            stop.fetch_or(a != c || a < before, Ordering::Relaxed);
            assert_eq!(a, c, "half of a transaction");
            assert!(a >= before, "{a} rows, but {before} were committed before");
            grown += i32::from(a > last);
            last = a;
        }
        stop.store(true, Ordering::Relaxed);
        assert!(grown > 2, "the writer did not write meanwhile");
    });
}

/// Has had enough after so many looks.
struct Patience(AtomicU64);

impl Watch for Patience {
    fn cancelled(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
    }
}

#[test]
fn a_ledger_can_be_stopped_at_any_time_and_changes_nothing() {
    let mut pair = Pair::sqlite();
    let db = Connection::open(pair.dir.path().join("live/pbx.db")).unwrap();
    // Nothing identifies a row here: each is compared with each, for minutes.
    db.execute_batch(
        "CREATE TABLE many(rowid, _rowid_, oid); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 60000)
         INSERT INTO many SELECT i, i, i FROM n;",
    )
    .unwrap();
    let tree = promote(&mut pair);
    let serving = Connection::open(tree.join("database")).unwrap();
    serving.execute_batch("INSERT INTO many VALUES (0, 0, 0)").unwrap();
    for looks in [0, 8] {
        let stopped = pair.replica().ledger(&Patience(AtomicU64::new(looks)));
        assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Cancelled);
    }
    serving.execute_batch("DELETE FROM many WHERE rowid > 100").unwrap();
    assert_eq!(ledger(&mut pair).database.unwrap().tables, [table("many", 1, 0, 59_900)]);
}
