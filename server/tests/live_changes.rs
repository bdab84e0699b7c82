//! What changes on the Master arrives on the Client as it is, through the kernel's own word of it: trees made at once,
//! directories that move, files rewritten within the same second. And what the kernel keeps to itself arrives all the same.

#![allow(clippy::unwrap_used, reason = "test code")]

mod machines;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use machines::{Pair, until};

/// What rsync finds to differ; nothing, where there is no rsync.
fn differences(source: &Path, target: &Path) -> String {
    let mut rsync = Command::new("rsync");
    rsync.args(["-aHAX", "--checksum", "--delete", "--dry-run", "--itemize-changes"]);
    let found = rsync.arg(source.join("")).arg(target.join("")).output();
    found.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn whatever_is_done_to_a_tree_arrives_without_a_walk_over_it() {
    let pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    fs::write(source.join("first"), "1").unwrap();
    until("the first copy", || target.join("first").exists());
    for round in 0..5 {
        let deep = source.join(format!("{round}/a/b/c"));
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("filled-at-once"), "x").unwrap();
        fs::hard_link(deep.join("filled-at-once"), source.join(format!("{round}/linked"))).unwrap();
        fs::rename(source.join(format!("{round}/a/b")), source.join(format!("{round}/moved"))).unwrap();
        fs::write(source.join(format!("{round}/moved/c/late")), "x").unwrap();
        fs::write(source.join("first"), round.to_string()).unwrap();
    }
    fs::remove_dir_all(source.join("3")).unwrap();
    until("all of it", || target.join("4/moved/c/late").exists() && differences(&source, &target).is_empty());
    // A whole verification reads everything on both sides and must agree.
    pair.client.ok(&["sync", "verify"]);
}

#[test]
fn a_file_rewritten_within_the_same_second_in_the_same_size_is_never_stale() {
    let pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    for round in 0..10 {
        fs::write(source.join("same-size"), format!("round {round}")).unwrap();
        until("this round", || {
            fs::read_to_string(target.join("same-size")).is_ok_and(|text| text == format!("round {round}"))
        });
        fs::write(source.join("same-size"), format!("again {round}")).unwrap();
        fs::write(source.join("same-size"), format!("last! {round}")).unwrap();
        until("the last word", || {
            fs::read_to_string(target.join("same-size")).is_ok_and(|text| text == format!("last! {round}"))
        });
    }
}

#[test]
fn a_change_that_the_kernel_does_not_tell_is_found_by_the_walk_that_is_made_anyway() {
    let pair = Pair::new();
    let (source, target) = pair.declare("etc", "files");
    let outside = pair.path("outside");
    fs::write(&outside, "before").unwrap();
    fs::hard_link(&outside, source.join("linked")).unwrap();
    let arrived = |text: &str| fs::read_to_string(target.join("linked")).is_ok_and(|found| found == text);
    until("the first copy", || arrived("before"));
    pair.until_current("etc");
    // By a name in a directory that nobody listens to.
    fs::write(&outside, "after!").unwrap();
    // Two of the rounds that are made when nothing happens, and room for a busy machine.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(150) && !arrived("after!") {
        pair.client.status();
    }
    assert!(arrived("after!"), "still what it was before");
}
