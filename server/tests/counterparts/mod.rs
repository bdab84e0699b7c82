//! Real servers for messages to go to: a mail server, and an SMS gateway with a telephone network behind it. All listen
//! on loopback ports and end with their test.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    reason = "test code; each test file uses its own part of it"
)]

pub mod sip;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::machines::{free_port, until};

/// A process that ends with its owner.
#[derive(Debug)]
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn to_file(path: &Path) -> Stdio {
    fs::File::options().create(true).append(true).open(path).unwrap().into()
}

/// An authority and the certificate it gave to 127.0.0.1, as files.
#[derive(Debug)]
pub struct Authority {
    pub ca: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(dir: &Path, name: &str) -> Self {
        use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(DnType::CommonName, name);
        let root = ca.self_signed(&ca_key).unwrap().pem();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap().pem();
        let write = |what: &str, text: &str| {
            let path = dir.join(format!("{name}-{what}.pem"));
            fs::write(&path, text).unwrap();
            path
        };
        Self {
            ca: write("ca", &root),
            certificate: write("certificate", &leaf),
            key: write("key", &key.serialize_pem()),
        }
    }

    /// SHA-256 of the certificate it gave, in hex.
    pub fn fingerprint(&self) -> String {
        let openssl = ["x509", "-noout", "-fingerprint", "-sha256", "-in", self.certificate.to_str().unwrap()];
        let told = Command::new("openssl").args(openssl).output().expect("openssl is there: run 'make setup'");
        let text = String::from_utf8(told.stdout).unwrap();
        text.trim().rsplit('=').next().unwrap().to_owned()
    }
}

/// One mail as it arrived.
#[derive(Debug, Clone)]
pub struct Mail {
    pub text: String,
}

impl Mail {
    /// The value of a header, unfolded.
    pub fn header(&self, name: &str) -> String {
        let head = self.text.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
        let prefix = format!("{}:", name.to_ascii_lowercase());
        head.lines()
            .find(|line| line.to_ascii_lowercase().starts_with(&prefix))
            .map(|line| line[prefix.len()..].trim().to_owned())
            .unwrap_or_default()
    }

    pub fn to(&self) -> String {
        self.header("X-Sink-To")
    }
}

/// A mail server. It can be taken down and brought up again on its port.
#[derive(Debug)]
pub struct MailServer {
    pub port: u16,
    pub folder: PathBuf,
    options: Vec<String>,
    /// What it is run by, where it does not run in this test's own network.
    pub within: Vec<String>,
    process: Option<Process>,
}

impl MailServer {
    /// Not started yet.
    pub fn down(root: &Path, options: &[&str]) -> Self {
        let port = free_port();
        let folder = root.join(format!("mail-{port}"));
        fs::create_dir_all(&folder).unwrap();
        Self {
            port,
            folder,
            options: options.iter().map(ToString::to_string).collect(),
            within: Vec::new(),
            process: None,
        }
    }

    pub fn up(root: &Path, options: &[&str]) -> Self {
        let mut server = Self::down(root, options);
        server.start();
        server
    }

    /// With TLS, by a certificate of this authority.
    pub fn secured(root: &Path, tls: &str, by: &Authority, options: &[&str]) -> Self {
        let mut all = vec!["--tls", tls, "--cert", by.certificate.to_str().unwrap(), "--key", by.key.to_str().unwrap()];
        all.extend(options);
        Self::up(root, &all)
    }

    pub fn start(&mut self) {
        let sink = concat!(env!("CARGO_MANIFEST_DIR"), "/../end2end/counterparts/smtp-sink.mjs");
        let words: Vec<&str> = self.within.iter().map(String::as_str).chain(["node"]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(sink).arg("--folder").arg(&self.folder).args(["--port", &self.port.to_string()]);
        command.args(&self.options).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("node is there: run 'make setup'");
        let out = child.stdout.take().unwrap();
        self.process = Some(Process(child));
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready", "the mail server does not start: run 'make setup'");
    }

    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts anew with other options, on the same port.
    pub fn restart(&mut self, options: &[&str]) {
        self.stop();
        self.options = options.iter().map(ToString::to_string).collect();
        self.start();
    }

    /// In the order of arrival.
    pub fn mails(&self) -> Vec<Mail> {
        let mut files: Vec<PathBuf> = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|ending| ending == "eml"));
        files.sort();
        files.iter().map(|file| Mail { text: fs::read_to_string(file).unwrap() }).collect()
    }

    pub fn until_mails(&self, count: usize) -> Vec<Mail> {
        until(&format!("{count} mails arrive"), || self.mails().len() >= count);
        self.mails()
    }
}

