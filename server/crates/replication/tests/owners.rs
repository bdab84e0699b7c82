//! Owners by name: the same account may have another number on the other machine.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use pair::Pair;
use replication::{Source, SourceKind, SourceSpec, Unwatched};
use rustix::fs::{XattrFlags, lgetxattr, lsetxattr};
use rustix::io::Errno;

/// An ACL as the kernel keeps it: owner, a named user, group, a named group, mask, others.
fn acl(user: u32, group: u32) -> Vec<u8> {
    let nobody = u32::MAX;
    let lines = [(1_u16, nobody), (2, user), (4, nobody), (8, group), (0x10, nobody), (0x20, nobody)];
    let lines = lines.map(|(tag, who)| [&tag.to_le_bytes()[..], &4_u16.to_le_bytes(), &who.to_le_bytes()].concat());
    [2_u32.to_le_bytes().to_vec(), lines.concat()].concat()
}

/// Two machines with accounts of their own.
struct Site {
    pair: Pair,
    here: PathBuf,
    there: PathBuf,
}

fn accounts(etc: &Path, named: &[(&str, u32)]) {
    fs::create_dir_all(etc).unwrap();
    let list =
        |more: &str| named.iter().map(|(name, number)| format!("{name}:x:{number}:{more}\n")).collect::<String>();
    fs::write(etc.join("passwd"), format!("root:x:0:0::/:\n{}", list("1::/:"))).unwrap();
    fs::write(etc.join("group"), format!("root:x:0:\n{}", list(""))).unwrap();
}

impl Site {
    /// `None` where nobody may give files away.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: only root gives files away");
            return None;
        }
        let mut pair = Pair::files();
        let (here, there) = (pair.dir.path().join("etc-of-replica"), pair.dir.path().join("etc-of-source"));
        accounts(&there, &[("pbx", 5000), ("voice", 5001), ("ghost", 5002)]);
        accounts(&here, &[("pbx", 6000), ("voice", 5000)]);
        pair.source.name_owners(there.clone());
        pair.replica().set_accounts(here.clone());
        for (name, owner, group) in
            [("of-pbx", 5000, 5001), ("of-voice", 5001, 5000), ("of-ghost", 5002, 5002), ("of-nobody", 5555, 0)]
        {
            pair.write(name, name);
            chown(pair.at(name), Some(owner), Some(group)).unwrap();
        }
        Some(Self { pair, here, there })
    }

    fn owner(&self, name: &str) -> (u32, u32) {
        let meta = fs::symlink_metadata(self.pair.seen(name)).unwrap();
        (meta.uid(), meta.gid())
    }
}

#[test]
fn a_file_belongs_to_the_same_name_and_who_is_unknown_keeps_the_number_and_is_told() {
    let Some(mut site) = Site::new() else { return };
    let pulled = site.pair.sync().unwrap();
    assert_eq!(pulled.commit.owners.unwrap().unknown(), ["user ghost", "group ghost"]);
    // The number of one is the number of another here: what counts is the name.
    assert_eq!((site.owner("of-pbx"), site.owner("of-voice")), ((6000, 5000), (5000, 6000)));
    assert_eq!((site.owner("of-ghost"), site.owner("of-nobody")), ((5002, 5002), (5555, 0)));
    site.pair.assert_equal();
    assert!(!site.pair.sync().unwrap().changed);

    // What changes travels as a change, also after a restart.
    (0..500).for_each(|i| site.pair.write(&format!("many/{i}"), i.to_string()));
    site.pair.sync().unwrap();
    site.pair.reopen().set_accounts(site.here.clone());
    site.pair.write("many/7", "changed");
    chown(site.pair.at("many/7"), Some(5000), None).unwrap();
    let pulled = site.pair.sync().unwrap();
    assert!(pulled.received_bytes < 2000, "{} bytes", pulled.received_bytes);
    assert_eq!(site.owner("many/7"), (6000, 0));
    site.pair.assert_equal();
}

