//! A source on a volume of its own, which an administrator retires: unmounted, taken out of the declaration, declared anew.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "test code")]

mod machines;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use machines::{Pair, until};

/// A file system in memory, gone with the value.
struct Volume(PathBuf);

impl Volume {
    fn mount(at: PathBuf) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "none"]).arg(&at).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(at));
        }
        println!("skipped: mounting is not permitted here");
        None
    }

    /// As an administrator would: not by force.
    fn unmount(&self) -> bool {
        Command::new("umount").arg(&self.0).output().is_ok_and(|ran| ran.status.success())
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_volume_can_be_unmounted_while_it_is_replicated_and_retired_by_declaring_the_dataset_anew() {
    let pair = Pair::new();
    let source = pair.path("src").join("recordings");
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("bare"), "of the directory below").unwrap();
    let Some(volume) = Volume::mount(source.clone()) else { return };
    fs::write(source.join("call.wav"), "on the volume").unwrap();
    let (_, target) = pair.declare("recordings", "files");
    pair.until_current("recordings");
    // A capture may be reading it at this moment; nothing holds it for good.
    until("it can be unmounted", || volume.unmount());
    fs::write(source.join("later"), "x").unwrap();
    until("that it is not mounted is told", || {
        pair.client.dataset("recordings")["last_error"]["code"] == "source_missing"
    });
    assert_eq!(fs::read_to_string(target.join("call.wav")).unwrap(), "on the volume", "nothing was emptied");
    pair.master.ok(&["dataset", "remove", "recordings"]);
    until("the DR heard of it", || pair.client.status()["datasets"].as_array().unwrap().is_empty());
    pair.declare("recordings", "files");
    until("what is there now is replicated", || {
        fs::read_to_string(target.join("bare")).is_ok_and(|text| text == "of the directory below")
    });
    assert!(!target.join("call.wav").exists());
}
