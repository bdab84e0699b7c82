//! The second person: what writes a mandate waits for somebody else than who pressed the button, for a time that has an
//! end; whoever cannot wait goes on alone, and everybody is told.
#![allow(clippy::unwrap_used, reason = "test code")]

mod browser;
mod machines;
mod procedures;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use browser::Browser;
use contract::run::RunKind;
use machines::{Machine, Pair, Ran, TVOX_DR, until};
use procedures::bad_days::{Day, assert_has, go_through};
use procedures::{Site, last, press, resume, step, up};
use serde_json::Value;

fn wants_two(machine: &Machine, wait: &str) {
    machine.ok(&["approval", "set", "--activation", "on", "--wait", wait]);
}

fn waiting(machine: &Machine) -> Value {
    machine.ok(&["approval", "show", "--json"]).json()["waiting"].clone()
}

/// Answers the run that waits, as a user of the panel.
fn answer(person: &Browser, machine: &Machine, action: &str, more: &[(&str, &str)]) -> browser::Page {
    let run = waiting(machine)["run"].as_str().unwrap_or("-").to_owned();
    person.post(&format!("/operazioni?id={run}"), &[&[("action", action), ("run", &run)], more].concat())
}

fn alarm(machine: &Machine, code: &str) -> Option<Value> {
    let list = machine.ok(&["alarm", "list", "--json"]).json()["alarms"].clone();
    list.as_array().unwrap().iter().find(|alarm| alarm["code"] == code).cloned()
}

/// Somebody in the next room who approves of whatever waits.
struct Colleague {
    goes_home: Arc<AtomicBool>,
    works: Option<JoinHandle<()>>,
}

impl Colleague {
    fn beside(machine: &Machine) -> Self {
        let goes_home = Arc::new(AtomicBool::new(false));
        let (data, over) = (machine.dir.to_str().unwrap().to_owned(), Arc::clone(&goes_home));
        let person = Browser::of_new_user(machine, "bruno", "operator");
        let works = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let shown = machines::tvox_dr(&["approval", "show", "--json", "--data", &data]);
                let report: Value = serde_json::from_str(&shown.out).unwrap_or_default();
                if let Some(run) = report["waiting"]["run"].as_str() {
                    let password = Browser::password_of("bruno");
                    let fields = [("action", "run.approve"), ("run", run), ("password", &password)];
                    // The machine may die of its bad day in the middle.
                    let _ = person.try_post(&format!("/operazioni?id={run}"), &fields);
                }
                let (lock, wake) = (std::sync::Mutex::new(()), std::sync::Condvar::new());
                let _ = wake.wait_timeout(lock.lock().unwrap(), std::time::Duration::from_millis(100));
            }
        });
        Self { goes_home, works: Some(works) }
    }
}

impl Drop for Colleague {
    fn drop(&mut self) {
        self.goes_home.store(true, Ordering::Relaxed);
        let _ = self.works.take().map(JoinHandle::join);
    }
}

/// Runs a command as whoever logged in to the machine with this uid, where the kernel knows of such a thing.
fn logged_in_as(uid: u32, machine: &Machine, args: &[&str]) -> Option<Ran> {
    let login = format!("echo {uid} > /proc/self/loginuid 2>/dev/null; cat /proc/self/loginuid");
    let told = std::process::Command::new("sh").args(["-c", &login]).output().unwrap();
    if String::from_utf8_lossy(&told.stdout).trim() != uid.to_string() {
        return None;
    }
    let script = format!("echo {uid} > /proc/self/loginuid; exec \"$@\"");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script, "sh", TVOX_DR]).args(args).arg("--data").arg(&machine.dir);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(Ran { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) })
}

