//! SMS accounts, through a real gateway to a telephone network that is not.

use std::fs;
use std::path::Path;

use super::counterparts::{Authority, Kannel};
use super::machines::{Machine, free_port, until};
use super::{account_add, deliveries, enqueue, is_nowhere, ok};

#[test]
fn a_test_sms_reaches_the_telephone_network_by_url_and_by_xml() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::ready(root.path(), "client", "dr1");
    let kannel = Kannel::start(root.path());
    ok(&account_add(&machine, "kannel", &kannel.url(), &["--method", "get"], Kannel::PASSWORD));
    machine.ok(&["sms", "account", "test", "kannel", "347 1234567"]);
    until("the telephone rings", || {
        kannel.network().contains("13013 +393471234567 text TVox DR dr1: messaggio di prova")
    });

    // The same gateway takes XML, where other letters must not break out.
    let (xml_secret, url) = (Kannel::PASSWORD, format!("http://127.0.0.1:{}/cgi-bin/sendsms", kannel.port));
    let body = "<?xml version=\"1.0\"?><message><submit><da><number>{to}</number></da><ud>XML {text}</ud>\
                <from><username>tvox</username><password>{secret}</password></from></submit></message>";
    let more = ["--header", "Content-Type: text/xml", "--body", body];
    ok(&account_add(&machine, "xml", &url, &more, xml_secret));
    machine.ok(&["sms", "account", "test", "xml", "3471234567"]);
    until("the telephone rings again", || kannel.network().contains("text XML TVox DR dr1: messaggio di prova"));
    machine.ok(&["sms", "account", "remove", "xml"]);

    let wrong = account_add(&machine, "wrong", &kannel.url(), &["--method", "GET"], "falsa-9999");
    ok(&wrong);
    let ran = machine.run(&["sms", "account", "test", "wrong", "3471234567"]);
    assert_eq!((ran.code, ran.err.contains("HTTP 403: Authorization failed")), (1, true), "{ran:?}");
    // A success by status that is none by its words.
    ok(&account_add(
        &machine,
        "strict",
        &kannel.url(),
        &["--method", "GET", "--success-body", "^9:"],
        Kannel::PASSWORD,
    ));
    let ran = machine.run(&["sms", "account", "test", "strict", "3471234567"]);
    assert_eq!((ran.code, ran.err.contains("0: Accepted for delivery")), (1, true), "{ran:?}");

    let list = machine.ok(&["sms", "account", "list", "--json"]).json();
    let told: Vec<_> = list["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), one["default"].as_bool().unwrap(), one["has_secret"] == true))
        .collect();
    assert_eq!(told, [("kannel", true, true), ("wrong", false, true), ("strict", false, true)]);
    machine.ok(&["sms", "account", "default", "wrong"]);
    machine.ok(&["sms", "account", "remove", "wrong"]);
    let list = machine.ok(&["sms", "account", "list", "--json"]).json();
    assert_eq!((&list["accounts"][0]["name"], &list["accounts"][0]["default"]), (&"kannel".into(), &true.into()));
    for secret in [Kannel::PASSWORD, "falsa-9999"] {
        is_nowhere(&machine, secret);
    }
}

#[test]
fn a_gateway_in_tls_must_be_one_that_the_machine_trusts() {
    let root = tempfile::tempdir().unwrap();
    let authority = Authority::new(root.path(), "good");
    let kannel = Kannel::secured(root.path(), &authority);
    let mut machine = Machine::ready(root.path(), "client", "dr1");
    let url = kannel.url().replace("http://", "https://");
    ok(&account_add(&machine, "kannel", &url, &["--method", "GET"], Kannel::PASSWORD));
    let ran = machine.run(&["sms", "account", "test", "kannel", "3471234567"]);
    assert_eq!((ran.code, ran.err.contains("certificate")), (1, true), "{ran:?}");

    // An authority that the account brings itself, and only that one.
    let other = Authority::new(root.path(), "other");
    for (authority, code) in [(&other, 1), (&authority, 0)] {
        let more = ["--method", "GET", "--ca", authority.ca.to_str().unwrap()];
        ok(&account_add(&machine, "kannel", &url, &more, ""));
        let ran = machine.run(&["sms", "account", "test", "kannel", "3471234567"]);
        assert_eq!(ran.code, code, "{ran:?}");
        assert_eq!(ran.out.contains("kannel: HTTP 202"), code == 0, "the gateway's words: {ran:?}");
    }
    until("the telephone rings", || kannel.network().matches("messaggio di prova").count() == 1);
    ok(&account_add(&machine, "kannel", &url, &["--method", "GET"], ""));
    machine.stop();
    machine.env.push(("SSL_CERT_FILE", authority.ca.display().to_string()));
    machine.start();
    machine.ok(&["sms", "account", "test", "kannel", "3471234567"]);
    until("the telephone rings again", || kannel.network().matches("messaggio di prova").count() == 2);
}

