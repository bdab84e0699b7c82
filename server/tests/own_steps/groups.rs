//! Steps in groups: they stand together, are moved and left out together, and a run tells each group as one block. Nothing
//! of that changes what a roll back undoes: what was done, in exactly the reverse order.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::machines::{Machine, Pair, until};
use crate::procedures::own::{lines, trace};
use crate::procedures::{Site, last, press};

/// Steps that write down when they are done and when they are undone.
fn declare(machine: &Machine, steps: &[(&str, &str)]) {
    let journal = trace(machine, "journal");
    let journal = journal.display();
    for (name, group) in steps {
        let (run, undo) = (format!("echo there {name} >> {journal}"), format!("echo back {name} >> {journal}"));
        machine.ok(&["step", "add", name, "--kind", "command", "--group", group, "--run", &run, "--undo", &undo]);
    }
}

/// What is declared, as `GROUP[a b] c`.
fn told(machine: &Machine) -> String {
    let list = machine.ok(&["step", "list", "--json"]).json();
    let mut told = String::new();
    let mut open = Value::Null;
    for step in list["steps"].as_array().unwrap() {
        if step["group"] != open {
            told.push_str(if open.is_null() { "" } else { "]" });
            open = step["group"].clone();
            let off = if step["off"] == true { "-" } else { "" };
            let _ = open.as_str().map(|group| write!(told, " {off}{group}["));
        }
        let _ = write!(told, " {}", step["name"].as_str().unwrap());
    }
    told.push_str(if open.is_null() { "" } else { "]" });
    told.replace("[ ", "[").trim().to_owned()
}

const SIX: [(&str, &str); 6] =
    [("zone", "DNS"), ("carrier", "Operatore"), ("alias", "DNS"), ("fax", ""), ("sms", "Operatore"), ("door", "Sede")];

