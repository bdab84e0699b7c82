//! One manifest as what changed since another: kept for older generations, and sent to who has the other one. It refuses
//! to remove what is not there; whether the result is a tree, and which one, is checked as for any manifest.

use std::cmp::Ordering;

use crate::encoding::{decode_entry, encode_entry};
use crate::field::{Fields, put_string};
use crate::manifest::{Entry, Manifest, ManifestFault};
use crate::path::TreePath;

const GONE: u8 = 0;
const NOW: u8 = 1;

/// What makes `old` into `new`, in walk order.
pub(crate) fn between(old: &Manifest, new: &Manifest) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut olds, mut news) = (old.entries().iter().peekable(), new.entries().iter().peekable());
    loop {
        let order = match (olds.peek(), news.peek()) {
            (Some(x), Some(y)) => x.path.cmp(&y.path),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return out,
        };
        let was = if order == Ordering::Greater { None } else { olds.next() };
        let is = if order == Ordering::Less { None } else { news.next() };
        match (was, is) {
            (was, Some(now)) if was != Some(now) => {
                out.push(NOW);
                encode_entry(&mut out, now);
            }
            (Some(gone), None) => {
                out.push(GONE);
                put_string(&mut out, gone.path.as_bytes());
            }
            _ => {}
        }
    }
}

/// The entries after a patch; at most `max_entries`. [`Manifest::new`] says whether they are a tree.
pub(crate) fn apply(old: Vec<Entry>, patch: &[u8], max_entries: u64) -> Result<Vec<Entry>, ManifestFault> {
    let mut fields = Fields::new(patch);
    let mut news: Vec<Entry> = Vec::new();
    let mut olds = old.into_iter().peekable();
    let mut index = 0;
    while !fields.is_empty() {
        let (path, now) = match fields.u8()? {
            GONE => (TreePath::parse(fields.string()?).map_err(|fault| ManifestFault::Path { index, fault })?, None),
            NOW => {
                let entry = decode_entry(&mut fields, index)?;
                (entry.path.clone(), Some(entry))
            }
            _ => return Err(ManifestFault::Type(index)),
        };
        while let Some(before) = olds.next_if(|entry| entry.path < path) {
            news.push(before);
        }
        let was = olds.next_if(|entry| entry.path == path);
        if now.is_none() && was.is_none() {
            return Err(ManifestFault::Order(path));
        }
        news.extend(now);
        if (news.len() + olds.len()) as u64 > max_entries {
            return Err(ManifestFault::TooMany);
        }
        index += 1;
    }
    news.extend(olds);
    Ok(news)
}
