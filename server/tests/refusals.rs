//! Bad input and bad days at the command line: each gets its exit code, its rule and a sentence, and changes nothing.

#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;

use std::fs;
use std::path::Path;

use machines::{Machine, Pair, Supplier, free_port, tvox_dr, until};

#[test]
fn an_address_that_cannot_be_the_other_machines_is_refused_and_nothing_is_saved() {
    let root = tempfile::tempdir().unwrap();
    let master = Machine::ready(root.path(), "master", "m");
    for typed in [
        "",
        "dr.example.com",
        "10.0.0.256",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "10.0.0.1:0",
        "10.0.0.1:99999",
        "::",
    ] {
        let ran = master.run(&["peer", "set", typed, "--json"]);
        assert_eq!(ran.code, 2, "{typed}: {ran:?}");
        assert_eq!(ran.json()["invalid"][0]["field"], "address", "{typed}");
    }
    let own = master.run(&["peer", "set", &format!("127.0.0.1:{}", master.peer), "--json"]);
    assert_eq!((own.code, own.rule()), (3, "peer.own_address".into()));
    assert!(own.err.starts_with("refused: peer.own_address@127.0.0.1:"), "{}", own.err);
    assert!(own.err.contains(" Remedy: "), "{}", own.err);
    assert_eq!(master.ok(&["peer", "show", "--json"]).json()["address"], serde_json::Value::Null);
    master.ok(&["peer", "set", &format!("127.0.0.1:{}", free_port())]);
}

#[test]
fn without_a_licence_nothing_can_be_paired_declared_or_synced() {
    let root = tempfile::tempdir().unwrap();
    let (mut master, mut client) =
        (Machine::init(root.path(), "master", "m"), Machine::init(root.path(), "client", "c"));
    master.start();
    client.start();
    for args in [
        &["peer", "set", "10.0.0.9"][..],
        &["peer", "token"],
        &["dataset", "add", "etc", "--kind", "files", "--source", "/etc"],
    ] {
        let ran = master.run(&[args, &["--json"]].concat());
        assert_eq!((ran.code, ran.rule()), (3, "licence.module".into()), "{args:?}");
    }
    for args in [&["sync", "start"][..], &["sync", "full"], &["sync", "verify"], &["peer", "join", "x"]] {
        let ran = client.run(&[args, &["--json"]].concat());
        assert_eq!((ran.code, ran.rule()), (3, "licence.module".into()), "{args:?}");
    }
    client.ok(&["sync", "stop"]);
    // The other side's module does not help.
    let file = Supplier::new(root.path()).licence(&root.path().join("wrong.lic"), "DISASTER_RECOVERY", &[]);
    client.ok(&["licence", "load", file.to_str().unwrap()]);
    assert_eq!(client.run(&["sync", "start", "--json"]).rule(), "licence.module");
    client.license(root.path());
    client.ok(&["sync", "start"]);
    client.ok(&["licence", "remove"]);
    assert_eq!(client.status()["licence"]["state"], "missing");
    client.ok(&["sync", "start"]);
}

#[test]
fn a_licence_that_is_forged_expired_or_another_machines_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let mut master = Machine::init(root.path(), "master", "m");
    master.start();
    let supplier = Supplier::new(root.path());
    let good = supplier.licence(&root.path().join("good.lic"), "DISASTER_RECOVERY", &[]);
    let mut bytes = fs::read(&good).unwrap();
    let at = bytes.len() / 2;
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    let forged = root.path().join("forged.lic");
    fs::write(&forged, bytes).unwrap();
    let expired = supplier.licence(&root.path().join("old.lic"), "DISASTER_RECOVERY", &["--expires", "2020-01-01"]);
    let bound = supplier.licence(&root.path().join("bound.lic"), "DISASTER_RECOVERY", &["--machine", "0123"]);
    let other = root.path().join("other");
    fs::create_dir(&other).unwrap();
    let stranger = Supplier::new(&other).licence(&root.path().join("stranger.lic"), "DISASTER_RECOVERY", &[]);
    let noise = root.path().join("noise.lic");
    fs::write(&noise, [0xff; 5000]).unwrap();
    for file in [&forged, &expired, &bound, &stranger, &noise] {
        let ran = master.run(&["licence", "load", file.to_str().unwrap(), "--json"]);
        assert_eq!((ran.code, ran.rule()), (3, "licence.invalid".into()), "{}", file.display());
    }
    assert_eq!(master.status()["licence"]["state"], "missing");
    master.ok(&["licence", "load", good.to_str().unwrap()]);
    let status = master.status();
    assert_eq!((&status["licence"]["state"], &status["licence"]["company"]), (&"valid".into(), &"Azienda".into()));
}

