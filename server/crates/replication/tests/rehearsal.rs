//! A promotion that is only tried: it copies and checks what an activation would, leaves readers alone, and nothing behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

mod pair;

use std::fs;
use std::path::PathBuf;

use pair::{Pair, now};
use replication::{ErrorKind, Unwatched, Watch};
use rusqlite::Connection;

fn copies(pair: &mut Pair) -> Vec<PathBuf> {
    let items = fs::read_dir(pair.replica().store_path().join("serving"));
    items.map(|items| items.map(|item| item.unwrap().path()).collect()).unwrap_or_default()
}

#[test]
fn a_rehearsal_copies_what_an_activation_would_and_readers_and_pulls_never_see_it() {
    let mut pair = Pair::files();
    pair.write("etc/a", "one");
    pair.write("large", vec![7u8; 3 << 20]);
    pair.sync().unwrap();
    let shown = fs::canonicalize(pair.replica().visible_path()).unwrap();
    let rehearsal = pair.replica().rehearse("drill-1").unwrap();
    pair.write("etc/a", "two");
    pair.sync().unwrap();
    let done = rehearsal.run(0, &Unwatched).unwrap();
    assert_eq!((done.generation, done.files, done.bytes), (1, 2, 3 + (3 << 20)));
    assert!(done.damaged.is_empty() && pair.replica().promoted().is_none(), "{done:?}");
    let made = copies(&mut pair);
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(fs::read_to_string(made[0].join("tree/etc/a")).unwrap(), "one", "of the generation it was set up for");
    assert_ne!(fs::canonicalize(pair.replica().visible_path()).unwrap(), shown, "a pull went on meanwhile");
    pair.replica().drop_rehearsals().unwrap();
    assert_eq!(copies(&mut pair), Vec::<PathBuf>::new());
}

#[test]
fn a_rehearsal_names_what_the_disk_has_damaged_and_asks_sqlite_about_a_database() {
    let mut pair = Pair::files();
    pair.write("a", "one");
    pair.write("b", "two");
    pair.sync().unwrap();
    fs::write(pair.replica().visible_path().join("a"), "oen").unwrap();
    let done = pair.replica().rehearse("drill-1").unwrap().run(0, &Unwatched).unwrap();
    assert_eq!(done.damaged.iter().map(|one| one.path.as_str()).collect::<Vec<_>>(), ["a"]);

    let mut pair = Pair::sqlite();
    let db = Connection::open(&pair.source.spec().path).unwrap();
    db.execute_batch("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY); INSERT INTO rows VALUES (41)").unwrap();
    pair.sync().unwrap();
    let done = pair.replica().rehearse("drill-1").unwrap().run(0, &Unwatched).unwrap();
    assert!(done.damaged.is_empty() && done.files == 1);
    let copy = Connection::open(copies(&mut pair)[0].join("tree").join(replication::DATABASE_NAME)).unwrap();
    copy.execute("INSERT INTO rows VALUES (42)", []).expect("it is a copy that a service could write into");
}

#[test]
fn what_a_rehearsal_finds_no_room_for_or_is_told_to_leave_off_leaves_nothing_behind() {
    struct Stopped;
    impl Watch for Stopped {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let mut pair = Pair::files();
    assert_eq!(pair.replica().rehearse("drill-0").unwrap_err().kind(), ErrorKind::NothingCommitted);
    pair.write("a", "one");
    pair.sync().unwrap();
    let full = pair.replica().rehearse("drill-1").unwrap().run(u64::MAX / 2, &Unwatched).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::DiskFull);
    let stopped = pair.replica().rehearse("drill-1").unwrap().run(0, &Stopped).unwrap_err();
    assert_eq!((stopped.kind(), copies(&mut pair)), (ErrorKind::Cancelled, Vec::new()));
}

#[test]
fn an_activation_takes_the_room_of_a_rehearsal_and_a_restart_forgets_it() {
    let mut pair = Pair::files();
    pair.write("a", "one");
    pair.sync().unwrap();
    pair.replica().rehearse("drill-1").unwrap().run(0, &Unwatched).unwrap();
    let late = pair.replica().rehearse("drill-2").unwrap();
    pair.replica().promote("activation-1", None, 0, now(), &Unwatched).unwrap();
    assert_eq!(copies(&mut pair).len(), 1, "only what serves: {:?}", copies(&mut pair));
    assert_eq!(pair.replica().rehearse("drill-3").unwrap_err().kind(), ErrorKind::Serving);
    late.run(0, &Unwatched).unwrap();
    assert_eq!(copies(&mut pair).len(), 2);
    pair.reopen();
    assert_eq!(copies(&mut pair).len(), 1);
    assert_eq!(pair.replica().promoted().unwrap().run, "activation-1");
}
