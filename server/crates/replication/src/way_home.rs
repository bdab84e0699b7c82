//! The way of an owner back to the source, for what goes home: a failback, where owners go by name.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::accounts::Accounts;
use crate::error::Result;
use crate::manifest::{Entry, Manifest};
use crate::owners::{Owned, Owners, owned};
use crate::replica::Replica;

/// How what was made of a copy tells its owners to where the copy came from.
#[derive(Debug, Clone)]
pub struct WayHome {
    /// What came from there, as the source told it, and who its owners are here.
    came: Option<(Manifest, Owners)>,
    theirs: Accounts,
    ours: Accounts,
}

impl Replica {
    /// Where the accounts of this machine are, `/etc` unless told: for sources that tell their owners by name.
    pub fn set_accounts(&mut self, etc: PathBuf) {
        self.etc = etc;
    }

    /// How what was made of a generation tells its owners to the source; `None`: by number.
    pub fn way_home(&self, generation: u64) -> Result<Option<WayHome>> {
        let Some(theirs) = Accounts::told(&self.store.root) else { return Ok(None) };
        let came = self.commits.iter().find(|commit| commit.generation == generation).and_then(|commit| {
            let owners = commit.owners.clone()?;
            let ours = self.store.manifest(commit);
            // Without its list, which the disk has damaged, everybody goes by name.
            let list = ours.and_then(|ours| owners.theirs(&ours, &self.store.generation(generation))).ok()?;
            Some((list, owners))
        });
        Ok(Some(WayHome { came, theirs, ours: Accounts::read(&self.etc)? }))
    }
}

impl WayHome {
    /// A list of this machine with the numbers of the source. Whoever owns what it owned when it came is who it was there;
    /// anybody else goes by name, and who has none there by number.
    pub(crate) fn there(&self, list: &Manifest) -> Result<Manifest> {
        // All names of one file have one owner, although not each of them came from there.
        let mut links: HashMap<(usize, u32), Owned> = HashMap::new();
        let file = |entry: &Entry| (entry.kind.numbering(), entry.kind.group());
        for entry in list.entries().iter().filter(|entry| entry.kind.group() != 0) {
            if let Some(owner) = self.as_it_came(entry) {
                links.insert(file(entry), owner);
            }
        }
        owned(list, |entry| links.get(&file(entry)).cloned().unwrap_or_else(|| self.owner(entry)))
    }

    /// One entry with the numbers of the source.
    pub(crate) fn entry(&self, entry: &Entry) -> Entry {
        self.owner(entry).applied(entry)
    }

    fn owner(&self, entry: &Entry) -> Owned {
        let user = |number| by_name(number, &self.ours.users, &self.theirs.users);
        let group = |number| by_name(number, &self.ours.groups, &self.theirs.groups);
        self.as_it_came(entry).unwrap_or_else(|| Owned::by(entry, user, group))
    }

    /// The owner that this name came with, if it still has it here.
    fn as_it_came(&self, entry: &Entry) -> Option<Owned> {
        let (list, owners) = self.came.as_ref()?;
        let came = list.get(&entry.path)?;
        let now = Owned { uid: entry.uid, gid: entry.gid, xattrs: entry.xattrs.clone() };
        (owners.here(came) == now).then(|| Owned { uid: came.uid, gid: came.gid, xattrs: came.xattrs.clone() })
    }
}

fn by_name(number: u32, from: &[(String, u32)], to: &[(String, u32)]) -> u32 {
    let name = from.iter().find(|(_, known)| *known == number).map(|(name, _)| name);
    to.iter().find(|(known, _)| Some(known) == name).map_or(number, |(_, number)| *number)
}
