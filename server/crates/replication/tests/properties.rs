//! What holds for every manifest and every path, not only for those we thought of.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use replication::{Entry, EntryKind, FileTime, Manifest, TreeChanges, TreePath, Xattr, Xattrs, escape};

fn root() -> Entry {
    let path = TreePath::root();
    Entry {
        path,
        kind: EntryKind::Dir,
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: FileTime::default(),
        xattrs: Xattrs::default(),
    }
}

prop_compose! {
    /// A flat tree with every kind but directories in it.
    fn manifest()(
        names in btree_map(
            vec(any::<u8>(), 1..40),
            (0u8..3, 0u32..0o10000, any::<i64>(), 0u32..1_000_000_000, btree_map("user\\.[a-c]", vec(any::<u8>(), 0..9), 0..3)),
            0..30,
        )
    ) -> Manifest {
        let mut entries = vec![root()];
        for (name, (kind, mode, seconds, nanoseconds, xattrs)) in names {
            let Ok(path) = TreePath::root().join(&name) else { continue };
            let (kind, mode) = match kind {
                0 => (EntryKind::Fifo { group: 0 }, mode),
                1 => (EntryKind::Symlink { target: b"x".as_slice().into(), group: 0 }, 0o777),
                _ => (EntryKind::Dir, mode),
            };
            let xattr = |(name, value): (String, Vec<u8>)| Xattr { name: name.into_bytes().into(), value: value.into() };
            let xattrs = Xattrs::new(xattrs.into_iter().map(xattr).collect());
            let mtime = FileTime { seconds, nanoseconds };
            entries.push(Entry { path, kind, mode, uid: mode, gid: 7, mtime, xattrs });
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Manifest::new(entries).unwrap_or_else(|fault| panic!("{fault}"))
    }
}

proptest! {
    #[test]
    fn a_manifest_reads_back_as_itself(manifest in manifest()) {
        let again = Manifest::decode(&manifest.encode(), 1000).unwrap();
        prop_assert_eq!(again.content_id(), manifest.content_id());
        prop_assert_eq!(again.entries(), manifest.entries());
    }

    #[test]
    fn the_changes_between_two_trees_make_one_of_the_other(one in manifest(), other in manifest()) {
        let changes = TreeChanges::decode(&other.changes_from(&one).encode(), 1000).unwrap();
        let made = one.apply(&changes).unwrap();
        prop_assert_eq!(made.entries(), other.entries());
        prop_assert_eq!(made.content_id(), other.content_id(), "an id is no matter of the way that led to it");
        prop_assert_eq!((made.files(), made.bytes()), (other.files(), other.bytes()));
        prop_assert!(one.changes_from(&one).is_empty());
        // And back, from what was made and not read.
        prop_assert_eq!(made.apply(&one.changes_from(&made)).unwrap().content_id(), one.content_id());
    }

    #[test]
    fn a_changed_byte_is_refused_or_another_id(manifest in manifest(), at in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut bytes = manifest.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(other) = Manifest::decode(&bytes, 1000) {
            prop_assert_ne!(other.content_id(), manifest.content_id());
            prop_assert_eq!(other.encode(), bytes, "one tree, one encoding");
        }
    }

    #[test]
    fn a_cut_manifest_is_refused(manifest in manifest(), at in any::<prop::sample::Index>()) {
        let bytes = manifest.encode();
        prop_assert!(Manifest::decode(&bytes[..at.index(bytes.len())], 1000).is_err());
    }

    #[test]
    fn noise_is_no_manifest_and_no_panic(bytes in vec(any::<u8>(), 0..300)) {
        let framed = [b"TVDM\x02".as_slice(), &bytes].concat();
        if let Ok(manifest) = Manifest::decode(&framed, 1000) {
            prop_assert_eq!(manifest.encode(), framed);
        }
    }

    #[test]
    fn an_accepted_path_stays_inside(bytes in vec(prop_oneof![Just(b'/'), Just(b'.'), Just(0u8), any::<u8>()], 0..60)) {
        if let Ok(path) = TreePath::parse(&bytes) {
            prop_assert!(!path.as_path().is_absolute());
            let plain = |c: std::path::Component<'_>| matches!(c, std::path::Component::Normal(_));
            prop_assert!(path.as_path().components().all(plain));
            prop_assert_eq!(path.names().collect::<Vec<_>>().join(&b'/'), bytes);
        }
    }

    #[test]
    fn a_directory_is_followed_by_what_is_in_it(a in "[a-c!-/]{1,4}", b in "[a-c!-/]{1,4}", inner in "[a-c!-.]{1,3}") {
        let (Ok(a), Ok(b)) = (TreePath::parse(a.as_bytes()), TreePath::parse(b.as_bytes())) else { return Ok(()) };
        let Ok(child) = a.join(inner.as_bytes()) else { return Ok(()) };
        let inside = b.as_bytes().starts_with(&[a.as_bytes(), b"/"].concat());
        prop_assert!(a < child);
        if !inside && b > a {
            prop_assert!(b > child, "{:?} between {:?} and {:?}", b, a, child);
        }
    }

    #[test]
    fn an_escaped_name_is_one_harmless_line(bytes in vec(any::<u8>(), 0..60)) {
        prop_assert!(!escape(&bytes).chars().any(char::is_control));
    }
}
