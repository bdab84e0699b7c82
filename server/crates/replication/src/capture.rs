//! One captured state of a source, ready to be served. It refuses to serve a content id that was not recorded first,
//! and a file that is half of one state and half of another.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::accounts::Accounts;
use crate::bases::{Claim, settle};
use crate::beneath::{Beneath, FileKey, room_of};
use crate::blocks::SharedLists;
use crate::delta::Base;
use crate::error::{Error, ErrorKind, Result};
use crate::field::Fields;
use crate::manifest::{ContentId, Entry, EntryKind, Manifest};
use crate::offered::Offered;
use crate::packer::Packer;
use crate::path::TreePath;
use crate::reading::{self, BLOCK};
use crate::remark::{Skipped, Warning};
use crate::scan::{HashCache, Inode};
use crate::sender::Sender;
use crate::transfer::{DataWriter, put_captured};
use crate::watch::{Phase, Point, Tally, Watch, pass};
use crate::way_home::WayHome;
use crate::wire::{CHUNK, CONTENT_AND_LIST, Kind, Link, NOTHING, VERSION};

/// A captured state. Holds the source's root (or the copy of the database) open; cheap to keep, made to be served soon.
pub struct Capture {
    /// The tree.
    pub manifest: Manifest,
    /// The `now` given to the capture.
    pub captured_at: Timestamp,
    /// Names that are not replicated, at most 1,000 of them.
    pub skipped: Vec<Skipped>,
    /// How many they are in all.
    pub skipped_in_all: u64,
    /// What deserves a word, at most 1,000 of them.
    pub warnings: Vec<Warning>,
    /// Bytes that had to be read; 0 when nothing changed.
    pub hashed_bytes: u64,
    pub(crate) source: PathBuf,
    pub(crate) content: Content,
    /// What the source remembers of contents it has or had.
    pub(crate) lists: SharedLists,
    /// What the source offered before.
    pub(crate) offered: Arc<Offered>,
    /// The accounts of this machine, where owners go by name.
    pub(crate) accounts: Option<Accounts>,
    /// The numbers of owners are told as those of another machine.
    pub(crate) way_home: Option<Arc<WayHome>>,
}

pub(crate) enum Content {
    /// Files are read again when they are asked for.
    Tree { root: Beneath, keys: Arc<HashMap<TreePath, FileKey>>, cache: HashCache, identity: Inode },
    /// An unlinked copy of a database.
    Copy { file: Arc<File> },
}

/// What one pull was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// What the replica now stands at: the capture's id unless files changed while they travelled.
    pub content_id: ContentId,
    /// As given, or that of what was amended.
    pub generation: u64,
    /// The replica had this content already.
    pub unchanged: bool,
    /// Bytes written to the stream.
    pub sent_bytes: u64,
    /// Files whose content travelled.
    pub sent_files: u64,
    /// Entries that differ from the capture because files changed or vanished meanwhile.
    pub amended: u64,
    /// Of these, files that changed each time they were read: sent as read, escaped for display, at most 1,000.
    pub unsettled: Vec<String>,
}

impl Capture {
    /// Answers one pull. After an error the stream is of no more use: close it.
    ///
    /// [`Watch::offering`] is called with every content id before the replica learns of it.
    pub fn serve<S: Read + Write>(&self, stream: &mut S, generation: u64, watch: &dyn Watch) -> Result<Served> {
        self.converse(stream, None, generation, watch)
    }

    /// As [`Capture::serve`], for a replica whose request ([`crate::Replica::request`]) came ahead, on whatever way.
    pub fn serve_asked<S: Read + Write>(
        &self,
        stream: &mut S,
        request: &[u8],
        generation: u64,
        watch: &dyn Watch,
    ) -> Result<Served> {
        self.converse(stream, Some(request), generation, watch)
    }

    fn converse<S: Read + Write>(
        &self,
        stream: &mut S,
        request: Option<&[u8]>,
        generation: u64,
        watch: &dyn Watch,
    ) -> Result<Served> {
        let mut link = Link::new(stream, watch);
        let wanted = match request {
            Some(request) => Wanted::read(request),
            None => link.receive(&[Kind::Request]).and_then(|(_, request)| Wanted::read(request)),
        };
        let served = wanted.and_then(|wanted| self.answer(&mut link, &wanted, generation, watch));
        if let Err(error) = &served {
            link.fail(error);
        }
        served
    }

    /// Sends the bare manifest, for [`crate::read_manifest`] on the other side.
    pub fn serve_manifest<S: Read + Write>(&self, stream: &mut S, watch: &dyn Watch) -> Result<()> {
        let mut link = Link::new(stream, watch);
        self.send_manifest(&mut link, 0)?;
        link.flush()
    }

