//! Networks of a test's own: namespaces with cables between them. Their names have a random part, and they are gone when
//! dropped, also by a test that fails.
//!
//! Needs root and Linux network namespaces. Where there are none, `TVOX_DR_NO_NETNS=1` leaves such a test out, aloud.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    reason = "test code; each test file uses its own part of it"
)]

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::process::Command;

/// Runs `ip`.
pub fn ip(words: &str) -> Result<(), String> {
    let ran = Command::new("ip").args(words.split_whitespace()).output().map_err(|error| format!("ip: {error}"))?;
    if ran.status.success() { Ok(()) } else { Err(format!("ip {words}: {}", String::from_utf8_lossy(&ran.stderr))) }
}

/// Some networks; gone when dropped.
#[derive(Debug)]
pub struct Networks {
    names: Vec<String>,
}

impl Networks {
    /// One for each side. `None` where the environment says that there are none here.
    pub fn new(what: &str, sides: &[&str]) -> Option<Self> {
        if std::env::var_os("TVOX_DR_NO_NETNS").is_some_and(|value| value == "1") {
            eprintln!("NOT TESTED: {what}, because TVOX_DR_NO_NETNS=1");
            return None;
        }
        sweep();
        let id = format!("{}-{:08x}", std::process::id(), RandomState::new().hash_one(0) as u32);
        let networks = Self { names: sides.iter().map(|side| format!("tvoxdr-{id}-{side}")).collect() };
        for name in &networks.names {
            let made = ip(&format!("netns add {name}")).and_then(|()| ip(&format!("-n {name} link set lo up")));
            made.unwrap_or_else(|why| {
                panic!(
                    "NO NETWORK NAMESPACES: {why}\nThis test needs root, iproute2 and a kernel that allows them. \
                     Where they cannot be had, TVOX_DR_NO_NETNS=1 leaves it out."
                )
            });
        }
        Some(networks)
    }

    pub fn name(&self, side: usize) -> &str {
        &self.names[side]
    }

    /// What a command is run by on one side.
    pub fn within(&self, side: usize) -> Vec<String> {
        ["ip", "netns", "exec", self.name(side)].map(str::to_owned).to_vec()
    }

    /// A command on one side.
    pub fn command(&self, side: usize, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", self.name(side), program]);
        command
    }

    /// A switch on the last side with a cable to each of the others; each has the address 192.0.2.(side + 1) on `wan`.
    pub fn connect(&self) {
        let middle = self.names.len() - 1;
        let switch = self.name(middle);
        let all = |words: String| ip(&words).unwrap();
        all(format!("-n {switch} link add wan type bridge"));
        for side in 0..middle {
            let name = self.name(side);
            all(format!("-n {name} link add wan type veth peer name to{side} netns {switch}"));
            all(format!("-n {switch} link set to{side} master wan up"));
        }
        for side in 0..=middle {
            all(format!("-n {} addr add {}/24 dev wan", self.name(side), Self::address(side)));
            all(format!("-n {} link set wan up", self.name(side)));
        }
    }

    /// The address of a side that is connected.
    pub fn address(side: usize) -> std::net::Ipv4Addr {
        std::net::Ipv4Addr::new(192, 0, 2, u8::try_from(side).unwrap() + 1)
    }

    /// Takes the cable of a side out, or puts it back.
    pub fn plug(&self, side: usize, there: bool) {
        let how = if there { "up" } else { "down" };
        ip(&format!("-n {} link set wan {how}", self.name(side))).unwrap();
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        self.names.iter().for_each(|name| take_away(name));
    }
}

/// A namespace, and first whatever runs in it: a daemon that the product started for a test belongs to nobody else, and
/// would keep the namespace alive without a name.
fn take_away(name: &str) {
    let inside = Command::new("ip").args(["netns", "pids", name]).output();
    let pids = inside.map(|ran| String::from_utf8_lossy(&ran.stdout).into_owned()).unwrap_or_default();
    for pid in pids.split_whitespace().filter_map(|pid| rustix::process::Pid::from_raw(pid.parse().ok()?)) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    let _ = ip(&format!("netns del {name}"));
}

/// Takes away what a test left that was killed outright.
fn sweep() {
    let left = fs::read_dir("/run/netns").into_iter().flatten().flatten();
    for name in left.filter_map(|entry| entry.file_name().into_string().ok()) {
        let owner = name.strip_prefix("tvoxdr-").and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            take_away(&name);
        }
    }
}
