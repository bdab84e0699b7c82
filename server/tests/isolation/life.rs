//! Signs of life beside `tvox-dr`: ports and SIP, also of a machine that is said to be off or has stood down.

use std::net::TcpListener;

use serde_json::json;

use super::*;
use crate::counterparts::sip::Phones;
use crate::machines::free_port;

#[test]
fn telephones_that_answer_are_life_although_the_controller_sees_the_machine_off() {
    let mut pair = seeded();
    pair.client.ok(&["power", "set", MASTER, "--status", "echo off"]);
    pair.master.kill();
    let phones = Phones::ring();
    let at = format!("127.0.0.1:{}", phones.port);
    pair.client.ok(&["isolation", "set", MASTER, "--sip", &at]);
    let ran = dry_run(&pair.client);
    assert_eq!(blocked(&ran), [format!("isolation.alive@{MASTER}")], "{ran:?}");
    assert!(ran.err.contains("although its power is said to be off"), "{}", ran.err);
    let probe = format!("sip:{at}");
    let heard = evidence(&ran.json()["isolation"], &probe);
    assert_eq!((&heard["result"], &heard["detail"]), (&json!("answered"), &json!("483 Too Many Hops, pbx 7")));
    drop(phones);
    let ran = dry_run(&pair.client);
    assert_eq!((blocked(&ran), &ran.json()["isolation"][0]["outcome"]), (vec![], &json!("already_down")), "{ran:?}");
}

#[test]
fn a_declared_port_that_takes_connections_is_life_and_is_looked_at_until_it_is_taken_back() {
    let mut pair = seeded();
    pair.master.kill();
    let (open, closed) = (TcpListener::bind("127.0.0.1:0").unwrap(), free_port().to_string());
    let port = open.local_addr().unwrap().port().to_string();
    pair.client.ok(&["isolation", "set", MASTER, "--tcp", &port, "--tcp", &closed]);
    let told = pair.client.ok(&["isolation", "test", "--json"]).json();
    assert_eq!((&told["schema"], &told["isolation"][0]["outcome"]), (&json!(1), &json!("alive")), "{told}");
    assert_eq!(evidence(&told["isolation"], &format!("tcp:{port}"))["result"], "answered");
    assert_eq!(evidence(&told["isolation"], &format!("tcp:{closed}"))["result"], "not_applicable", "its own refusal");
    let shown = pair.client.ok(&["isolation", "show", "--json"]).json()["machines"][0]["signs"].clone();
    assert_eq!(shown["tcp"].as_array().unwrap().len(), 2, "{shown}");
    pair.client.ok(&["isolation", "remove", MASTER]);
    let told = pair.client.ok(&["isolation", "test", "--json"]).json();
    assert_eq!(told["isolation"][0]["outcome"], "unreachable", "{told}");
}

#[test]
fn signs_that_cannot_be_taken_are_named_by_their_field() {
    let pair = Pair::strangers();
    for (field, args) in [
        ("ip", &["192.0.2.9", "--tcp", "80"][..]),
        ("tcp", &[MASTER, "--tcp", "0"]),
        ("sip", &[MASTER, "--sip", "pbx.example"]),
    ] {
        let ran = pair.client.run(&[&["isolation", "set"], args, &["--json"]].concat());
        assert_eq!((ran.code, &ran.json()["invalid"][0]["field"]), (2, &json!(field)), "{args:?}: {ran:?}");
    }
}
