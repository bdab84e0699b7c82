//! What the last task of each kind came to, over restarts: written when it begins and when it ends. One that began and
//! never ended was cut off with the process, and says so.

use contract::task::{LogLine, TaskKind, TaskReport, TaskState, TasksReport};
use contract::{Denied, SCHEMA, Text, Timestamp};

use crate::node::Node;
use crate::store::{Store, db};
use crate::sync::task::Tasks;

impl Tasks {
    /// Reads what the process before this one has left.
    pub(crate) async fn open(store: &Store, now: Timestamp) -> Result<Self, Denied> {
        let rows: Vec<String> = sqlx::query_scalar("SELECT report FROM kept_task")
            .fetch_all(store.pool())
            .await
            .map_err(db("read the last tasks"))?;
        // A report of another version is no reason not to start.
        let reports = rows.iter().filter_map(|row| serde_json::from_str::<TaskReport>(row).ok());
        let tasks = Self::default();
        for report in reports.map(|report| ended(report, now)) {
            tasks.take_over(report);
        }
        Ok(tasks)
    }
}

/// A task that the end of the process has cut off.
fn ended(mut report: TaskReport, now: Timestamp) -> TaskReport {
    if report.state == TaskState::Running {
        report.state = TaskState::Failed;
        report.ended_at = Some(now);
        report.log.push(LogLine {
            at: now,
            text: Text::new(
                "Interrotta: tvox-dr è stato riavviato. Ciò che era arrivato resta valido.",
                "Cut off: tvox-dr was restarted. What had arrived stays good.",
            ),
        });
    }
    report
}

impl Node {
    /// The last task of each kind.
    pub(crate) fn tasks_report(&self) -> TasksReport {
        let of = |kind| self.tasks.latest(kind);
        TasksReport { schema: SCHEMA, full: of(TaskKind::Full), verify: of(TaskKind::Verify) }
    }

    /// Keeps the task as it stands. A failure costs the memory of it, not the work.
    pub(super) async fn keep_task(&self) {
        let Some(report) = self.tasks.report(None) else { return };
        let Ok(text) = serde_json::to_string(&report) else { return };
        let written = sqlx::query("INSERT OR REPLACE INTO kept_task (slot, report) VALUES (?, ?)")
            .bind(report.kind.code())
            .bind(text)
            .execute(self.store.pool())
            .await;
        if let Err(error) = written {
            tracing::warn!(%error, "the result of a task cannot be kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::task::Scope;

    fn report(kind: TaskKind, state: TaskState, second: i64) -> TaskReport {
        TaskReport {
            schema: SCHEMA,
            id: format!("{second}"),
            kind,
            scope: Scope::All,
            only: None,
            point: None,
            state,
            started_by: "anna".into(),
            started_at: Timestamp::from_second(second).unwrap(),
            ended_at: None,
            progress: contract::sync::Progress::default(),
            log: Vec::new(),
            differences: Vec::new(),
            differences_total: 0,
        }
    }

    #[test]
    fn a_task_that_was_cut_off_says_so_and_one_that_ended_stays_as_it_was() {
        let now = Timestamp::from_second(100).unwrap();
        let cut = ended(report(TaskKind::Full, TaskState::Running, 1), now);
        assert_eq!((cut.state, cut.ended_at, cut.log.len()), (TaskState::Failed, Some(now), 1));
        let done = report(TaskKind::Full, TaskState::Done, 1);
        assert_eq!(ended(done.clone(), now), done);
    }

    #[test]
    fn the_last_of_each_kind_is_known_whichever_came_later() {
        let tasks = Tasks::default();
        tasks.take_over(report(TaskKind::Verify, TaskState::Done, 5));
        tasks.take_over(report(TaskKind::Full, TaskState::Done, 3));
        assert_eq!(tasks.report(None).unwrap().kind, TaskKind::Verify, "the later one is the last");
        assert_eq!(tasks.latest(TaskKind::Full).unwrap().id, "3");
        assert_eq!(tasks.latest(TaskKind::Verify).unwrap().id, "5");
    }
}
