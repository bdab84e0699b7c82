//! An activation that goes back to an older restore point: the whole vector, kept until the way back is done, read again
//! before anything is written, and nothing but that content goes home.
#![allow(clippy::panic, clippy::unwrap_used, reason = "test code")]

mod machines;
#[path = "procedures/mod.rs"]
mod procedures;
mod records;
#[path = "failback/site.rs"]
#[allow(dead_code, reason = "a site of the failback, of which this file needs a part")]
mod site;

use std::fs;
use std::path::PathBuf;

use machines::{Machine, Ran, until};
use procedures::press;
use records::earlier;
use serde_json::Value;
use site::{Site, accounts, last, sql, step, up};

/// A site whose Master has ruined its data after a point that was good.
struct Ruined {
    site: Site,
    /// The good one, and the content of each of its datasets.
    good: String,
    contents: [(&'static str, Value); 2],
}

impl Ruined {
    fn new() -> Self {
        let site = Site::new();
        let content = |name| (name, site.pair.client.dataset(name)["content"].clone());
        let contents = [content("conf"), content("voice")];
        let good = newest(&site.pair.client);
        fs::write(site.conf.0.join("users/rossi"), "encrypted").unwrap();
        fs::write(site.conf.0.join("users/ransom"), "pay").unwrap();
        sql(&site.voice.0, "DELETE FROM account");
        let seen = || fs::read(site.conf.1.join("users/ransom")).is_ok() && accounts(&site.voice.1).is_empty();
        until("what is ruined travels, too", seen);
        for name in ["conf", "voice"] {
            site.pair.until_current(name);
        }
        until("both points are told", || newest(&site.pair.client) != good);
        assert!(points(&site.pair.client).iter().any(|point| point["id"] == *good), "the good one is still there");
        Self { site, good, contents }
    }

    /// The Master is off.
    fn alone() -> Self {
        let mut ruined = Self::new();
        ruined.site.lose_master();
        ruined
    }

    /// The DR serves from the good point, and the Master is back, fenced.
    fn away() -> Self {
        let mut ruined = Self::alone();
        let ran = press(&ruined.site.pair.client, "activate", &["--point", &ruined.good]);
        assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
        ruined.site.return_master();
        ruined
    }

    fn assert_serves_the_good_one(&self) {
        let (conf, voice) = (&self.site.conf.1, &self.site.voice.1);
        assert_eq!(fs::read_to_string(conf.join("users/rossi")).unwrap(), "201");
        assert!(!conf.join("users/ransom").exists());
        assert_eq!(accounts(voice), ["rossi"]);
        assert!(up(&self.site.pair.client).exists());
    }

    /// What the mandate names.
    fn assert_base(&self, machine: &Machine) {
        let text = fs::read_to_string(machine.dir.join("mandate.a")).unwrap();
        let record: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
        for (name, content) in &self.contents {
            assert_eq!(record["mandate"]["base"][*name], *content, "{name}: {record}");
        }
    }
}

fn points(client: &Machine) -> Vec<Value> {
    let points = client.ok(&["sync", "points", "--json"]).json()["points"].as_array().unwrap().clone();
    points.into_iter().filter(|point| point["made_on"] == "master").collect()
}

fn newest(client: &Machine) -> String {
    points(client)[0]["id"].as_str().unwrap().to_owned()
}

fn there(client: &Machine, id: &str) -> Option<Value> {
    points(client).into_iter().find(|point| point["id"] == id)
}

fn dry_run(client: &Machine, more: &[&str]) -> Ran {
    client.run(&[&["activate", "--dry-run", "--json"], more].concat())
}

fn rules(ran: &Ran, list: &str) -> Vec<String> {
    let told = |one: &Value| format!("{}@{}", one["rule"].as_str().unwrap(), one["subject"].as_str().unwrap());
    ran.json()[list].as_array().unwrap().iter().map(told).collect()
}

/// A file of one generation of the tree on the Client's disk.
fn on_disk(client: &Machine, id: &str, name: &str) -> PathBuf {
    let part = there(client, id).unwrap()["datasets"].as_array().unwrap().clone();
    let part = part.into_iter().find(|part| part["dataset"] == "conf").unwrap();
    let generations = client.dir.join("replicas/conf.files/generations");
    let number = part["generation"].to_string();
    let dirs = fs::read_dir(generations).unwrap().flatten().map(|dir| dir.path());
    let dir = dirs.filter(|dir| dir.file_name().unwrap().to_str().unwrap().trim_start_matches('0') == number);
    dir.last().unwrap().join("tree").join(name)
}

#[test]
fn the_whole_vector_serves_and_after_a_roll_back_the_replica_follows_the_master_again() {
    let mut ruined = Ruined::alone();
    let client = &ruined.site.pair.client;
    let good = ruined.good.clone();
    let good = good.as_str();

    let newest = dry_run(client, &[]).json();
    let dry = dry_run(client, &["--point", good]);
    assert!(rules(&dry, "blocked").contains(&"data_loss.consent@dr1".into()), "{dry:?}");
    let dry = dry.json();
    assert_eq!((&dry["point"], &newest["point"]), (&good.into(), &Value::Null));
    assert_eq!(dry["steps"][1]["id"], "point", "{dry}");
    for (loss, less) in dry["loss"].as_array().unwrap().iter().zip(newest["loss"].as_array().unwrap()) {
        assert!(loss["skipped"].as_u64() >= Some(1) && less["skipped"] == 0, "{loss} {less}");
        assert!(loss["generation"].as_u64() < less["generation"].as_u64(), "{loss} {less}");
        assert!(loss["captured_at"].as_str() < less["captured_at"].as_str(), "{loss} {less}");
    }
    for unknown in ["g99999", "dr-1", "42"] {
        assert!(
            rules(&dry_run(client, &["--point", unknown]), "blocked").contains(&format!("point.unknown@{unknown}"))
        );
    }

    let ran = press(client, "activate", &["--point", good]);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
    ruined.assert_serves_the_good_one();
    ruined.assert_base(client);
    let run = ran.json();
    assert_eq!((&run["point"], &step(&run, "point")["state"]), (&good.into(), &"done".into()));
    assert!(run["loss"].as_array().unwrap().iter().all(|loss| loss["skipped"].as_u64() >= Some(1)), "{run}");
    assert!(points(client).iter().all(|point| point["pinned"] == true), "{:?}", points(client));
    let again = press(client, "activate", &["--point", good]);
    assert_eq!(again.code, 3, "it serves already: {again:?}");

    // Suspended it has nothing to choose either: it goes on from what it served from.
    assert_eq!(press(client, "suspend", &[]).code, 0);
    assert_eq!(press(client, "activate", &["--point", good]).rule(), "point.not_used");
    assert_eq!(press(client, "activate", &[]).code, 0);
    ruined.assert_serves_the_good_one();

    ruined.site.work_on_the_dr();
    ruined.site.return_master();
    let (site, client) = (&ruined.site, &ruined.site.pair.client);
    assert_eq!(press(client, "deactivate", &[]).code, 0);
    site.until_master_serves();
    let seen = |path: &str| fs::read_to_string(site.conf.1.join(path)).unwrap_or_default();
    until("the replica is the Master's again", || {
        seen("users/rossi") == "encrypted" && seen("users/bianchi").is_empty()
    });
    fs::write(site.conf.0.join("users/verdi"), "203").unwrap();
    sql(&site.voice.0, "INSERT INTO account VALUES ('verdi')");
    until("and follows it", || seen("users/verdi") == "203" && accounts(&site.voice.1) == ["verdi"]);
    until("nothing is kept for it any more", || points(client).iter().all(|point| point["pinned"] == false));
}

#[test]
fn a_failback_brings_home_exactly_the_older_content_and_what_was_made_on_it() {
    let ruined = Ruined::away();
    let site = &ruined.site;
    ruined.assert_base(&site.pair.master);
    site.work_on_the_dr();
    let dry = site.pair.client.run(&["failback", "--dry-run", "--json"]).json();
    for dataset in dry["datasets"].as_array().unwrap() {
        assert_eq!(
            dataset["tail"], false,
            "what was skipped is known here, and was given up with the activation: {dry}"
        );
    }
    let ran = site.failback(&[]);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
    site.until_master_serves();
    site.assert_home();
    assert!(!site.conf.0.join("users/ransom").exists(), "what was skipped does not stay");
    let run = last(&site.pair.client)["id"].as_str().unwrap().to_owned();
    let kept = site.pair.master.dir.join("preserved").join(run).join("conf.files");
    assert!(walk(&kept).iter().any(|path| path.ends_with("ransom")), "but is kept aside: {:?}", walk(&kept));
    fs::write(site.conf.0.join("users/verdi"), "203").unwrap();
    until("the DR follows", || fs::read_to_string(site.conf.1.join("users/verdi")).is_ok_and(|text| text == "203"));
    until("and so does its database", || accounts(&site.voice.1) == ["bianchi", "rossi"]);
    until("nothing is kept for it any more", || points(&site.pair.client).iter().all(|point| point["pinned"] == false));
}

fn walk(dir: &PathBuf) -> Vec<PathBuf> {
    let items = fs::read_dir(dir).into_iter().flatten().flatten().map(|item| item.path());
    items.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn a_damaged_point_is_refused_before_anything_is_changed_and_the_newest_sound_one_is_named() {
    let mut ruined = Ruined::alone();
    let good = ruined.good.clone();
    let client = &mut ruined.site.pair.client;
    let sound = newest(client);
    // The disk forgets a letter of a file that only this generation has.
    fs::write(on_disk(client, &good, "users/rossi"), "2O1").unwrap();
    let ran = press(client, "activate", &["--point", &good]);
    let run = ran.json();
    assert_eq!((ran.code, &run["state"], &run["step"]), (1, &"stuck".into(), &"point".into()), "{ran:?}");
    let told = step(&run, "point");
    assert_eq!(told["output"], "point.damaged@conf", "{told}");
    assert!(told["remedy"]["en"].as_str().unwrap().contains(&sound), "{told}");
    assert_eq!(client.run(&["run", "abort"]).code, 0);
    let status = client.status();
    assert_eq!((&status["state"], &status["mandate"]["epoch"]), (&"standby".into(), &1.into()));

    // What was found is known from now on: before the press, over a restart, on the list.
    client.kill();
    client.start();
    let dry = dry_run(client, &["--point", &good]);
    assert!(rules(&dry, "blocked").contains(&"point.damaged@conf".into()), "{dry:?}");
    let refused = press(client, "activate", &["--point", &good]);
    assert_eq!((refused.code, refused.rule()), (3, "point.damaged".into()), "{refused:?}");
    let listed = there(client, &good).unwrap();
    let damaged =
        |listed: &Value| listed["datasets"].as_array().unwrap().iter().map(|part| part["damaged"].clone()).collect();
    let found: Vec<Value> = damaged(&listed);
    assert_eq!(found.iter().filter(|one| one.as_u64() == Some(1)).count(), 1, "{listed}");

    // The newest has a damage as well, which somebody looks for: it is not activated from unknowingly.
    let file = on_disk(client, &sound, "users/ransom");
    fs::write(&file, "PAY").unwrap();
    assert_eq!(client.run(&["sync", "verify", "--point", &sound]).code, 1);
    let refused = press(client, "activate", &[]);
    assert_eq!((refused.code, refused.rule()), (3, "point.damaged".into()), "{refused:?}");
    fs::write(&file, "pay").unwrap();
    client.run(&["sync", "verify", "--point", &sound]);
    let ran = press(client, "activate", &[]);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
}

/// Changes what is written down of each generation, or of each copy that has served. The node is down.
fn rewrite(client: &Machine, which: &str, change: impl Fn(&mut Value)) {
    for dataset in ["conf.files", "voice.sqlite"] {
        records::rewrite(&client.dir.join("replicas").join(dataset).join(which), &change);
    }
}

/// Lets every generation look an hour older to whoever prunes.
fn age_generations(client: &Machine) {
    rewrite(client, "generations", |record| record["committed_at"] = earlier(&record["committed_at"], 3600));
}

#[test]
fn a_clock_that_jumps_a_year_does_not_cost_what_was_made_on_the_dr() {
    let mut site = Site::away();
    site.work_on_the_dr();
    assert_eq!(press(&site.pair.client, "deactivate", &[]).code, 0);
    site.until_master_serves();
    let (source, target) = site.conf.clone();
    let follows = |text: &str| {
        fs::write(source.join("removed"), text).unwrap();
        until("the DR follows", || fs::read_to_string(target.join("removed")).is_ok_and(|now| now == text));
    };
    follows("first");
    let kept = |client: &Machine| {
        let points = client.ok(&["sync", "points", "--json"]).json()["points"].as_array().unwrap().clone();
        let made = points.iter().find(|point| point["made_on"] == "client");
        made.map(|made| made["datasets"].as_array().unwrap().len())
    };
    let client = &mut site.pair.client;
    assert_eq!(kept(client), Some(2));
    // To a clock that has jumped ahead all of it is a year old.
    client.kill();
    rewrite(client, "serving", |record| {
        record["handed_back"]["at"] = earlier(&record["handed_back"]["at"], 365 * 86_400);
    });
    client.start();
    follows("second");
    until("everything was pulled once more", || client.run(&["sync", "full", "--wait"]).code == 0);
    assert_eq!(kept(client), Some(2), "a date is no time that went by");
    client.kill();
    rewrite(client, "serving", |record| record["handed_back"]["kept_s"] = 86_400.into());
    client.start();
    until("a day has gone by", || {
        client.run(&["sync", "full", "--wait"]);
        kept(client).is_none()
    });
}

#[test]
fn a_dataset_that_is_declared_later_takes_no_point_away_and_goes_on_from_its_oldest() {
    let mut site = Site::new();
    let before = newest(&site.pair.client);
    let (source, target) = site.pair.declare("mail", "files");
    assert!(there(&site.pair.client, &before).is_some(), "before anything of it has come");
    fs::write(source.join("first"), "mail").unwrap();
    until("it is copied", || target.join("first").exists());
    site.pair.until_current("mail");
    let listed = there(&site.pair.client, &before).unwrap();
    let part =
        |point: &Value| point["datasets"].as_array().unwrap().iter().find(|part| part["dataset"] == "mail").cloned();
    let oldest = part(&listed).unwrap();
    assert_eq!(oldest["missing"], "not_yet", "{listed}");
    assert!(part(&there(&site.pair.client, &newest(&site.pair.client)).unwrap()).unwrap()["missing"].is_null());
    fs::write(site.conf.0.join("users/rossi"), "encrypted").unwrap();
    until("what is ruined travels, too", || {
        fs::read_to_string(site.conf.1.join("users/rossi")).is_ok_and(|text| text == "encrypted")
    });
    site.lose_master();
    let lost =
        |report: &Value| report["loss"].as_array().unwrap().iter().find(|loss| loss["dataset"] == "mail").cloned();
    let dry = dry_run(&site.pair.client, &["--point", &before]).json();
    let loss = lost(&dry).unwrap();
    assert_eq!((&loss["missing"], &loss["generation"]), (&"not_yet".into(), &oldest["generation"]), "{dry}");
    let ran = press(&site.pair.client, "activate", &["--point", &before]);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
    assert_eq!(lost(&ran.json()).unwrap()["missing"], "not_yet", "{ran:?}");
    assert_eq!(fs::read_to_string(site.conf.1.join("users/rossi")).unwrap(), "201");
    let made = format!("mail g{}", oldest["generation"]);
    assert!(step(&ran.json(), "freeze")["output"].as_str().unwrap().contains(&made), "{ran:?}");
    assert!(there(&site.pair.client, &before).unwrap()["pinned"] == true);
}

#[test]
fn what_retention_would_drop_stays_until_every_dataset_has_come_forward_again() {
    let mut ruined = Ruined::alone();
    let good = ruined.good.clone();
    let client = &mut ruined.site.pair.client;
    client.kill();
    age_generations(client);
    client.start();
    client.ok(&["sync", "retention", "set", "--newest", "1", "--minutes", "0", "--hours", "0", "--days", "0"]);
    let ran = press(client, "activate", &["--point", &good]);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
    ruined.site.return_master();
    // The Master cannot read one of its sources: of that nothing comes forward.
    let (source, aside) = (ruined.site.conf.0.clone(), ruined.site.conf.0.with_extension("aside"));
    fs::rename(&source, &aside).unwrap();
    let site = &ruined.site;
    let client = &site.pair.client;
    assert_eq!(press(client, "deactivate", &[]).code, 0);
    site.until_master_serves();
    until("the pull of the one fails", || !client.dataset("conf")["last_error"].is_null());
    sql(&site.voice.0, "INSERT INTO account VALUES ('verdi')");
    until("the other one comes forward", || accounts(&site.voice.1) == ["verdi"]);
    let kept = there(client, &good).unwrap();
    assert!(kept["pinned"] == true && kept["datasets"].as_array().unwrap().len() == 2, "{kept}");
    fs::rename(&aside, &source).unwrap();
    fs::write(source.join("users/verdi"), "203").unwrap();
    until("all of it comes forward", || site.conf.1.join("users/verdi").exists());
    until("the policy counts again", || {
        fs::write(source.join("touched"), format!("{:?}", std::time::Instant::now())).unwrap();
        there(client, &good).is_none()
    });
}

#[test]
fn a_take_over_on_the_master_has_no_point_to_choose() {
    let ruined = Ruined::away();
    let ran = ruined.site.pair.master.run(&["takeover", "--dry-run", "--json", "--point", &ruined.good]);
    assert!(rules(&ran, "blocked").contains(&format!("point.not_used@{}", ruined.good)), "{ran:?}");
}
