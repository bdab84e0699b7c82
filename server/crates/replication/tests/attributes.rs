//! Extended attributes, ACLs and capabilities: they arrive, change, go, and leak nowhere. Referee: rsync.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use pair::{Pair, Small, now, set_mtime};
use replication::{Change, DifferenceKind, ErrorKind, SourceKind, SourceSpec, Unwatched};
use rustix::fs::{XattrFlags, lgetxattr, lremovexattr, lsetxattr};
use rustix::io::Errno;

const ACCESS: &str = "system.posix_acl_access";
const DEFAULT: &str = "system.posix_acl_default";

/// An ACL as the kernel keeps it: owner, one named user, group, mask, others.
fn acl(user: u32, may: u16) -> Vec<u8> {
    const UNDEFINED: u32 = u32::MAX;
    let mut out = 2u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in
        [(1u16, 7u16, UNDEFINED), (2, may, user), (4, 5, UNDEFINED), (0x10, 7, UNDEFINED), (0x20, 0, UNDEFINED)]
    {
        out.extend_from_slice(&tag.to_le_bytes());
        out.extend_from_slice(&permissions.to_le_bytes());
        out.extend_from_slice(&id.to_le_bytes());
    }
    out
}

/// `cap_net_bind_service=ep`, as `setcap` writes it.
fn capability() -> Vec<u8> {
    [0x0200_0001u32, 1 << 10, 0, 0, 0].iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Whether this file system, kernel and user let it be set.
fn set(path: &Path, name: &str, value: &[u8]) -> bool {
    match lsetxattr(path, name, value, XattrFlags::empty()) {
        Ok(()) => true,
        Err(Errno::NOTSUP | Errno::PERM | Errno::NOSPC) => {
            println!("skipped: {name} cannot be set here");
            false
        }
        Err(e) => panic!("{name} on {}: {e}", path.display()),
    }
}

fn get(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 1 << 16];
    match lgetxattr(path, name, &mut value) {
        Ok(len) => Some(value[..len].to_vec()),
        Err(Errno::NODATA | Errno::NOTSUP) => None,
        Err(e) => panic!("{name} on {}: {e}", path.display()),
    }
}

#[test]
fn attributes_of_every_kind_arrive_change_and_go() {
    let mut pair = Pair::files();
    pair.write("file", "x");
    pair.write("dir/inside", "x");
    symlink("file", pair.at("link")).unwrap();
    let _ = std::os::unix::fs::chown(pair.at("file"), Some(1001), Some(1002));
    let all: Vec<(&str, &str, Vec<u8>, Vec<u8>)> = vec![
        ("file", "user.empty", vec![], b"not any more".to_vec()),
        ("file", "user.bytes", vec![0, 255, b'\n'], vec![7; 1000]),
        ("file", "trusted.mark", b"one".to_vec(), b"two".to_vec()),
        ("file", "security.capability", capability(), capability()),
        ("file", ACCESS, acl(1003, 6), acl(1003, 4)),
        ("dir", "user.mark", b"one".to_vec(), b"two".to_vec()),
        ("dir", DEFAULT, acl(1004, 7), acl(1005, 5)),
        ("", "user.root", b"one".to_vec(), b"two".to_vec()),
        ("link", "trusted.link", b"one".to_vec(), b"two".to_vec()),
    ];
    pair.sync().unwrap();
    for (name, attribute, first, second) in &all {
        if !set(&pair.at(name), attribute, first) {
            continue;
        }
        let meta = fs::symlink_metadata(pair.at(name)).unwrap();
        for (when, value) in [("new", first), ("changed", second)] {
            let differs = get(&pair.seen(name), attribute).as_ref() != Some(value);
            lsetxattr(pair.at(name), *attribute, value, XattrFlags::empty()).unwrap();
            assert_eq!(pair.sync().unwrap().changed, differs, "{name} {attribute} {when}");
            assert_eq!(get(&pair.seen(name), attribute).as_ref(), Some(value), "{name} {attribute} {when}");
            pair.assert_equal();
            pair.assert_same_to_rsync(&format!("{name} {attribute} {when}"));
        }
        let after = fs::symlink_metadata(pair.seen(name)).unwrap();
        assert_eq!((after.mtime(), after.mtime_nsec()), (meta.mtime(), meta.mtime_nsec()), "{name} {attribute}");
        assert!(!pair.sync().unwrap().changed, "{name} {attribute}");
    }
    for (name, attribute, ..) in &all {
        let _ = lremovexattr(pair.at(name), *attribute);
    }
    pair.sync().unwrap();
    for (name, attribute, ..) in &all {
        assert_eq!(get(&pair.seen(name), attribute), None, "{name} {attribute} gone");
    }
    pair.assert_equal();
    pair.assert_same_to_rsync("all gone");
}

