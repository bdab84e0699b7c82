//! What goes wrong on the way home: writings nobody had, a Master that dies in every phase, a line that is cut, a disk that
//! is full, an operator who changes their mind.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::machines::{Machine, Pair, until};
use crate::site::{Site, accounts, last, sql, step, up};
use crate::wire::Wire;

/// Stuck at a step, as on a bad day.
pub(crate) fn stuck_at(site: &mut Site, id: &str, more: &[&str]) {
    site.pair.client.kill();
    site.pair.client.bad_day(Some(format!("fail:{id}")));
    site.pair.client.start();
    let shown = site.pair.client.run(&["run", "show", "--json"]);
    let open = shown.code == 0 && shown.json()["state"] == "stuck";
    let ran = if open { resume(&site.pair.client) } else { site.failback(more) };
    let run = ran.json();
    assert_eq!((ran.code, &run["state"], &run["step"]), (1, &"stuck".into(), &id.into()), "{ran:?}");
}

fn resume(client: &Machine) -> crate::machines::Ran {
    client.run(&["run", "resume", "--json"])
}

pub(crate) fn rules(ran: &crate::machines::Ran) -> Vec<String> {
    let refused = ran.json()["refused"].as_array().cloned().unwrap_or_default();
    refused.iter().map(|one| one["rule"].as_str().unwrap().to_owned()).collect()
}

/// What was put aside on the Master, of every run.
fn preserved(site: &Site, name: &str) -> Vec<PathBuf> {
    let runs = fs::read_dir(site.pair.master.dir.join("preserved")).into_iter().flatten().flatten();
    runs.map(|run| run.path().join(name)).filter(|path| path.exists()).collect()
}

