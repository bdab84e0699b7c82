//! What a pull lacks, and how it comes: along with the list, from what is here, or because it was asked for. It refuses to
//! ask for more than there is room for.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};

use crate::bases::Bases;
use crate::error::{Error, ErrorKind, Result};
use crate::fingerprint::Fingerprint;
use crate::ground::{Ground, Layout};
use crate::hashing::Hashing;
use crate::manifest::{ContentHash, EntryKind, Manifest};
use crate::nursery::Nursery;
use crate::offer::Offer;
use crate::pull::Pull;
use crate::receiver::{Ended, Receiver};
use crate::sender::seal;
use crate::stage::Stage;
use crate::transfer::DataReader;
use crate::watch::{Phase, Point, Tally, pass};
use crate::wire::{Kind, Link};

impl Pull<'_> {
    /// Takes what came along with the list; gives of which entries.
    pub(crate) fn stage_along(&self, offer: &Offer, stage: &mut Stage) -> Result<Vec<u32>> {
        let mut entries = Vec::new();
        for (index, content) in &offer.along {
            let Some(EntryKind::File { hash, .. }) = offer.manifest.entries().get(*index as usize).map(|one| &one.kind)
            else {
                return Err(Error::protocol("content of what is not a file comes along"));
            };
            let mut found = Fingerprint::default();
            found.update(content);
            if found.finish() != *hash {
                return Err(Error::new(ErrorKind::HashMismatch, "what came along does not have the announced hash"));
            }
            // It came at an earlier attempt.
            if stage.check(hash, content.len() as u64)? {
                continue;
            }
            stage.put(*hash, content)?;
            entries.push(*index);
            pass(self.watch, Point::ObjectStaged)?;
        }
        Ok(entries)
    }

    /// Finds out what must travel: not linked, not staged, not copied from another file here. Checks the free space.
    pub(crate) fn plan<S: Read + Write>(
        &self,
        link: &mut Link<'_, S>,
        offer: &Offer,
        layout: &Layout,
        ground: &mut Ground,
        stage: &mut Stage,
    ) -> Result<HashMap<u32, u64>> {
        let manifest = &offer.manifest;
        let mut tally = Tally::new(self.watch, Phase::Planning, Some((manifest.files(), manifest.bytes())))?;
        let mut wanted: Vec<(u32, ContentHash, u64)> = Vec::new();
        let mut seen = HashSet::new();
        let mut needed = self.options.reserve_bytes;
        for index in layout.changes.leaders(manifest) {
            let EntryKind::File { size, hash, .. } = manifest.entries()[index].kind else { continue };
            tally.file()?;
            if layout.links.contains_key(&index) || size == 0 {
                continue;
            }
            let room = offer.rooms.get(&(index as u32)).map_or(size, |room| size.min(*room)).next_multiple_of(4096);
            // Every further file with the same content is a copy of its own.
            let again = !seen.insert(hash);
            if again || !stage.check(&hash, size)? {
                needed = needed.saturating_add(room);
            }
            if !again && !stage.has(&hash) {
                needed = needed.saturating_sub(stage.part_len(&hash, size).min(room));
                wanted.push((index as u32, hash, size));
            }
            if seen.len().is_multiple_of(1000) {
                link.send(Kind::Working, &[], &[])?;
                link.flush()?;
            }
        }
        let free = self.store.free_bytes();
        if needed > free {
            let error = Error::disk_full("not enough free space for the next generation", needed, free);
            return Err(error.at(&self.store.root));
        }
        let mut asked = HashMap::new();
        for (index, hash, size) in wanted {
            let copied = match ground.reuse.as_mut().filter(|reuse| reuse.may_have(&hash)) {
                Some(reuse) => match reuse.content(&hash) {
                    Some(mut file) => stage.copy(&mut file, hash, size, |bytes| tally.bytes(bytes))?,
                    None => false,
                },
                None => false,
            };
            if !copied {
                asked.insert(index, stage.part_len(&hash, size));
            }
        }
        tally.finish()?;
        Ok(asked)
    }

    /// Asks for what is missing and takes it; ends with the manifest both sides agree on.
    pub(crate) fn transfer<S: Read + Write>(
        &mut self,
        link: &mut Link<'_, S>,
        offered: &Manifest,
        asked: HashMap<u32, u64>,
        ground: &mut Ground,
        stage: &mut Stage,
        nursery: Option<&mut Nursery>,
    ) -> Result<(Manifest, u64, Option<u64>)> {
        let mut order: Vec<(u32, u64)> = asked.iter().map(|(index, offset)| (*index, *offset)).collect();
        order.sort_unstable();
        let mut bytes = 0u64;
        for group in order.chunks(60_000) {
            let mut payload = Vec::with_capacity(group.len() * 12);
            for (index, offset) in group {
                if let EntryKind::File { size, .. } = offered.entries()[*index as usize].kind {
                    bytes += size - offset;
                }
                payload.extend_from_slice(&index.to_le_bytes());
                payload.extend_from_slice(&offset.to_le_bytes());
            }
            link.send(Kind::Need, &payload, &[])?;
        }
        let bases = ground.reuse.as_ref().map(|reuse| Bases::choose(&asked, offered, reuse, stage));
        let bases = bases.unwrap_or_default();
        bases.claim(link)?;
        link.send(Kind::NeedEnd, &[], &[])?;
        if order.is_empty() {
            // Nothing comes, and the source learns that with the acknowledgement.
            ground.lend(offered, &asked, &bases, stage, self.spares)?;
            return Ok((offered.clone(), 0, None));
        }
        link.flush()?;
        let lent = ground.lend(offered, &asked, &bases, stage, self.spares)?;
        let mut reuse = ground.reuse.as_mut();
        if let Some(reuse) = reuse.as_deref_mut() {
            bases.answer(link, reuse)?;
        }
        let files = order.len() as u64;
        let tally = Tally::new(self.watch, Phase::Transferring, Some((files, bytes)))?;
        let reserve = self.options.reserve_bytes;
        let (watch, buffer, hashing) = (self.watch, Vec::new(), Hashing::default());
        let receiver = Receiver {
            manifest: offered,
            asked,
            stage,
            reserve,
            tally,
            watch,
            bases: &bases,
            lent,
            reuse,
            buffer,
            hashing,
            nursery,
        };
        let Ended { amended, generation, id } = receiver.run(DataReader::new(link)?)?;
        let malformed = |e| Error::protocol("the amendments do not make a tree").with(e);
        let manifest = if amended.is_empty() { offered.clone() } else { seal(offered, amended).map_err(malformed)? };
        if manifest.content_id() != id {
            return Err(Error::new(ErrorKind::HashMismatch, "the two sides do not end at the same content"));
        }
        self.check_shape(&manifest)?;
        Ok((manifest, files, generation))
    }
}