#[test]
fn an_account_that_gets_another_number_or_comes_later_gets_its_files_and_no_content_travels() {
    let Some(mut site) = Site::new() else { return };
    site.pair.sync().unwrap();
    accounts(&site.here, &[("pbx", 6001), ("voice", 5000), ("ghost", 6002)]);
    let pulled = site.pair.sync().unwrap();
    assert_eq!((pulled.received_files, pulled.commit.owners.unwrap().unknown()), (0, vec![]));
    assert_eq!((site.owner("of-pbx"), site.owner("of-ghost")), ((6001, 5000), (6002, 6002)));
    site.pair.assert_equal();
    // Another name at the source: it is heard of at once, and is so at the next pull.
    accounts(&site.there, &[("asterisk", 5000), ("voice", 5001), ("ghost", 5002)]);
    accounts(&site.here, &[("asterisk", 7000), ("voice", 5000), ("ghost", 6002)]);
    site.pair.sync().unwrap();
    site.pair.sync().unwrap();
    assert_eq!(site.owner("of-pbx"), (7000, 5000));
    site.pair.assert_equal();
    assert!(!site.pair.sync().unwrap().changed, "and then it rests");
}

#[test]
fn what_is_made_on_the_copy_that_serves_goes_home_under_the_numbers_of_home() {
    let Some(mut site) = Site::new() else { return };
    let commit = site.pair.sync().unwrap().commit;
    let serving = site.pair.replica().promote("run", None, 0, pair::now(), &Unwatched).unwrap();
    let spec = SourceSpec { kind: SourceKind::Files, path: serving.tree.clone(), excludes: vec![], forbidden: vec![] };
    let mut home = Source::new(spec, site.pair.dir.path().join("scratch-of-home")).unwrap();
    let way = site.pair.replica().way_home(commit.generation).unwrap();
    home.number_owners_as_at_home(way.unwrap());
    let capture = home.capture(pair::now(), false, &Unwatched).unwrap();
    assert_eq!(capture.manifest.content_id(), commit.offered_id(), "nothing was made yet");
    fs::write(serving.tree.join("new"), "made there").unwrap();
    chown(serving.tree.join("new"), Some(6000), Some(5000)).unwrap();
    let capture = home.capture(pair::now(), false, &Unwatched).unwrap();
    let made = capture.manifest.entries().iter().find(|entry| entry.path.to_string() == "new").unwrap();
    assert_eq!((made.uid, made.gid), (5000, 5001));
}

#[test]
fn two_owners_with_one_number_here_are_told_apart_on_the_way_home_and_by_the_next_pull() {
    let Some(mut site) = Site::new() else { return };
    // Who is unknown here keeps the number, and that is another one's here.
    accounts(&site.here, &[("pbx", 6000), ("voice", 5002)]);
    (0..500).for_each(|i| site.pair.write(&format!("many/{i}"), i.to_string()));
    fs::hard_link(site.pair.at("of-ghost"), site.pair.at("second-of-ghost")).unwrap();
    let commit = site.pair.sync().unwrap().commit;
    assert_eq!((site.owner("of-voice").0, site.owner("of-ghost").0), (5002, 5002));
    site.pair.reopen().set_accounts(site.here.clone());
    assert!(!site.pair.sync().unwrap().changed);
    let serving = site.pair.replica().promote("run", None, 0, pair::now(), &Unwatched).unwrap();
    let spec = SourceSpec { kind: SourceKind::Files, path: serving.tree.clone(), excludes: vec![], forbidden: vec![] };
    let mut home = Source::new(spec, site.pair.dir.path().join("scratch-of-home")).unwrap();
    let way = site.pair.replica().way_home(commit.generation).unwrap();
    home.number_owners_as_at_home(way.unwrap());
    let capture = home.capture(pair::now(), false, &Unwatched).unwrap();
    assert_eq!(capture.manifest.content_id(), commit.offered_id(), "nothing was made yet");
    // A third name of the ghost's file is the ghost's; a file that is made is of whoever has that number here.
    fs::hard_link(serving.tree.join("of-ghost"), serving.tree.join("third")).unwrap();
    fs::write(serving.tree.join("made"), "there").unwrap();
    chown(serving.tree.join("made"), Some(5002), Some(0)).unwrap();
    let capture = home.capture(pair::now(), false, &Unwatched).unwrap();
    let owner = |name: &str| capture.manifest.entries().iter().find(|e| e.path.to_string() == name).unwrap().uid;
    assert_eq!(["of-ghost", "second-of-ghost", "third", "of-voice", "made"].map(owner), [5002, 5002, 5002, 5001, 5001]);
    // What travels is still what changed.
    site.pair.replica().hand_back("run", pair::now(), &Unwatched).unwrap();
    site.pair.write("many/7", "changed");
    let pulled = site.pair.sync().unwrap();
    assert!(pulled.received_bytes < 2000, "{} bytes", pulled.received_bytes);
    site.pair.assert_equal();
}

