//! Two real servers and the journal between them.

mod site;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use mariadb::{ErrorKind, Rows};
use site::{Machine, Site, contents, pair};

#[test]
fn what_is_written_here_is_there_once_it_was_fed() {
    let site = Site::new();
    let (master, client) = pair(&site);
    let (ours, theirs) = (site.journal("j", &master), site.journal("j", &client));
    assert!(master.record(&ours).unwrap().seeded);
    let first = client.feed(&theirs).unwrap();
    assert!(first.reloaded && first.aside.is_none(), "{first:?}");
    assert_eq!(client.subscribers(), "anna,bruno");
    assert_eq!(client.sql("SELECT HEX(photo) FROM pbx.subscriber WHERE name = 'anna'"), "000A0D1A27");
    assert_eq!(client.sql("SHOW GRANTS FOR pbx@localhost"), master.sql("SHOW GRANTS FOR pbx@localhost"));

    master.sql("INSERT INTO pbx.subscriber (name) VALUES ('carla'); CREATE USER late@localhost IDENTIFIED BY 'y'");
    let tail = master.record(&ours).unwrap();
    assert!(!tail.seeded && tail.bytes > 0, "{tail:?}");
    let second = client.feed(&theirs).unwrap();
    assert_eq!((second.transactions, second.reloaded), (2, false));
    assert_eq!(second.position, tail.position);
    assert_eq!(client.subscribers(), "anna,bruno,carla");
    assert_eq!(client.sql("SELECT @@gtid_binlog_pos"), master.sql("SELECT @@gtid_binlog_pos"));

    assert_eq!(master.record(&ours).unwrap().bytes, 0, "nothing was written");
    assert_eq!(client.feed(&theirs).unwrap().transactions, 0);
}

#[test]
fn any_earlier_moment_of_a_journal_can_be_fed() {
    let site = Site::new();
    let (master, client) = pair(&site);
    let ours = site.journal("j", &master);
    master.record(&ours).unwrap();
    master.sql("INSERT INTO pbx.subscriber (name) VALUES ('carla')");
    master.record(&ours).unwrap();
    site.copy("j", "earlier");
    master.sql("FLUSH BINARY LOGS; DELETE FROM pbx.subscriber; DROP USER pbx@localhost");
    master.record(&ours).unwrap();
    client.feed(&site.journal("j", &client)).unwrap();
    assert_eq!(client.subscribers(), "NULL");

    let back = client.feed(&site.journal("earlier", &client)).unwrap();
    assert!(back.reloaded && back.aside.is_none(), "what it held is in a journal: {back:?}");
    assert_eq!(client.subscribers(), "anna,bruno,carla");
    assert!(client.sql("SHOW GRANTS FOR pbx@localhost").contains("pbx"));
}

#[test]
fn what_was_made_on_the_dr_is_listed_and_goes_home() {
    let site = Site::new();
    let (master, client) = pair(&site);
    let ours = site.journal("j", &master);
    master.record(&ours).unwrap();
    client.feed(&site.journal("j", &client)).unwrap();
    client.server().close().unwrap();

    // The DR serves from a copy of its own.
    site.copy("j", "serving");
    let serving = site.journal("serving", &client);
    let base = serving.end().unwrap();
    client.server().open(false).unwrap();
    assert_eq!(client.record(&serving).unwrap().bytes, 0, "nothing was made yet");
    assert_eq!(serving.made_since(&base, &|| false).unwrap().transactions, 0);
    client.sql(
        "INSERT INTO pbx.subscriber (name) VALUES ('dora'), ('elio'); UPDATE pbx.subscriber SET name = 'bice' WHERE \
         name = 'bruno'; DELETE FROM pbx.subscriber WHERE name = 'anna'; CREATE USER dr@localhost IDENTIFIED BY 'secret'",
    );
    client.record(&serving).unwrap();
    let made = serving.made_since(&base, &|| false).unwrap();
    assert_eq!(made.tables["pbx.subscriber"], Rows { added: 2, changed: 1, removed: 1 });
    assert_eq!((made.transactions, made.statements), (4, vec!["CREATE USER dr@localhost".to_owned()]));

    // Home, and on from there.
    site.copy("serving", "home");
    let home = site.journal("home", &master);
    master.server().close().unwrap();
    let fed = home.feed(&master.server(), true, &master.aside(), &|| false).unwrap();
    assert!(!fed.reloaded, "it only went on: {fed:?}");
    assert_eq!(master.subscribers(), "bice,dora,elio");
    master.server().open(false).unwrap();
    master.sql("INSERT INTO pbx.subscriber (name) VALUES ('fabio')");
    assert!(!master.record(&home).unwrap().seeded);
    client.feed(&site.journal("home", &client)).unwrap();
    assert_eq!(client.subscribers(), "bice,dora,elio,fabio");
}

