//! Bringing a service up or down: asked first, told once, then asked again until its own check has seen it or its time is
//! over. Needs neither the database nor the node, so that `tvox-dr rescue` can do it.

use std::path::Path;
use std::time::Duration;

use contract::Failure;
use contract::service::{Desired, Handling, Observed, Service};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::command::{self, Ran, Verb};
use super::under_way::UnderWay;
use crate::process::End;

/// How soon a check is asked again at first, and at most.
const ASK: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What it saw.
    pub observed: Observed,
    /// How it ended, with its last words, in no language; empty when it saw the service up.
    pub detail: String,
}

/// What became of starting or stopping a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// What its check said at the end.
    pub(crate) observed: Observed,
    /// The last words of what went wrong; `None` when it did not.
    pub(crate) detail: Option<String>,
    /// What is told to whoever asked for it.
    pub(crate) result: Result<String, Failure>,
}

/// Asks a service's own check. `root` is the data directory.
pub async fn check(root: &Path, service: &Service) -> Checked {
    if UnderWay::is(root, &service.name) {
        // What it will come to, no check can say.
        return Checked { observed: Observed::Unknown, detail: "…".into() };
    }
    checked(service, &command::run(root, service, Verb::Check, &CancellationToken::new()).await)
}

/// Brings a service up, unless it is up; done once its own check has seen it.
///
/// # Errors
/// [`Failure`] with the last words of the command and of the check.
pub async fn start(root: &Path, service: &Service) -> Result<String, Failure> {
    bring(root, service, Desired::Up, &CancellationToken::new()).await.result
}

/// Takes a service down, unless it is down; done once its own check has seen it.
///
/// # Errors
/// [`Failure`] with the last words of the command and of the check.
pub async fn stop(root: &Path, service: &Service) -> Result<String, Failure> {
    bring(root, service, Desired::Down, &CancellationToken::new()).await.result
}

/// Brings a service where it is wanted. Dropped before its end, what was begun is killed, unless `leave` says that the
/// whole node is going.
pub(crate) async fn bring(root: &Path, service: &Service, wanted: Desired, leave: &CancellationToken) -> Attempt {
    let verb = if wanted == Desired::Up { Verb::Start } else { Verb::Stop };
    let ask = || async { checked(service, &command::run(root, service, Verb::Check, leave).await) };
    let is = if wanted == Desired::Up { "up" } else { "down" };
    UnderWay::wait_for_former(root, service, wanted).await;
    if there(ask().await.observed, wanted) {
        return Attempt { observed: wanted.into(), detail: None, result: Ok(format!("was {is} already")) };
    }
    let began = Instant::now();
    let limit = Duration::from_secs(service.timeout_seconds.into());
    let ran = command::run(root, service, verb, leave).await;
    let mut pause = ASK.0;
    loop {
        let now = ask().await;
        if there(now.observed, wanted) {
            let words =
                if ran.end == End::Code(0) && ran.words.is_empty() { String::new() } else { format!("; {ran}") };
            let told = format!("{is} after {:.1} s{words}", began.elapsed().as_secs_f32());
            return Attempt { observed: now.observed, detail: None, result: Ok(told) };
        }
        let hopeless = matches!(ran.end, End::NotRun(_));
        if hopeless || began.elapsed() >= limit {
            return missed(service, verb, began.elapsed(), &ran, &now);
        }
        sleep(pause.min(limit.saturating_sub(began.elapsed()))).await;
        pause = (pause * 2).min(ASK.1);
    }
}

fn missed(service: &Service, verb: Verb, took: Duration, ran: &Ran, now: &Checked) -> Attempt {
    let detail = if now.detail.is_empty() { ran.to_string() } else { format!("{ran}; {}", now.detail) };
    let seen = match now.observed {
        Observed::Up => "its check sees it up",
        Observed::Down => "its check sees it down",
        Observed::Unknown => "its check does not say how it is",
    };
    let failure = Failure {
        attempt: format!("{} the service {}", verb.as_str(), service.name),
        cause: format!("after {} s {seen} ({detail})", took.as_secs()),
    };
    Attempt { observed: now.observed, detail: Some(detail), result: Err(failure) }
}

