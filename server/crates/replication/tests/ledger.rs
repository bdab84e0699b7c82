//! The ledger of an activation: everything that was made on the copy that serves, and nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use pair::{Pair, now, set_mtime};
use replication::{Change, Count, ErrorKind, Ledger, NameKind, Progress, TableLedger, Unwatched, Watch};
use rusqlite::Connection;

fn promote(pair: &mut Pair) -> PathBuf {
    pair.sync().unwrap();
    pair.replica().promote("run-1", None, 0, now(), &Unwatched).unwrap().tree
}

fn ledger(pair: &mut Pair) -> Ledger {
    pair.replica().ledger(&Unwatched).unwrap()
}

/// Path, change, kind and bytes of everything listed.
fn listed(ledger: &Ledger) -> Vec<(&str, Change, NameKind, u64)> {
    ledger.names.iter().map(|one| (one.path.as_str(), one.change, one.kind, one.bytes)).collect()
}

fn count(files: u64, directories: u64, bytes: u64) -> Count {
    Count { files, directories, bytes }
}

fn recordings() -> Pair {
    let pair = Pair::files();
    for name in ["a", "b", "c", "dir/d", "dir/e"] {
        pair.write(name, name.repeat(10));
    }
    fs::hard_link(pair.at("a"), pair.at("a-too")).unwrap();
    symlink("a", pair.at("link")).unwrap();
    pair
}

#[test]
fn without_a_serving_copy_there_is_no_ledger() {
    let mut pair = recordings();
    pair.sync().unwrap();
    assert_eq!(pair.replica().ledger(&Unwatched).unwrap_err().kind(), ErrorKind::NotServing);
    pair.replica().promote("run-1", None, 0, now(), &Unwatched).unwrap();
    pair.replica().hand_back("run-1", now(), &Unwatched).unwrap();
    assert_eq!(pair.replica().ledger(&Unwatched).unwrap_err().kind(), ErrorKind::NotServing);
}

#[test]
fn what_was_added_changed_and_removed_is_listed_with_its_size() {
    let mut pair = recordings();
    let tree = promote(&mut pair);
    fs::create_dir(tree.join("new")).unwrap();
    fs::write(tree.join("new/recording.wav"), vec![1u8; 5000]).unwrap();
    fs::hard_link(tree.join("new/recording.wav"), tree.join("new/twin.wav")).unwrap();
    fs::write(tree.join("b"), "B").unwrap();
    fs::remove_dir_all(tree.join("dir")).unwrap();
    fs::remove_file(tree.join("link")).unwrap();
    symlink("b", tree.join("link")).unwrap();
    let ledger = ledger(&mut pair);
    assert_eq!((ledger.run.as_str(), ledger.generation), ("run-1", 1));
    assert_eq!(
        listed(&ledger),
        [
            ("b", Change::Changed, NameKind::File, 1),
            ("dir", Change::Removed, NameKind::Directory, 0),
            ("dir/d", Change::Removed, NameKind::File, 50),
            ("dir/e", Change::Removed, NameKind::File, 50),
            ("link", Change::Changed, NameKind::Symlink, 0),
            ("new", Change::Added, NameKind::Directory, 0),
            ("new/recording.wav", Change::Added, NameKind::File, 5000),
            ("new/twin.wav", Change::Added, NameKind::File, 5000),
        ]
    );
    assert_eq!(ledger.added, count(2, 1, 5000), "a file with two names holds its bytes once");
    assert_eq!((ledger.changed, ledger.removed), (count(2, 0, 1), count(2, 1, 100)));
    assert!(!ledger.is_empty() && ledger.database.is_none());
    let text = serde_json::to_string(&ledger).unwrap();
    assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), ledger);
    // The same after a restart.
    pair.reopen();
    assert_eq!(self::ledger(&mut pair), ledger);
}

