//! The mail server, set and tried out by command line.

use std::fs;

use super::counterparts::{Authority, MailServer};
use super::machines::{Machine, free_port};
use super::{FROM, TO, is_nowhere, ok, smtp_set};

#[test]
fn a_test_mail_arrives_by_each_security_and_says_what_it_is() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::ready(root.path(), "master", "m");
    let authority = Authority::new(root.path(), "good");
    let ca = authority.ca.to_str().unwrap();
    let plain = MailServer::up(root.path(), &[]);
    let starttls = MailServer::secured(root.path(), "starttls", &authority, &[]);
    let implicit = MailServer::secured(root.path(), "implicit", &authority, &[]);
    for (server, security, more, secure) in [
        (&plain, "none", &[][..], "false"),
        (&starttls, "starttls", &["--ca", ca], "true"),
        (&implicit, "tls", &["--ca", ca], "true"),
    ] {
        ok(&smtp_set(&machine, server.port, security, more, ""));
        machine.ok(&["smtp", "test", TO]);
        let mails = server.mails();
        assert_eq!(mails.len(), 1, "{security}");
        let mail = &mails[0];
        assert_eq!((mail.to().as_str(), mail.header("X-Sink-From").as_str()), (TO, FROM));
        assert_eq!(mail.header("X-Sink-Secure"), secure, "{security}");
        assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
        assert_eq!(mail.header("Content-Language"), "it");
        assert!(mail.header("Message-ID").ends_with("@m.tvox-dr>") && !mail.header("Date").is_empty(), "{mail:?}");
        assert!(mail.header("Subject").contains("Messaggio di prova da m"), "{mail:?}");
    }
    let shown = machine.ok(&["smtp", "show", "--json"]).json();
    assert_eq!((&shown["smtp"]["security"], &shown["has_password"]), (&"tls".into(), &false.into()));
}

#[test]
fn a_server_that_cannot_prove_itself_gets_nothing() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::ready(root.path(), "master", "m");
    let (good, other) = (Authority::new(root.path(), "good"), Authority::new(root.path(), "other"));
    let wrong = other.ca.to_str().unwrap();
    let plain = MailServer::up(root.path(), &[]);
    let starttls = MailServer::secured(root.path(), "starttls", &good, &[]);
    let implicit = MailServer::secured(root.path(), "implicit", &good, &[]);
    for (server, security, more, words) in [
        (&starttls, "starttls", &["--ca", wrong][..], "certificate"),
        (&implicit, "tls", &["--ca", wrong], "certificate"),
        (&implicit, "tls", &[], "certificate"),
        (&plain, "starttls", &["--ca", wrong], "STARTTLS"),
        (&starttls, "none", &[], "530"),
    ] {
        ok(&smtp_set(&machine, server.port, security, more, ""));
        let ran = machine.run(&["smtp", "test", TO]);
        assert_eq!(ran.code, 1, "{security} {more:?}");
        assert!(ran.err.contains(words), "{security} {more:?}: {ran:?}");
        assert!(server.mails().is_empty());
    }
    let key = good.key.to_str().unwrap();
    let ran = smtp_set(&machine, 1, "tls", &["--ca", key], "");
    assert_eq!((ran.code, ran.err.contains("ca: ")), (2, true), "{ran:?}");
}

#[test]
fn a_password_goes_in_works_and_never_comes_out() {
    const PASSWORD: &str = "parola-segreta-4711";
    let root = tempfile::tempdir().unwrap();
    let mut machine = Machine::ready(root.path(), "master", "m");
    let auth = format!("pbx:{PASSWORD}");
    let authority = Authority::new(root.path(), "good");
    let ca = authority.ca.to_str().unwrap();
    let server = MailServer::secured(root.path(), "starttls", &authority, &["--auth", &auth]);
    let user = ["--ca", ca, "--user", "pbx"];
    let with_password = ["--ca", ca, "--user", "pbx", "--password-stdin"];

    let ran = smtp_set(&machine, server.port, "starttls", &user, "");
    assert_eq!((ran.code, ran.err.contains("password: ")), (2, true), "none was ever stored: {ran:?}");
    ok(&smtp_set(&machine, server.port, "starttls", &with_password, "falsa-9999"));
    let ran = machine.run(&["smtp", "test", TO]);
    assert_eq!((ran.code, ran.err.contains("535")), (1, true), "{ran:?}");
    ok(&smtp_set(&machine, server.port, "starttls", &with_password, PASSWORD));
    machine.ok(&["smtp", "test", TO]);
    assert_eq!(server.mails()[0].header("X-Sink-User"), "pbx");
    assert_eq!(machine.ok(&["smtp", "show", "--json"]).json()["has_password"], true);

    // Kept while it goes to the same server and user, and nowhere else.
    ok(&smtp_set(&machine, server.port, "starttls", &user, ""));
    machine.ok(&["smtp", "test", TO]);
    let port = server.port.to_string();
    let elsewhere = [
        "smtp",
        "set",
        "--server",
        "localhost",
        "--port",
        &port,
        "--security",
        "none",
        "--from",
        FROM,
        "--user",
        "pbx",
    ];
    assert_eq!(machine.run(&elsewhere).code, 2);
    assert_eq!(smtp_set(&machine, server.port, "none", &["--user", "pbx"], "").code, 2);

    is_nowhere(&machine, PASSWORD);
    is_nowhere(&machine, "falsa-9999");
    machine.stop();
    machine.start();
    machine.ok(&["smtp", "test", TO]);
    assert_eq!(server.mails().len(), 3);

    // A lost key is told, and a new password is the way out.
    fs::remove_file(machine.dir.join("secret.key")).unwrap();
    let ran = machine.run(&["smtp", "test", TO]);
    assert_eq!((ran.code, ran.err.contains("secret.key")), (1, true), "{ran:?}");
    ok(&smtp_set(&machine, server.port, "starttls", &with_password, PASSWORD));
    machine.ok(&["smtp", "test", TO]);
}

#[test]
fn a_refused_test_mail_is_told_in_the_servers_words() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::ready(root.path(), "master", "m");
    let ran = machine.run(&["smtp", "test", TO]);
    assert_eq!((ran.code, ran.err.contains("no mail server is set")), (1, true), "{ran:?}");
    let server = MailServer::up(root.path(), &["--reject", "gone@example.com"]);
    ok(&smtp_set(&machine, server.port, "none", &[], ""));
    let ran = machine.run(&["smtp", "test", "gone@example.com"]);
    assert_eq!((ran.code, ran.err.contains("550 5.1.1 <gone@example.com> no such user here")), (1, true), "{ran:?}");
    assert_eq!(machine.run(&["smtp", "test", "nobody"]).code, 2);
    ok(&smtp_set(&machine, free_port(), "none", &[], ""));
    assert_eq!(machine.run(&["smtp", "test", TO]).code, 1);
}
