//! The supplier's half of licences: making keys and signing, on a machine without any node.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use contract::Timestamp;
use node::licence::{self, MODULES, Payload};
use node::{Clock, SystemClock};

use super::Exit;
use super::args::LicenceVerb;

/// Does what needs no node; `None` for the verbs that do.
pub fn without_node(verb: &LicenceVerb) -> Option<Exit> {
    match verb {
        LicenceVerb::Keygen { out } => Some(keygen(out)),
        LicenceVerb::Issue { key, serial, company, module, expires, machine, out } => {
            let expires = match expires.as_deref().map(moment).transpose() {
                Ok(expires) => expires,
                Err(problem) => return Some(Exit::Usage.saying(problem)),
            };
            if let Some(unknown) = module.iter().find(|module| !MODULES.contains(&module.as_str())) {
                return Some(Exit::Usage.saying(format_args!("--module {unknown}: one of {}", MODULES.join(", "))));
            }
            let payload = Payload {
                serial: serial.clone(),
                company: company.clone(),
                modules: module.clone(),
                expires,
                machine: machine.clone(),
                issued_at: SystemClock.now(),
            };
            Some(issue(key, &payload, out))
        }
        LicenceVerb::Load { .. } | LicenceVerb::Show | LicenceVerb::Remove => None,
    }
}

/// A moment, or a day: then its end in UTC, because a licence "until the 31st" is valid on the 31st.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    format!("{text}T23:59:59Z").parse().map_err(|_| {
        format!("--expires {text}: write a date such as 2027-12-31, or a moment such as 2027-12-31T12:00:00Z")
    })
}

fn write_new(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn keygen(out: &Path) -> Exit {
    let (secret, public) = match licence::keygen() {
        Ok(pair) => pair,
        Err(error) => return Exit::failed(error),
    };
    let mut public_file = out.as_os_str().to_owned();
    public_file.push(".pub");
    let public_file = PathBuf::from(public_file);
    // A key that exists is never overwritten: every licence signed with it would be worthless.
    match write_new(out, &secret, 0o600).and_then(|()| write_new(&public_file, &public, 0o644)) {
        Ok(()) => Exit::Done,
        Err(error) => Exit::failed(format_args!("the key {} cannot be written: {error}", out.display())),
    }
}

fn issue(key: &Path, payload: &Payload, out: &Path) -> Exit {
    let secret = match fs::read_to_string(key) {
        Ok(secret) => secret,
        Err(error) => return Exit::failed(format_args!("the key {} cannot be read: {error}", key.display())),
    };
    let text = match licence::issue(&secret, payload) {
        Ok(text) => text,
        Err(error) => return Exit::Usage.saying(error),
    };
    match fs::write(out, text) {
        Ok(()) => Exit::Done,
        Err(error) => Exit::failed(format_args!("the licence {} cannot be written: {error}", out.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_until_a_day_is_valid_to_its_last_second() {
        assert_eq!(moment("2027-12-31").unwrap().to_string(), "2027-12-31T23:59:59Z");
        assert_eq!(moment("2027-12-31T12:00:00Z").unwrap().to_string(), "2027-12-31T12:00:00Z");
        assert!(moment("31/12/2027").is_err());
    }
}
