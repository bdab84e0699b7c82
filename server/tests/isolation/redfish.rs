//! A management controller with a web service: the Redfish simulator of OpenStack, with Basic authentication and TLS. Its
//! machine follows an order some seconds later.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::*;
use crate::counterparts::Authority;
use crate::machines::free_port;

const USER: &str = "tvox";
const PASSWORD: &str = "parola-segreta";
/// Of that password.
const HASH: &str = "$2b$04$WdDhqmifP0EuqGmK8EKYEeTUy72LYKJAMwu1GmJnp4RL1fKkH.bcC";

/// The simulator. It ends with its owner.
struct Service {
    url: String,
    process: Child,
}

impl Service {
    /// With this many machines, all of them on.
    fn start(root: &Path, machines: usize, tls: Option<&Authority>) -> Self {
        let port = free_port();
        let dir = root.join(format!("redfish-{port}"));
        fs::create_dir_all(&dir).unwrap();
        let systems: Vec<String> = (1..=machines)
            .map(|n| format!("{{'uuid': 'system-{n}', 'name': 'pbx{n}', 'power_state': 'On', 'nics': []}}"))
            .collect();
        fs::write(dir.join("users"), format!("{USER}:{HASH}\n")).unwrap();
        let config = format!(
            "SUSHY_EMULATOR_FAKE_DRIVER = True\nSUSHY_EMULATOR_FAKE_SYSTEMS = [{}]\nSUSHY_EMULATOR_STATE_DIR = '{dir}'\n\
             SUSHY_EMULATOR_AUTH_FILE = '{dir}/users'\n",
            systems.join(", "),
            dir = dir.display(),
        );
        fs::write(dir.join("config.py"), config).unwrap();
        let tools = std::env::var("TVOX_DR_TOOLS")
            .unwrap_or_else(|_| format!("{}/.cache/tvox-dr/tools", std::env::var("HOME").unwrap()));
        let log = fs::File::create(dir.join("log")).unwrap();
        let mut command = Command::new("python3");
        command
            .args(["-c", "from sushy_tools.emulator.main import main; main()", "--fake", "-i", "127.0.0.1"])
            .args(["-p", &port.to_string(), "--config"])
            .arg(dir.join("config.py"))
            .env("PYTHONPATH", PathBuf::from(tools).join("sushy"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        if let Some(by) = tls {
            command.arg("--ssl-certificate").arg(&by.certificate).arg("--ssl-key").arg(&by.key);
        }
        let process = command.spawn().expect("python3 is there: run 'make setup'");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let service = Self { url: format!("{scheme}://127.0.0.1:{port}"), process };
        until("the service listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        service
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn set(client: &Machine, service: &Service, more: &[&str], password: &str) {
    let args = ["power", "set", MASTER, "--redfish", &service.url, "--user", USER, "--password-stdin"];
    let ran = client.run_with(&[&args[..], more].concat(), password);
    assert_eq!(ran.code, 0, "{ran:?}");
}

fn fault(client: &Machine) -> Value {
    let ran = client.run(&["power", "status", MASTER, "--json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.json()["fault"].clone()
}

#[test]
fn a_run_switches_a_machine_off_by_redfish_and_waits_until_it_follows() {
    let mut pair = seeded();
    let service = Service::start(pair.root.path(), 1, None);
    set(&pair.client, &service, &[], PASSWORD);
    assert_eq!(pair.client.ok(&["power", "status", MASTER, "--json"]).json()["state"], "on");
    pair.master.kill();
    let run = pair.client.ok(&[&ACTIVATE[..], &["--power-off", MASTER, "--json"]].concat()).json();
    assert_eq!((&run["state"], &run["isolation"][0]["outcome"]), (&json!("done"), &json!("powered_off")), "{run}");
    assert_eq!(evidence(&run["isolation"], "power:redfish")["result"], "off");
    assert_eq!(pair.client.ok(&["power", "status", MASTER, "--json"]).json()["state"], "off");
}

#[test]
fn a_password_goes_only_to_the_service_that_shows_the_expected_certificate() {
    let pair = Pair::strangers();
    let (client, root) = (&pair.client, pair.root.path());
    let (own, other) = (Authority::new(root, "own"), Authority::new(root, "other"));
    let service = Service::start(root, 1, Some(&own));
    set(client, &service, &[], PASSWORD);
    assert!(fault(client)["wrong_certificate"].is_string(), "the system does not know this authority");
    set(client, &service, &["--ca", other.ca.to_str().unwrap()], PASSWORD);
    assert!(fault(client)["wrong_certificate"].is_string(), "another authority");
    set(client, &service, &["--ca", own.ca.to_str().unwrap()], PASSWORD);
    assert_eq!(client.ok(&["power", "status", MASTER, "--json"]).json()["state"], "on");
    let pinned = own.fingerprint();
    set(client, &service, &["--fingerprint", &pinned], PASSWORD);
    assert_eq!(client.ok(&["power", "status", MASTER, "--json"]).json()["state"], "on");
    set(client, &service, &["--fingerprint", &other.fingerprint()], PASSWORD);
    assert!(fault(client)["wrong_certificate"].is_string(), "another certificate");
    set(client, &service, &["--fingerprint", &pinned], "un'altra");
    assert_eq!(fault(client), "wrong_login");
    let clear = ["power", "set", MASTER, "--redfish", "http://192.0.2.7", "--user", USER, "--password-stdin", "--json"];
    assert_eq!(client.run_with(&clear, PASSWORD).json()["invalid"][0]["field"], "url", "never in clear over a network");
}

#[test]
fn of_several_systems_one_must_be_chosen() {
    let pair = Pair::strangers();
    let service = Service::start(pair.root.path(), 2, None);
    set(&pair.client, &service, &[], PASSWORD);
    let told = fault(&pair.client)["several_systems"].as_str().unwrap().to_owned();
    assert!(told.contains("system-1") && told.contains("system-2"), "{told}");
    set(&pair.client, &service, &["--system", "system-2"], PASSWORD);
    assert_eq!(pair.client.ok(&["power", "status", MASTER, "--json"]).json()["state"], "on");
    set(&pair.client, &service, &["--system", "system-9"], PASSWORD);
    assert_eq!(fault(&pair.client), "no_system");
}
