//! Phones: each registers with its first registrar, and with the second one where that does not answer, again and again;
//! and can call. All of them are sipp.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::machines::until;
use crate::networks::Networks;
use crate::pbx::DOMAIN;

/// For how long a registration holds, in seconds.
const EXPIRES: u32 = 4;
/// Where a phone waits for calls.
const PORT: u16 = 15_060;

/// Which network the phones are in, and where their files lie.
#[derive(Debug)]
pub(crate) struct Desk {
    within: Vec<String>,
    address: std::net::Ipv4Addr,
    dir: PathBuf,
}

impl Desk {
    pub(crate) fn new(networks: &Networks, side: usize, root: &Path) -> Self {
        let dir = root.join("phones");
        fs::create_dir_all(&dir).unwrap();
        Self { within: networks.within(side), address: Networks::address(side), dir }
    }

    fn sipp(&self, scenario: &str, more: &[&str]) -> Command {
        let mut command = Command::new(&self.within[0]);
        command
            .args(&self.within[1..])
            .args(["sipp", "-nostdin", "-m", "1", "-i", &self.address.to_string()])
            .args(["-timeout_error", "-sf"])
            .arg(self.dir.join(scenario))
            .args(more)
            .current_dir(&self.dir)
            .env("TERM", "dumb")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    fn write(&self, scenario: &str, steps: &str) {
        let text = format!("<?xml version=\"1.0\"?>\n<scenario name=\"{scenario}\">\n{steps}</scenario>\n");
        fs::write(self.dir.join(scenario), text).unwrap();
    }
}

fn send(text: &str, more: &str) -> String {
    format!("<send{more}><![CDATA[\n\n{text}\n\n]]></send>\n")
}

/// A phone that goes on registering until dropped.
#[derive(Debug)]
pub(crate) struct Phone {
    name: String,
    desk: Arc<Desk>,
    /// The registrar that took it last, and how often one has.
    at: Arc<Mutex<(Option<String>, usize)>>,
    off: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Phone {
    pub(crate) fn new(desk: &Arc<Desk>, name: &str, registrars: [std::net::Ipv4Addr; 2]) -> Self {
        let registrars = registrars.map(|ip| format!("{ip}:5060"));
        let request = |number: u32, credentials: &str| {
            format!(
                "REGISTER sip:{DOMAIN} SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
                 From: <sip:{name}@{DOMAIN}>;tag=[pid]t[call_number]\nTo: <sip:{name}@{DOMAIN}>\nCall-ID: [call_id]\n\
                 CSeq: {number} REGISTER\nContact: <sip:{name}@[local_ip]:{PORT}>\nMax-Forwards: 70\n\
                 Expires: {EXPIRES}\n{credentials}Content-Length: 0"
            )
        };
        let own = format!("[authentication username={name} password={name}]\n");
        let steps = [
            send(&request(1, ""), " retrans=\"200\""),
            "<recv response=\"401\" auth=\"true\" timeout=\"1500\"/>\n".to_owned(),
            send(&request(2, &own), " retrans=\"200\""),
            "<recv response=\"200\" timeout=\"1500\"/>\n".to_owned(),
        ];
        let scenario = format!("register-{name}.xml");
        desk.write(&scenario, &steps.concat());
        let (at, off) = (Arc::new(Mutex::new((None, 0))), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (desk, at, off) = (Arc::clone(desk), Arc::clone(&at), Arc::clone(&off));
            move || {
                while !off.load(Ordering::SeqCst) {
                    let taken = registrars.iter().find(|registrar| {
                        desk.sipp(&scenario, &["-timeout", "4", registrar]).status().is_ok_and(|end| end.success())
                    });
                    let mut told = at.lock().unwrap();
                    *told = (taken.cloned(), told.1 + usize::from(taken.is_some()));
                    drop(told);
                    // A quarter of the time for which it holds.
                    std::thread::park_timeout(Duration::from_millis(u64::from(EXPIRES) * 250));
                }
            }
        });
        Self { name: name.to_owned(), desk: Arc::clone(desk), at, off, thread: Some(thread) }
    }

    /// The registrar that has taken it.
    pub(crate) fn registrar(&self) -> Option<String> {
        self.at.lock().unwrap().0.clone()
    }