/// Kannel: the gateway with its HTTP interface, and a telephone network that writes down what it is given.
#[derive(Debug)]
pub struct Kannel {
    pub port: u16,
    network: PathBuf,
    _processes: Vec<Process>,
}

impl Kannel {
    pub const USER: &'static str = "tvox";
    pub const PASSWORD: &'static str = "parola & \"segreta\"";

    pub fn start(root: &Path) -> Self {
        Self::start_with(root, "", "")
    }

    /// With its HTTP interface in TLS.
    pub fn secured(root: &Path, by: &Authority) -> Self {
        let (certificate, key) = (by.certificate.display(), by.key.display());
        let core = format!("ssl-server-cert-file = \"{certificate}\"\nssl-server-key-file = \"{key}\"\n");
        Self::start_with(root, &core, "sendsms-port-ssl = true\n")
    }

    fn start_with(root: &Path, core: &str, smsbox: &str) -> Self {
        let home = std::env::var("TVOX_DR_KANNEL")
            .unwrap_or_else(|_| format!("{}/.cache/tvox-dr/kannel", std::env::var("HOME").unwrap()));
        let program = |name: &str| Path::new(&home).join("usr").join(name);
        let dir = root.join("kannel");
        fs::create_dir_all(&dir).unwrap();
        let [admin, boxes, network, port] = [free_port(), free_port(), free_port(), free_port()];
        let (user, password) = (Self::USER, Self::PASSWORD);
        let config = dir.join("kannel.conf");
        let text = format!(
            "group = core\nadmin-port = {admin}\nadmin-interface = 127.0.0.1\nadmin-password = x\n{core}\
             smsbox-port = {boxes}\nsmsbox-interface = 127.0.0.1\nbox-allow-ip = 127.0.0.1\n\n\
             group = smsc\nsmsc = fake\nsmsc-id = fake\nhost = 127.0.0.1\nport = {network}\n\
             connect-allow-ip = 127.0.0.1\n\n\
             group = smsbox\nbearerbox-host = 127.0.0.1\nsendsms-interface = 127.0.0.1\nsendsms-port = {port}\n\
             global-sender = 13013\n{smsbox}\n\
             group = sendsms-user\nusername = {user}\npassword = {password}\nmax-messages = 3\n\n\
             group = sms-service\nkeyword = default\ntext = \"none\"\n"
        );
        fs::write(&config, text).unwrap();
        let run = |name: &str, args: &[&str]| {
            let log = dir.join(format!("{}.log", name.rsplit('/').next().unwrap()));
            let child = Command::new(program(name))
                .args(args)
                .current_dir(&dir)
                .stdin(Stdio::null())
                .stdout(to_file(&log))
                .stderr(to_file(&log))
                .spawn()
                .expect("Kannel is there: run 'make setup'");
            Process(child)
        };
        let listens = |port: u16| {
            until("a part of Kannel listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        };
        let config = config.to_str().unwrap();
        let bearerbox = run("sbin/bearerbox", &[config]);
        listens(admin);
        let smsbox = run("sbin/smsbox", &[config]);
        let phone =
            run("lib/kannel/test/fakesmsc", &["-H", "127.0.0.1", "-r", &network.to_string(), "-m", "0", "1 2 text x"]);
        listens(port);
        let kannel = Self { port, network: dir.join("fakesmsc.log"), _processes: vec![smsbox, phone, bearerbox] };
        // The gateway takes messages only once it has a network to hand them to.
        until("the network is connected", || {
            fs::read_to_string(dir.join("bearerbox.log")).unwrap_or_default().contains("Fakesmsc client connected")
        });
        kannel
    }

    /// Its `sendsms` with the placeholders of an account.
    pub fn url(&self) -> String {
        format!(
            "http://127.0.0.1:{}/cgi-bin/sendsms?username={}&password={{secret}}&to={{to}}&text={{text}}&charset=UTF-8&coding=0",
            self.port,
            Self::USER
        )
    }

    /// What reached the telephone network.
    pub fn network(&self) -> String {
        fs::read_to_string(&self.network).unwrap_or_default()
    }
}