#[test]
fn nothing_begins_before_another_person_has_approved_and_then_everything_does() {
    let site = Site::alone();
    let client = &site.pair.client;
    let (anna, viewer) =
        (Browser::of_new_user(client, "anna", "operator"), Browser::of_new_user(client, "vito", "viewer"));
    wants_two(client, "600");
    let epoch = client.status()["mandate"]["epoch"].clone();
    let pressed = press(client, "activate", &["--no-wait"]);
    assert_eq!(pressed.code, 0, "{pressed:?}");
    until("it asks", || step(&last(client), "approval")["state"] == "running");
    let run = last(client);
    assert_eq!(run["approval"]["state"], "waiting");
    assert_eq!(run["approval"]["asked_by"]["name"], "root");
    assert_eq!(step(&run, "close_inbound")["state"], "waiting");
    let id = run["id"].as_str().unwrap();
    let status = client.status();
    assert_eq!((&status["state"], &status["mandate"]["epoch"]), (&"standby".into(), &epoch), "nothing has begun");
    assert_eq!(press(client, "activate", &[]).rule(), "run.in_progress");
    until("everybody is told", || alarm(client, "dr.approval.awaited").is_some());
    // Of two roots nobody knows whether they are two persons.
    let own = client.run(&["run", "approve", "--json"]);
    assert_eq!((own.code, own.rule()), (3, "approval.same_person".into()));
    let other = client.run(&["run", "approve", "activation-00000000", "--json"]);
    assert_eq!((other.code, other.rule()), (3, "approval.void".into()), "an approval is about one run");
    assert!(anna.get("/").body.contains("Attivazione del DR: in attesa di un"), "it stands on top of every page");
    let page = anna.get(&format!("/operazioni?id={id}")).body;
    assert!(page.contains("value=\"run.approve\"") && page.matches("button primary").count() == 1, "{page}");
    assert!(!page.contains("value=\"run.abort\""), "who is asked says no with a reason");
    assert!(!viewer.get(&format!("/operazioni?id={id}")).body.contains("run.approve"));
    assert_eq!(answer(&viewer, client, "run.approve", &[("password", &Browser::password_of("vito"))]).status, 403);
    assert_eq!(answer(&anna, client, "run.approve", &[("password", "not hers at all")]).status, 422);
    assert_eq!(last(client)["approval"]["state"], "waiting");
    let approved = answer(&anna, client, "run.approve", &[("password", &Browser::password_of("anna"))]);
    assert_eq!(approved.status, 303, "{approved:?}");
    until("it is done", || last(client)["state"] == "done");
    let run = last(client);
    assert_eq!((&run["approval"]["state"], &run["approval"]["by"]["name"]), (&"approved".into(), &"anna".into()));
    assert!(step(&run, "approval")["output"].as_str().unwrap().contains("anna"));
    assert!(up(client).exists());
    let again = client.run(&["run", "approve", id, "--json"]);
    assert_eq!(again.rule(), "approval.void", "it was decided");
    until("nobody is asked any more", || alarm(client, "dr.approval.awaited").is_none());
    let audit = client.ok(&["audit", "--json"]).json();
    let row = |action: &str, name: &str| {
        let rows = audit["entries"].as_array().unwrap();
        rows.iter().any(|row| row["action"] == action && row["actor"]["name"] == name && row["outcome"] == "done")
    };
    assert!(row("run.approve", "anna") && row("run.step", "system"));
}

#[test]
fn who_began_it_in_the_panel_cannot_approve_and_a_root_of_another_login_can() {
    let site = Site::alone();
    let client = &site.pair.client;
    let anna = Browser::of_new_user(client, "anna", "operator");
    wants_two(client, "600");
    let password = Browser::password_of("anna");
    let fields = [
        ("action", "activate"),
        ("reason", "incendio"),
        ("confirm_name", "dr1"),
        ("attest:127.0.0.1", "Anna Verdi, dal vivo"),
        ("accept_data_loss", "yes"),
        ("password", &password),
    ];
    assert_eq!(anna.post("/attivazione", &fields).status, 303);
    let own = answer(&anna, client, "run.approve", &[("password", &password)]);
    assert_eq!(own.status, 422);
    assert!(own.body.contains("data-rule=\"approval.same_person\""), "{}", own.body);
    let page = anna.get(&format!("/operazioni?id={}", waiting(client)["run"].as_str().unwrap())).body;
    assert!(!page.contains("value=\"run.approve\"") && page.contains("value=\"run.abort\""));
    client.ok(&["run", "approve"]);
    until("it is done", || last(client)["state"] == "done");
    // Between two roots the uid that logged in to the machine decides.
    let back = ["deactivate", "--confirm-name", "dr1", "--reason", "x", "--discard-dr-data", "--no-wait"];
    let Some(pressed) = logged_in_as(4001, client, &back) else { return };
    assert_eq!(pressed.code, 0, "{pressed:?}");
    assert_eq!(step(&last(client), "approval")["id"], "approval", "the way back waits as well");
    let same = logged_in_as(4001, client, &["run", "approve", "--json"]).unwrap();
    assert_eq!((same.code, same.rule()), (3, "approval.same_person".into()));
    assert_eq!(client.run(&["run", "approve", "--json"]).rule(), "approval.same_person", "nobody knows who that is");
    assert_eq!(logged_in_as(4002, client, &["run", "approve"]).unwrap().code, 0);
    until("it is done", || last(client)["state"] == "done");
    assert_eq!(last(client)["approval"]["by"]["login_uid"], 4002);
}

