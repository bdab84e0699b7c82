//! Running one command of a service: in a process group of its own, with a clean environment and a time limit.
//!
//! What is started here outlives `tvox-dr`. So nothing that a daemon may inherit depends on this process: its output is a
//! file, not a pipe whose reader dies with us; it has no descriptor of ours and no part in our terminal's signals.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use contract::service::{Desired, Handling, Service};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::output::Output;
use super::under_way::UnderWay;
use crate::process::{self, End, Group};

/// No check may keep the others waiting longer, in seconds.
const CHECK_LIMIT: u32 = 10;

/// Which of its commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Start,
    Stop,
    Check,
}

impl Verb {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Check => "check",
        }
    }

    const fn aim(self) -> Option<Desired> {
        match self {
            Self::Start => Some(Desired::Up),
            Self::Stop => Some(Desired::Down),
            Self::Check => None,
        }
    }
}

/// A command that has ended, with the last it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ran {
    pub(super) verb: Verb,
    pub(super) end: End,
    pub(super) words: String,
}

impl fmt::Display for Ran {
    /// In no language: `start: exit 1: its last words`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.verb.as_str(), self.end)?;
        if self.words.is_empty() { Ok(()) } else { write!(f, ": {}", self.words) }
    }
}

/// Runs one command and waits for its end, at most as long as the service allows; what it started goes on. Dropped before
/// its end, the command is killed, unless `leave` says that the whole node is going.
pub(super) async fn run(root: &Path, service: &Service, verb: Verb, leave: &CancellationToken) -> Ran {
    let not_run = |why: String| Ran { verb, end: End::NotRun(why), words: String::new() };
    if matches!(service.handling, Handling::Unit(_)) && !Path::new("/run/systemd/system").is_dir() {
        // sd_booted(3).
        return not_run("systemctl: no systemd runs on this machine".into());
    }
    let (mut output, stdout, stderr) = match Output::open(root, service, verb) {
        Ok(output) => output,
        Err(error) => return not_run(error.to_string()),
    };
    let argv = argv(service, verb);
    let mut command = process::command(&argv, stdout, stderr);
    command.env("TVOX_DR_SERVICE", &service.name);
    let mut running = match Group::start(command) {
        Ok(group) => Running { group, leave: leave.clone(), under_way: None, ended: false },
        Err(error) => return not_run(format!("{}: {error}", argv[0])),
    };
    if let (Some(wanted), Some(group)) = (verb.aim(), running.group.id()) {
        running.under_way = UnderWay::note(root, &service.name, wanted, group);
    }
    let limit = if verb == Verb::Check { service.timeout_seconds.min(CHECK_LIMIT) } else { service.timeout_seconds };
    let end = running.end(limit, &mut output).await;
    Ran { verb, end, words: output.words() }
}

fn argv(service: &Service, verb: Verb) -> Vec<String> {
    match &service.handling {
        Handling::Unit(unit) => {
            let verb = if verb == Verb::Check { "is-active" } else { verb.as_str() };
            ["systemctl", "--no-ask-password", verb, "--", unit].map(str::to_owned).into()
        }
        Handling::Commands { start, stop, check } => {
            let text = match verb {
                Verb::Start => start,
                Verb::Stop => stop,
                Verb::Check => check,
            };
            ["/bin/sh", "-c", text].map(str::to_owned).into()
        }
    }
}

/// A command on its way.
#[derive(Debug)]
struct Running {
    group: Group,
    leave: CancellationToken,
    under_way: Option<UnderWay>,
    ended: bool,
}