#[test]
fn whom_an_acl_names_is_the_same_name_here() {
    let Some(mut site) = Site::new() else { return };
    const ACL: &str = "system.posix_acl_access";
    match lsetxattr(site.pair.at("of-pbx"), ACL, &acl(5001, 5002), XattrFlags::empty()) {
        Err(Errno::NOTSUP) => return println!("skipped: this file system has no ACLs"),
        set => set.unwrap(),
    }
    let commit = site.pair.sync().unwrap().commit;
    let mut value = [0; 256];
    let len = lgetxattr(site.pair.seen("of-pbx"), ACL, &mut value).unwrap();
    assert_eq!(value[..len], acl(5000, 5002), "the group is unknown here");
    site.pair.assert_equal();
    let serving = site.pair.replica().promote("run", None, 0, pair::now(), &Unwatched).unwrap();
    let spec = SourceSpec { kind: SourceKind::Files, path: serving.tree, excludes: vec![], forbidden: vec![] };
    let mut home = Source::new(spec, site.pair.dir.path().join("scratch-of-home")).unwrap();
    let way = site.pair.replica().way_home(commit.generation).unwrap();
    home.number_owners_as_at_home(way.unwrap());
    let capture = home.capture(pair::now(), false, &Unwatched).unwrap();
    assert_eq!(capture.manifest.content_id(), commit.offered_id());
}

#[test]
fn a_declaration_that_changes_from_numbers_to_names_and_back_moves_no_content() {
    let Some(mut site) = Site::new() else { return };
    let mut plain = Pair::files();
    plain.write("file", "x");
    chown(plain.at("file"), Some(5000), Some(5001)).unwrap();
    plain.replica().set_accounts(site.here.clone());
    plain.sync().unwrap();
    let owner = |pair: &Pair| fs::metadata(pair.seen("file")).unwrap().uid();
    plain.source.name_owners(site.there.clone());
    plain.sync().unwrap();
    assert_eq!((plain.sync().unwrap().received_files, owner(&plain)), (0, 6000));
    let spec = plain.source.spec().clone();
    plain.source = Source::new(spec, plain.dir.path().join("scratch-anew")).unwrap();
    plain.sync().unwrap();
    assert_eq!((plain.sync().unwrap().received_files, owner(&plain)), (0, 5000));
    plain.assert_equal();
    site.pair.sync().unwrap();
}

#[test]
fn without_names_numbers_are_numbers() {
    let Some(mut site) = Site::new() else { return };
    let mut plain = Pair::files();
    plain.write("file", "x");
    chown(plain.at("file"), Some(5000), Some(5001)).unwrap();
    plain.replica().set_accounts(site.here.clone());
    let pulled = plain.sync().unwrap();
    assert_eq!(pulled.commit.owners, None);
    let meta = fs::metadata(plain.seen("file")).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (5000, 5001));
    site.pair.sync().unwrap();
}