#[test]
fn what_cannot_be_an_account_is_refused_and_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::ready(root.path(), "client", "dr1");
    for (url, more, field) in [
        ("http://127.0.0.1/?t={text}&k={secret}", &[][..], "secret: "),
        ("http://127.0.0.1/?t={text}", &["--success-body", "("], "success_body: "),
        ("http://{to}/?t={text}", &[], "url: "),
        ("http://127.0.0.1/", &["--body", r#"{"t":{text}}"#], "body: "),
    ] {
        let ran = account_add(&machine, "a", url, more, "");
        assert_eq!((ran.code, ran.err.contains(field)), (2, true), "{field} {ran:?}");
    }
    assert_eq!(machine.ok(&["sms", "account", "list", "--json"]).json()["accounts"], serde_json::json!([]));
    assert_eq!(machine.run(&["sms", "account", "test", "a", "3471234567"]).code, 2);
    assert_eq!(machine.run(&["sms", "account", "remove", "a"]).code, 2);
    // A secret typed for one gateway does not follow to another.
    let at = |host: &str| format!("http://{host}/?t={{text}}&k={{secret}}");
    ok(&account_add(&machine, "a", &at("127.0.0.1"), &[], "segreto-1"));
    ok(&account_add(&machine, "a", &at("127.0.0.1"), &["--method", "GET"], ""));
    assert_eq!(account_add(&machine, "a", &at("127.0.0.2"), &[], "").code, 2);
}

#[test]
fn an_sms_with_everything_in_it_arrives_by_the_account_that_works() {
    const TEXT: &str = "è \"giù\" & 100% = <b> {to} + 'x' #1?";
    let root = tempfile::tempdir().unwrap();
    let mut machine = Machine::ready(root.path(), "client", "dr1");
    let kannel = Kannel::start(root.path());
    let dead = format!("http://127.0.0.1:{}/?t={{text}}", free_port());
    ok(&account_add(&machine, "dead", &dead, &[], ""));
    ok(&account_add(&machine, "wrong", &kannel.url(), &["--method", "GET"], "falsa"));
    ok(&account_add(&machine, "kannel", &kannel.url(), &["--method", "GET"], Kannel::PASSWORD));
    machine.stop();
    enqueue(&machine, "a1", "raise", "sms", "+393471234567", TEXT);
    machine.start();
    until("it is sent", || deliveries(&machine, "a1")[0]["state"] == "sent");
    let detail = deliveries(&machine, "a1")[0]["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("kannel: HTTP 202"), "{detail}");
    until("the telephone has it", || kannel.network().contains("Got message 1:"));
    let told = kannel.network();
    assert!(told.contains(&format!("<13013 +393471234567 text {TEXT}>")), "{told}");
    assert_eq!(told.matches("Got message").count(), 1, "{told}");
}

#[test]
fn a_lone_account_that_refuses_for_good_ends_the_tries_with_its_words() {
    let root = tempfile::tempdir().unwrap();
    let mut machine = Machine::ready(root.path(), "client", "dr1");
    let kannel = Kannel::start(root.path());
    ok(&account_add(&machine, "wrong", &kannel.url(), &["--method", "GET"], "falsa"));
    machine.stop();
    enqueue(&machine, "a1", "raise", "sms", "+393471234567", "x");
    machine.start();
    until("it has failed", || deliveries(&machine, "a1")[0]["state"] == "failed");
    assert_eq!(deliveries(&machine, "a1")[0]["detail"], "wrong: HTTP 403: Authorization failed for sendsms");
    // With the right secret it is tried again.
    ok(&account_add(&machine, "wrong", &kannel.url(), &["--method", "GET"], Kannel::PASSWORD));
    until("it is sent", || deliveries(&machine, "a1")[0]["state"] == "sent");
}

#[test]
fn secrets_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::ready(root.path(), "client", "dr1");
    let key = machine.dir.join("secret.key");
    assert!(!Path::new(&key).exists(), "made when it is needed");
    ok(&account_add(&machine, "a", "http://127.0.0.1/?t={text}&k={secret}", &[], "segreto-1"));
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
}
