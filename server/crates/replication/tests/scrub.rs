//! A verification in pieces: it sees what a whole one sees, whatever the pieces, and goes on where it was.
#![allow(clippy::unwrap_used, reason = "test code")]

mod pair;

use std::fs;

use pair::Pair;
use replication::{DifferenceKind, TreePath, Unwatched};

/// A whole pass in pieces of that budget: paths that differ, how many pieces, files and bytes in all.
fn pass(pair: &mut Pair, budget: u64) -> (Vec<(String, DifferenceKind)>, usize, u64, u64) {
    let (mut found, mut pieces, mut files, mut bytes) = (Vec::new(), 0, 0, 0);
    let mut after: Option<TreePath> = None;
    loop {
        let piece = pair.replica().scrub(after.as_ref(), budget, &Unwatched).unwrap();
        found.extend(piece.differences.into_iter().map(|one| (one.path, one.what)));
        (pieces, files, bytes) = (pieces + 1, files + piece.files, bytes + piece.bytes);
        match piece.next {
            Some(next) => after = Some(next),
            None => return (found, pieces, files, bytes),
        }
    }
}

fn tree() -> Pair {
    let mut pair = Pair::files();
    for n in 0..20 {
        pair.write(&format!("d{}/f{n:02}", n % 3), format!("content {n}"));
    }
    fs::hard_link(pair.at("d0/f00"), pair.at("d2/link")).unwrap();
    pair.sync().unwrap();
    pair
}

#[test]
fn pieces_of_any_size_add_up_to_one_whole_verification() {
    let mut pair = tree();
    let commit = pair.replica().committed().unwrap().clone();
    for budget in [0, 5000, 50_000, u64::MAX] {
        let (found, pieces, files, bytes) = pass(&mut pair, budget);
        assert_eq!(found, [], "budget {budget}");
        // What has two names is read under both.
        assert_eq!((files, bytes), (commit.files, commit.bytes + 9), "budget {budget}");
        assert!(budget != 0 || pieces > 20, "one name at a time: {pieces}");
        assert!(budget != u64::MAX || pieces == 1);
    }
}

#[test]
fn a_flipped_bit_is_found_in_its_piece_and_healed_by_a_healing_pull() {
    let mut pair = tree();
    let file = fs::canonicalize(pair.seen("d1/f13")).unwrap();
    let mut content = fs::read(&file).unwrap();
    content[0] ^= 1;
    let times = fs::metadata(&file).unwrap().modified().unwrap();
    fs::write(&file, content).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(times).unwrap();
    for budget in [0, u64::MAX] {
        assert_eq!(pass(&mut pair, budget).0, [("d1/f13".to_owned(), DifferenceKind::Content)]);
    }
    pair.sync_watched(true, &Unwatched, &Unwatched).0.unwrap();
    assert_eq!(pass(&mut pair, 0).0, []);
}

#[test]
fn a_file_that_should_not_be_there_is_found() {
    let mut pair = tree();
    let directory = fs::canonicalize(pair.seen("d2")).unwrap();
    fs::write(directory.join("stranger"), "").unwrap();
    let found = pass(&mut pair, 0).0;
    assert!(found.contains(&("d2/stranger".to_owned(), DifferenceKind::Extra)), "{found:?}");
}

#[test]
fn it_goes_on_where_it_was_although_the_tree_has_changed() {
    let mut pair = tree();
    let first = pair.replica().scrub(None, 30_000, &Unwatched).unwrap();
    let after = first.next.unwrap();
    fs::remove_file(pair.at("d1/f01")).unwrap();
    pair.write("d9/new", "new");
    pair.sync().unwrap();
    let rest = pair.replica().scrub(Some(&after), u64::MAX, &Unwatched).unwrap();
    assert_eq!((rest.differences, rest.next), (vec![], None));
    let gone = TreePath::parse(b"zzz").unwrap();
    let end = pair.replica().scrub(Some(&gone), u64::MAX, &Unwatched).unwrap();
    assert_eq!((end.files, end.next), (0, None), "nothing after the last name");
}

#[test]
fn before_the_first_copy_there_is_nothing_to_verify() {
    let mut pair = Pair::files();
    assert!(pair.replica().scrub(None, 1, &Unwatched).is_err());
}