/// What is done to the copy, and the names that count as changed.
type Touch = (&'static str, fn(&std::path::Path), &'static [&'static str]);

#[test]
fn a_new_time_alone_is_no_change_and_permissions_and_owners_are() {
    let table: &[Touch] = &[
        ("nothing", |_| (), &[]),
        ("a new time", |tree| set_mtime(&tree.join("b"), 5, 5), &[]),
        ("written again as it was", |tree| fs::write(tree.join("b"), "b".repeat(10)).unwrap(), &[]),
        (
            "a directory's time",
            |tree| fs::write(tree.join("dir/x"), "").and_then(|()| fs::remove_file(tree.join("dir/x"))).unwrap(),
            &[],
        ),
        ("a socket", |tree| drop(UnixListener::bind(tree.join("socket")).unwrap()), &[]),
        (
            "replaced by its like",
            |tree| {
                fs::copy(tree.join("b"), tree.join("b.new")).unwrap();
                fs::rename(tree.join("b.new"), tree.join("b")).unwrap();
            },
            &[],
        ),
        ("a mode", |tree| fs::set_permissions(tree.join("c"), PermissionsExt::from_mode(0o600)).unwrap(), &["c"]),
        (
            "a directory's mode",
            |tree| fs::set_permissions(tree.join("dir"), PermissionsExt::from_mode(0o700)).unwrap(),
            &["dir"],
        ),
        (
            "another type",
            |tree| {
                fs::remove_file(tree.join("c")).unwrap();
                fs::create_dir(tree.join("c")).unwrap();
            },
            &["c"],
        ),
        (
            "one byte, and the old time",
            |tree| {
                let meta = fs::metadata(tree.join("b")).unwrap();
                fs::write(tree.join("b"), "bbbbBbbbbb").unwrap();
                set_mtime(&tree.join("b"), meta.mtime(), meta.mtime_nsec());
            },
            &["b"],
        ),
        ("through one of two names", |tree| fs::write(tree.join("a-too"), "A").unwrap(), &["a", "a-too"]),
    ];
    for (what, touch, changed) in table {
        let mut pair = recordings();
        let tree = promote(&mut pair);
        touch(&tree);
        let ledger = ledger(&mut pair);
        let names: Vec<&str> = ledger.names.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(&names, changed, "{what}: {ledger:?}");
        assert_eq!(ledger.is_empty(), changed.is_empty(), "{what}");
    }
    if rustix::process::geteuid().is_root() {
        let mut pair = recordings();
        let tree = promote(&mut pair);
        std::os::unix::fs::chown(tree.join("b"), Some(4321), None).unwrap();
        assert_eq!(ledger(&mut pair).changed, count(1, 0, 10));
    }
}

#[test]
fn a_write_right_after_the_promotion_is_never_missed() {
    for _ in 0..30 {
        let mut pair = Pair::files();
        pair.write("same-size", "before");
        pair.sync().unwrap();
        let promoted = pair.replica().promote("run-1", None, 0, now(), &Unwatched).unwrap();
        fs::write(promoted.tree.join("same-size"), "after!").unwrap();
        assert_eq!(ledger(&mut pair).changed, count(1, 0, 6));
    }
}

/// Adds up the bytes that were read.
#[derive(Default)]
struct Meter(AtomicU64);

impl Watch for Meter {
    fn progress(&self, progress: Progress) {
        self.0.fetch_max(progress.bytes_done, Ordering::Relaxed);
    }
}

#[test]
fn what_nobody_wrote_to_is_not_read_again() {
    let mut pair = Pair::files();
    pair.write("large", vec![1u8; 8 << 20]);
    pair.write("small", "x");
    let tree = promote(&mut pair);
    let read = |pair: &mut Pair| {
        let meter = Meter::default();
        let empty = pair.replica().ledger(&meter).unwrap().is_empty();
        (empty, meter.0.load(Ordering::Relaxed))
    };
    assert_eq!(read(&mut pair), (true, 0));
    fs::write(tree.join("small"), "changed").unwrap();
    assert_eq!(read(&mut pair), (false, 7));
    fs::write(tree.join("small"), "x").unwrap();
    // Without the note about the beginning everything is read, with the same result.
    fs::write(pair.dir.path().join("store/serving/run-1/baseline"), "lost").unwrap();
    assert_eq!(read(&mut pair), (true, (8 << 20) + 1));
}

#[test]
fn a_thousand_names_are_listed_and_all_are_counted() {
    let mut pair = recordings();
    let tree = promote(&mut pair);
    for i in 0..1500 {
        fs::write(tree.join(format!("dir/{i}")), "ten bytes!").unwrap();
    }
    let ledger = ledger(&mut pair);
    assert_eq!((ledger.names.len(), ledger.added), (1000, count(1500, 0, 15_000)));
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
    assert_eq!(listed(&garbled), [("database", Change::Changed, NameKind::File, 20)]);
    let text = garbled.database.as_ref().unwrap().unreadable.clone().unwrap();
    assert!(text.contains("cannot compare the database"), "{text}");
    fs::remove_file(pair.seen("database")).unwrap();
    let gone = ledger(&mut pair);
    assert_eq!((gone.removed.files, gone.database.clone()), (1, None));
    assert!(!garbled.is_empty() && !gone.is_empty());
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
    db.execute_batch("CREATE TABLE x(n INTEGER PRIMARY KEY); CREATE TABLE y(n INTEGER PRIMARY KEY);").unwrap();
    let stop = AtomicBool::new(false);
    let written = AtomicU64::new(0);
    let (halt, done) = (&stop, &written);
    thread::scope(|scope| {
        scope.spawn(move || {
            while !halt.load(Ordering::Relaxed) {
                db.execute_batch("BEGIN; INSERT INTO x DEFAULT VALUES; INSERT INTO y DEFAULT VALUES; COMMIT;").unwrap();
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
            let (x, y) = (rows("x"), rows("y"));
            stop.fetch_or(x != y || x < before, Ordering::Relaxed);
            assert_eq!(x, y, "half of a transaction");
            assert!(x >= before, "{x} rows, but {before} were committed before");
            grown += i32::from(x > last);
            last = x;
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