/// From the field: "a revived primary that copies its old state over the new".
#[test]
fn what_the_master_wrote_last_is_asked_about_kept_aside_and_never_copied_over_what_is_newer() {
    let mut site = Site::new();
    site.pair.client.ok(&["sync", "stop"]);
    fs::write(site.conf.0.join("users/rossi"), "201, written in the last second").unwrap();
    fs::write(site.conf.0.join("users/tail"), "written in the last second").unwrap();
    sql(&site.voice.0, "INSERT INTO account VALUES ('tail')");
    site.lose_master();
    site.take();
    site.pair.client.ok(&["sync", "start"]);
    site.work_on_the_dr();
    site.return_master();
    assert_eq!(fs::read_to_string(site.conf.1.join("users/rossi")).unwrap(), "201, moved to the second floor");
    assert!(!site.conf.1.join("users/tail").exists(), "what is old never overwrites what serves");

    let dry = site.pair.client.run(&["failback", "--dry-run", "--json"]);
    assert_eq!((dry.code, &dry.json()["allowed"]), (3, &false.into()), "{dry:?}");
    for dataset in dry.json()["datasets"].as_array().unwrap() {
        assert_eq!((&dataset["tail"], &dataset["choice"]), (&true.into(), &"home".into()), "{dataset}");
    }
    assert_eq!(rules(&site.failback(&[])), ["failback.tail", "failback.tail"]);
    let ran = site.failback(&["--accept-data-loss"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    site.until_master_serves();
    site.assert_home();
    assert!(!site.conf.0.join("users/tail").exists());
    let files = preserved(&site, "conf.files/tree/users");
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(fs::read_to_string(files[0].join("tail")).unwrap(), "written in the last second");
    assert_eq!(fs::read_to_string(files[0].join("rossi")).unwrap(), "201, written in the last second");
    assert_eq!(accounts(&preserved(&site, "voice.sqlite/tree/database")[0]), ["rossi", "tail"]);
}

#[test]
fn what_stands_in_the_way_is_named_and_nothing_is_changed() {
    let mut site = Site::taken();
    let name = ["failback", "--confirm-name", "dr2", "--reason", "prova", "--json"];
    assert_eq!(rules(&site.pair.client.run(&name)), ["confirm_name", "failback.master"], "it is silent");
    assert_eq!(site.failback(&["--discard", "nothing"]).code, 2);
    site.return_master();
    site.work_on_the_dr();
    assert_eq!(rules(&site.failback(&["--discard", "conf"])), ["dr_data.discard"]);
    assert_eq!(site.pair.master.run(&["failback", "--confirm-name", "master1", "--reason", "x"]).code, 3);
    // A Master that was put back to an earlier copy of itself does not know the content that the DR began with.
    site.pair.master.kill();
    let database = rusqlite::Connection::open(site.pair.master.dir.join("tvox-dr.db")).unwrap();
    database.execute("UPDATE generation SET content_id = 'other' WHERE dataset = 'conf'", []).unwrap();
    drop(database);
    site.pair.master.env.push(("TVOX_DR_TEST_VERSION", "9.9.9".into()));
    site.pair.master.start();
    until("the versions are told", || rules(&site.failback(&[])).contains(&"pair.incompatible".to_owned()));
    site.pair.master.kill();
    site.pair.master.env.retain(|(key, _)| *key != "TVOX_DR_TEST_VERSION");
    site.pair.master.start();
    until("its services are seen down", || rules(&site.failback(&[])) == ["sync.content_unknown"]);
    assert_eq!(site.pair.client.status()["state"], "active");
    assert!(up(&site.pair.client).exists());
    assert_eq!(site.pair.master.status()["state"], "fenced");
}

#[test]
fn until_the_mandate_is_written_it_can_be_given_up_and_the_dr_goes_on() {
    let mut site = Site::away();
    site.work_on_the_dr();
    let before = fs::read_to_string(site.conf.0.join("users/rossi")).unwrap();
    for id in ["bring", "compare", "mandate"] {
        stuck_at(&mut site, id, &[]);
        let master = site.pair.master.status();
        assert_eq!(master["state"], "receiving", "{id}");
        assert_eq!(master["travel"]["run"], last(&site.pair.client)["id"], "{id}");
        assert_eq!(site.pair.client.status()["state"], "handing_back", "{id}");
        assert_eq!(up(&site.pair.client).exists(), id == "bring", "{id}");
        let ran = site.pair.client.run(&["run", "abort", "--json"]);
        assert_eq!((ran.code, &ran.json()["state"]), (0, &"aborted".into()), "{ran:?}");
        assert_eq!(site.pair.client.status()["state"], "active");
        assert!(up(&site.pair.client).exists(), "{id}");
        until("the Master is as it was", || site.pair.master.status()["state"] == "fenced");
        assert_eq!(fs::read_to_string(site.conf.0.join("users/rossi")).unwrap(), before);
        until("nothing waits there", || {
            fs::read_dir(site.pair.master.dir.join("homecoming")).into_iter().flatten().next().is_none()
        });
    }
    site.pair.client.kill();
    site.pair.client.bad_day(None);
    site.pair.client.start();
    assert_eq!(site.failback(&[]).code, 0);
    site.until_master_serves();
    site.assert_home();
}

#[test]
fn a_master_that_dies_in_any_phase_comes_back_and_takes_everything_in() {
    let mut site = Site::away();
    site.work_on_the_dr();
    for (number, id) in ["receive", "bring", "last_delta", "compare", "mandate"].into_iter().enumerate() {
        stuck_at(&mut site, id, &[]);
        site.pair.master.kill();
        if number % 2 == 0 {
            site.pair.master.boot(&format!("again {number}"));
        }
        site.pair.master.start();
    }
    // And while it puts the content in its place: before, when it is there, when that is written down.
    site.pair.client.kill();
    site.pair.client.bad_day(None);
    site.pair.master.kill();
    site.pair.master.bad_day(Some("kill:settle:before".into()));
    site.pair.master.start();
    site.pair.client.start();
    site.pair.client.ok(&["run", "resume", "--no-wait"]);
    for next in [Some("kill:settle:after_do"), Some("kill:settle:after_event"), None] {
        until("the Master dies", || site.pair.master.died_of_it());
        assert!(!up(&site.pair.master).exists());
        site.pair.master.kill();
        site.pair.master.bad_day(next.map(str::to_owned));
        match next {
            Some(_) => site.pair.master.spawn(),
            None => site.pair.master.start(),
        }
    }
    site.until_master_serves();
    site.assert_home();
    until("it is done", || last(&site.pair.client)["state"] == "done");
    assert_eq!(site.pair.master.ok(&["audit", "--verify", "--json"]).json()["valid"], true);
}

/// The other half of "routing before the writes are quiesced" (`routing`).
#[test]
fn what_is_written_after_the_last_copy_is_on_the_master_all_the_same() {
    let mut site = Site::away();
    site.work_on_the_dr();
    stuck_at(&mut site, "mandate", &[]);
    fs::write(up(&site.pair.client), "started by hand").unwrap();
    fs::write(site.conf.1.join("users/late"), "204").unwrap();
    sql(&site.voice.1, "INSERT INTO account VALUES ('late')");
    let ran = resume(&site.pair.client);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!up(&site.pair.client).exists(), "it was stopped again");
    site.until_master_serves();
    assert_eq!(fs::read_to_string(site.conf.0.join("users/late")).unwrap(), "204");
    assert_eq!(accounts(&site.voice.0), ["bianchi", "late", "rossi"]);
}

#[test]
fn data_that_is_left_to_the_master_is_exported_and_the_rest_travels() {
    let site = Site::away();
    site.work_on_the_dr();
    let ran = site.failback(&["--discard", "conf", "--discard-dr-data"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    site.until_master_serves();
    assert!(!site.conf.0.join("users/bianchi").exists());
    assert_eq!(fs::read_to_string(site.conf.0.join("users/rossi")).unwrap(), "201");
    assert_eq!(accounts(&site.voice.0), ["bianchi", "rossi"]);
    let id = ran.json()["id"].as_str().unwrap().to_owned();
    let export = site.pair.client.dir.join("exports").join(id);
    assert_eq!(fs::read_to_string(export.join("conf.files/tree/users/bianchi")).unwrap(), "202");
    let ledger: Value = serde_json::from_slice(&fs::read(export.join("ledger.json")).unwrap()).unwrap();
    assert_eq!(ledger["datasets"].as_array().unwrap().len(), 2, "{ledger}");
    assert!(!export.join("voice.sqlite").exists(), "what travels is not exported");

    // It lies there until somebody discards it.
    let client = &site.pair.client;
    let listed = || client.ok(&["preserved", "list", "--json"]).json()["preserved"].clone();
    let told = listed()[0].clone();
    assert_eq!((&told["run"], &told["datasets"][0]["name"]), (&ran.json()["id"], &"conf".into()), "{told}");
    assert!(told["files"].as_u64() >= Some(2) && told["in_use"] == false, "{told}");
    let run = told["run"].as_str().unwrap().to_owned();
    assert_eq!(
        client.run(&["preserved", "discard", &run, "--confirm-name", "master1", "--json"]).rule(),
        "confirm_name"
    );
    client.ok(&["preserved", "discard", &run, "--confirm-name", "dr1"]);
    assert!(listed().as_array().unwrap().is_empty() && !export.exists());
}

#[test]
fn what_is_left_behind_is_exported_as_it_was_when_the_service_was_given_away() {
    let mut site = Site::away();
    site.work_on_the_dr();
    stuck_at(&mut site, "mandate", &["--discard", "conf", "--discard-dr-data"]);
    // As many bytes as before: the list of what was made says the same.
    fs::write(site.conf.1.join("users/bianchi"), "303").unwrap();
    let ran = resume(&site.pair.client);
    assert_eq!(ran.code, 0, "{ran:?}");
    let export = site.pair.client.dir.join("exports").join(ran.json()["id"].as_str().unwrap());
    assert_eq!(fs::read_to_string(export.join("conf.files/tree/users/bianchi")).unwrap(), "303");
}

#[test]
fn a_line_that_is_cut_in_the_middle_costs_time_and_nothing_else() {
    let site = Site::away();
    let wire = Wire::to(site.pair.master.peer);
    site.pair.client.ok(&["peer", "set", &format!("127.0.0.1:{}", wire.port)]);
    site.work_on_the_dr();
    // Nothing that could be made small on the way.
    let mut noise = vec![0; 6 << 20];
    let mut state = 1_u64;
    for byte in &mut noise {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = (state >> 56) as u8;
    }
    fs::write(site.conf.1.join("recording"), &noise).unwrap();
    wire.cut_after(2 << 20);
    site.pair.client.ok(&["failback", "--confirm-name", "dr1", "--reason", "x", "--no-wait"]);
    until("the line is cut", || wire.is_cut());
    let run = last(&site.pair.client);
    assert_eq!((&run["state"], &run["step"]), (&"running".into(), &"bring".into()), "{run}");
    assert!(up(&site.pair.client).exists(), "the DR serves meanwhile");
    wire.mend();
    until("it is done", || last(&site.pair.client)["state"] == "done");
    site.until_master_serves();
    assert!(fs::read(site.conf.0.join("recording")).unwrap() == noise);
}

#[test]
fn when_the_master_is_lost_after_the_mandate_the_dr_serves_again_with_everything_that_was_made_on_it() {
    let mut site = Site::away();
    site.work_on_the_dr();
    site.pair.master.kill();
    site.pair.master.bad_day(Some("kill:settle:before".into()));
    site.pair.master.start();
    site.pair.client.ok(&["failback", "--confirm-name", "dr1", "--reason", "x", "--no-wait"]);
    until("the Master dies", || site.pair.master.died_of_it());
    site.lose_master();
    until("it waits for the Master", || last(&site.pair.client)["step"] == "home");
    assert_eq!(site.pair.client.run(&["run", "abort"]).code, 3, "only a take");
    site.take();
    assert!(up(&site.pair.client).exists());
    assert_eq!(fs::read_to_string(site.conf.1.join("users/bianchi")).unwrap(), "202");
    assert_eq!(accounts(&site.voice.1), ["bianchi", "rossi"]);
    let runs = site.pair.client.ok(&["run", "list", "--json"]).json();
    let states: Vec<&Value> = runs["runs"].as_array().unwrap().iter().map(|run| &run["state"]).collect();
    assert_eq!(states, ["done", "aborted", "done"], "{runs}");
    // The Master comes back, is as it was, and is brought everything once more.
    site.pair.master.bad_day(None);
    site.return_master();
    assert_eq!(fs::read_to_string(site.conf.0.join("users/rossi")).unwrap(), "201");
    assert_eq!(site.failback(&[]).code, 0);
    site.until_master_serves();
    site.assert_home();
}

#[test]
fn a_full_disk_at_home_is_named_before_anything_stops_and_in_the_middle_nothing_is_lost() {
    let root = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(root.path().join("disk")) else {
        println!("skipped: mounting is not allowed here");
        return;
    };
    let mut site = Site::over(Pair::with_master_in(&disk.0.join("node")));
    site.lose_master();
    site.take();
    site.return_master();
    site.work_on_the_dr();
    let filler = disk.0.join("filler");
    fs::write(&filler, vec![7; 120 << 20]).unwrap();
    assert_eq!(rules(&site.failback(&[])), ["disk.full"]);
    assert!(up(&site.pair.client).exists());
    fs::remove_file(&filler).unwrap();
    stuck_at(&mut site, "last_delta", &[]);
    fs::write(site.conf.1.join("late"), vec![7; 1 << 20]).unwrap();
    fs::write(&filler, vec![7; 120 << 20]).unwrap();
    let ran = resume(&site.pair.client);
    assert_eq!(ran.code, 1, "{ran:?}");
    let said = step(&ran.json(), "last_delta")["output"].as_str().unwrap().to_owned();
    assert!(said.contains("space"), "{said}");
    fs::remove_file(&filler).unwrap();
    assert_eq!(resume(&site.pair.client).code, 0);
    site.until_master_serves();
    site.assert_home();
}

/// A disk of its own with room for little; `None` where mounting is not allowed.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Option<Self> {
        fs::create_dir_all(&at).unwrap();
        let mounted =
            std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=180m", "tmpfs"]).arg(&at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn the_customers_own_steps_are_undone_around_the_services_and_done_again_when_it_is_given_up() {
    let mut site = Site::new();
    let trace = site.pair.client.dir.with_extension("trace");
    let service = up(&site.pair.client).display().to_string();
    let tell = |words: &str| {
        format!("if [ -e {service} ]; then echo {words} up; else echo {words} down; fi >> {}", trace.display())
    };
    for (name, place) in [("mount", "before_services"), ("carrier", "after_services")] {
        let (run, undo) = (tell(&format!("{name} there")), tell(&format!("{name} back")));
        let declare = ["step", "add", name, "--kind", "command", "--place", place];
        site.pair.client.ok(&[&declare[..], &["--run", &run, "--undo", &undo]].concat());
    }
    let there = ["mount there down", "carrier there up"];
    let told = || fs::read_to_string(&trace).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    site.lose_master();
    site.take();
    assert_eq!(told(), there);
    site.return_master();
    stuck_at(&mut site, "mandate", &[]);
    let stopped = "mount back down";
    assert_eq!(told()[2..], [stopped], "callers are led here until the Master serves");
    let ran = site.pair.client.run(&["run", "abort", "--json"]);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"aborted".into()), "{ran:?}");
    assert_eq!(told()[3..], ["mount there down"]);
    site.pair.client.kill();
    site.pair.client.bad_day(None);
    site.pair.client.start();
    until("the Master is as it was", || site.pair.master.status()["state"] == "fenced");
    let ran = site.failback(&[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    site.until_master_serves();
    assert_eq!(told()[4..], [stopped, "carrier back down"]);
}