#[test]
fn a_join_token_works_once_in_time_and_with_its_own_master() {
    let mut pair = Pair::strangers();
    for text in ["nonsense", "TVOX-DR-JOIN-1.abc.def"] {
        let ran = pair.client.run(&["peer", "join", text, "--json"]);
        assert_eq!((ran.code, ran.rule()), (3, "token.invalid".into()), "{text}");
    }
    let first = pair.token();
    let second = pair.token();
    let stale = pair.client.run_with(&["peer", "join", "-", "--json"], &first);
    assert_eq!((stale.code, stale.rule()), (3, "token.invalid".into()), "a newer token makes the older worthless");
    // Fifteen minutes pass: on the Master's disk.
    pair.master.stop();
    let db = rusqlite::Connection::open(pair.master.dir.join("tvox-dr.db")).unwrap();
    db.execute("UPDATE join_token SET expires_at = '2020-01-01T00:00:00Z'", []).unwrap();
    drop(db);
    pair.master.start();
    let late = pair.client.run_with(&["peer", "join", "-", "--json"], &second);
    assert_eq!((late.code, late.rule()), (3, "token.expired".into()));
    let third = pair.token();
    assert_eq!(pair.client.run_with(&["peer", "join", "-"], &third).code, 0);
    let again = pair.client.run_with(&["peer", "join", "-", "--json"], &third);
    assert_eq!((again.code, again.rule()), (3, "token.used".into()));
    let audit = pair.master.ok(&["audit", "--json"]).json().to_string();
    assert!(audit.contains("peer.joined") && audit.contains("token.expired"), "{audit}");
    for secret in [&first, &second, &third] {
        let secret = secret.rsplit('.').next().unwrap();
        for machine in [&pair.master, &pair.client] {
            let trail = machine.ok(&["audit", "--json"]).out + &machine.log();
            assert!(!trail.contains(secret), "a secret in a log");
        }
    }
}

#[test]
fn a_second_client_and_the_wrong_machine_behind_the_address_are_refused() {
    let pair = Pair::new();
    let second = Machine::ready(pair.root.path(), "client", "dr2");
    second.ok(&["peer", "set", &format!("127.0.0.1:{}", pair.master.peer)]);
    let token = pair.token();
    let ran = second.run_with(&["peer", "join", "-", "--json"], &token);
    assert_eq!((ran.code, ran.rule()), (3, "pair.already_associated".into()));
    // The token is one Master's, the address another's.
    let other = Machine::ready(pair.root.path(), "master", "m2");
    second.ok(&["peer", "set", &format!("127.0.0.1:{}", other.peer)]);
    let ran = second.run_with(&["peer", "join", "-", "--json"], &token);
    assert_eq!((ran.code, ran.rule()), (3, "peer.wrong_address".into()));
    // The Master expects the Client from another address than it comes from.
    other.ok(&["peer", "set", "10.99.99.99"]);
    let token = other.ok(&["peer", "token", "--json"]).json()["token"].as_str().unwrap().to_owned();
    let ran = second.run_with(&["peer", "join", "-", "--json"], &token);
    assert_eq!((ran.code, ran.rule()), (3, "peer.wrong_address".into()));
    // Commands of the other side.
    assert_eq!(second.run(&["peer", "token", "--json"]).rule(), "role.wrong");
    assert_eq!(other.run(&["sync", "full", "--json"]).rule(), "role.wrong");
    assert_eq!(second.run(&["sync", "full", "--json"]).rule(), "pair.not_associated");
    assert_eq!(pair.client.status()["pair"]["associated"], true, "the real pair is untouched");
}

#[test]
fn two_machines_of_the_same_name_or_version_do_not_pair() {
    let root = tempfile::tempdir().unwrap();
    let master = Machine::ready(root.path(), "master", "same");
    let twin = Machine::ready(root.path(), "client", "same");
    let mut old = Machine::init(root.path(), "client", "old");
    old.env.push(("TVOX_DR_TEST_VERSION", "0.0.9".into()));
    old.start();
    old.license(root.path());
    for (client, rule) in [(&twin, "pair.same_name"), (&old, "pair.incompatible")] {
        master.ok(&["peer", "set", &format!("127.0.0.1:{}", client.peer)]);
        client.ok(&["peer", "set", &format!("127.0.0.1:{}", master.peer)]);
        let token = master.ok(&["peer", "token", "--json"]).json()["token"].as_str().unwrap().to_owned();
        let ran = client.run_with(&["peer", "join", "-", "--json"], &token);
        assert_eq!((ran.code, ran.rule()), (3, rule.into()));
        for machine in [&master, client] {
            until("both panels say so", || machine.status()["pair"]["peer"]["complaint"]["rule"] == rule);
        }
    }
    assert_eq!(master.status()["pair"]["peer"]["compatible"], false);
}

