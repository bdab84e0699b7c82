//! One pull: learn what the source has, fetch what is missing, build the next generation, commit, flip. It refuses to
//! show anything that is not complete and durable, and cleans nothing up on the way out of an error: what arrived
//! serves the next pull.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use jiff::Timestamp;
use rustix::fs::{CWD, RenameFlags};

use crate::accounts::Accounts;
use crate::difference::{Difference, Found};
use crate::error::{Error, ErrorKind, Result};
use crate::ground::Ground;
use crate::manifest::{ContentHash, ContentId, Entry, EntryKind, Manifest};
use crate::nursery::Nursery;
use crate::offer::{Answer, Limits, Offer, ask};
use crate::older;
use crate::own_copy::OwnCopy;
use crate::owners::{self, Namesakes, here};
use crate::path::TreePath;
use crate::reuse::Reuse;
use crate::source::{DATABASE_NAME, SourceKind};
use crate::spare::Spares;
use crate::sqlite;
use crate::stage::Stage;
use crate::store::{BUILDING, Commit, REPLACED, Store, put_record, sync_dir, sync_file_system};
use crate::watch::{Phase, Point, Tally, Watch, pass};
use crate::wire::{Kind, Link};

/// How to pull.
pub struct PullOptions<'a> {
    /// Re-read and re-hash what we have before relying on it, and repair what is damaged.
    pub heal: bool,
    /// Free bytes to leave on the disk.
    pub reserve_bytes: u64,
    /// Our clock, asked once at the commit.
    pub now: &'a dyn Fn() -> Timestamp,
    /// What the peer may announce.
    pub limits: Limits,
    /// Names that the source has no more stay when they were last written before this; so they do at every later pull.
    pub keep_older: Option<Timestamp>,
    /// Nothing is kept that the source has no more, whatever an earlier pull was told.
    pub forget_older: bool,
    /// The request that the source has got already: see [`crate::Replica::request`].
    pub asked: Option<&'a [u8]>,
}

/// What a pull did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// What we stand at now.
    pub commit: Commit,
    /// Whether that is another content than before.
    pub changed: bool,
    /// When the source captured the content it offered: `commit` was true to the source at that time.
    pub captured_at: Timestamp,
    /// The generation the source offered; with `changed` it is `commit.generation`.
    pub offered_generation: u64,
    /// Bytes read from the stream.
    pub received_bytes: u64,
    /// Files whose content travelled because it was not here.
    pub received_files: u64,
    /// Bytes of these files: what this generation holds and the one before does not, however little of it travelled.
    pub new_bytes: u64,
    /// With [`PullOptions::heal`]: what was damaged here and has been repaired.
    pub healed: Vec<Difference>,
    /// Whether the source learned of the commit; if not, it will at the next pull.
    pub acknowledged: bool,
}

pub(crate) struct Pull<'p> {
    pub(crate) store: &'p Store,
    pub(crate) kind: SourceKind,
    pub(crate) last: Option<&'p Commit>,
    /// The manifest of the last commit, if it can be read.
    pub(crate) held: Option<Manifest>,
    pub(crate) spares: &'p mut Spares,
    /// Where the accounts of this machine are.
    pub(crate) etc: &'p Path,
    /// What is wrong with the committed tree, found by re-reading it.
    pub(crate) damage: Vec<Found>,
    pub(crate) options: &'p PullOptions<'p>,
    pub(crate) watch: &'p dyn Watch,
}