    /// Waits until it has registered twice more, wherever.
    pub(crate) fn until_registered_again(&self) {
        let times = || self.at.lock().unwrap().1;
        let before = times();
        until(&format!("{} registers again", self.name), || times() >= before + 2);
    }

    pub(crate) fn until_at(&self, registrar: std::net::Ipv4Addr) {
        let registrar = format!("{registrar}:5060");
        until(&format!("{} registers at {registrar}", self.name), || self.registrar().as_ref() == Some(&registrar));
    }

    /// Calls another phone, which picks up, and hangs up. Through the registrar at which it is registered.
    pub(crate) fn calls(&self, other: &str) -> bool {
        let through = self.registrar().unwrap();
        let name = &self.name;
        let invite = |number: u32, method: &str, more: &str| {
            // Each INVITE begins a dialog of its own; the rest belongs to one.
            let tag = if method == "INVITE" { "" } else { "[peer_tag_param]" };
            format!(
                "{method} sip:{other}@{DOMAIN} SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
                 From: <sip:{name}@{DOMAIN}>;tag=[pid]c[call_number]\nTo: <sip:{other}@{DOMAIN}>{tag}\n\
                 Call-ID: [call_id]\nCSeq: {number} {method}\nContact: <sip:{name}@[local_ip]:[local_port]>\n\
                 Max-Forwards: 70\n{more}Content-Length: 0"
            )
        };
        let own = format!("[authentication username={name} password={name}]\n");
        let within = |number: u32, method: &str| {
            invite(number, method, "[routes]\n").replace(&format!("sip:{other}@{DOMAIN} SIP/2.0"), "[next_url] SIP/2.0")
        };
        let steps = [
            send(&invite(1, "INVITE", ""), " retrans=\"200\""),
            "<recv response=\"100\" optional=\"true\"/>\n<recv response=\"407\" auth=\"true\" timeout=\"5000\"/>\n"
                .to_owned(),
            send(&invite(1, "ACK", ""), ""),
            send(&invite(2, "INVITE", &own), " retrans=\"200\""),
            "<recv response=\"100\" optional=\"true\"/>\n<recv response=\"180\" optional=\"true\"/>\n".to_owned(),
            "<recv response=\"200\" rrs=\"true\" timeout=\"5000\"/>\n".to_owned(),
            send(&within(2, "ACK"), ""),
            send(&within(3, "BYE"), " retrans=\"200\""),
            "<recv response=\"200\" timeout=\"5000\"/>\n".to_owned(),
        ];
        let scenario = format!("call-{name}.xml");
        self.desk.write(&scenario, &steps.concat());
        let port = PORT.to_string();
        let mut answers = self.desk.sipp("answer.xml", &["-p", &port, "-timeout", "20"]);
        self.desk.write("answer.xml", ANSWER);
        let mut picks_up = answers.spawn().expect("sipp is there: run 'make setup'");
        let more = ["-timeout", "15", "-trace_err", "-trace_msg", &through];
        let called = self.desk.sipp(&scenario, &more).status().unwrap().success();
        let _ = picks_up.kill();
        let _ = picks_up.wait();
        called
    }

    /// What sipp has to say about its failures.
    pub(crate) fn errors(&self) -> String {
        let files = fs::read_dir(&self.desk.dir).unwrap().flatten();
        let logs = files.filter(|entry| entry.path().extension().is_some_and(|end| end == "log"));
        logs.map(|entry| fs::read_to_string(entry.path()).unwrap_or_default()).collect()
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.off.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

const ANSWER: &str = r#"<recv request="INVITE" rrs="true"/>
<send><![CDATA[

SIP/2.0 180 Ringing
[last_Via:]
[last_From:]
[last_To:];tag=[pid]a[call_number]
[last_Call-ID:]
[last_CSeq:]
[last_Record-Route:]
Contact: <sip:[local_ip]:[local_port]>
Content-Length: 0

]]></send>
<send retrans="200"><![CDATA[

SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[pid]a[call_number]
[last_Call-ID:]
[last_CSeq:]
[last_Record-Route:]
Contact: <sip:[local_ip]:[local_port]>
Content-Length: 0

]]></send>
<recv request="ACK"/>
<recv request="BYE"/>
<send><![CDATA[

SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
"#;
