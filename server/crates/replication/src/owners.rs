//! Owners by name: who is number 1000 on one machine may be 1001 on another. A list that travels has the numbers of its
//! source. A replica that was told the source's accounts gives its files the numbers that these names have here, and its
//! own lists say so, since they are what its disk is held against. It refuses to guess: a name that is unknown here keeps
//! its number, and that is told.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::accounts::Accounts;
use crate::acl::{self, Named};
use crate::error::{Error, Result};
use crate::manifest::{ContentId, Entry, Manifest};
use crate::store::{Commit, Store, read_manifest};
use crate::xattr::Xattrs;

/// Who owns something in a list, or is named in one of its ACLs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    /// At the source.
    number: u32,
    /// `None`: the source has no name for it.
    name: Option<String>,
    /// The number that this name has here; `None`: there is no such name.
    here: Option<u32>,
}

/// The owners of a list, by their numbers at its source and in their order, and who they are here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owners {
    users: Vec<Owner>,
    groups: Vec<Owner>,
    /// The source's own list, kept beside the tree where it cannot be told from ours: two owners have one number here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    list: Option<ContentId>,
}

impl Owners {
    /// Who owns something in a list of the source.
    fn of(list: &Manifest, theirs: &Accounts, ours: &Accounts) -> Self {
        let (mut users, mut groups) = (BTreeSet::new(), BTreeSet::new());
        for entry in list.entries() {
            users.insert(entry.uid);
            groups.insert(entry.gid);
            for named in acl::named(&entry.xattrs) {
                match named {
                    Named::User(number) => users.insert(number),
                    Named::Group(number) => groups.insert(number),
                };
            }
        }
        let users = owners(users, &theirs.users, &ours.users);
        let groups = owners(groups, &theirs.groups, &ours.groups);
        let apart = !(are_told_apart(&users) && are_told_apart(&groups));
        Self { users, groups, list: apart.then(|| list.content_id()) }
    }

    /// Whether all of them are here who they were.
    fn still_are(&self, theirs: &Accounts, ours: &Accounts) -> bool {
        let numbers = |known: &[Owner]| known.iter().map(|owner| owner.number).collect();
        self.users == owners(numbers(&self.users), &theirs.users, &ours.users)
            && self.groups == owners(numbers(&self.groups), &theirs.groups, &ours.groups)
    }

    /// Those of whom the source knows the name, but this machine does not, as `user NAME` and `group NAME`.
    pub fn unknown(&self) -> Vec<String> {
        let users = self.users.iter().map(|owner| ("user", owner));
        let unknown = users.chain(self.groups.iter().map(|owner| ("group", owner)));
        let unknown = unknown.filter(|(_, owner)| owner.here.is_none());
        unknown.filter_map(|(kind, owner)| Some(format!("{kind} {}", owner.name.as_ref()?))).collect()
    }

    /// What an entry of the source says of accounts here.
    pub(crate) fn here(&self, entry: &Entry) -> Owned {
        Owned::by(entry, |user| here_is(&self.users, user), |group| here_is(&self.groups, group))
    }

    /// Keeps a list of the source beside the tree that was made by it, where it cannot be told from ours.
    pub(crate) fn keep_list(&self, list: &Manifest, generation: &Path) -> Result<()> {
        let path = generation.join("manifest");
        let kept = match self.list {
            Some(_) => fs::write(&path, list.encode()),
            // The tree was an earlier generation's, and that may have kept one.
            None => {
                fs::remove_file(&path).or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
            }
        };
        kept.map_err(|e| Error::io("cannot keep the list of the source", &path, e))
    }

    /// The list of a generation as the source tells it. Where that was kept apart and is damaged, it is as near as can be.
    pub(crate) fn theirs(&self, ours: &Manifest, generation: &Path) -> Result<Manifest> {
        if let Some(id) = self.list {
            match read_manifest(generation, id) {
                Ok(list) => return Ok(list),
                Err(error) => tracing::warn!(error = error.chain(), "the owners at the source are told by name alone"),
            }
        }
        let back = |known: &[Owner]| -> HashMap<u32, u32> {
            known.iter().map(|owner| (owner.here.unwrap_or(owner.number), owner.number)).collect()
        };
        let (users, groups) = (back(&self.users), back(&self.groups));
        let there = |known: &HashMap<u32, u32>, number: u32| known.get(&number).copied().unwrap_or(number);
        owned(ours, |entry| Owned::by(entry, |user| there(&users, user), |group| there(&groups, group)))
    }
}