#[test]
fn steps_of_one_group_stand_together_and_the_group_is_moved_as_a_whole() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::ready(root.path(), "client", "dr1");
    declare(&machine, &SIX);
    assert_eq!(told(&machine), "DNS[zone alias] Operatore[carrier sms] fax Sede[door]");
    machine.ok(&["step", "group", "move", "Operatore", "up"]);
    assert_eq!(told(&machine), "Operatore[carrier sms] DNS[zone alias] fax Sede[door]");
    machine.ok(&["step", "move", "fax", "up"]);
    assert_eq!(told(&machine), "Operatore[carrier sms] fax DNS[zone alias] Sede[door]");
    machine.ok(&["step", "move", "alias", "up"]);
    machine.ok(&["step", "move", "alias", "up"]);
    assert_eq!(told(&machine), "Operatore[carrier sms] fax DNS[alias zone] Sede[door]", "it does not leave its group");
    machine.ok(&["step", "group", "move", "Sede", "before_services"]);
    assert_eq!(told(&machine), "Sede[door] Operatore[carrier sms] fax DNS[alias zone]");
    machine.ok(&["step", "group", "move", "DNS", "down"]);
    assert_eq!(told(&machine), "Sede[door] Operatore[carrier sms] fax DNS[alias zone]", "it is the last already");
    let add = |place: &str, name: &str| {
        let command = ["step", "add", name, "--kind", "command", "--run", "true", "--group", "Sede", "--place", place];
        machine.run(&command[..if place.is_empty() { 9 } else { 11 }]).code
    };
    assert_eq!(add("after_services", "gate"), 2, "a group is in one place");
    assert_eq!(add("", "gate"), 0);
    assert_eq!(told(&machine), "Sede[door gate] Operatore[carrier sms] fax DNS[alias zone]");
    for wrong in [
        &["step", "group", "move", "DNS", "7"][..],
        &["step", "group", "move", "Nessuno", "up"],
        &["step", "group", "off", "Nessuno"],
        &["step", "add", "x", "--kind", "command", "--run", "true", "--group", &"g".repeat(61)],
    ] {
        assert_eq!(machine.run(wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn a_group_that_is_off_is_shown_as_left_out_and_one_that_is_empty_is_forgotten() {
    let pair = Pair::new();
    let client = &pair.client;
    declare(client, &SIX);
    client.ok(&["step", "group", "off", "DNS"]);
    assert_eq!(told(client), "-DNS[zone alias] Operatore[carrier sms] fax Sede[door]");
    let dry = || client.run(&["activate", "--confirm-name", "dr1", "--reason", "x", "--dry-run", "--json"]).json();
    let report = dry();
    let own = |list: &str| -> Vec<Value> {
        let steps = report[list].as_array().unwrap().iter();
        steps.filter(|step| step["id"].as_str().unwrap().starts_with("own:")).cloned().collect()
    };
    let step = |name: &str, group: Value| json!({ "id": format!("own:{name}"), "group": group });
    assert_eq!(
        own("steps"),
        [
            step("carrier", "Operatore".into()),
            step("sms", "Operatore".into()),
            step("fax", Value::Null),
            step("door", "Sede".into())
        ]
    );
    assert_eq!(own("left_out"), [step("zone", "DNS".into()), step("alias", "DNS".into())]);
    let words = client.run(&["activate", "--confirm-name", "dr1", "--reason", "x", "--dry-run"]).out;
    assert!(words.contains("Operatore [own:carrier → own:sms] → own:fax → Sede [own:door]"), "{words}");
    assert!(words.contains("Left out, their group is off: DNS [own:zone → own:alias]"), "{words}");
    declare(client, &[("mx", "DNS")]);
    assert!(told(client).contains("-DNS[zone alias mx]"), "who joins a group is left out with it: {}", told(client));
    for name in ["zone", "alias", "mx"] {
        client.ok(&["step", "remove", name]);
    }
    declare(client, &[("zone", "DNS")]);
    assert!(told(client).contains(" DNS[zone]"), "a new one begins switched on: {}", told(client));
    client.ok(&["step", "group", "off", "DNS"]);
    client.ok(&["step", "group", "on", "DNS"]);
    assert_eq!(dry()["left_out"], json!([]));
    let log = client.ok(&["audit", "--json"]).json();
    let rows = log["entries"].as_array().unwrap();
    let row = rows.iter().find(|row| row["action"] == "step.group.off").unwrap();
    assert_eq!((&row["subject"], &row["after"]["off"]), (&"DNS".into(), &true.into()));
}

#[test]
fn a_step_that_is_declared_anew_stays_where_it_stood_and_left_out_as_it_was() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::ready(root.path(), "client", "dr1");
    declare(&machine, &SIX);
    machine.ok(&["step", "group", "move", "Sede", "before_services"]);
    for group in ["DNS", "Sede"] {
        machine.ok(&["step", "group", "off", group]);
    }
    let stand = "-Sede[door] -DNS[zone alias] Operatore[carrier sms] fax";
    assert_eq!(told(&machine), stand);
    let log =
        || machine.ok(&["audit", "--json"]).json()["entries"].as_array().unwrap().last().unwrap()["after"].clone();
    for (name, group, more) in [("zone", "DNS", &[][..]), ("door", "Sede", &[]), ("door", "Sede", &["--group", "Sede"])]
    {
        machine.ok(&[&["step", "add", name, "--kind", "command", "--run", "true"], more].concat());
        assert_eq!(told(&machine), stand, "{name} {more:?}");
        let after = log();
        assert_eq!((&after["group"], &after["off"]), (&group.into(), &true.into()), "{after}");
    }
    machine.ok(&["step", "add", "zone", "--kind", "command", "--run", "true", "--no-group"]);
    assert_eq!(told(&machine), "-Sede[door] zone Operatore[carrier sms] -DNS[alias] fax");
    assert_eq!(log()["off"], false);
}

#[test]
fn a_run_tells_each_group_as_one_and_a_roll_back_undoes_the_reverse_of_what_was_done() {
    let site = Site::alone();
    let client = &site.pair.client;
    declare(client, &SIX);
    client.ok(&["step", "group", "off", "Sede"]);
    let ran = press(client, "activate", &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let groups = |run: &Value| -> Vec<(String, u64, u64)> {
        let groups = run["groups"].as_array().unwrap().iter();
        let sum = |group: &Value| {
            assert!(group["duration_seconds"].as_f64().is_some(), "{group}");
            (group["name"].as_str().unwrap().into(), group["done"].as_u64().unwrap(), group["of"].as_u64().unwrap())
        };
        groups.map(sum).collect()
    };
    assert_eq!(groups(&ran.json()), [("DNS".into(), 2, 2), ("Operatore".into(), 2, 2)]);
    let told = client.ok(&["run", "show"]).out;
    assert!(told.contains("Group:      Operatore  2 of 2 done"), "{told}");
    // What is changed now is another run's.
    client.ok(&["step", "group", "off", "DNS"]);
    client.ok(&["step", "group", "on", "Sede"]);
    client.ok(&["step", "group", "move", "Operatore", "up"]);
    assert_eq!(press(client, "deactivate", &[]).code, 0);
    until("it is back", || client.status()["state"] == "standby");
    assert_eq!(groups(&last(client)), [("Operatore".into(), 2, 2), ("DNS".into(), 2, 2)]);
    let there = ["zone", "alias", "carrier", "sms", "fax"];
    let done = there.iter().map(|name| format!("there {name}"));
    let undone = there.iter().rev().map(|name| format!("back {name}"));
    assert_eq!(lines(&trace(client, "journal")), done.chain(undone).collect::<Vec<_>>());
}
