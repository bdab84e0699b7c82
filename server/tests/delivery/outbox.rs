//! Messages that wait, and what becomes of them.

use super::counterparts::{Kannel, MailServer};
use super::machines::{Machine, until};
use super::{TO, account_add, deliveries, enqueue, ok, smtp_set};

#[test]
fn waiting_mails_survive_a_crash_and_arrive_once_in_order_when_the_server_is_back() {
    let root = tempfile::tempdir().unwrap();
    let mut machine = Machine::ready(root.path(), "client", "dr1");
    let mut server = MailServer::down(root.path(), &[]);
    ok(&smtp_set(&machine, server.port, "none", &[], ""));
    machine.stop();
    for to in [TO, "second@example.com"] {
        enqueue(&machine, "a1", "raise", "email", to, "è iniziato\n.\nfine\n");
        enqueue(&machine, "a1", "clear", "email", to, "è finito\n");
    }
    machine.start();
    until("it was tried", || deliveries(&machine, "a1").iter().any(|one| one["attempts"].as_u64() > Some(0)));
    let tried = deliveries(&machine, "a1");
    assert!(tried.iter().all(|one| one["state"] == "queued"), "{tried:?}");
    assert!(tried.iter().filter(|one| one["event"] == "clear").all(|one| one["attempts"] == 0), "{tried:?}");
    machine.kill();
    machine.start();
    server.start();
    let mails = server.until_mails(4);
    until("it is written down", || deliveries(&machine, "a1").iter().all(|one| one["state"] == "sent"));
    for to in [TO, "second@example.com"] {
        let ids: Vec<String> =
            mails.iter().filter(|mail| mail.to() == to).map(|mail| mail.header("Message-ID")).collect();
        assert_eq!(ids, [format!("<a1.raise.email.{to}>"), format!("<a1.clear.email.{to}>")]);
    }
    machine.stop();
    machine.start();
    machine.ok(&["smtp", "test", TO]);
    assert_eq!(server.mails().len(), 5, "nothing is sent twice");
}

#[test]
fn each_recipient_has_a_fate_of_its_own() {
    let root = tempfile::tempdir().unwrap();
    let mut machine = Machine::ready(root.path(), "client", "dr1");
    let mut server = MailServer::up(root.path(), &["--reject", "gone@example.com", "--defer", "busy@example.com"]);
    machine.stop();
    for to in [TO, "gone@example.com", "busy@example.com"] {
        enqueue(&machine, "a1", "raise", "email", to, "x\n");
    }
    machine.start();
    let fate = |to: &str| deliveries(&machine, "a1").into_iter().find(|one| one["to"] == to).unwrap();
    until("it is told what is missing", || fate(TO)["detail"] == "no mail server is set");
    assert_eq!((&fate(TO)["state"], &fate(TO)["attempts"]), (&"queued".into(), &0.into()));

    ok(&smtp_set(&machine, server.port, "none", &[], ""));
    until("one arrives", || fate(TO)["state"] == "sent");
    until("one is refused", || fate("gone@example.com")["state"] == "failed");
    until("one is put off", || fate("busy@example.com")["attempts"].as_u64() > Some(0));
    let detail = |to: &str| fate(to)["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail(TO).starts_with("250 "), "{}", detail(TO));
    assert!(detail("gone@example.com").contains("550 5.1.1"), "{}", detail("gone@example.com"));
    assert!(detail("busy@example.com").contains("451 4.7.1"), "{}", detail("busy@example.com"));
    assert_eq!(fate("busy@example.com")["state"], "queued");
    assert_eq!(server.mails().len(), 1);

    // Setting the server again gives every message that did not arrive another chance.
    server.restart(&[]);
    ok(&smtp_set(&machine, server.port, "none", &[], ""));
    until("all have arrived", || deliveries(&machine, "a1").iter().all(|one| one["state"] == "sent"));
    assert_eq!(server.mails().len(), 3);
}

#[test]
fn a_mail_server_that_hangs_holds_up_neither_the_sms_nor_the_stop() {
    let root = tempfile::tempdir().unwrap();
    let mut machine = Machine::ready(root.path(), "client", "dr1");
    let kannel = Kannel::start(root.path());
    // The kernel takes the connection; nobody ever says a word on it.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    ok(&smtp_set(&machine, silent.local_addr().unwrap().port(), "none", &[], ""));
    ok(&account_add(&machine, "kannel", &kannel.url(), &["--method", "GET"], Kannel::PASSWORD));
    machine.stop();
    for n in 0..9 {
        enqueue(&machine, "a1", "raise", "email", &format!("ops{n}@example.com"), "x\n");
    }
    enqueue(&machine, "a1", "raise", "sms", "+393471234567", "x");
    machine.start();
    let sms = || deliveries(&machine, "a1").into_iter().find(|one| one["channel"] == "sms").unwrap();
    until("the SMS is sent", || sms()["state"] == "sent");
    let (took, code) = machine.stop();
    assert!(took < std::time::Duration::from_secs(5) && code == Some(0), "{took:?} {code:?}");
}
