//! Which names of a source may have changed since it was last read. It refuses to forget: more names than it keeps, or
//! one that cannot be a name in a tree, and everything counts as touched.

use std::collections::BTreeMap;

use crate::path::TreePath;

/// At most so many names are kept apart; beyond that a whole walk is cheaper.
const MOST: usize = 50_000;

/// Names that may have changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Touched {
    everything: bool,
    /// In walk order; `true`: with all that lies below.
    names: BTreeMap<TreePath, bool>,
}

impl Touched {
    /// No name.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Every name: start, doubt, and whatever the kernel does not tell.
    pub fn everything() -> Self {
        Self { everything: true, names: BTreeMap::new() }
    }

    /// This one may have another content, other metadata, or be there no more. `path` is raw bytes, relative to the
    /// root, empty for the root itself; of a directory only its own metadata is meant.
    pub fn name(&mut self, path: &[u8]) {
        self.add(path, false);
    }

    /// This one, and everything below if it is a directory.
    pub fn tree(&mut self, path: &[u8]) {
        self.add(path, true);
    }

    /// What is touched by either.
    pub fn merge(&mut self, other: Touched) {
        self.everything |= other.everything;
        for (path, deep) in other.names {
            *self.names.entry(path).or_default() |= deep;
        }
        self.bound();
    }

    /// Whether nothing is touched.
    pub fn is_nothing(&self) -> bool {
        !self.everything && self.names.is_empty()
    }

    /// Whether everything is.
    pub fn is_everything(&self) -> bool {
        self.everything
    }

    /// The names in walk order, without those inside of one that is touched with all below.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&TreePath, bool)> {
        let mut covered: Option<&TreePath> = None;
        self.names.iter().filter_map(move |(path, deep)| {
            if covered.is_some_and(|tree| path.is_inside(tree)) {
                return None;
            }
            if *deep {
                covered = Some(path);
            }
            Some((path, *deep))
        })
    }

    fn add(&mut self, path: &[u8], deep: bool) {
        if self.everything {
            return;
        }
        match TreePath::parse(path) {
            Ok(path) => *self.names.entry(path).or_default() |= deep,
            Err(_) => self.everything = true,
        }
        self.bound();
    }

    fn bound(&mut self) {
        if self.everything || self.names.len() > MOST {
            *self = Self::everything();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_a_touched_tree_is_not_named_again() {
        let mut touched = Touched::nothing();
        touched.name(b"a/b");
        touched.tree(b"a");
        touched.name(b"a");
        touched.name(b"a.c");
        let names: Vec<_> = touched.names().map(|(path, deep)| (path.to_string(), deep)).collect();
        assert_eq!(names, [("a".to_owned(), true), ("a.c".to_owned(), false)]);
    }

    #[test]
    fn too_many_names_and_impossible_ones_are_everything() {
        let mut many = Touched::nothing();
        (0..=MOST).for_each(|i| many.name(i.to_string().as_bytes()));
        assert_eq!(many, Touched::everything());
        let mut odd = Touched::nothing();
        odd.name(b"../up");
        assert!(odd.is_everything());
    }
}