impl Running {
    async fn end(&mut self, limit: u32, output: &mut Output) -> End {
        let deadline = Instant::now() + Duration::from_secs(limit.into());
        let end = loop {
            tokio::select! {
                end = self.group.ended() => break end,
                () = output.keep_short() => {}
                () = tokio::time::sleep_until(deadline) => {
                    self.group.put_down().await;
                    break End::TimedOut(limit);
                }
            }
        };
        self.ended = true;
        end
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended && self.leave.is_cancelled() {
            return;
        }
        if !self.ended {
            // Half a start, left to itself, would bring up what somebody else has just seen down.
            self.group.kill();
        }
        if let Some(under_way) = self.under_way.take() {
            under_way.over();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::*;

    fn service(text: &str) -> Service {
        let text = text.to_owned();
        let handling = Handling::Commands { start: text.clone(), stop: text.clone(), check: text };
        Service { name: "pbx".into(), handling, timeout_seconds: 5, order: 0 }
    }

    async fn ran(text: &str, verb: Verb) -> (Ran, Duration) {
        let root = tempfile::tempdir().unwrap();
        let began = Instant::now();
        let ran = run(root.path(), &service(text), verb, &CancellationToken::new()).await;
        (ran, began.elapsed())
    }

    #[tokio::test]
    async fn a_daemon_that_keeps_the_output_open_is_not_waited_for() {
        for verb in [Verb::Start, Verb::Stop, Verb::Check] {
            let (ran, took) = ran("echo said; sleep 3 & exit 4", verb).await;
            assert_eq!((ran.end, ran.words.as_str()), (End::Code(4), "said"), "{verb:?}");
            assert!(took < Duration::from_secs(2), "{verb:?}: {took:?}");
        }
    }

    #[tokio::test]
    async fn only_the_last_words_are_kept_however_much_is_said() {
        for verb in [Verb::Start, Verb::Check] {
            let (ran, _) = ran("yes word | head -c 8000000; printf 'the \\033[1mend'", verb).await;
            assert!(ran.words.ends_with("word\nthe [1mend"), "{verb:?}: {:?}", ran.words.get(..99));
            assert!(ran.words.len() <= 4096);
        }
    }

    #[tokio::test]
    async fn how_it_ended_is_told_apart() {
        assert_eq!(ran("exit 0", Verb::Check).await.0.end, End::Code(0));
        assert_eq!(ran("kill -9 $$", Verb::Check).await.0.end, End::Signal(9));
        assert!(matches!(ran("a\0b", Verb::Check).await.0.end, End::NotRun(_)));
        assert_eq!(ran("no-such-program", Verb::Check).await.0.end, End::Code(127));
    }

    #[tokio::test]
    async fn what_ignores_sigterm_is_killed_after_some_mercy() {
        let root = tempfile::tempdir().unwrap();
        let stubborn = Service { timeout_seconds: 1, ..service("trap '' TERM; while :; do sleep 1; done") };
        let began = Instant::now();
        let ran = run(root.path(), &stubborn, Verb::Stop, &CancellationToken::new()).await;
        assert_eq!(ran.end, End::TimedOut(1));
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    }

    /// A start that is broken off writes its file only if it was left to itself.
    async fn broken_off(leave: bool) -> bool {
        let root = tempfile::tempdir().unwrap();
        let (begun, done) = (root.path().join("begun"), root.path().join("done"));
        let text = format!("touch {}; sleep 0.5; touch {}", begun.display(), done.display());
        let (service, token) = (service(&text), CancellationToken::new());
        let until_begun = async {
            while !begun.exists() {
                sleep(Duration::from_millis(5)).await;
            }
            if leave {
                token.cancel();
            }
        };
        tokio::select! {
            _ = run(root.path(), &service, Verb::Start, &token) => panic!("it was not broken off"),
            () = until_begun => {}
        }
        let _ = timeout(Duration::from_secs(2), async {
            while !done.exists() {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        done.exists()
    }

    #[tokio::test]
    async fn a_start_that_is_broken_off_is_killed_unless_the_node_itself_goes() {
        assert!(!broken_off(false).await);
        assert!(broken_off(true).await);
    }

    #[test]
    fn a_unit_is_handed_to_systemctl_and_never_as_an_option() {
        let unit = Service { handling: Handling::Unit("a.service".into()), ..service("") };
        let told = |verb| argv(&unit, verb).join(" ");
        assert_eq!(told(Verb::Start), "systemctl --no-ask-password start -- a.service");
        assert_eq!(told(Verb::Check), "systemctl --no-ask-password is-active -- a.service");
    }
}
