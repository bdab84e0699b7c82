//! The whole way: a Master dies while the mail server is down, the Client crashes, and everybody is told all the same.

use super::counterparts::{Kannel, MailServer};
use super::machines::{Pair, until};
use super::{TO, account_add, ok, smtp_set};

#[test]
fn a_dead_master_is_told_once_to_each_by_mail_and_sms_across_a_crash_and_so_is_its_return() {
    let mut pair = Pair::new();
    let root = pair.root.path().to_owned();
    let mut server = MailServer::down(&root, &[]);
    let kannel = Kannel::start(&root);
    ok(&smtp_set(&pair.client, server.port, "none", &[], ""));
    ok(&account_add(&pair.client, "kannel", &kannel.url(), &["--method", "GET"], Kannel::PASSWORD));
    for (channel, value) in [("email", TO), ("email", "second@example.com"), ("sms", "3471234567")] {
        pair.client.ok(&["recipient", "add", channel, value]);
    }
    pair.client.ok(&["recipient", "language", "en"]);
    pair.client.ok(&["threshold", "set", "probe.interval_ms", "200"]);
    until("the pair talks", || pair.client.status()["pair"]["peer"]["machines"][0]["reachable"] == true);

    pair.master.kill();
    until("the telephone rings", || kannel.network().contains("The Master master1 does not answer. Find out whether"));
    let told = || pair.client.ok(&["alarm", "list", "--all", "--json"]).json();
    let all = |state: &str| {
        let alarms = told();
        let list: Vec<_> = alarms["alarms"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|a| a["deliveries"].as_array().unwrap().clone())
            .collect();
        list.iter().filter(|one| one["state"] == state).count()
    };
    until("the mails wait", || all("queued") == 2 && all("sent") == 1);
    let alarm = told()["alarms"][0]["id"].as_str().unwrap().to_owned();
    pair.client.kill();
    pair.client.start();
    server.start();
    let mails = server.until_mails(2);
    for mail in &mails {
        assert!(mail.text.contains("dr.master.unreachable") && mail.text.contains("What to do"), "{mail:?}");
        assert_eq!(mail.header("Content-Language"), "en");
        assert!(mail.header("Message-ID").ends_with("@dr1.tvox-dr>"), "{mail:?}");
    }

    pair.master.start();
    let mails = server.until_mails(4);
    until("the telephone rings again", || {
        kannel.network().contains("The Master master1 answers again (dr.master.reachable)")
    });
    let told = pair.client.ok(&["alarm", "list", "--all", "--json"]).json();
    let ended = told["alarms"].as_array().unwrap().iter().find(|one| one["id"] == *alarm).unwrap();
    assert!(ended["cleared_at"].is_string(), "{ended}");
    for to in [TO, "second@example.com"] {
        let own: Vec<_> = mails.iter().filter(|mail| mail.to() == to).collect();
        assert_eq!(own.len(), 2);
        assert!(own[0].text.contains("dr.master.unreachable") && own[1].text.contains("dr.master.reachable"));
    }
    assert_eq!(kannel.network().matches("Got message").count(), 2, "{}", kannel.network());
}