#[test]
fn a_pair_that_became_incompatible_moves_no_data_and_says_why() {
    let mut pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("a"), "1").unwrap();
    until("the first copy", || target.join("a").exists());
    pair.client.stop();
    pair.client.env.push(("TVOX_DR_TEST_VERSION", "9.9.9".into()));
    pair.client.start();
    for machine in [&pair.master, &pair.client] {
        until("both say so", || machine.status()["pair"]["peer"]["compatible"] == false);
    }
    fs::write(source.join("a"), "2").unwrap();
    let full = pair.client.run(&["sync", "full", "--wait"]);
    assert_eq!(full.code, 1, "{full:?}");
    assert_eq!(fs::read_to_string(target.join("a")).unwrap(), "1");
}

#[test]
fn a_dataset_that_cannot_be_one_is_refused_field_by_field() {
    let root = tempfile::tempdir().unwrap();
    let master = Machine::ready(root.path(), "master", "m");
    let (tree, text) = (root.path().join("tree"), root.path().join("text"));
    fs::create_dir(&tree).unwrap();
    fs::write(&text, "no database").unwrap();
    let own = master.dir.clone();
    let cases: [(&str, &str, &Path, &str, &str); 8] = [
        ("Bad", "files", &tree, "", "name"),
        ("a", "mysql", &tree, "", "kind"),
        ("a", "files", Path::new("etc"), "", "source"),
        ("a", "files", Path::new("/no/such/path"), "", "source"),
        ("a", "files", &text, "", "source"),
        ("a", "sqlite", &text, "", "source"),
        ("a", "files", &own, "", "source"),
        ("a", "files", &tree, "../x", "target"),
    ];
    for (name, kind, source, target, field) in cases {
        let ran = master.run(&[
            "dataset",
            "add",
            name,
            "--kind",
            kind,
            "--source",
            source.to_str().unwrap(),
            "--target",
            target,
            "--json",
        ]);
        assert_eq!(ran.code, 2, "{name} {kind} {source:?}: {ran:?}");
        assert_eq!(ran.json()["invalid"][0]["field"], field, "{name} {kind} {source:?}");
    }
    let ran = master.run(&[
        "dataset",
        "add",
        "a",
        "--kind",
        "files",
        "--source",
        tree.to_str().unwrap(),
        "--exclude",
        "a[",
        "--json",
    ]);
    assert_eq!((ran.code, &ran.json()["invalid"][0]["field"]), (2, &"excludes".into()));
    master.ok(&["dataset", "add", "a", "--kind", "files", "--source", tree.to_str().unwrap()]);
    let twice = master.run(&["dataset", "add", "a", "--kind", "files", "--source", tree.to_str().unwrap(), "--json"]);
    assert_eq!(twice.code, 2, "{twice:?}");
    assert_eq!(master.ok(&["dataset", "list", "--json"]).json()["datasets"].as_array().unwrap().len(), 1);
}

#[test]
fn a_target_that_holds_something_else_is_left_alone() {
    let pair = Pair::new();
    let target = pair.path("replica").join("etc");
    fs::create_dir_all(&target).unwrap();
    fs::write(target.join("theirs"), "precious").unwrap();
    let (source, _) = pair.declare("etc", "files");
    fs::write(source.join("a"), "1").unwrap();
    until("the Client says so", || pair.client.dataset("etc")["last_error"]["code"] == "target_occupied");
    assert_eq!(pair.client.dataset("etc")["state"], "failed");
    until("the Master's page knows", || pair.master.dataset("etc")["state"] == "failed");
    assert_eq!(fs::read_to_string(target.join("theirs")).unwrap(), "precious");
    fs::remove_dir_all(&target).unwrap();
    until("it goes on once the place is free", || fs::read_to_string(target.join("a")).is_ok_and(|t| t == "1"));
}