fn there(observed: Observed, wanted: Desired) -> bool {
    observed == Observed::from(wanted)
}

/// Exit 0 is up, any other code is down; a check that did not end, or could not begin, says nothing: neither does a shell
/// that did not find the program (127) or may not run it (126).
fn checked(service: &Service, ran: &Ran) -> Checked {
    let is_unit = matches!(service.handling, Handling::Unit(_));
    let observed = match ran.end {
        End::Code(0) => Observed::Up,
        // systemctl's code is the same for a unit that is down and one that is on its way.
        End::Code(_) if is_unit && !matches!(ran.words.as_str(), "inactive" | "failed" | "unknown") => {
            Observed::Unknown
        }
        End::Code(126 | 127) if !is_unit => Observed::Unknown,
        End::Code(_) => Observed::Down,
        End::Signal(_) | End::TimedOut(_) | End::NotRun(_) => Observed::Unknown,
    };
    let detail = if observed == Observed::Up { String::new() } else { ran.to_string() };
    Checked { observed, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(start: &str, stop: &str, check: &str) -> Service {
        let [start, stop, check] = [start, stop, check].map(str::to_owned);
        Service {
            name: "pbx".into(),
            handling: Handling::Commands { start, stop, check },
            timeout_seconds: 1,
            order: 0,
        }
    }

    #[tokio::test]
    async fn a_service_is_started_and_stopped_without_any_node_and_only_where_it_must_be() {
        let root = tempfile::tempdir().unwrap();
        let (flag, count) = (root.path().join("flag"), root.path().join("count"));
        let (flag, told) = (flag.display(), count.display());
        let pbx = service(
            &format!("touch {flag}; echo + >> {told}"),
            &format!("rm {flag}; echo - >> {told}"),
            &format!("test -e {flag}"),
        );
        assert_eq!(check(root.path(), &pbx).await.observed, Observed::Down);
        for _ in 0..2 {
            start(root.path(), &pbx).await.unwrap();
        }
        assert_eq!(check(root.path(), &pbx).await, Checked { observed: Observed::Up, detail: String::new() });
        for _ in 0..2 {
            stop(root.path(), &pbx).await.unwrap();
        }
        assert_eq!(std::fs::read_to_string(count).unwrap(), "+\n-\n");
    }

    #[tokio::test]
    async fn what_went_wrong_is_told_with_the_words_of_command_and_check() {
        let root = tempfile::tempdir().unwrap();
        let failure =
            start(root.path(), &service("echo no disk; exit 5", "true", "echo no pid; exit 1")).await.unwrap_err();
        assert_eq!(failure.attempt, "start the service pbx");
        assert_eq!(failure.cause, "after 1 s its check sees it down (start: exit 5: no disk; check: exit 1: no pid)");
    }

    #[tokio::test]
    async fn one_that_comes_up_a_little_later_is_waited_for() {
        let root = tempfile::tempdir().unwrap();
        let flag = root.path().join("flag").display().to_string();
        let pbx = service(&format!("(sleep 0.4; touch {flag}) &"), "true", &format!("test -e {flag}"));
        assert!(start(root.path(), &pbx).await.unwrap().starts_with("up after 0."));
    }

    #[tokio::test]
    async fn a_check_that_cannot_be_run_has_seen_nothing_down_and_the_stop_is_run() {
        let root = tempfile::tempdir().unwrap();
        let (script, told) = (root.path().join("check"), root.path().join("told"));
        std::fs::write(&script, "#!/bin/sh\nexit 1\n").unwrap();
        for broken in [script.display().to_string(), root.path().join("no-such-program").display().to_string()] {
            let pbx = service("true", &format!("echo stopped >> {}", told.display()), &broken);
            assert_eq!(check(root.path(), &pbx).await.observed, Observed::Unknown, "{broken}");
            let failure = stop(root.path(), &pbx).await.unwrap_err();
            assert!(failure.cause.contains("does not say how it is"), "{}", failure.cause);
        }
        assert_eq!(std::fs::read_to_string(told).unwrap(), "stopped\nstopped\n");
    }
}
