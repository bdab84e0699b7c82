//! `tvox-dr sync bandwidth`: how fast content may travel, and in which hours how fast.

use clap::Subcommand;
use contract::{Command, query};
use serde_json::Value;

use super::Exit;
use super::print::{self, text};
use super::remote::Line;

/// The bandwidth of the replication.
#[derive(Debug, Subcommand)]
pub enum BandwidthVerb {
    /// The limit, the hours with another one, and what holds now
    Show,
    /// Client: set the limit, the hours, or both
    Set {
        /// For example 10M, 512k or none
        #[arg(required_unless_present_any = ["window", "no_windows"])]
        limit: Option<String>,
        /// Hours with another limit, for example 'mon-fri 08:00-18:00 2M'; may be repeated, replaces all
        #[arg(long, value_name = "WINDOW")]
        window: Vec<String>,
        /// No hours with another limit
        #[arg(long, conflicts_with = "window")]
        no_windows: bool,
    },
}

/// Does what a verb says.
pub async fn bandwidth(line: &Line, verb: BandwidthVerb) -> Result<Exit, Exit> {
    match verb {
        BandwidthVerb::Show => Ok(line.show(&line.ask(query::Bandwidth {}).await?, words)),
        BandwidthVerb::Set { limit, window, no_windows } => {
            let windows = (no_windows || !window.is_empty()).then_some(window);
            line.tell(Command::BandwidthSet { limit, windows }).await.map(|_| Exit::Done)
        }
    }
}

fn words(report: &Value) {
    let rate = |kbits: &Value| if kbits.is_null() { "no limit".to_owned() } else { format!("{} kbit/s", text(kbits)) };
    print::line(&format!("Now:     {}", rate(&report["now_kbits"])));
    print::line(&format!("General: {}", rate(&report["limit_kbits"])));
    for window in print::list(&report["windows"]) {
        print::line(&format!("Hours:   {}", text(&window["text"])));
    }
}
