//! Extended attributes, POSIX ACLs and file capabilities among them: what a manifest says of them, how they are read from
//! a disk and set on one. It refuses attributes no kernel would hold, and to drop one in silence: what the target cannot
//! hold is an error that names it.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, lgetxattr, llistxattr, lremovexattr, lsetxattr};
use rustix::io::Errno;

use crate::path::escape;

/// Longest name of an attribute, bytes (the kernel's own limit).
pub const MAX_XATTR_NAME: usize = 255;
/// Longest value of an attribute, bytes (the kernel's own limit).
pub const MAX_XATTR_VALUE: usize = 64 * 1024;
/// Names and values of all attributes of one entry, bytes.
pub const MAX_XATTRS: usize = 256 * 1024;

/// Who may do what, beyond owner, group and others.
const ACL: &[u8] = b"system.posix_acl_access";
/// What is made in this directory begins with.
const DEFAULT_ACL: &[u8] = b"system.posix_acl_default";
/// What a program may do without being root.
const CAPABILITY: &[u8] = b"security.capability";

/// One extended attribute.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Xattr {
    /// With its namespace: `user.`, `trusted.`, `security.`, or one of the two POSIX ACLs.
    pub name: Box<[u8]>,
    /// As the kernel gives it.
    pub value: Box<[u8]>,
}

impl Xattr {
    /// Whether it says who may do what.
    pub(crate) fn is_acl(&self) -> bool {
        *self.name == *ACL || *self.name == *DEFAULT_ACL
    }
}

impl fmt::Debug for Xattr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", escape(&self.name), escape(&self.value))
    }
}

/// The extended attributes of an entry, in the order of their names. Most entries have none, and that costs nothing.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Xattrs(Option<Arc<[Xattr]>>);

impl Xattrs {
    /// Sorts them; a manifest refuses what is impossible among them.
    pub fn new(mut all: Vec<Xattr>) -> Self {
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Self((!all.is_empty()).then(|| all.into()))
    }

    /// All of them.
    pub fn all(&self) -> &[Xattr] {
        self.0.as_deref().unwrap_or_default()
    }

    /// The value of one.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let all = self.all();
        all.binary_search_by(|one| (*one.name).cmp(name)).ok().map(|at| &*all[at].value)
    }

    /// Each name once and in order, every one within the bounds and of a namespace that is replicated.
    pub(crate) fn is_possible(&self) -> bool {
        let all = self.all();
        all.windows(2).all(|two| two[0].name < two[1].name)
            && all.iter().all(|one| {
                one.name.len() <= MAX_XATTR_NAME
                    && one.value.len() <= MAX_XATTR_VALUE
                    && !one.name.contains(&0)
                    && is_replicated(&one.name, true)
            })
            && all.iter().map(|one| one.name.len() + one.value.len()).sum::<usize>() <= MAX_XATTRS
    }
}

impl fmt::Debug for Xattrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}

/// Without root's rights only what an owner can set is replicated.
fn is_replicated(name: &[u8], as_root: bool) -> bool {
    let inside = |namespace: &[u8]| name.len() > namespace.len() && name.starts_with(namespace);
    name == ACL || name == DEFAULT_ACL || inside(b"user.") || as_root && (inside(b"security.") || inside(b"trusted."))
}

/// Whether this one comes off where the manifest has it not. Labels that the machine's own policy puts on whatever is
/// made (SELinux, IMA) are no content.
fn is_ours_to_remove(name: &[u8]) -> bool {
    !name.starts_with(b"security.") || name == CAPABILITY
}

