//! The Master dies; an account that was made on it seconds before calls through the DR; the Master comes back and takes
//! no phone; after the failback it does, and knows an account that was made on the DR.

use std::fs;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use crate::bind::{self, Bind};
use crate::bmc::Bmc;
use crate::counterparts::MailServer;
use crate::machines::{Machine, until};
use crate::networks::Networks;
use crate::pbx::{self, Pbx};
use crate::phone::{Desk, Phone};
use crate::site::{CLIENT, MASTER, PHONES, Site, open_alarms};

/// Ten times what is aimed at: a machine that runs other tests meanwhile proves no speed.
const GENEROUS: f64 = 10.0;
/// Three probes, one a second.
const DETECTION: f64 = 3.0;
/// Of an activation, apart from its services' own start.
const OVERHEAD: f64 = 1.0;

/// Everything that stands around the two machines.
struct House {
    site: Site,
    master_pbx: Pbx,
    client_pbx: Pbx,
    /// The database of the accounts on the Master, and where the DR shows it.
    accounts: (std::path::PathBuf, std::path::PathBuf),
    dns: Bind,
    bmc: Bmc,
    mail: MailServer,
    desk: Arc<Desk>,
}

impl House {
    fn build() -> Option<Self> {
        let site = Site::new("phones that move from the Master to the DR and back")?;
        let (root, [master, client]) = (site.pair.root.path(), [MASTER, CLIENT].map(Networks::address));
        pbx::create(&site.pair.path("src").join("accounts"));
        let accounts = site.pair.declare("accounts", "sqlite");
        let master_pbx = Pbx::declare(&site.pair.master, master, &accounts.0);
        let client_pbx = Pbx::declare(&site.pair.client, client, &accounts.1);
        let within = site.networks.within(CLIENT);
        let mut mail = MailServer::down(root, &[]);
        mail.within.clone_from(&within);
        mail.start();
        let dns = Bind::start_within(within.clone(), root, &master.to_string(), 60);
        let bmc = Bmc::start_within(within, root);
        let desk = Arc::new(Desk::new(&site.networks, PHONES, root));
        let house = Self { site, master_pbx, client_pbx, accounts, dns, bmc, mail, desk };
        house.declare(master, client);
        Some(house)
    }

    fn declare(&self, master: Ipv4Addr, client: Ipv4Addr) {
        let dr = &self.site.pair.client;
        let (sip, registrations) = (format!("{client}:5060"), self.client_pbx.registrations());
        dr.ok(&["telephony", "set", "--sip", &sip, "--registrations", &registrations, "--expected", "2"]);
        let (server, old, new) = (format!("127.0.0.1:{}", self.dns.port), master.to_string(), client.to_string());
        let dns = ["step", "add", "dns", "--kind", "dns", "--zone", bind::ZONE, "--record", bind::RECORD];
        let values = ["--old", &old, "--new", &new, "--server", &server, "--key-name", bind::KEY, "--secret-stdin"];
        assert_eq!(dr.run_with(&[&dns[..], &values[..]].concat(), bind::SECRET).code, 0);
        let port = self.bmc.port.to_string();
        let power = ["power", "set", &old, "--ipmi", "127.0.0.1", "--port", &port, "--user", Bmc::USER];
        assert_eq!(dr.run_with(&[&power[..], &["--password-stdin"]].concat(), Bmc::PASSWORD).code, 0);
        let port = self.mail.port.to_string();
        dr.ok(&[
            "smtp",
            "set",
            "--server",
            "127.0.0.1",
            "--port",
            &port,
            "--security",
            "none",
            "--from",
            "dr@a.example",
        ]);
        dr.ok(&["recipient", "add", "email", "guardia@a.example"]);
        dr.ok(&["threshold", "set", "failback.stable_s", "0"]);
    }

    fn phone(&self, name: &str) -> Phone {
        Phone::new(&self.desk, name, [MASTER, CLIENT].map(Networks::address))
    }

    /// The whole machine, at once.
    fn lose_master(&mut self) {
        self.site.networks.plug(MASTER, false);
        self.site.pair.master.kill();
        self.master_pbx.kill();
        self.bmc.switch(false);
    }

    fn return_master(&mut self) {
        self.bmc.switch(true);
        self.site.networks.plug(MASTER, true);
        let master = &mut self.site.pair.master;
        master.boot("another boot");
        master.start();
        until("the Master is fenced", || master.status()["state"] == "fenced");
    }
}