/// A list of the source with the owners that it has here, where they are known by name.
pub(crate) fn here(owners: Option<&Owners>, list: &Manifest) -> Result<Manifest> {
    owners.map_or(Ok(list.clone()), |owners| owned(list, |entry| owners.here(entry)))
}

/// Whether whoever owns what is here is still who that was, as far as the source has told.
pub(crate) fn stand(last: Option<&Commit>, store: &Store, etc: &Path) -> Result<bool> {
    match (last.and_then(|last| last.owners.as_ref()), Accounts::told(&store.root)) {
        (Some(owners), Some(told)) => Ok(owners.still_are(&told, &Accounts::read(etc)?)),
        (owners, told) => Ok(owners.is_none() && told.is_none()),
    }
}

/// The list of what is here as the source tells it.
pub(crate) fn as_told(last: Option<&Commit>, held: Option<&Manifest>, store: &Store) -> Result<Option<Manifest>> {
    match (held, last) {
        (Some(held), Some(Commit { owners: Some(owners), generation, .. })) => {
            owners.theirs(held, &store.generation(*generation)).map(Some)
        }
        _ => Ok(held.cloned()),
    }
}

/// The accounts of a source that tells them, and those of this machine.
pub(crate) struct Namesakes(Option<(Accounts, Accounts)>);

impl Namesakes {
    pub(crate) fn new(told: Option<Accounts>, etc: &Path) -> Result<Self> {
        Ok(Self(told.map(|told| Ok::<_, Error>((told, Accounts::read(etc)?))).transpose()?))
    }

    /// The owners of a list of the source; `None`: they are numbers.
    pub(crate) fn owners(&self, list: &Manifest) -> Option<Owners> {
        self.0.as_ref().map(|(theirs, ours)| Owners::of(list, theirs, ours))
    }
}

/// What an entry says of accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) xattrs: Xattrs,
}

impl Owned {
    pub(crate) fn by(entry: &Entry, user: impl Fn(u32) -> u32, group: impl Fn(u32) -> u32) -> Self {
        let xattrs = acl::renumbered(&entry.xattrs, |named| match named {
            Named::User(number) => user(number),
            Named::Group(number) => group(number),
        });
        Self { uid: user(entry.uid), gid: group(entry.gid), xattrs }
    }

    pub(crate) fn applied(self, entry: &Entry) -> Entry {
        Entry { uid: self.uid, gid: self.gid, xattrs: self.xattrs, ..entry.clone() }
    }
}

/// A list with other owners; the same one where they are the same.
pub(crate) fn owned(list: &Manifest, owner: impl FnMut(&Entry) -> Owned) -> Result<Manifest> {
    let owners: Vec<Owned> = list.entries().iter().map(owner).collect();
    let same =
        |(entry, now): (&Entry, &Owned)| (entry.uid, entry.gid) == (now.uid, now.gid) && entry.xattrs == now.xattrs;
    if list.entries().iter().zip(&owners).all(same) {
        return Ok(list.clone());
    }
    let entries = owners.into_iter().zip(list.entries()).map(|(now, entry)| now.applied(entry)).collect();
    Manifest::new(entries).map_err(|fault| Error::protocol("with other owners it is no tree any more").with(fault))
}

fn owners(numbers: BTreeSet<u32>, theirs: &[(String, u32)], ours: &[(String, u32)]) -> Vec<Owner> {
    let owner = |number| {
        let name = theirs.iter().find(|(_, known)| *known == number).map(|(name, _)| name.clone());
        let here = ours.iter().find(|(known, _)| Some(known) == name.as_ref()).map(|(_, number)| *number);
        Owner { number, name, here }
    };
    numbers.into_iter().map(owner).collect()
}

fn here_is(known: &[Owner], number: u32) -> u32 {
    let owner = known.binary_search_by_key(&number, |owner| owner.number).ok().and_then(|at| known[at].here);
    owner.unwrap_or(number)
}

/// Whether no two of them have one number here.
fn are_told_apart(known: &[Owner]) -> bool {
    let mut numbers = HashSet::new();
    known.iter().all(|owner| numbers.insert(owner.here.unwrap_or(owner.number)))
}
