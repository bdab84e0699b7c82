//! What a reading of the power is worth: *off* needs nobody's word, whoever answers is alive, and what cannot be read is
//! worth nothing.

use serde_json::json;

use super::*;

#[test]
fn a_master_that_its_controller_sees_off_needs_nobodys_word_and_the_report_says_who_saw_it() {
    let mut pair = seeded();
    let bmc = Bmc::start(pair.root.path());
    watch(&pair.client, &bmc);
    pair.master.kill();
    bmc.switch(false);
    let ran = dry_run(&pair.client);
    assert_eq!((ran.code, blocked(&ran)), (0, vec![]), "{ran:?}");
    let isolation = &ran.json()["isolation"];
    assert_eq!(isolation[0]["outcome"], "already_down");
    let seen = evidence(isolation, "power:ipmi");
    assert_eq!(seen["result"], "off");
    let source = format!("ipmi 127.0.0.1:{}", bmc.port);
    assert!(seen["detail"].as_str().unwrap().starts_with(&format!("{source}: off (")), "{seen}");

    let run = pair.client.ok(&[&ACTIVATE[..], &["--json"]].concat()).json();
    assert_eq!((&run["state"], &run["isolation"][0]["outcome"]), (&json!("done"), &json!("already_down")), "{run}");
    assert_eq!(run["isolation"][0]["attestation"], Value::Null);
    assert_eq!(evidence(&run["isolation"], "power:ipmi")["result"], "off");
    let step = run["steps"].as_array().unwrap().iter().find(|step| step["id"] == "evidence").unwrap();
    assert!(step["output"].as_str().unwrap().contains(&format!("Already down, seen by {source}")), "{step}");
}

#[test]
fn a_master_that_answers_is_alive_whatever_its_controller_says_and_the_contradiction_is_told() {
    let pair = seeded();
    let bmc = Bmc::start(pair.root.path());
    watch(&pair.client, &bmc);
    bmc.switch(false);
    let ran = dry_run(&pair.client);
    assert_eq!((ran.code, blocked(&ran)), (3, vec![format!("isolation.alive@{MASTER}")]), "{ran:?}");
    assert_eq!(ran.json()["isolation"][0]["outcome"], "alive");
    assert!(ran.err.contains("although its power is said to be off"), "{}", ran.err);
}

#[test]
fn a_silent_master_that_has_power_is_not_off_whoever_says_so() {
    let mut pair = seeded();
    let bmc = Bmc::start(pair.root.path());
    watch(&pair.client, &bmc);
    pair.master.kill();
    let ran = pair.client.run(&["activate", "--dry-run", "--json", "--attest", "127.0.0.1=l'ho vista spenta"]);
    assert!(blocked(&ran).contains(&format!("isolation.alive@{MASTER}")), "{ran:?}");
    assert_eq!(evidence(&ran.json()["isolation"], "power:ipmi")["result"], "on");
}

#[test]
fn a_controller_that_is_silent_or_refuses_is_worth_as_much_as_silence() {
    let mut pair = seeded();
    let mut bmc = Bmc::start(pair.root.path());
    let port = bmc.port.to_string();
    pair.master.kill();
    bmc.switch(false);
    let unattested = vec![format!("isolation.unattested@{MASTER}")];

    let wrong = pair.client.run_with(&Bmc::settings(&port, &[]), "un'altra");
    assert_eq!(wrong.code, 0, "nobody is asked when it is set: {wrong:?}");
    let read = pair.client.run(&["power", "status", MASTER]);
    assert_eq!(read.code, 1, "{read:?}");
    assert!(read.err.contains("the password is wrong"), "{}", read.err);
    let ran = dry_run(&pair.client);
    assert_eq!((blocked(&ran), &ran.json()["isolation"][0]["outcome"]), (unattested.clone(), &json!("unreachable")));
    assert_eq!(evidence(&ran.json()["isolation"], "power:ipmi")["result"], "not_applicable");

    watch(&pair.client, &bmc);
    let read = pair.client.ok(&["power", "status", MASTER, "--json"]).json();
    assert_eq!((&read["schema"], &read["state"], &read["way"]), (&json!(1), &json!("off"), &json!("ipmi")), "{read}");
    assert!(read["took_ms"].is_u64() && read["at"].is_string() && read["fault"].is_null(), "{read}");

    bmc.fall_silent();
    let ran = dry_run(&pair.client);
    assert_eq!((blocked(&ran), &ran.json()["isolation"][0]["outcome"]), (unattested, &json!("unreachable")));
    assert_eq!(evidence(&ran.json()["isolation"], "power:ipmi")["result"], "timeout");
}

#[test]
fn a_command_of_ones_own_is_believed_to_the_letter_and_no_further() {
    let mut pair = seeded();
    pair.master.kill();
    let says = pair.path("says");
    let command = format!("cat {}", says.display());
    pair.client.ok(&["power", "set", MASTER, "--status", &command]);
    for (word, outcome) in [("off", "already_down"), ("on", "alive"), ("shut off", "unreachable")] {
        fs::write(&says, word).unwrap();
        assert_eq!(dry_run(&pair.client).json()["isolation"][0]["outcome"], outcome, "{word}");
    }
    fs::remove_file(&says).unwrap();
    let read = pair.client.run(&["power", "status", MASTER]);
    assert!(read.code == 1 && read.err.contains("No such file"), "{read:?}");
}
