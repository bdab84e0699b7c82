//! A bad line is not a dead machine: packets get lost, and nobody is woken up for it.

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::machines::until;
use crate::site::{CLIENT, MASTER, Site};

const LOSE: &str = "add table inet loss; add chain inet loss in { type filter hook input priority 0; }; \
                    add rule inet loss in iifname \"wan\" numgen random mod 100 < 5 drop\n";

fn nft(site: &Site, side: usize, text: &str) {
    let mut child = site
        .networks
        .command(side, "nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("nft is there: run 'make setup'");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "nftables loses packets here");
}

/// One packet in twenty is lost in both directions for so long.
fn lose_packets_for(span: Duration) {
    let Some(mut site) = Site::new("a line that loses packets") else { return };
    let (source, target) = site.pair.declare("conf", "files");
    for side in [MASTER, CLIENT] {
        nft(&site, side, LOSE);
    }
    let (began, mut changes) = (Instant::now(), 0_u32);
    while began.elapsed() < span {
        changes += 1;
        std::fs::write(source.join("a"), changes.to_string()).unwrap();
        until("changes go on arriving", || {
            std::fs::read_to_string(target.join("a")).is_ok_and(|text| text == changes.to_string())
        });
        for machine in [&mut site.pair.master, &mut site.pair.client] {
            let report = machine.ok(&["alarm", "list", "--all", "--json"]).json();
            let codes: Vec<_> = report["alarms"].as_array().unwrap().iter().map(|alarm| &alarm["code"]).collect();
            assert!(codes.is_empty(), "{} after {:?}: {codes:?}", machine.role, began.elapsed());
        }
    }
    eprintln!("5 % of the packets lost for {:.0?}: {changes} changes arrived, no alarm", began.elapsed());
}

#[test]
fn a_line_that_loses_packets_raises_no_alarm() {
    lose_packets_for(Duration::from_secs(20));
}

#[test]
#[ignore = "an hour long: `make soak`"]
fn an_hour_of_lost_packets_raises_no_alarm() {
    lose_packets_for(Duration::from_secs(3600));
}
