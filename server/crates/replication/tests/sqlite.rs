//! A live SQLite database: every copy is whole and a prefix of what was committed, whoever writes meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pair::{Pair, list, now};
use replication::{DATABASE_NAME, ErrorKind, Source, Unwatched};
use rusqlite::{Connection, OpenFlags};

fn live(pair: &Pair) -> std::path::PathBuf {
    pair.dir.path().join("live/pbx.db")
}

fn create(path: &Path, journal: &str) -> Connection {
    let db = Connection::open(path).unwrap();
    db.pragma_update(None, "journal_mode", journal).unwrap();
    db.execute_batch("CREATE TABLE a(n INTEGER PRIMARY KEY, pad); CREATE TABLE b(n INTEGER PRIMARY KEY);").unwrap();
    db
}

fn write(db: &mut Connection, n: i64) {
    let transaction = db.transaction().unwrap();
    transaction.execute("INSERT INTO a VALUES (?1, randomblob(2000))", [n]).unwrap();
    transaction.execute("INSERT INTO b VALUES (?1)", [n]).unwrap();
    transaction.commit().unwrap();
}

/// Rows of the replica, after an integrity check; panics unless they are a prefix of the transactions.
fn prefix(path: &Path) -> i64 {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    let sql = "SELECT (SELECT count(*) FROM a), (SELECT coalesce(max(n), 0) FROM a), (SELECT count(*) FROM b), \
               (SELECT coalesce(max(n), 0) FROM b)";
    let (a, max_a, b, max_b): (i64, i64, i64, i64) =
        db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
    assert_eq!((a, a, a), (max_a, b, max_b), "not a prefix of the transactions");
    a
}

#[test]
fn every_copy_under_a_live_writer_is_whole_and_a_prefix() {
    for journal in ["WAL", "DELETE", "TRUNCATE"] {
        let mut pair = Pair::sqlite();
        let path = live(&pair);
        let mut db = create(&path, journal);
        write(&mut db, 1);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                db.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
                let mut n = 1;
                while !stop.load(Ordering::Relaxed) {
                    n += 1;
                    write(&mut db, n);
                }
                n
            });
            let mut last = 0;
            let mut grown = 0;
            for _ in 0..8 {
                let synced = pair.sync();
                if synced.is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
                synced.unwrap();
                let rows = prefix(&pair.seen(DATABASE_NAME));
                assert!(rows >= last, "{journal}: went back from {last} to {rows}");
                grown += i32::from(rows > last);
                last = rows;
            }
            stop.store(true, Ordering::Relaxed);
            let written = writer.join().unwrap();
            assert!(grown > 2, "{journal}: the writer did not write meanwhile");
            pair.sync().unwrap();
            assert_eq!(prefix(&pair.seen(DATABASE_NAME)), written, "{journal}");
        });
    }
}

#[test]
fn an_idle_database_is_unchanged_even_across_a_checkpoint_and_a_restart() {
    for journal in ["WAL", "DELETE"] {
        let mut pair = Pair::sqlite();
        let mut db = create(&live(&pair), journal);
        write(&mut db, 1);
        let first = pair.sync().unwrap();
        assert!(first.changed);
        assert!(!pair.sync().unwrap().changed, "{journal}: idle");
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        assert!(!pair.sync().unwrap().changed, "{journal}: a checkpoint is no write");
        drop(db);
        pair.source = Source::new(pair.source.spec().clone(), pair.dir.path().join("scratch")).unwrap();
        assert!(!pair.sync().unwrap().changed, "{journal}: after a restart");
        let mut db = Connection::open(live(&pair)).unwrap();
        write(&mut db, 2);
        assert!(pair.sync().unwrap().changed, "{journal}: a write");
    }
}

