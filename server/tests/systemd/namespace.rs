//! A machine's own systemd, the real one: process 1 of namespaces of its own, on this machine's files, which it may only
//! read. `/run`, `/etc/systemd` and the control groups are its own, so that nothing of this machine is started or touched.
//! It is gone when dropped, and with the process that made it.
//!
//! Needs root, systemd 252 or later and Linux namespaces, as `networks` does. Where there are none, `TVOX_DR_NO_NETNS=1`
//! leaves such a test out, aloud.

use std::fs::{self, File};
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::machines::{Ran, until};

/// What becomes process 1: `$1` may be written to, `$2` holds what stands in `/etc/systemd`.
const BOOT: &str = r#"set -eu
mount --make-rprivate /
mount --bind "$1" "$1"
mount -o remount,bind,ro /
mount -t proc proc /proc
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /etc/systemd
cp -r "$2/." /etc/systemd
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec env -i container=tvox-dr-test PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_LOG_TARGET=console \
  /lib/systemd/systemd --system --unit=machine.target
"#;

/// Puts itself into a control group of its own first: that is the root of those that systemd sees.
const UNSHARE: &str = r#"echo $$ > "$1/cgroup.procs"
exec unshare --pid --fork --kill-child --mount --uts --ipc --cgroup sh -c "$4" boot "$2" "$3"
"#;

/// How its control group is called: this, the test's process, a random part.
const GROUP: &str = "tvoxdr-systemd-";

/// A systemd that runs.
pub struct Systemd {
    process: Child,
    init: Pid,
    group: PathBuf,
}

impl Systemd {
    /// Boots a machine whose target wants `units`, each a name and what its file says. `writable` is the one directory
    /// that can be written to, `boot` the id of this boot.
    pub fn boot(writable: &Path, units: &[(&str, &str)], boot: &str) -> Option<Self> {
        if std::env::var_os("TVOX_DR_NO_NETNS").is_some_and(|value| value == "1") {
            eprintln!("NOT TESTED: a systemd of its own, because TVOX_DR_NO_NETNS=1");
            return None;
        }
        let Some(groups) = groups() else {
            eprintln!("NOT TESTED: a systemd of its own, because there are no control groups of the second version");
            return None;
        };
        sweep(&groups);
        let random = RandomState::new().hash_one(0) as u32;
        let group = groups.join(format!("{GROUP}{}-{random:08x}", std::process::id()));
        if let Err(why) = fs::create_dir(&group) {
            eprintln!("NOT TESTED: a systemd of its own, because of {}: {why}", group.display());
            return None;
        }
        let etc = writable.join(format!("systemd-{random:08x}"));
        let system = etc.join("system");
        fs::create_dir_all(&system).unwrap();
        fs::write(etc.join("system.conf"), format!("[Manager]\nDefaultEnvironment=TVOX_DR_BOOT_ID={boot}\n")).unwrap();
        let names = units.iter().map(|(name, _)| name).filter(|name| !name.contains('/'));
        let wants: String = names.map(|name| format!("Wants={name}\n")).collect();
        fs::write(system.join("machine.target"), format!("[Unit]\nDefaultDependencies=no\n{wants}")).unwrap();
        for (name, text) in units {
            let file = system.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let said = File::create(etc.join("console")).unwrap();
        // It ends with the thread that begins it: a test that is killed outright drops nothing.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "sh", "-c", UNSHARE, "unshare"]).args([&group, writable, &etc]).arg(BOOT);
        command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
        let mut process = command.spawn().unwrap();
        let mut init = None;
        until("process 1 is there", || {
            assert!(process.try_wait().unwrap().is_none(), "no systemd: {}", console(&etc));
            init = child_of(process.id());
            init.is_some()
        });
        let systemd = Self { process, init: init.unwrap(), group };
        let mut answer = String::new();
        let up = std::panic::AssertUnwindSafe(|| {
            until("its target is reached", || {
                answer = systemd.run(&["systemctl", "is-active", "machine.target"]).out;
                answer == "active\n"
            });
        });
        if std::panic::catch_unwind(up).is_err() {
            panic!("systemd does not come up: {answer}{}", console(&etc));
        }
        Some(systemd)
    }

    /// What a command is run by on this machine.
    pub fn within(&self) -> String {
        format!("nsenter --target {} --mount --uts --ipc --pid --cgroup", self.init.as_raw_nonzero())
    }

    pub fn run(&self, words: &[&str]) -> Ran {
        let within = self.within();
        let mut command = Command::new("nsenter");
        command.args(within.split(' ').skip(1)).args(words);
        Ran::of(&command.output().unwrap())
    }

    pub fn ok(&self, words: &[&str]) -> Ran {
        let ran = self.run(words);
        assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
        ran
    }

    /// How a unit stands, and how it came to that: `inactive exec-condition`.
    pub fn standing(&self, unit: &str) -> String {
        let told = self.ok(&["systemctl", "show", unit, "--property", "ActiveState,Result"]).out;
        let value = |key: &str| told.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().to_owned();
        format!("{} {}", value("ActiveState="), value("Result="))
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        // Whatever runs there ends with its process 1.
        let _ = kill_process(self.init, Signal::KILL);
        let _ = self.process.kill();
        let _ = self.process.wait();
        remove(&self.group);
    }
}

fn console(etc: &Path) -> String {
    fs::read_to_string(etc.join("console")).unwrap_or_default()
}

/// Where the control groups of the second version are, wherever the machine has them.
fn groups() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mut fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    fields.find(|fields| fields[2] == "cgroup2").map(|fields| PathBuf::from(fields[1]))
}

/// The process that this one has begun.
fn child_of(parent: u32) -> Option<Pid> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_child = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        after_name.split(' ').nth(1).and_then(|field| field.parse().ok()) == Some(parent)
    };
    pids.find(is_child).and_then(Pid::from_raw)
}

/// Takes a control group away with all that are in it, and whatever runs there; one whose last process is just going is tried again.
fn remove(group: &Path) {
    for _ in 0..1000 {
        let mut inner: Vec<PathBuf> = walk(group);
        inner.reverse();
        for dir in inner {
            let running = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
            for pid in running.lines().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
                let _ = kill_process(pid, Signal::KILL);
            }
            let _ = fs::remove_dir(dir);
        }
        if !group.exists() {
            return;
        }
        std::thread::yield_now();
    }
}

/// A directory and all directories in it, each before what it holds.
fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![dir.to_owned()];
    let inner = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    found.extend(inner.filter(|path| path.is_dir()).flat_map(|path| walk(&path)));
    found
}

/// A control group as a test would have left it that had that process id; `None` where there are none.
pub fn left_over(owner: u32) -> Option<PathBuf> {
    let group = groups()?.join(format!("{GROUP}{owner}-left"));
    fs::create_dir(&group).is_ok().then_some(group)
}

/// Sweeps as a test does before it begins.
pub fn sweep_all() {
    groups().iter().for_each(|groups| sweep(groups));
}

/// Takes away what a test left that was killed outright.
fn sweep(groups: &Path) {
    for entry in fs::read_dir(groups).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let owner = name.strip_prefix(GROUP).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            remove(&entry.path());
        }
    }
}