#[test]
fn while_it_waits_data_goes_on_coming_in_and_a_refusal_changes_nothing() {
    let site = Site::new();
    let (master, client) = (&site.pair.master, &site.pair.client);
    let bruno = Browser::of_new_user(client, "bruno", "operator");
    wants_two(client, "600");
    let pressed = press(client, "activate", &["--override", "isolation.alive=it will stand down", "--no-wait"]);
    assert_eq!(pressed.code, 0, "{pressed:?}");
    until("it waits", || !waiting(client).is_null());
    fs::write(site.source.join("later"), "2").unwrap();
    until("what the Master writes arrives", || site.target.join("later").exists());
    assert_eq!(answer(&bruno, client, "run.decline", &[("reason", "")]).status, 422);
    let declined = answer(&bruno, client, "run.decline", &[("reason", "il Master è sano")]);
    assert_eq!(declined.status, 303, "{declined:?}");
    until("it was given up", || last(client)["state"] == "aborted");
    let run = last(client);
    assert_eq!(
        (&run["approval"]["state"], &run["approval"]["reason"]),
        (&"declined".into(), &"il Master è sano".into())
    );
    assert_eq!((&master.status()["state"], &client.status()["state"]), (&"serving".into(), &"standby".into()));
    fs::write(site.source.join("after"), "3").unwrap();
    until("and goes on arriving", || site.target.join("after").exists());
}

#[test]
fn a_run_that_nobody_answers_gives_itself_up_also_when_its_node_dies_meanwhile() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    wants_two(client, "1");
    let ran = press(client, "activate", &[]);
    assert_eq!((ran.code, &ran.json()["state"]), (1, &"aborted".into()), "{ran:?}");
    assert_eq!(ran.json()["approval"]["state"], "lapsed");
    wants_two(client, "5");
    assert_eq!(press(client, "activate", &["--no-wait"]).code, 0);
    client.kill();
    client.start();
    until("it gives itself up", || last(client)["state"] == "aborted");
    assert_eq!(last(client)["approval"]["state"], "lapsed");
    assert_eq!(client.status()["mandate"]["epoch"], 1);
    let audit = client.ok(&["audit", "--json"]).json();
    let lapsed = audit["entries"].as_array().unwrap().iter().filter(|row| row["action"] == "run.lapsed").count();
    assert_eq!(lapsed, 2);
    // What is chosen later holds for the next run.
    client.ok(&["approval", "set", "--activation", "off"]);
    assert_eq!(press(client, "activate", &[]).code, 0);
}

/// An activation that wants two persons, through a bad day: it is asked once, and answered once.
fn approved_once(day: Day) {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    wants_two(client, "600");
    let _colleague = Colleague::beside(client);
    let run = go_through(client, day, RunKind::Activation, &|client| press(client, "activate", &[]));
    assert_has(&run, &["approval"]);
    assert_eq!(run["approval"]["by"]["name"], "bruno");
    let audit = client.ok(&["audit", "--json"]).json();
    let rows = audit["entries"].as_array().unwrap();
    let given = rows.iter().filter(|row| row["action"] == "run.approve" && row["outcome"] == "done").count();
    assert_eq!(given, 1);
}

#[test]
fn a_process_that_dies_at_every_moment_keeps_the_approval_that_it_was_given() {
    approved_once(Day::Dies);
}

#[test]
fn a_step_that_fails_before_or_after_its_work_keeps_the_approval_that_the_run_was_given() {
    [Day::FailsBefore, Day::FailsAfter].into_iter().for_each(approved_once);
}

#[test]
fn steps_that_are_done_twice_ask_for_one_approval() {
    approved_once(Day::Twice);
}

#[test]
fn a_run_that_waits_can_be_withdrawn_and_one_that_failed_while_it_waited_goes_on() {
    let mut site = Site::alone();
    let client = &mut site.pair.client;
    wants_two(client, "600");
    assert_eq!(press(client, "activate", &["--no-wait"]).code, 0);
    assert_eq!(client.run(&["run", "abort", "--json"]).code, 0);
    assert_eq!(last(client)["approval"]["state"], "withdrawn");
    client.kill();
    client.bad_day(Some("fail:approval".into()));
    client.start();
    assert_eq!(press(client, "activate", &[]).code, 1);
    assert_eq!(last(client)["step"], "approval");
    let _colleague = Colleague::beside(client);
    let ran = resume(client);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
}

