//! Whom a POSIX ACL names. The kernel gives and takes ACLs as they are: a version (u32) and, little-endian, for each line
//! a tag (u16), permissions (u16) and a number (u32). What has another form is passed over: the kernel judges it.

use crate::xattr::{Xattr, Xattrs};

const VERSION: [u8; 4] = 2_u32.to_le_bytes();
const USER: u16 = 0x02;
const GROUP: u16 = 0x08;

/// A line that names somebody.
pub(crate) enum Named {
    User(u32),
    Group(u32),
}

/// Everybody whom the ACLs among these attributes name.
pub(crate) fn named(xattrs: &Xattrs) -> impl Iterator<Item = Named> + '_ {
    let lists = xattrs.all().iter().filter(|one| one.is_acl()).filter_map(|one| one.value.strip_prefix(&VERSION));
    lists.flat_map(|lines| lines.as_chunks::<8>().0).filter_map(read)
}

/// The same ACLs with other numbers; all else as it is.
pub(crate) fn renumbered(xattrs: &Xattrs, number: impl Fn(Named) -> u32) -> Xattrs {
    if named(xattrs).next().is_none() {
        return xattrs.clone();
    }
    let renumber = |one: &Xattr| {
        let mut value = one.value.clone();
        if one.is_acl() && value.starts_with(&VERSION) {
            for line in value[VERSION.len()..].as_chunks_mut::<8>().0 {
                if let Some(named) = read(line) {
                    line[4..].copy_from_slice(&number(named).to_le_bytes());
                }
            }
        }
        Xattr { name: one.name.clone(), value }
    };
    Xattrs::new(xattrs.all().iter().map(renumber).collect())
}

fn read(line: &[u8; 8]) -> Option<Named> {
    let [a, b, _, _, number @ ..] = *line;
    match u16::from_le_bytes([a, b]) {
        USER => Some(Named::User(u32::from_le_bytes(number))),
        GROUP => Some(Named::Group(u32::from_le_bytes(number))),
        _ => None,
    }
}