fn last(machine: &Machine) -> Value {
    machine.ok(&["run", "show", "--json"]).json()
}

/// Whether the copy on the DR has an account already.
fn has_account(database: &std::path::Path, name: &str) -> bool {
    let Ok(real) = fs::canonicalize(database) else { return false };
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI;
    let Ok(db) = rusqlite::Connection::open_with_flags(format!("file:{}?immutable=1", real.display()), flags) else {
        return false;
    };
    db.query_row("SELECT count(*) FROM subscriber WHERE username = ?1", [name], |row| row.get(0)) == Ok(1)
}

/// Seconds of a run from the press to the verified services, apart from the time for which a service was being started.
fn overhead(run: &Value) -> f64 {
    let at = |step: &Value, key: &str| step[key].as_str().unwrap().parse::<contract::Timestamp>().unwrap();
    let steps = run["steps"].as_array().unwrap().iter();
    let starts = steps.filter(|step| step["id"].as_str().unwrap().starts_with("start:"));
    let starting: f64 =
        starts.map(|step| at(step, "ended_at").duration_since(at(step, "started_at")).as_secs_f64()).sum();
    run["rto_seconds"].as_f64().unwrap() - starting
}

#[test]
fn an_account_made_seconds_before_the_master_died_calls_through_the_dr_and_one_made_there_comes_home() {
    let Some(mut house) = House::build() else { return };
    let [master, client] = [MASTER, CLIENT].map(Networks::address);
    pbx::subscribe(&house.accounts.0, "rossi");
    let rossi = house.phone("rossi");
    rossi.until_at(master);
    pbx::subscribe(&house.accounts.0, "bianchi");
    until("the account is on the DR", || has_account(&house.accounts.1, "bianchi"));
    // From the field: "a promotion that waits for the dead machine". Nothing there refuses anything: its cable is pulled.
    house.lose_master();
    let died = Instant::now();
    let dr = &house.site.pair.client;
    until("its death is an alarm", || open_alarms(dr, "dr.master.unreachable") == 1);
    let detected = died.elapsed().as_secs_f64();
    let bianchi = house.phone("bianchi");

    let dr = &house.site.pair.client;
    let pressed = Instant::now();
    let words = ["activate", "--confirm-name", "dr1", "--reason", "incendio", "--accept-data-loss", "--json"];
    let ran = dr.run(&words);
    let took = pressed.elapsed().as_secs_f64();
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
    assert_eq!(ran.json()["isolation"][0]["outcome"], "already_down", "its controller sees it off");
    assert_eq!(house.dns.record(), client.to_string());
    rossi.until_at(client);
    bianchi.until_at(client);
    assert!(bianchi.calls("rossi"), "{}", bianchi.errors());
    until("both are counted", || last(dr)["telephony"]["phones"]["count"] == 2);
    let run = last(dr);
    let first = run["first_phone_rto_seconds"].as_f64().unwrap();
    eprintln!(
        "dead Master detected after {detected:.2} s; activation {took:.2} s from the command, {:.2} s without the start \
         of the services; RTO to the verified services {:.2} s, to the first registered phone {first:.2} s",
        overhead(&run),
        run["rto_seconds"].as_f64().unwrap(),
    );
    assert!(detected < DETECTION * GENEROUS && overhead(&run) < OVERHEAD * GENEROUS, "{run}");
    house.mail.until_mails(1);

    pbx::subscribe(&house.accounts.1, "verdi");
    let verdi = house.phone("verdi");
    verdi.until_at(client);
    house.return_master();
    for phone in [&rossi, &bianchi, &verdi] {
        phone.until_registered_again();
        assert_eq!(phone.registrar(), Some(format!("{client}:5060")), "the Master that is back serves nobody");
    }
    let dr = &house.site.pair.client;
    until("the DR sees it", || dr.status()["pair"]["peer"]["machines"][0]["reachable"] == true);
    let home = ["failback", "--confirm-name", "dr1", "--reason", "riparato", "--accept-data-loss", "--json"];
    let ran = dr.run(&home);
    assert_eq!((ran.code, &ran.json()["state"]), (0, &"done".into()), "{ran:?}");
    for phone in [&rossi, &bianchi, &verdi] {
        phone.until_at(master);
    }
    assert!(verdi.calls("rossi"), "{}", verdi.errors());
    assert_eq!(house.dns.record(), master.to_string());
}