#[test]
fn a_dr_whose_data_was_discarded_follows_the_master_again() {
    let site = Site::new();
    let (master, client) = pair(&site);
    let ours = site.journal("j", &master);
    master.record(&ours).unwrap();
    client.feed(&site.journal("j", &client)).unwrap();
    site.copy("j", "serving");
    client.server().open(false).unwrap();
    client.sql("INSERT INTO pbx.subscriber (name) VALUES ('dora'); CREATE DATABASE extra");
    client.record(&site.journal("serving", &client)).unwrap();

    master.sql("INSERT INTO pbx.subscriber (name) VALUES ('carla')");
    master.record(&ours).unwrap();
    let fed = client.feed(&site.journal("j", &client)).unwrap();
    assert!(fed.reloaded && fed.aside.is_none(), "it was recorded: {fed:?}");
    assert_eq!(client.subscribers(), "anna,bruno,carla");
    assert_eq!(client.sql("SHOW DATABASES LIKE 'extra'"), "");
}

#[test]
fn what_somebody_wrote_to_a_server_that_is_fed_is_dumped_aside_first() {
    let site = Site::new();
    let (master, client) = pair(&site);
    let ours = site.journal("j", &master);
    master.record(&ours).unwrap();
    client.feed(&site.journal("j", &client)).unwrap();
    client.sql("INSERT INTO pbx.subscriber (name) VALUES ('stray')");
    let fed = client.feed(&site.journal("j", &client)).unwrap();
    assert_eq!(client.subscribers(), "anna,bruno");
    let dump = fs::read_to_string(fed.aside.unwrap()).unwrap();
    assert!(dump.contains("'stray'"), "{dump}");
    let mode = fs::metadata(client.aside()).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "nobody else reads it: {mode:o}");
}

#[test]
fn a_server_with_databases_of_its_own_is_not_replaced() {
    let site = Site::new();
    let (master, client) = pair(&site);
    client.sql("CREATE DATABASE mine; CREATE TABLE mine.t (a INT); INSERT INTO mine.t VALUES (1)");
    let ours = site.journal("j", &master);
    master.record(&ours).unwrap();
    let refused = client.feed(&site.journal("j", &client)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Occupied);
    assert!(refused.to_string().contains("mine"), "{refused}");
    assert_eq!(client.sql("SELECT a FROM mine.t"), "1");
}

#[test]
fn two_servers_with_one_id_are_refused() {
    let site = Site::new();
    let (master, twin) = (Machine::new(&site, "m", 7), Machine::new(&site, "t", 7));
    master.sql("CREATE DATABASE pbx");
    master.record(&site.journal("j", &master)).unwrap();
    let refused = twin.feed(&site.journal("j", &twin)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsuited);
    assert!(refused.to_string().contains("server_id"), "{refused}");
}

#[test]
fn a_server_on_which_nothing_was_ever_made_can_be_recorded() {
    let site = Site::new();
    let (master, client) = (Machine::new(&site, "m", 1), Machine::new(&site, "c", 2));
    let ours = site.journal("j", &master);
    master.record(&ours).unwrap();
    client.feed(&site.journal("j", &client)).unwrap();
    master.sql("CREATE DATABASE pbx; CREATE TABLE pbx.subscriber (name VARCHAR(20)); INSERT INTO pbx.subscriber VALUES ('anna')");
    master.record(&ours).unwrap();
    client.feed(&site.journal("j", &client)).unwrap();
    assert_eq!(client.subscribers(), "anna");
}

#[test]
fn what_a_server_wrote_before_it_died_is_recorded_without_it() {
    let site = Site::new();
    let (mut master, client) = pair(&site);
    let ours = site.journal("j", &master);
    master.record(&ours).unwrap();
    master.sql("INSERT INTO pbx.subscriber (name) VALUES ('last')");
    master.kill();
    assert!(master.record(&ours).unwrap().bytes > 0);
    client.feed(&site.journal("j", &client)).unwrap();
    assert_eq!(client.subscribers(), "anna,bruno,last");
}

