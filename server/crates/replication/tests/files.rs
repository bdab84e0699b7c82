//! A tree of files from one directory to another: what arrives, what does not travel twice, what readers see.

mod pair;

use std::fs;

use pair::Pair;

#[test]
fn a_first_copy_is_complete_and_a_second_pull_says_unchanged() {
    let mut pair = Pair::files();
    pair.write("etc/a.conf", "alpha");
    pair.write("etc/empty", "");
    pair.write("big", vec![7u8; 3_000_000]);
    fs::create_dir(pair.at("nothing")).unwrap();
    let first = pair.sync().unwrap();
    assert!(first.changed && first.acknowledged);
    assert_eq!((first.commit.files, first.commit.bytes, first.received_files), (3, 3_000_005, 2));
    assert_eq!(fs::read(pair.seen("etc/a.conf")).unwrap(), b"alpha");
    pair.assert_equal();
    let second = pair.sync().unwrap();
    assert!(!second.changed);
    assert_eq!(second.commit, first.commit);
    assert!(second.received_bytes < 200, "{}", second.received_bytes);
    assert_eq!(pair.replica().restore_points().unwrap().len(), 1);
}