#[test]
fn a_default_acl_does_not_leak_into_what_lies_below() {
    let mut pair = Pair::files();
    pair.write("dir/sub/older", "x");
    symlink("older", pair.at("dir/sub/link")).unwrap();
    // Everything of ours begins with an ACL here, and everything in the source is older than its ACL.
    let ours = pair.dir.path().join("store");
    if !set(&ours.join("generations"), DEFAULT, &acl(1006, 7)) || !set(&ours.join("staged"), DEFAULT, &acl(1006, 7)) {
        return;
    }
    assert!(set(&pair.at("dir"), DEFAULT, &acl(1007, 7)));
    assert!(set(&pair.at("dir/sub"), DEFAULT, &acl(1007, 7)));
    pair.sync().unwrap();
    assert_eq!(get(&pair.seen("dir/sub/older"), ACCESS), None);
    pair.assert_same_to_rsync("older than its ACL");
    pair.write("dir/sub/newer", "inherits at the source");
    fs::create_dir(pair.at("dir/sub/deeper")).unwrap();
    fs::set_permissions(pair.at("dir/sub/newer"), PermissionsExt::from_mode(0o604)).unwrap();
    pair.sync().unwrap();
    assert_eq!(get(&pair.seen("dir/sub/newer"), ACCESS), get(&pair.at("dir/sub/newer"), ACCESS));
    assert!(get(&pair.seen("dir/sub/deeper"), DEFAULT).is_some());
    pair.assert_equal();
    pair.assert_same_to_rsync("with what inherits");
}

#[test]
fn a_lost_attribute_is_found_and_healed() {
    let mut pair = Pair::files();
    pair.write("file", "x");
    if !set(&pair.at("file"), "user.mark", b"one") {
        return;
    }
    pair.sync().unwrap();
    lremovexattr(pair.seen("file"), "user.mark").unwrap();
    let found = pair.replica().verify(&Unwatched).unwrap();
    assert_eq!(found.iter().map(|one| one.what).collect::<Vec<_>>(), [DifferenceKind::Attributes]);
    assert_eq!(found[0].detail, "user.mark");
    let healed = pair.sync_watched(true, &Unwatched, &Unwatched).0.unwrap().healed;
    assert_eq!(healed, found);
    assert_eq!(get(&pair.seen("file"), "user.mark").as_deref(), Some(b"one".as_slice()));
    pair.assert_equal();
}

#[test]
fn an_acl_given_while_a_copy_serves_is_in_its_ledger() {
    let mut pair = Pair::files();
    pair.write("file", "x");
    pair.write("other", "x");
    if !set(&pair.at("other"), ACCESS, &acl(1003, 6)) {
        return;
    }
    pair.sync().unwrap();
    let promoted = pair.replica().promote("run-1", None, 0, now(), &Unwatched).unwrap();
    assert_eq!(get(&promoted.tree.join("other"), ACCESS), get(&pair.at("other"), ACCESS));
    assert!(pair.replica().ledger(&Unwatched).unwrap().is_empty());
    assert!(set(&promoted.tree.join("file"), ACCESS, &acl(1003, 7)));
    lremovexattr(promoted.tree.join("other"), ACCESS).unwrap();
    fs::set_permissions(promoted.tree.join("other"), fs::metadata(pair.at("other")).unwrap().permissions()).unwrap();
    let ledger = pair.replica().ledger(&Unwatched).unwrap();
    let names: Vec<_> = ledger.names.iter().map(|one| (one.path.as_str(), one.change)).collect();
    assert_eq!(names, [("file", Change::Changed), ("other", Change::Changed)]);
}

#[test]
fn an_attribute_that_the_replica_cannot_hold_is_named_and_the_last_generation_stays() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_mounted) = Small::mount(dir.path().join("source")) else { return };
    let path = dir.path().join("source");
    fs::write(path.join("file"), "x").unwrap();
    fs::write(dir.path().join("probe"), "x").unwrap();
    let large = vec![7; 60_000];
    // Ext4 has room for 4 kB of attributes: elsewhere there is nothing to see.
    if !set(&path.join("file"), "user.small", b"x") || set(&dir.path().join("probe"), "user.large", &large) {
        return;
    }
    let spec = SourceSpec { kind: SourceKind::Files, path: path.clone(), excludes: vec![], forbidden: vec![] };
    let mut pair = Pair::over(dir, spec);
    let first = pair.sync().unwrap().commit;
    if !set(&path.join("file"), "user.large", &large) {
        return;
    }
    let error = pair.sync().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AttributeUnheld, "{}", error.chain());
    assert!(error.chain().contains("user.large") && error.chain().contains("file"), "{}", error.chain());
    assert_eq!(pair.reopen().committed(), Some(&first));
    assert_eq!(pair.replica().verify(&Unwatched).unwrap(), []);
    lremovexattr(path.join("file"), "user.large").unwrap();
    set_mtime(&path.join("file"), 5, 5);
    pair.sync().unwrap();
    pair.assert_equal();
}
