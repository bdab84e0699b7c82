//! A real telephone system on each machine: kamailio, whose subscribers lie in a SQLite database. It is started, stopped
//! and checked by `tvox-dr` as its service.

use std::fs;
use std::path::{Path, PathBuf};

use crate::machines::Machine;

pub(crate) const DOMAIN: &str = "pbx.test";

/// A kamailio of one machine.
#[derive(Debug)]
pub(crate) struct Pbx {
    home: PathBuf,
    dir: PathBuf,
}

fn home() -> PathBuf {
    let there = std::env::var("TVOX_DR_KAMAILIO")
        .unwrap_or_else(|_| format!("{}/.cache/tvox-dr/kamailio", std::env::var("HOME").unwrap()));
    let there = PathBuf::from(there);
    assert!(there.join("usr/sbin/kamailio").exists(), "kamailio is there: run 'make setup'");
    there
}

/// An empty database of subscribers, as kamailio's own scripts make it.
pub(crate) fn create(database: &Path) {
    fs::create_dir_all(database.parent().unwrap()).unwrap();
    let schema = home().join("usr/share/kamailio/db_sqlite");
    let script = |name: &str| fs::read_to_string(schema.join(name)).unwrap();
    let text = format!("PRAGMA journal_mode=WAL; {}{}", script("standard-create.sql"), script("auth_db-create.sql"));
    rusqlite::Connection::open(database).unwrap().execute_batch(&text).unwrap();
}

/// Makes an account; its password is its name.
pub(crate) fn subscribe(database: &Path, name: &str) {
    let db = rusqlite::Connection::open(database).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
    let made = "INSERT INTO subscriber (username, domain, password) VALUES (?1, ?2, ?1)";
    db.execute(made, [name, DOMAIN]).unwrap();
}

impl Pbx {
    /// Declares it as the service of a machine: it answers at that address, for the accounts of that database.
    pub(crate) fn declare(machine: &Machine, address: std::net::Ipv4Addr, database: &Path) -> Self {
        let dir = machine.dir.with_extension("pbx");
        fs::create_dir_all(&dir).unwrap();
        let pbx = Self { home: home(), dir };
        fs::write(pbx.dir.join("kamailio.cfg"), pbx.configuration(address, database)).unwrap();
        let (start, stop, check) = (pbx.start(), pbx.stop(), pbx.check());
        machine.ok(&["service", "add", "pbx", "--start", &start, "--stop", &stop, "--check", &check]);
        pbx
    }

    fn configuration(&self, address: std::net::Ipv4Addr, database: &Path) -> String {
        let modules = [
            "db_sqlite",
            "tm",
            "sl",
            "rr",
            "pv",
            "maxfwd",
            "textops",
            "siputils",
            "usrloc",
            "registrar",
            "auth",
            "auth_db",
            "kex",
            "ctl",
        ];
        let modules: String = modules.map(|name| format!("loadmodule \"{name}.so\"\n")).concat();
        let (dir, database) = (self.dir.display(), database.display());
        format!(
            r#"#!KAMAILIO
debug=1
log_stderror=yes
children=2
disable_tcp=yes
auto_aliases=no
listen=udp:{address}:5060
{modules}
modparam("ctl", "binrpc", "unix:{dir}/ctl")
modparam("usrloc", "timer_interval", 1)
modparam("registrar", "max_contacts", 1)
modparam("registrar", "min_expires", 1)
modparam("auth_db", "db_url", "sqlite:///{database}")
modparam("auth_db", "calculate_ha1", 1)
modparam("auth_db", "password_column", "password")
request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("REGISTER")) {{
        if (!auth_check("{DOMAIN}", "subscriber", "1")) {{ auth_challenge("{DOMAIN}", "0"); exit; }}
        save("location");
        exit;
    }}
    if (has_totag()) {{ loose_route(); t_relay(); exit; }}
    if (is_method("CANCEL")) {{ t_relay(); exit; }}
    if (is_method("INVITE") && !auth_check("{DOMAIN}", "subscriber", "1")) {{
        auth_challenge("{DOMAIN}", "0");
        exit;
    }}
    consume_credentials();
    record_route();
    if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
    t_relay();
}}
"#
        )
    }

    fn libraries(&self) -> String {
        format!("{}/usr/lib/kamailio", self.home.display())
    }

    fn start(&self) -> String {
        let (home, dir, libraries) = (self.home.display(), self.dir.display(), self.libraries());
        format!(
            "rm -f {dir}/ctl; LD_LIBRARY_PATH={libraries} {home}/usr/sbin/kamailio -f {dir}/kamailio.cfg -L {libraries}/modules/ \
             -P {dir}/pid -Y {dir} -w {dir} -m 32 -M 4"
        )
    }

    fn stop(&self) -> String {
        let dir = self.dir.display();
        format!(
            "p=$(cat {dir}/pid 2>/dev/null) && kill $p && while kill -0 $p 2>/dev/null; do sleep 0.1; done; rm -f {dir}/pid"
        )
    }

    fn check(&self) -> String {
        let dir = self.dir.display();
        format!("test -e {dir}/pid && kill -0 $(cat {dir}/pid)")
    }

    /// The command that counts the phones that have registered here.
    pub(crate) fn registrations(&self) -> String {
        let (home, dir) = (self.home.display(), self.dir.display());
        format!(
            "LD_LIBRARY_PATH={} {home}/usr/sbin/kamcmd -s unix:{dir}/ctl stats.fetch usrloc.registered_users | \
             sed -n 's/.*registered_users: //p'",
            self.libraries()
        )
    }

    /// The machine loses its power.
    pub(crate) fn kill(&self) {
        let Ok(pid) = fs::read_to_string(self.dir.join("pid")) else { return };
        // With all its children: a daemon leads no group, it belongs to one.
        let leader = pid.trim().parse().ok().and_then(rustix::process::Pid::from_raw);
        if let Ok(group) = rustix::process::getpgid(leader)
            && leader.is_some()
        {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = fs::remove_file(self.dir.join("pid"));
    }
}

impl Drop for Pbx {
    fn drop(&mut self) {
        self.kill();
    }
}