#[test]
fn nothing_but_the_database_travels_and_its_metadata_does() {
    let mut pair = Pair::sqlite();
    let mut db = create(&live(&pair), "WAL");
    write(&mut db, 1);
    fs::write(pair.dir.path().join("live/neighbour"), "x").unwrap();
    fs::set_permissions(live(&pair), std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    let target = pair.dir.path().join("srv/pbx.db");
    pair.replica().set_target(Some(&target)).unwrap();
    pair.sync().unwrap();
    assert_eq!(list(&pair.seen("")), [DATABASE_NAME]);
    assert_eq!(fs::metadata(&target).unwrap().mode() & 0o7777, 0o640);
    assert_eq!(prefix(&target), 1);
    assert_eq!(pair.replica().verify(&Unwatched).unwrap(), [], "reading it leaves no difference");
    assert_eq!(list(&pair.dir.path().join("scratch")), ["stamp.json"], "no copy stays behind");
    assert_eq!(pair.source.measure(&Unwatched).unwrap().files, 1);
}

#[test]
fn what_is_no_sound_database_is_refused_and_the_last_good_copy_stays() {
    let mut pair = Pair::sqlite();
    let mut db = create(&live(&pair), "DELETE");
    for n in 1..200 {
        write(&mut db, n);
    }
    drop(db);
    pair.sync().unwrap();
    let good = fs::read(live(&pair)).unwrap();
    let mut corrupt = good.clone();
    for page in 1..corrupt.len() / 4096 {
        corrupt[page * 4096..page * 4096 + 200].fill(0xEE);
    }
    let table: [(&str, Vec<u8>, ErrorKind); 4] = [
        ("text", b"this is no database".repeat(100), ErrorKind::NotADatabase),
        ("empty", Vec::new(), ErrorKind::NotADatabase),
        ("corrupt pages", corrupt, ErrorKind::DatabaseCorrupt),
        ("cut off", good[..good.len() / 2].to_vec(), ErrorKind::DatabaseCorrupt),
    ];
    for (name, content, kind) in table {
        fs::write(live(&pair), content).unwrap();
        let error = pair.sync().unwrap_err();
        assert_eq!(error.kind(), kind, "{name}: {}", error.chain());
        assert_eq!(error.path(), Some(live(&pair).as_path()), "{name}");
        assert_eq!(prefix(&pair.seen(DATABASE_NAME)), 199, "{name}");
    }
    fs::remove_file(live(&pair)).unwrap();
    assert_eq!(pair.sync().unwrap_err().kind(), ErrorKind::SourceMissing);
    fs::write(live(&pair), good).unwrap();
    assert!(!pair.sync().unwrap().changed);
}

#[test]
fn a_database_that_stays_locked_is_busy() {
    let mut pair = Pair::sqlite();
    let db = create(&live(&pair), "DELETE");
    pair.sync().unwrap();
    db.execute_batch("BEGIN EXCLUSIVE; INSERT INTO b VALUES (1);").unwrap();
    assert_eq!(pair.sync().unwrap_err().kind(), ErrorKind::DatabaseBusy);
    assert_eq!(prefix(&pair.seen(DATABASE_NAME)), 0);
    db.execute_batch("ROLLBACK").unwrap();
    pair.sync().unwrap();
}

#[test]
fn a_replica_of_a_database_takes_nothing_else() {
    let mut pair = Pair::files();
    pair.write("a", "x");
    let capture = pair.source.capture(now(), false, &Unwatched).unwrap();
    let mut other = Pair::sqlite();
    let (pulled, _) = pair::pull(other.replica(), &capture, 1, false, &Unwatched, &Unwatched);
    assert_eq!(pulled.unwrap_err().kind(), ErrorKind::PeerProtocol);
}

#[test]
fn of_a_large_database_only_the_pages_that_changed_travel() {
    for journal in ["WAL", "DELETE"] {
        let mut pair = Pair::sqlite();
        let mut db = create(&live(&pair), journal);
        db.execute_batch(
            "BEGIN; WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 3000)
             INSERT INTO a SELECT n, randomblob(2000) FROM c; INSERT INTO b SELECT n FROM a; COMMIT;",
        )
        .unwrap();
        let first = pair.sync().unwrap();
        assert!(first.received_bytes > 6_000_000, "{journal}: {}", first.received_bytes);
        db.execute("UPDATE a SET pad = randomblob(2000) WHERE n = 1500", []).unwrap();
        write(&mut db, 3001);
        let second = pair.sync().unwrap();
        assert!(second.changed);
        assert!(second.received_bytes < 60_000, "{journal}: {} bytes for a few pages", second.received_bytes);
        assert_eq!(prefix(&pair.seen(DATABASE_NAME)), 3001, "{journal}");
    }
}

#[test]
fn a_database_that_rests_is_not_copied_again_and_any_write_is_noticed() {
    for journal in ["WAL", "DELETE"] {
        let mut pair = Pair::sqlite();
        let mut db = create(&live(&pair), journal);
        write(&mut db, 1);
        // A write of this very moment is not trusted to be the last one in its tick of the clock.
        assert!(pair.capture().hashed_bytes > 0);
        let begun = std::time::Instant::now();
        while pair.capture().hashed_bytes > 0 {
            assert!(begun.elapsed().as_secs() < 60, "{journal}: copied again and again");
            thread::yield_now();
        }
        let id = pair.capture().manifest.content_id();
        pair.sync().unwrap();
        assert_eq!(prefix(&pair.seen(DATABASE_NAME)), 1, "{journal}: served from the copy that was kept");
        assert!(pair.source.capture(now(), true, &Unwatched).unwrap().hashed_bytes > 0, "asked to read it again");
        write(&mut db, 2);
        assert_ne!(pair.capture().manifest.content_id(), id, "{journal}: a write is noticed at once");
        pair.sync().unwrap();
        assert_eq!(prefix(&pair.seen(DATABASE_NAME)), 2, "{journal}");
    }
}

#[test]
fn a_journal_that_only_its_owner_may_roll_back_is_left_alone_and_told() {
    let mut pair = Pair::sqlite();
    let mut db = create(&live(&pair), "DELETE");
    write(&mut db, 1);
    pair.sync().unwrap();
    drop(db);
    // What a machine leaves that lost its power in the middle of a transaction: pages of it written, and the journal
    // that takes them back.
    let elsewhere = pair.dir.path().join("torn.db");
    fs::copy(live(&pair), &elsewhere).unwrap();
    let torn = Connection::open(&elsewhere).unwrap();
    torn.execute_batch("PRAGMA cache_size = 1; BEGIN; UPDATE b SET n = n + 100; UPDATE a SET pad = randomblob(2000);")
        .unwrap();
    torn.execute_batch(
        "WITH RECURSIVE c(n) AS (SELECT 500 UNION ALL SELECT n + 1 FROM c WHERE n < 800)
         INSERT INTO a SELECT n, randomblob(2000) FROM c;",
    )
    .unwrap();
    let journal = |of: &Path| of.with_file_name(format!("{}-journal", of.file_name().unwrap().to_str().unwrap()));
    fs::copy(&elsewhere, live(&pair)).unwrap();
    fs::copy(journal(&elsewhere), journal(&live(&pair))).unwrap();
    drop(torn);
    let before = (fs::read(live(&pair)).unwrap(), fs::read(journal(&live(&pair))).unwrap());
    let error = pair.sync().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DatabaseBusy, "{}", error.chain());
    assert_eq!(error.path(), Some(live(&pair).as_path()));
    let after = (fs::read(live(&pair)).unwrap(), fs::read(journal(&live(&pair))).unwrap());
    assert!(before == after, "nothing of it was touched");
    assert_eq!(prefix(&pair.seen(DATABASE_NAME)), 1, "the last good copy stays");
    // Its owner opens it, which rolls the transaction back.
    let mut db = Connection::open(live(&pair)).unwrap();
    write(&mut db, 2);
    pair.sync().unwrap();
    assert_eq!(prefix(&pair.seen(DATABASE_NAME)), 2);
}