/// Reads the attributes of a name in a directory, never through a symlink. [`io::ErrorKind::NotFound`]: it is gone.
pub(crate) fn read(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<Xattrs> {
    let path = way_to(dir, name);
    read_by(|buffer| llistxattr(&path, buffer), |name, buffer| lgetxattr(&path, name, buffer))
}

/// Reads the attributes of an open file.
pub(crate) fn read_of(file: &File) -> io::Result<Xattrs> {
    read_by(|buffer| flistxattr(file, buffer), |name, buffer| fgetxattr(file, name, buffer))
}

fn read_by(
    list: impl Fn(&mut [u8]) -> rustix::io::Result<usize>,
    get: impl Fn(&[u8], &mut [u8]) -> rustix::io::Result<usize>,
) -> io::Result<Xattrs> {
    let mut small = [0u8; 512];
    let listed = match list(&mut small) {
        Ok(0) | Err(Errno::NOTSUP) => return Ok(Xattrs::default()),
        Ok(len) => small[..len].to_vec(),
        Err(Errno::RANGE) => {
            let mut large = vec![0u8; MAX_XATTR_VALUE];
            let len = list(&mut large)?;
            large.truncate(len);
            large
        }
        Err(e) => return Err(e.into()),
    };
    let as_root = rustix::process::geteuid().is_root();
    let mut all = Vec::new();
    for name in listed.split(|byte| *byte == 0).filter(|name| is_replicated(name, as_root)) {
        if let Some(value) = value(|buffer| get(name, buffer))? {
            all.push(Xattr { name: name.into(), value: value.into() });
        }
    }
    let read = Xattrs::new(all);
    if read.is_possible() { Ok(read) } else { Err(io::Error::other("more extended attributes than can be replicated")) }
}

/// `None`: removed since it was listed.
fn value(get: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> io::Result<Option<Vec<u8>>> {
    let mut small = [0u8; 512];
    match get(&mut small) {
        Ok(len) => Ok(Some(small[..len].to_vec())),
        Err(Errno::NODATA) => Ok(None),
        Err(Errno::RANGE) => {
            let mut large = vec![0u8; MAX_XATTR_VALUE];
            let len = get(&mut large)?;
            large.truncate(len);
            Ok(Some(large))
        }
        Err(e) => Err(e.into()),
    }
}

/// Makes a name have exactly these attributes: what a default ACL of the directory has put on it comes off again.
pub(crate) fn make_exact(dir: BorrowedFd<'_>, name: &[u8], wanted: &Xattrs) -> io::Result<()> {
    let path = way_to(dir, name);
    let have = read(dir, name)?;
    if have == *wanted {
        return Ok(());
    }
    let as_root = rustix::process::geteuid().is_root();
    for extra in have.all().iter().filter(|one| wanted.get(&one.name).is_none() && is_ours_to_remove(&one.name)) {
        match lremovexattr(&path, &*extra.name) {
            Ok(()) | Err(Errno::NODATA) => {}
            Err(e) => return Err(e.into()),
        }
    }
    for one in wanted.all().iter().filter(|one| have.get(&one.name) != Some(&*one.value)) {
        match lsetxattr(&path, &*one.name, &one.value, XattrFlags::empty()) {
            Ok(()) => {}
            // What only root may set is best effort for anybody else, as owners are.
            Err(Errno::PERM) if !as_root && !is_replicated(&one.name, false) => {}
            Err(e) if cannot_hold(dir, e) => return Err(io::Error::other(Unheld { name: one.name.clone(), errno: e })),
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// What of two lists must agree on this machine: without root's rights, what an owner can set; and nothing that the
/// machine's policy has added here.
pub(crate) fn differ(wanted: &Xattrs, have: &Xattrs, as_root: bool) -> Vec<Box<[u8]>> {
    let lacking = wanted.all().iter().filter(|one| have.get(&one.name) != Some(&*one.value));
    let extra = have.all().iter().filter(|one| wanted.get(&one.name).is_none() && is_ours_to_remove(&one.name));
    let names = lacking.chain(extra).filter(|one| is_replicated(&one.name, as_root));
    names.map(|one| one.name.clone()).collect()
}

/// A full disk and a full attribute area answer alike; only the free space tells them apart.
fn cannot_hold(dir: BorrowedFd<'_>, errno: Errno) -> bool {
    match errno {
        Errno::NOTSUP | Errno::TOOBIG | Errno::RANGE | Errno::INVAL | Errno::PERM => true,
        Errno::NOSPC => rustix::fs::fstatvfs(dir).is_ok_and(|found| found.f_bavail > 16),
        _ => false,
    }
}

/// An attribute that the file system of the replica cannot hold.
#[derive(Debug, thiserror::Error)]
#[error("the file system here cannot hold the extended attribute {} ({errno})", escape(.name))]
pub(crate) struct Unheld {
    name: Box<[u8]>,
    errno: Errno,
}

/// The kernel has no call for the attributes of a name in an open directory before 6.13: this path never follows more
/// than the directory's own descriptor, and is never too long.
fn way_to(dir: BorrowedFd<'_>, name: &[u8]) -> Vec<u8> {
    let mut path = format!("/proc/self/fd/{}/", dir.as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &[u8], value: usize) -> Xattr {
        Xattr { name: name.into(), value: vec![7; value].into() }
    }

    #[test]
    fn what_no_kernel_holds_is_impossible() {
        let long = [b"user.".as_slice(), &[b'n'; 251]].concat();
        for (name, all, possible) in [
            ("none", vec![], true),
            ("ordinary", vec![one(b"user.b", 1), one(b"user.a", 0), one(ACL, 44)], true),
            ("twice", vec![one(b"user.a", 1), one(b"user.a", 1)], false),
            ("no name in the namespace", vec![one(b"user.", 1)], false),
            ("another namespace", vec![one(b"system.nfs4_acl", 1)], false),
            ("a long name", vec![one(&long, 1)], false),
            ("NUL", vec![one(b"user.a\0b", 1)], false),
            ("a large value", vec![one(b"user.a", MAX_XATTR_VALUE + 1)], false),
            (
                "large in all",
                (0..5u8).map(|i| one(&[b"user.", [b'a' + i].as_slice()].concat(), MAX_XATTR_VALUE)).collect(),
                false,
            ),
        ] {
            assert_eq!(Xattrs::new(all).is_possible(), possible, "{name}");
        }
    }

    #[test]
    fn labels_of_the_machines_own_policy_are_no_difference() {
        let wanted = Xattrs::new(vec![one(b"user.a", 1)]);
        let have = Xattrs::new(vec![one(b"user.a", 1), one(b"security.selinux", 9)]);
        assert!(differ(&wanted, &have, true).is_empty());
        let able = Xattrs::new(vec![one(b"user.a", 1), one(CAPABILITY, 9)]);
        assert_eq!(differ(&wanted, &able, true), [CAPABILITY.into()]);
        assert_eq!(differ(&able, &wanted, false), [] as [Box<[u8]>; 0], "nobody but root can set it");
    }
}
