//! What the administrator wants left out of a tree. Refuses patterns that are none; knows nothing of a disk.

use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::{Error, ErrorKind, Result};
use crate::path::{TreePath, escape};

/// Patterns of what is left out. Without a slash a pattern means the name at any depth, with one the path from the root;
/// a slash at the end means directories only.
pub(crate) struct Excludes {
    names: GlobSet,
    paths: GlobSet,
    dir_names: GlobSet,
    dir_paths: GlobSet,
}

impl Excludes {
    pub(crate) fn new(patterns: &[String]) -> Result<Self> {
        let mut sets: [GlobSetBuilder; 4] = std::array::from_fn(|_| GlobSetBuilder::new());
        let bad = |pattern: &str, e: globset::Error| {
            Error::new(ErrorKind::BadExclude, format!("{} is not a pattern for excludes", escape(pattern.as_bytes())))
                .with(e)
        };
        for pattern in patterns {
            let (text, dirs) = pattern.strip_suffix('/').map_or((pattern.as_str(), 0), |text| (text, 2));
            let anchored = usize::from(text.contains('/'));
            let text = text.strip_prefix('/').unwrap_or(text);
            let glob = GlobBuilder::new(text).literal_separator(true).build().map_err(|e| bad(pattern, e))?;
            sets[dirs + anchored].add(glob);
        }
        let [a, b, c, d] = sets.map(|set| set.build().map_err(|e| bad("", e)));
        Ok(Self { names: a?, paths: b?, dir_names: c?, dir_paths: d? })
    }

    pub(crate) fn matches(&self, path: &TreePath, name: &[u8], dir: bool) -> bool {
        let (name, path) = (Candidate::from_bytes(name), Candidate::from_bytes(path.as_bytes()));
        self.names.is_match_candidate(&name)
            || self.paths.is_match_candidate(&path)
            || dir && (self.dir_names.is_match_candidate(&name) || self.dir_paths.is_match_candidate(&path))
    }
}