#[test]
fn a_machine_that_begins_to_answer_after_the_press_stops_the_run_before_its_mandate() {
    let site = Site::alone();
    let client = &site.pair.client;
    let port = machines::free_port();
    client.ok(&["isolation", "set", "127.0.0.1", "--tcp", &port.to_string()]);
    let anna = Browser::of_new_user(client, "anna", "operator");
    wants_two(client, "600");
    let epoch = client.status()["mandate"]["epoch"].clone();
    assert_eq!(press(client, "activate", &["--no-wait"]).code, 0);
    until("it asks", || step(&last(client), "approval")["state"] == "running");
    let telephones = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    answer(&anna, client, "run.approve", &[("password", &Browser::password_of("anna"))]);
    until("it is stuck", || last(client)["state"] == "stuck");
    let run = last(client);
    assert_eq!(step(&run, "evidence")["output"], "peer.not_yielding@127.0.0.1", "{run}");
    assert_eq!((&run["isolation"][0]["outcome"], &client.status()["mandate"]["epoch"]), (&"alive".into(), &epoch));
    // Silent again, and vouched for again.
    drop(telephones);
    assert_eq!(resume(client).json()["state"], "done");
}

#[test]
fn who_cannot_wait_goes_on_alone_and_everybody_is_told() {
    let site = Site::alone();
    let client = &site.pair.client;
    client.ok(&["recipient", "add", "email", "noc@example.com"]);
    wants_two(client, "600");
    assert_eq!(press(client, "activate", &["--break-glass", " "]).code, 2, "a reason is a reason");
    let ran = press(client, "activate", &["--break-glass", "solo in sede, nessuno risponde"]);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
    let run = ran.json();
    assert_eq!(run["approval"]["state"], "bypassed");
    assert_eq!(run["approval"]["reason"], "solo in sede, nessuno risponde");
    // Written down with the press, before anything else: it is there at once.
    let told = alarm(client, "dr.approval.bypassed").unwrap();
    assert_eq!((&told["subject"], &told["priority"]), (&run["id"], &6.into()));
    assert!(told["text"]["it"].as_str().unwrap().contains("solo in sede"), "{told}");
    assert_eq!(told["deliveries"][0]["to"], "noc@example.com", "it is in the outbox");
    let audit = client.ok(&["audit", "--json"]).json();
    let rows = audit["entries"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["action"] == "run.bypass" && row["reason"] == "solo in sede, nessuno risponde"));
    // It ends when somebody has taken note of it, and not before.
    client.ok(&["alarm", "ack", told["id"].as_str().unwrap(), "--note", "sentito Rossi"]);
    until("it was noted", || alarm(client, "dr.approval.bypassed").is_none());
    // Also later, when nobody came.
    let back = ["--no-wait"];
    assert_eq!(press(client, "deactivate", &back).code, 0);
    until("it waits", || !waiting(client).is_null());
    assert_eq!(client.run(&["run", "break-glass", "--reason", " "]).code, 2);
    client.ok(&["run", "break-glass", "--reason", "nessuno al telefono"]);
    until("it is done", || last(client)["state"] == "done");
    assert!(alarm(client, "dr.approval.bypassed").is_some());
    client.ok(&["audit", "--verify"]);
}

#[test]
fn a_house_that_wants_two_and_has_one_is_told_beforehand() {
    let pair = Pair::new();
    let client = &pair.client;
    let dry_run = || client.run(&["activate", "--dry-run", "--json"]).json();
    let warned = |report: &Value| {
        report["warnings"].as_array().unwrap().iter().any(|warning| warning["rule"] == "approval.alone")
    };
    let shown = client.ok(&["approval", "show", "--json"]).json();
    assert_eq!((&shown["schema"], &shown["activation"]), (&1.into(), &"off".into()));
    assert_eq!((&shown["wait_seconds"], &shown["waiting"]), (&900.into(), &Value::Null));
    assert!(!warned(&dry_run()));
    for wrong in [&["--activation", "perhaps"][..], &["--wait", "0"], &["--wait", "soon"], &["--wait", "86401"]] {
        assert_eq!(client.run(&[&["approval", "set"], wrong].concat()).code, 2, "{wrong:?}");
    }
    wants_two(client, "60");
    let report = dry_run();
    assert!(warned(&report) && report["steps"][0]["id"] == "approval", "{report}");
    assert_eq!(client.run_with(&["user", "add", "bruno", "--role", "operator"], "una frase abbastanza lunga").code, 0);
    assert!(!warned(&dry_run()));
    assert_eq!(client.status()["approval"]["activation"], "on");
}
