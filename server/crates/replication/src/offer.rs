//! What a source says it has. Refuses announcements above the limits before reading them, and a manifest that is not
//! what was announced.

use std::collections::HashMap;
use std::io::{Read, Write};

use jiff::Timestamp;

use crate::accounts::Accounts;
use crate::along::Along;
use crate::error::{Error, ErrorKind, Result};
use crate::field::Fields;
use crate::manifest::{ContentId, Manifest};
use crate::packer::Unpacker;
use crate::transfer::captured;
use crate::tree_changes::TreeChanges;
use crate::watch::Watch;
use crate::wire::{CONTENT, CONTENT_AND_LIST, Kind, Link, NOTHING, VERSION};

/// What a peer may announce before it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries of a manifest.
    pub entries: u64,
    /// Bytes of an encoded manifest; about that much memory is used twice.
    pub manifest_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 5_000_000, manifest_bytes: 1 << 30 }
    }
}

/// What the source said it has.
pub(crate) struct Offer {
    pub(crate) generation: u64,
    pub(crate) captured_at: Timestamp,
    pub(crate) manifest: Manifest,
    /// What files that are mostly holes take on the source's disk, by entry.
    pub(crate) rooms: HashMap<u32, u64>,
    /// Content that came along, by entry.
    pub(crate) along: Vec<(u32, Vec<u8>)>,
}

/// Reads a manifest sent by [`crate::Capture::serve_manifest`].
pub fn read_manifest<S: Read + Write>(stream: &mut S, limits: Limits, watch: &dyn Watch) -> Result<Manifest> {
    let mut link = Link::new(stream, watch);
    let (_, payload) = link.receive(&[Kind::Offer])?;
    let payload = payload.to_vec();
    Ok(receive_offer(&mut link, &payload, None, limits)?.manifest)
}

/// Takes a list, whole or as what changed since `base`.
fn receive_offer<S: Read + Write>(
    link: &mut Link<'_, S>,
    payload: &[u8],
    base: Option<&Manifest>,
    limits: Limits,
) -> Result<Offer> {
    let mut fields = Fields::new(payload);
    let generation = fields.u64()?;
    let captured_at = captured(&mut fields)?;
    let (id, entries, bytes) = (ContentId(fields.array()?), fields.u64()?, fields.u64()?);
    if entries > limits.entries || bytes > limits.manifest_bytes {
        let text = format!("{entries} entries in {bytes} bytes are announced, above the limit of {}", limits.entries);
        return Err(Error::protocol(text));
    }
    let mut unpacker = Unpacker::new()?;
    let (mut encoded, mut block, mut rooms) = (Vec::new(), Vec::new(), HashMap::new());
    let mut along = Along::default();
    loop {
        let (kind, payload) = link.receive(&[Kind::Part, Kind::Room, Kind::Along, Kind::PartEnd])?;
        if kind == Kind::PartEnd {
            break;
        }
        if kind == Kind::Room {
            let mut fields = Fields::new(payload);
            while !fields.is_empty() {
                rooms.insert(fields.u32()?, fields.u64()?);
            }
            if rooms.len() as u64 > entries {
                return Err(Error::protocol("the room of more files than there are"));
            }
            continue;
        }
        unpacker.unpack(payload, &mut block)?;
        if kind == Kind::Along {
            if base.is_none() {
                return Err(Error::protocol("content comes along with a whole list"));
            }
            along.take(&block)?;
            continue;
        }
        encoded.extend_from_slice(&block);
        if encoded.len() as u64 > bytes {
            return Err(Error::protocol("the manifest is longer than announced"));
        }
    }
    let malformed = |e| Error::protocol("a malformed manifest").with(e);
    let manifest = match base {
        None => Manifest::decode(&encoded, entries),
        Some(base) => TreeChanges::decode(&encoded, limits.entries).and_then(|changes| base.apply(&changes)),
    };
    let manifest = manifest.map_err(malformed)?;
    if manifest.entries().len() as u64 > entries {
        return Err(Error::protocol("the manifest has more entries than announced"));
    }
    if manifest.content_id() != id {
        return Err(Error::new(ErrorKind::HashMismatch, "the manifest does not have the announced id"));
    }
    Ok(Offer { generation, captured_at, manifest, rooms, along: along.contents })
}

/// What the source said, and the accounts it has where its owners go by their names.
pub(crate) struct Told {
    pub(crate) answer: Answer,
    pub(crate) accounts: Option<Accounts>,
}

/// What the source answered.
pub(crate) enum Answer {
    Unchanged { generation: u64, captured_at: Timestamp },
    Offer(Offer),
}

/// The request of who has this content, and this list.
pub(crate) fn request(have: Option<ContentId>, held: Option<&Manifest>) -> Vec<u8> {
    let mut request = VERSION.to_le_bytes().to_vec();
    request.push(match (have, held.filter(|held| Some(held.content_id()) == have)) {
        (None, _) => NOTHING,
        (Some(_), None) => CONTENT,
        (Some(_), Some(_)) => CONTENT_AND_LIST,
    });
    request.extend_from_slice(have.as_ref().map_or(&[], |id| id.0.as_slice()));
    request
}

/// Asks the source what it has that `have` is not, unless that was asked ahead. `held` is the list of what is here.
pub(crate) fn ask<S: Read + Write>(
    link: &mut Link<'_, S>,
    have: Option<ContentId>,
    held: Option<&Manifest>,
    limits: Limits,
    asked: Option<&[u8]>,
) -> Result<Told> {
    let held = held.filter(|held| Some(held.content_id()) == have);
    let request = request(have, held);
    match asked {
        Some(asked) if asked == request => {}
        Some(_) => return Err(Error::protocol("what was asked ahead is not what is to be asked now")),
        None => {
            link.send(Kind::Request, &request, &[])?;
            link.flush()?;
        }
    }
    const ANSWERS: [Kind; 4] = [Kind::Unchanged, Kind::Offer, Kind::Changes, Kind::Accounts];
    let (mut kind, mut payload) = link.receive(&ANSWERS)?;
    let mut accounts = None;
    if kind == Kind::Accounts {
        accounts = Some(Accounts::decode(payload)?);
        (kind, payload) = link.receive(&ANSWERS[..3])?;
    }
    if kind != Kind::Unchanged {
        let payload = payload.to_vec();
        let base = held.filter(|_| kind == Kind::Changes);
        if base.is_none() && kind == Kind::Changes {
            return Err(Error::protocol("changes to something that is not here"));
        }
        let answer = Answer::Offer(receive_offer(link, &payload, base, limits)?);
        return Ok(Told { answer, accounts });
    }
    let mut fields = Fields::new(payload);
    let (generation, captured_at) = (fields.u64()?, captured(&mut fields)?);
    let id = ContentId(fields.array()?);
    if Some(id) == have {
        Ok(Told { answer: Answer::Unchanged { generation, captured_at }, accounts })
    } else {
        Err(Error::protocol("the source calls something unchanged that is not here"))
    }
}