#[test]
fn who_may_not_start_says_why_with_its_own_exit_code() {
    let root = tempfile::tempdir().unwrap();
    let serve = |dir: &Path| tvox_dr(&["serve", "--data", dir.to_str().unwrap()]);
    let missing = root.path().join("missing");
    assert_eq!(tvox_dr(&["status", "--data", missing.to_str().unwrap()]).code, 6);
    assert_eq!(serve(&missing).code, 6);
    let machine = Machine::init(root.path(), "master", "m");
    assert_eq!(machine.run(&["status"]).code, 4);
    let again = machine.run(&["init", "--role", "client", "--name", "x"]);
    assert_eq!(again.code, 6, "a node is never made over another: {again:?}");

    let config = fs::read_to_string(machine.dir.join("tvox-dr.toml")).unwrap();
    for (bad, about) in [
        (config.replace("127.0.0.1", "10.0.0.1"), "loopback"),
        (config.replace("panel", "pannel"), "pannel"),
        ("panel = [".into(), "tvox-dr.toml"),
    ] {
        fs::write(machine.dir.join("tvox-dr.toml"), bad).unwrap();
        let ran = serve(&machine.dir);
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.err.contains(about), "{}", ran.err);
        assert_eq!(ran.err.trim().lines().count(), 1, "one clear sentence: {}", ran.err);
    }
    fs::write(machine.dir.join("tvox-dr.toml"), &config).unwrap();

    let taken = std::net::TcpListener::bind(("127.0.0.1", machine.panel)).unwrap();
    assert_eq!(serve(&machine.dir).code, 5);
    drop(taken);

    let database = machine.dir.join("tvox-dr.db");
    let sound = fs::read(&database).unwrap();
    let db = rusqlite::Connection::open(&database).unwrap();
    db.execute_batch("INSERT INTO _sqlx_migrations VALUES (99990101, 'later', '2099-01-01', 1, x'00', 1)").unwrap();
    drop(db);
    let newer = serve(&machine.dir);
    assert_eq!((newer.code, newer.err.contains("newer version")), (6, true), "{newer:?}");
    for damage in [&b"not a database at all, and long enough to be read as one: 0123456789"[..], &sound[..5000]] {
        fs::write(&database, damage).unwrap();
        let _ = fs::remove_file(machine.dir.join("tvox-dr.db-wal"));
        let ran = serve(&machine.dir);
        assert_eq!(ran.code, 6, "{ran:?}");
        assert!(ran.err.contains("tvox-dr.db"), "{}", ran.err);
    }
}

#[test]
fn two_processes_never_share_a_data_directory() {
    let root = tempfile::tempdir().unwrap();
    let mut machine = Machine::init(root.path(), "master", "m");
    machine.start();
    let second = tvox_dr(&["serve", "--data", machine.dir.to_str().unwrap()]);
    assert_eq!((second.code, second.err.contains("another tvox-dr process")), (6, true), "{second:?}");
    machine.ok(&["status"]);
}

#[test]
fn a_data_directory_deeper_than_a_socket_path_works() {
    let root = tempfile::tempdir().unwrap();
    let deep = root.path().join("d".repeat(100)).join("e".repeat(100));
    fs::create_dir_all(deep.parent().unwrap()).unwrap();
    let mut machine = Machine::init_in(&deep, root.path(), "master", "m");
    machine.start();
    assert_eq!(machine.status()["node"]["name"], "m");
}

#[test]
fn init_refuses_what_cannot_be_and_leaves_nothing_behind() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("n");
    let init = |more: &[&str]| {
        let mut args = vec!["init", "--data", dir.to_str().unwrap(), "--role", "master"];
        args.extend(more);
        tvox_dr(&args)
    };
    for more in [
        &["--name", "Bad Name"][..],
        &["--name", "m", "--panel", "0.0.0.0:9999", "--insecure-http"],
        &["--name", "m", "--licence-key", "/no/such/file"],
        &["--name", "m", "--panel", "nonsense"],
    ] {
        let ran = init(more);
        assert_eq!(ran.code, 2, "{more:?}: {ran:?}");
        assert!(!dir.exists(), "{more:?}");
    }
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("theirs"), "precious").unwrap();
    assert_eq!(init(&["--name", "m"]).code, 6);
    assert_eq!(fs::read_to_string(dir.join("theirs")).unwrap(), "precious");
}

#[test]
fn users_are_kept_by_the_rules_and_the_last_administrator_stays() {
    let root = tempfile::tempdir().unwrap();
    let mut machine = Machine::init(root.path(), "client", "c");
    machine.start();
    let add = |name: &str, role: &str, password: &str| {
        machine.run_with(&["user", "add", name, "--role", role], password).code
    };
    assert_eq!(add("carla", "operator", "una parola lunga"), 0);
    assert_eq!(add("carla", "viewer", "una parola lunga"), 2, "the name is taken");
    assert_eq!(add("dario", "root", "una parola lunga"), 2);
    assert_eq!(add("Dario", "viewer", "una parola lunga"), 2);
    assert_eq!(add("dario", "viewer", "corta"), 2);
    assert_eq!(add("dario", "viewer", ""), 2);
    assert_eq!(machine.run(&["user", "remove", "admin"]).code, 2);
    assert_eq!(machine.run_with(&["user", "passwd", "admin"], "una parola nuova").code, 0);
    let users = machine.ok(&["user", "list", "--json"]).json();
    assert_eq!(users["users"].as_array().unwrap().len(), 2);
    assert!(!users.to_string().contains("argon2"), "no hash leaves the node");
    machine.ok(&["user", "remove", "carla"]);
}