#[test]
fn a_database_that_was_set_back_changes_nothing_in_the_journal() {
    let site = Site::new();
    let (mut master, _client) = pair(&site);
    let ours = site.journal("j", &master);
    master.record(&ours).unwrap();
    master.kill();
    let copy = |from: &str, to: &str| {
        let done = std::process::Command::new("cp").arg("-a").arg(site.path(from)).arg(site.path(to)).status().unwrap();
        assert!(done.success());
    };
    copy("m/data", "snapshot");
    master.start();
    master.sql("INSERT INTO pbx.subscriber (name) VALUES ('carla')");
    master.record(&ours).unwrap();
    let before = contents(&site.path("j"));
    master.kill();
    fs::remove_dir_all(master.data()).unwrap();
    copy("snapshot", "m/data");
    master.start();
    master.sql("INSERT INTO pbx.subscriber (name) VALUES ('other')");
    assert_eq!(master.record(&ours).unwrap_err().kind(), ErrorKind::SetBack);
    assert_eq!(contents(&site.path("j")), before);
}

#[test]
fn a_log_that_the_server_has_dropped_before_it_was_recorded_is_replaced_by_a_new_dump() {
    let site = Site::new();
    let (master, client) = pair(&site);
    let ours = site.journal("j", &master);
    master.record(&ours).unwrap();
    client.feed(&site.journal("j", &client)).unwrap();
    master.sql("INSERT INTO pbx.subscriber (name) VALUES ('carla'); FLUSH BINARY LOGS; FLUSH BINARY LOGS");
    let newest = master.sql("SHOW MASTER STATUS");
    let newest = newest.split('\t').next().unwrap();
    // The server keeps a log until the engine has told that it needs it no more.
    let began = Instant::now();
    while !master.sql(&format!("PURGE BINARY LOGS TO '{newest}'; SHOW BINARY LOGS")).starts_with(newest) {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", master.sql("SHOW BINARY LOGS"));
    }
    assert!(master.record(&ours).unwrap().seeded);
    client.feed(&site.journal("j", &client)).unwrap();
    assert_eq!(client.subscribers(), "anna,bruno,carla");
}

#[test]
fn a_load_that_was_cut_off_is_begun_again() {
    let site = Site::new();
    let (master, client) = pair(&site);
    let ours = site.journal("j", &master);
    master.record(&ours).unwrap();
    let theirs = site.journal("j", &client);
    // Cut off as soon as the server has been told that it is being loaded.
    let begun = || client.sql("SELECT @@gtid_binlog_state").starts_with("4294967294");
    master.sql("USE pbx; INSERT INTO subscriber (name) SELECT REPEAT('x', 20) FROM seq_1_to_300000");
    fs::remove_dir_all(site.path("j")).unwrap();
    master.record(&site.journal("j", &master)).unwrap();
    let cut = theirs.feed(&client.server(), false, &client.aside(), &begun).unwrap_err();
    assert_eq!(cut.kind(), ErrorKind::Cancelled);
    assert!(client.feed(&theirs).unwrap().reloaded);
    assert_eq!(client.sql("SELECT COUNT(*) FROM pbx.subscriber"), "300002");
}

#[test]
fn a_journal_that_ends_anywhere_ends_with_a_whole_transaction() {
    let site = Site::new();
    let master = Machine::new(&site, "m", 1);
    let ours = site.journal("j", &master);
    master.record(&ours).unwrap();
    let mut known = vec![ours.end().unwrap()];
    for statement in [
        "CREATE DATABASE pbx",
        "CREATE TABLE pbx.old (a INT) ENGINE=MyISAM",
        "INSERT INTO pbx.old VALUES (1), (2)",
        "CREATE TABLE pbx.t (a INT) ENGINE=InnoDB",
        "BEGIN; INSERT INTO pbx.t VALUES (1); UPDATE pbx.t SET a = 2; COMMIT",
        "XA START 'x'; INSERT INTO pbx.t VALUES (3); XA END 'x'; XA PREPARE 'x'; XA COMMIT 'x'",
        "CREATE TABLE pbx.copy SELECT * FROM pbx.t",
    ] {
        master.sql(statement);
        known.push(master.record(&ours).unwrap().position);
        assert_eq!(known.last().unwrap().to_string(), master.sql("SELECT @@gtid_binlog_pos"), "{statement}");
    }
    let (path, whole) = contents(&site.path("j/0001/log")).pop().unwrap();
    let mut last = known[0].clone();
    for length in 0..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let end = ours.end().unwrap();
        assert!(end.reaches(&last), "cut at {length}: {end} after {last}");
        last = end;
    }
    assert_eq!(Some(&last), known.last());
}
