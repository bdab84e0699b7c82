//! Owners by name, on two machines on which the same account has another number.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::process::Command;

use crate::machines::{Machine, Pair, until};
use crate::site::Site;

/// The machine has these accounts from now on: its own `/etc/passwd` and `/etc/group`, seen by nobody else.
fn have_accounts(machine: &mut Machine, named: &[(&str, u32)]) {
    let place = machine.dir.with_extension("etc");
    fs::create_dir_all(&place).unwrap();
    let list =
        |more: &str| named.iter().map(|(name, number)| format!("{name}:x:{number}:{more}\n")).collect::<String>();
    fs::write(place.join("passwd"), format!("root:x:0:0::/root:/bin/sh\n{}", list("1::/:/bin/sh"))).unwrap();
    fs::write(place.join("group"), format!("root:x:0:\n{}", list(""))).unwrap();
    let bind = |name: &str| format!("mount --bind '{}' /etc/{name}", place.join(name).display());
    let script = format!("{} && {} && exec \"$@\"", bind("passwd"), bind("group"));
    machine.kill();
    machine.within = ["unshare", "--mount", "sh", "-c", &script, "sh"].map(str::to_owned).to_vec();
    machine.start();
}

/// Whether a machine may have accounts of its own here: needs root and mount namespaces.
fn is_possible() -> bool {
    let left_out = std::env::var_os("TVOX_DR_NO_NETNS").is_some_and(|value| value == "1");
    let made = Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|status| status.success());
    assert!(made || left_out, "NO MOUNT NAMESPACES: where they cannot be had, TVOX_DR_NO_NETNS=1 leaves this test out");
    if !made {
        eprintln!("NOT TESTED: owners by name on two machines, because TVOX_DR_NO_NETNS=1");
    }
    made
}

fn owner(path: &Path) -> (u32, u32) {
    fs::symlink_metadata(path).map(|meta| (meta.uid(), meta.gid())).unwrap_or_default()
}

#[test]
fn a_file_stays_with_who_has_the_same_name_there_and_back() {
    if !is_possible() {
        return;
    }
    let mut pair = Pair::new();
    have_accounts(&mut pair.master, &[("pbx", 5000), ("voice", 5001), ("ghost", 5002)]);
    // Who has a number on the Master may be another one on the DR.
    have_accounts(&mut pair.client, &[("pbx", 6000), ("voice", 5002)]);
    let mut site = Site::over(pair);
    let (source, target) = (site.pair.path("src").join("mail"), site.pair.path("replica").join("mail"));
    fs::create_dir_all(&source).unwrap();
    for (name, number) in [("of-pbx", 5000), ("of-voice", 5001), ("of-ghost", 5002)] {
        fs::write(source.join(name), name).unwrap();
        chown(source.join(name), Some(number), Some(number)).unwrap();
    }
    let declare = ["dataset", "add", "mail", "--kind", "files", "--owners", "names"];
    let places = ["--source", source.to_str().unwrap(), "--target", target.to_str().unwrap()];
    site.pair.master.ok(&[&declare[..], &places[..]].concat());
    site.pair.until_current("mail");
    let there = |name: &str| owner(&target.join(name));
    assert_eq!(["of-pbx", "of-voice", "of-ghost"].map(there), [(6000, 6000), (5002, 5002), (5002, 5002)]);
    let report = site.pair.client.ok(&["sync", "status", "--json"]).json();
    let left_out = report["not_replicated"].as_array().unwrap().iter();
    let unknown = left_out.filter(|row| row["dataset"] == "mail" && row["reason"] == "owner");
    assert_eq!(unknown.map(|row| row["path"].clone()).collect::<Vec<_>>(), ["user ghost", "group ghost"]);
    site.pair.client.ok(&["sync", "verify"]);

    site.lose_master();
    site.take();
    fs::write(target.join("made"), "on the DR").unwrap();
    chown(target.join("made"), Some(6000), Some(5002)).unwrap();
    site.return_master();
    let ran = site.failback(&[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    site.until_master_serves();
    let here = |name: &str| owner(&source.join(name));
    assert_eq!(["of-pbx", "of-voice", "of-ghost"].map(here), [(5000, 5000), (5001, 5001), (5002, 5002)]);
    assert_eq!(here("made"), (5000, 5001), "what was made there is of the same names here");
    fs::write(source.join("later"), "again").unwrap();
    chown(source.join("later"), Some(5000), Some(5001)).unwrap();
    until("the DR follows", || there("later") == (6000, 5002));
}