    fn answer<S: Read + Write>(
        &self,
        link: &mut Link<'_, S>,
        wanted: &Wanted,
        generation: u64,
        watch: &dyn Watch,
    ) -> Result<Served> {
        let id = self.manifest.content_id();
        record(watch, id)?;
        if let Some(accounts) = &self.accounts {
            link.send(Kind::Accounts, &accounts.encode(), &[])?;
        }
        let mut served = Served {
            content_id: id,
            generation,
            unchanged: wanted.have == Some(id),
            sent_bytes: 0,
            sent_files: 0,
            amended: 0,
            unsettled: Vec::new(),
        };
        if served.unchanged {
            let mut payload = generation.to_le_bytes().to_vec();
            put_captured(&mut payload, self.captured_at);
            link.send(Kind::Unchanged, &payload, &id.0)?;
            link.flush()?;
        } else {
            let base = wanted.have.filter(|_| wanted.changes).and_then(|id| self.offered.get(id));
            self.offered.remember(&self.manifest);
            served.sent_files = match base {
                Some(base) => self.send_changes(link, generation, &base, watch)?,
                None => self.send_manifest(link, generation).map(|()| 0)?,
            };
            link.flush()?;
            pass(watch, Point::Offered)?;
            let (needs, claims) = self.receive_needs(link)?;
            let bases = settle(link, &self.manifest, &claims, &self.lists)?;
            if !needs.is_empty() {
                self.send_content(link, &needs, bases, &mut served, watch)?;
            }
        }
        let (_, payload) = link.receive(&[Kind::Ack])?;
        if payload != served.content_id.0 {
            return Err(Error::protocol("the replica acknowledged something else"));
        }
        served.sent_bytes = link.sent();
        Ok(served)
    }

    fn send_content<S: Read + Write>(
        &self,
        link: &mut Link<'_, S>,
        needs: &[Need],
        bases: HashMap<u32, Base>,
        served: &mut Served,
        watch: &dyn Watch,
    ) -> Result<()> {
        let bytes = needs.iter().map(|need| need.bytes).sum();
        served.sent_files += needs.len() as u64;
        let tally = Tally::new(watch, Phase::Transferring, Some((needs.len() as u64, bytes)))?;
        let mut sender = Sender::new(self, DataWriter::new(link)?, tally, bases)?;
        for need in needs {
            sender.object(need.index, need.offset)?;
            pass(watch, Point::ObjectSent)?;
        }
        let (sealed, unsettled) = sender.finish(|id| watch.amending(id).map_err(not_recorded))?;
        served.generation = sealed.generation.unwrap_or(served.generation);
        served.unsettled = unsettled;
        served.amended = sealed.amended;
        served.content_id = sealed.manifest.content_id();
        if sealed.amended > 0 {
            self.offered.remember(&sealed.manifest);
        }
        Ok(())
    }

    fn send_manifest<S: Read + Write>(&self, link: &mut Link<'_, S>, generation: u64) -> Result<()> {
        self.send_list(link, Kind::Offer, generation, &self.manifest.encode(), self.manifest.entries())?;
        link.send(Kind::PartEnd, &[], &[])
    }

    /// Sends what makes the manifest of one that the replica has, and the small files that are new in it; gives of how
    /// many.
    fn send_changes<S: Read + Write>(
        &self,
        link: &mut Link<'_, S>,
        generation: u64,
        base: &Manifest,
        watch: &dyn Watch,
    ) -> Result<u64> {
        let changes = self.manifest.changes_from(base);
        self.send_list(link, Kind::Changes, generation, &changes.encode(), changes.put())?;
        let files = self.send_along(link, base, changes.put(), watch)?;
        link.send(Kind::PartEnd, &[], &[]).map(|()| files)
    }

    fn send_list<S: Read + Write>(
        &self,
        link: &mut Link<'_, S>,
        kind: Kind,
        generation: u64,
        encoded: &[u8],
        new: &[Entry],
    ) -> Result<()> {
        let mut payload = generation.to_le_bytes().to_vec();
        put_captured(&mut payload, self.captured_at);
        payload.extend_from_slice(&self.manifest.content_id().0);
        payload.extend_from_slice(&(self.manifest.entries().len() as u64).to_le_bytes());
        payload.extend_from_slice(&(encoded.len() as u64).to_le_bytes());
        link.send(kind, &payload, &[])?;
        let mut packer = Packer::new()?;
        for chunk in encoded.chunks(CHUNK) {
            let (head, body) = packer.pack(chunk);
            link.send(Kind::Part, &head, body)?;
        }
        for some in self.rooms(new).chunks(CHUNK / 16) {
            let rooms =
                some.iter().flat_map(|(index, room)| [index.to_le_bytes().as_slice(), &room.to_le_bytes()].concat());
            link.send(Kind::Room, &rooms.collect::<Vec<u8>>(), &[])?;
        }
        Ok(())
    }