impl Pull<'_> {
    /// What the pull did, and the manifest of the commit if it is another one.
    pub(crate) fn run<S: Read + Write>(mut self, stream: &mut S) -> Result<(Pulled, Option<Manifest>)> {
        let mut link = Link::new(stream, self.watch);
        let pulled = self.converse(&mut link);
        if let Err(error) = &pulled {
            link.fail(error);
        }
        pulled
    }

    fn converse<S: Read + Write>(&mut self, link: &mut Link<'_, S>) -> Result<(Pulled, Option<Manifest>)> {
        // Who forgets wants exactly what the source has: a commit that holds more does not count as having it.
        let exact = |last: &&Commit| !self.options.forget_older || last.offered.is_none();
        let have = self.last.filter(|_| self.damage.is_empty()).filter(exact).map(Commit::offered_id);
        let have = if owners::stand(self.last, self.store, self.etc)? { have } else { None };
        let theirs = owners::as_told(self.last, self.held.as_ref(), self.store)?;
        let told = ask(link, have, theirs.as_ref(), self.options.limits, self.options.asked)?;
        Accounts::keep_told(told.accounts.as_ref(), &self.store.root)?;
        let names = Namesakes::new(told.accounts, self.etc)?;
        let offer = match (told.answer, self.last) {
            (Answer::Offer(offer), _) => offer,
            (Answer::Unchanged { generation, captured_at }, Some(last)) => {
                return Ok((self.done(link, last.clone(), false, captured_at, generation, 0)?, None));
            }
            (Answer::Unchanged { .. }, None) => return Err(Error::protocol("nothing is here to be unchanged")),
        };
        pass(self.watch, Point::ManifestReceived)?;
        self.check_shape(&offer.manifest)?;
        let mut stage = Stage::open(self.store.staged())?;
        stage.keep_only(&offer.manifest)?;
        let along = self.stage_along(&offer, &mut stage)?;
        let mut ground = self.ground(&offer.manifest)?;
        // The list as it travels is the source's; as it is here it has the numbers of this machine.
        let listed = offer.manifest.clone();
        let offer = Offer { manifest: here(names.owners(&listed).as_ref(), &listed)?, ..offer };
        let layout = ground.lay_out(&offer.manifest)?;
        let asked = self.plan(link, &offer, &layout, &mut ground, &mut stage)?;
        pass(self.watch, Point::Planned)?;
        let size = |index: &u32| listed.entries()[*index as usize].kind.size();
        let new_bytes = asked.keys().chain(&along).map(size).fold(0, u64::saturating_add);
        let is_first = self.kind == SourceKind::Files && self.last.is_none() && !asked.is_empty();
        let mut nursery = is_first.then(|| Nursery::begin(&stage, &offer.manifest)).transpose()?;
        let (sent, files, renumbered) =
            self.transfer(link, &listed, asked, &mut ground, &mut stage, nursery.as_mut())?;
        ground.grow(nursery.map(Nursery::grown).transpose()?);
        let files = files + along.len() as u64;
        // What changed on the way is another content than the one that was offered, under a number of its own.
        let offer = Offer { generation: renumbered.unwrap_or(offer.generation), ..offer };
        pass(self.watch, Point::Transferred)?;

        let offered = sent.content_id();
        let listed = older::with(sent, theirs.as_ref(), self.kept_before())?;
        let owners = names.owners(&listed);
        let manifest = here(owners.as_ref(), &listed)?;
        let id = manifest.content_id();
        let equal = |last: &&Commit| last.content_id == id && last.offered_id() == offered && last.owners == owners;
        if let Some(last) = self.last.filter(equal).filter(|_| self.damage.is_empty()) {
            ground.leave()?;
            stage.clear()?;
            return Ok((self.done(link, last.clone(), false, offer.captured_at, offer.generation, files)?, None));
        }
        // The same content of the source, held otherwise: damaged, or with more or less of what is older.
        let repair = self.last.filter(|last| last.offered_id() == offered);
        if repair.is_none() && self.last.is_some_and(|last| last.generation >= offer.generation) {
            let text = format!("generation {} is offered with other content, but is not newer", offer.generation);
            return Err(Error::new(ErrorKind::GenerationNotNewer, text));
        }
        let generation = repair.map_or(offer.generation, |last| last.generation);
        if self.kind == SourceKind::Sqlite
            && let Some(EntryKind::File { hash, .. }) = manifest.entries().get(1).map(|entry| &entry.kind)
            && stage.has(hash)
        {
            sqlite::quick_check(&stage.path(hash))?;
        }
        let as_planned = id == offer.manifest.content_id() && !ground.is_other();
        let layout = if as_planned {
            layout
        } else {
            ground.give_back(&mut stage, &offer.manifest)?;
            ground.lay_out(&manifest)?
        };
        ground.fill(&manifest, &layout, &mut stage)?;
        let hidden = self.store.aside(generation, BUILDING);
        ground.build(&hidden, &manifest, layout, &stage, self.spares, self.watch)?;
        let captured_at = repair.map_or(offer.captured_at, |last| last.captured_at);
        if let Some(owners) = &owners {
            owners.keep_list(&listed, &hidden)?;
        }
        let commit = Commit { owners, ..self.record(&manifest, offered, generation, captured_at) };
        self.write_down(&hidden, &manifest, &commit)?;
        let commit = match repair {
            Some(_) => self.put_right(&hidden, commit)?,
            None => self.commit(&hidden, commit)?,
        };
        stage.clear()?;
        pass(self.watch, Point::Cleaned)?;
        let changed = self.last.is_none_or(|last| last.content_id != id);
        let done = self.done(link, commit, changed, offer.captured_at, offer.generation, files)?;
        Ok((Pulled { new_bytes, ..done }, Some(manifest)))
    }

    /// Shows the generation, which a pull without a change has not done yet where readers still see a copy that was
    /// handed back. Then acknowledges; a lost acknowledgement takes nothing back.
    fn done<S: Read + Write>(
        &self,
        link: &mut Link<'_, S>,
        commit: Commit,
        changed: bool,
        captured_at: Timestamp,
        offered_generation: u64,
        received_files: u64,
    ) -> Result<Pulled> {
        self.store.flip(commit.generation)?;
        let told = link.send(Kind::Ack, &commit.offered_id().0, &[]).and_then(|()| link.flush());
        Ok(Pulled {
            commit,
            changed,
            captured_at,
            offered_generation,
            received_bytes: link.received(),
            received_files,
            new_bytes: 0,
            healed: self.damage.iter().map(|(_, difference)| difference.clone()).collect(),
            acknowledged: told.is_ok(),
        })
    }

    pub(crate) fn check_shape(&self, manifest: &Manifest) -> Result<()> {
        if self.kind == SourceKind::Sqlite {
            let fits = match manifest.entries() {
                [_, file] => {
                    file.path.as_bytes() == DATABASE_NAME.as_bytes() && matches!(file.kind, EntryKind::File { .. })
                }
                _ => false,
            };
            if !fits {
                return Err(Error::protocol("one database was expected, something else is offered"));
            }
        }
        let empty = ContentHash(*blake3::hash(&[]).as_bytes());
        let lie = manifest.entries().iter().find(
            |entry| matches!(&entry.kind, EntryKind::File { size, hash, .. } if (*size == 0) != (*hash == empty)),
        );
        match lie {
            Some(entry) => Err(Error::protocol(format!("{}: size and hash contradict each other", entry.path))),
            None => Ok(()),
        }
    }

    /// The committed generation, if it can serve, and a tree to change. A manifest that is damaged costs a full copy,
    /// not the replica.
    fn ground(&mut self, offered: &Manifest) -> Result<Ground> {
        let (Some(last), Some(held)) = (self.last, &self.held) else { return Ok(Ground::default()) };
        if !self.damage.is_empty() {
            // They share the files that were found damaged.
            self.spares.drop_all()?;
        }
        let distrusted: HashSet<TreePath> = self.damage.iter().map(|(path, _)| path.clone()).collect();
        let mut reuse = Reuse::new(held.clone(), &self.store.tree(last.generation), distrusted)?;
        let spare = match self.kind {
            SourceKind::Files => {
                let other = |entry: &Entry, own: &OwnCopy| match entry.kind {
                    EntryKind::File { hash, .. } => hash != own.hash,
                    _ => false,
                };
                let is_wanted = |own: &OwnCopy| offered.get(&own.path).is_some_and(|entry| other(entry, own));
                Some(self.spares.ready(self.store, last.holds(), &mut reuse, is_wanted, self.watch)?)
            }
            SourceKind::Sqlite => None,
        };
        Ok(Ground::new(reuse, spare))
    }

    /// Writes down what the hidden tree holds, and makes all of it durable.
    fn write_down(&self, hidden: &Path, manifest: &Manifest, commit: &Commit) -> Result<()> {
        pass(self.watch, Point::TreeBuilt)?;
        let base = self.last.map(Commit::holds).zip(self.held.as_ref());
        self.store.manifests.keep(commit.holds(), manifest, base)?;
        put_record(hidden, commit)?;
        pass(self.watch, Point::RecordWritten)?;
        let mut tally = Tally::new(self.watch, Phase::Committing, Some((manifest.files(), manifest.bytes())))?;
        sync_file_system(hidden)?;
        tally.finish()?;
        pass(self.watch, Point::Synced)
    }

    /// Until when what the source has no more is kept.
    fn kept_before(&self) -> Option<Timestamp> {
        let earlier = self.last.and_then(|last| last.kept_before);
        if self.options.forget_older { None } else { self.options.keep_older.max(earlier) }
    }

    fn record(&self, manifest: &Manifest, offered: ContentId, generation: u64, captured_at: Timestamp) -> Commit {
        let content_id = manifest.content_id();
        Commit {
            generation,
            content_id,
            captured_at,
            files: manifest.files(),
            bytes: manifest.bytes(),
            committed_at: (self.options.now)(),
            offered: (offered != content_id).then_some(offered),
            kept_before: self.kept_before(),
            first: self.last.map_or(Some(generation), |last| last.first),
            owners: None,
        }
    }

    fn commit(&self, hidden: &Path, commit: Commit) -> Result<Commit> {
        let place = self.store.generation(commit.generation);
        fs::rename(hidden, &place).map_err(|e| Error::io("cannot commit a generation", &place, e))?;
        sync_dir(&self.store.generations())?;
        pass(self.watch, Point::Committed)?;
        self.store.flip(commit.generation)?;
        pass(self.watch, Point::Flipped)?;
        Ok(commit)
    }

    /// Exchanges a damaged tree for its repaired twin, in one step; readers see the same content before and after.
    fn put_right(&self, hidden: &Path, commit: Commit) -> Result<Commit> {
        let place = self.store.generation(commit.generation);
        let trouble = |e: io::Error| Error::io("cannot put a repaired tree in its place", &place, e);
        rustix::fs::renameat_with(CWD, hidden, CWD, &place, RenameFlags::EXCHANGE).map_err(|e| trouble(e.into()))?;
        sync_dir(&self.store.generations())?;
        pass(self.watch, Point::Repaired)?;
        // Kept until the next prune: somebody may still be reading in it.
        let old = self.store.aside(commit.generation, REPLACED);
        crate::store::remove_tree(&old)?;
        fs::rename(hidden, old).map_err(trouble)?;
        Ok(commit)
    }
}
