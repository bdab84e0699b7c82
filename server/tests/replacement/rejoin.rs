//! A join that was cut off half way: the mandate of the pair is on the Client's disk, its database knows of no pair.

use crate::machines::{Machine, until};
use crate::{Site, mandate_of};

/// As it is after a power cut between the mandate and the database.
fn forget_the_association(client: &mut Machine) {
    client.kill();
    let db = rusqlite::Connection::open(client.dir.join("tvox-dr.db")).unwrap();
    db.execute(
        "UPDATE peer SET pair_id = NULL, node_id = NULL, name = NULL, fingerprint = NULL, associated_at = NULL",
        (),
    )
    .unwrap();
    drop(db);
    client.start();
    assert_eq!(client.status()["pair"]["associated"], false);
}

#[test]
fn a_join_that_was_cut_off_is_done_once_more_with_the_same_pair_alone() {
    let mut site = Site::new();
    let mandate = mandate_of(&site.pair.client);
    forget_the_association(&mut site.pair.client);
    let client = &site.pair.client;
    let stranger = Machine::ready(site.pair.root.path(), "master", "master9");
    stranger.ok(&["peer", "set", &format!("127.0.0.1:{}", client.peer)]);
    client.ok(&["peer", "set", &format!("127.0.0.1:{}", stranger.peer)]);
    let token = stranger.ok(&["peer", "token", "--json"]).json()["token"].as_str().unwrap().to_owned();
    let refused = client.run_with(&["peer", "join", "-", "--json"], &token);
    assert_eq!(refused.rule(), "pair.two_mandates", "{refused:?}");
    client.ok(&["peer", "set", &format!("127.0.0.1:{}", site.pair.master.peer)]);
    let joined = client.run_with(&["peer", "join", "-"], &site.pair.token());
    assert_eq!(joined.code, 0, "{joined:?}");
    assert_eq!(mandate_of(client), mandate, "it is the one that it had");
    std::fs::write(site.source.join("a"), "better").unwrap();
    until("the sync goes on", || site.replica("a") == "better");
}