    /// The bytes that those of these files take which are mostly holes. A word of advice, so that nobody looks for room
    /// that is not needed: what is not known is left out.
    fn rooms(&self, new: &[Entry]) -> Vec<(u32, u64)> {
        let Content::Tree { root, .. } = &self.content else { return Vec::new() };
        let Ok(mut tree) = root.again() else { return Vec::new() };
        let holed = |entry: &&Entry| matches!(entry.kind, EntryKind::File { size, .. } if size >= BLOCK as u64);
        let room = |entry: &Entry| {
            let (stat, index) = (tree.stat(&entry.path).ok()?, self.manifest.position(&entry.path)?);
            let (size, room) = (FileKey::of(&stat).size, room_of(&stat));
            (room < size / 2).then_some((index as u32, room))
        };
        new.iter().filter(holed).filter_map(room).collect()
    }

    fn receive_needs<S: Read + Write>(&self, link: &mut Link<'_, S>) -> Result<(Vec<Need>, Vec<Claim>)> {
        let entries = self.manifest.entries();
        let mut needs: Vec<Need> = Vec::new();
        let mut claims: Vec<Claim> = Vec::new();
        loop {
            let (kind, payload) = link.receive(&[Kind::Need, Kind::Claim, Kind::NeedEnd])?;
            if kind == Kind::NeedEnd {
                return Ok((needs, claims));
            }
            let mut fields = Fields::new(payload);
            while kind == Kind::Claim && !fields.is_empty() {
                let claim = Claim::read(&mut fields)?;
                // In order, so that nothing is claimed twice.
                let after = claims.last().is_none_or(|last| last.index < claim.index);
                if !after || claim.index as usize >= entries.len() {
                    return Err(Error::protocol("a claim about nothing, or twice"));
                }
                claims.push(claim);
            }
            while !fields.is_empty() {
                let (index, offset) = (fields.u32()?, fields.u64()?);
                let size = match entries.get(index as usize).map(|entry| &entry.kind) {
                    Some(EntryKind::File { size, .. }) => *size,
                    _ => return Err(Error::protocol("something that is not a file was asked for")),
                };
                if offset > size || needs.len() >= entries.len() {
                    return Err(Error::protocol("more was asked for than there is"));
                }
                needs.push(Need { index, offset, bytes: size - offset });
            }
        }
    }
}

struct Need {
    index: u32,
    offset: u64,
    bytes: u64,
}

/// What a replica said it has.
struct Wanted {
    have: Option<ContentId>,
    /// It can make the new manifest of the one it has.
    changes: bool,
}

impl Wanted {
    fn read(request: &[u8]) -> Result<Self> {
        let mut fields = Fields::new(request);
        let version = fields.u16()?;
        if version != VERSION {
            let text = format!("the other side speaks version {version} of the protocol, this one {VERSION}");
            return Err(Error::new(ErrorKind::PeerVersion, text));
        }
        let has = fields.u8()?;
        let have = if has == NOTHING { None } else { Some(ContentId(fields.array()?)) };
        let wanted = Self { have, changes: has == CONTENT_AND_LIST };
        if fields.is_empty() { Ok(wanted) } else { Err(Error::protocol("a request with bytes left over")) }
    }
}

fn record(watch: &dyn Watch, id: ContentId) -> Result<()> {
    watch.offering(id).map_err(not_recorded)
}

fn not_recorded(e: io::Error) -> Error {
    Error::new(ErrorKind::NotRecorded, "cannot record what is about to be offered").with(e)
}

/// Reads a file at its own position, so that one open copy can be served more than once.
pub(crate) struct FromStart<'a> {
    pub(crate) file: &'a File,
    pub(crate) at: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read_at(buffer, self.at)?;
        self.at += got as u64;
        Ok(got)
    }
}

impl reading::Content for FromStart<'_> {
    fn pass_hole(&mut self, at: u64, limit: u64) -> io::Result<u64> {
        let hole = reading::hole(self.file, at, limit)?;
        self.at += hole;
        Ok(hole)
    }
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Capture({:?} at {})", self.manifest, self.captured_at)
    }
}
