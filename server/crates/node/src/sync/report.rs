//! What is told about the sync: each replica in short and in full, and what stays out.

use contract::dataset::{Dataset, DatasetKind};
use contract::status::{DatasetBrief, StoppedUntil, Switches};
use contract::sync::{DatasetReport, DatasetState, NotReplicated, Progress, Switch, SyncReport};
use contract::{Denied, NodeRole, SCHEMA, Timestamp};

use crate::link::control::SILENCE;
use crate::mandate::file::Seat;
use crate::node::Node;
use crate::store::db;
use crate::sync::ancestry;
use crate::sync::replica::{Copy, Standing};

/// A pull that is over sooner than this is not shown as copying: it would only flicker.
const WORTH_SHOWING: f64 = 1.0;

impl Node {
    /// Every replica in short: the Client's own, or what the Client last said to the Master.
    pub(crate) async fn briefs(&self) -> Result<Vec<DatasetBrief>, Denied> {
        let reports = self.dataset_reports(self.switches().await?).await?;
        Ok(reports.into_iter().map(brief).collect())
    }

    /// Every replica of the Client in full.
    pub(crate) fn replica_reports(&self, switches: Switches) -> Vec<DatasetReport> {
        self.copies.all().iter().map(|copy| self.copy_report(copy, switches)).collect()
    }

    /// Every replica of the Client in short, without asking the database.
    pub(crate) fn replica_briefs(&self) -> Vec<DatasetBrief> {
        let on = Switches { database: Switch::On, files: Switch::On, until: StoppedUntil::default() };
        self.copies.all().iter().map(|copy| brief(self.copy_report(copy, on))).collect()
    }

    pub(crate) async fn sync_report(&self) -> Result<SyncReport, Denied> {
        let datasets = self.dataset_reports(self.switches().await?).await?;
        let not_replicated = self.not_replicated(&self.datasets().await?);
        Ok(SyncReport {
            schema: SCHEMA,
            generation: self.highest_generation().await?,
            datasets,
            restore_points: self.restore_points(),
            not_replicated,
        })
    }

    /// The highest generation: committed here (Client) or captured here (Master).
    pub(crate) async fn highest_generation(&self) -> Result<Option<u64>, Denied> {
        if self.info.role == NodeRole::Client {
            let committed = |copy: &std::sync::Arc<Copy>| copy.standing(|s| s.commit.as_ref().map(|c| c.generation));
            return Ok(self.copies.all().iter().filter_map(committed).max());
        }
        self.feeds.highest.or_read(self.read_highest()).await
    }

    async fn read_highest(&self) -> Result<Option<u64>, Denied> {
        let highest: Option<i64> = sqlx::query_scalar("SELECT max(number) FROM generation")
            .fetch_one(self.store.pool())
            .await
            .map_err(db("read the generations"))?;
        Ok(highest.and_then(|number| u64::try_from(number).ok()))
    }

    async fn dataset_reports(&self, switches: Switches) -> Result<Vec<DatasetReport>, Denied> {
        if self.info.role == NodeRole::Client {
            return Ok(self.with_last_written(self.replica_reports(switches)));
        }
        let (echo, heard) = self
            .link
            .contact(Seat::First)
            .echo
            .map_or_else(|| (Vec::new(), None), |(echo, at)| (echo, Some(at.elapsed())));
        let age = heard.unwrap_or_default();
        let reports = self
            .datasets()
            .await?
            .into_iter()
            .map(|dataset| {
                let told = echo.iter().find(|brief| brief.name == dataset.name);
                let mut report = blank(dataset, switches);
                if let Some(told) = told {
                    // What was heard some time ago is that much older now, and no longer known to be so.
                    let stale = age > SILENCE;
                    report.state =
                        if stale && told.state == DatasetState::Current { DatasetState::Behind } else { told.state };
                    report.lag_seconds =
                        told.lag_seconds.map(|lag| if stale { lag + age.as_secs_f64().round() } else { lag });
                    report.generation = told.generation;
                }
                report
            })
            .collect();
        Ok(self.with_last_written(reports))
    }

    fn with_last_written(&self, mut reports: Vec<DatasetReport>) -> Vec<DatasetReport> {
        let written = self.last_written();
        for report in &mut reports {
            report.last_written = written.get(&report.name).copied();
        }
        reports
    }

    fn copy_report(&self, copy: &Copy, switches: Switches) -> DatasetReport {
        let mut report = blank(copy.dataset.clone(), switches);
        report.lag_limit_seconds = self.copies.lag_limit(&report.name);
        let (masters_now, now) = (self.copies.masters_now(), self.clock.now());
        copy.standing(|standing| {
            let commit = standing.commit.as_ref();
            report.generation = commit.map(|commit| commit.generation);
            report.content = commit.map(|commit| commit.content_id.to_string());
            report.held = commit.is_some() && standing.error.as_ref().is_some_and(|error| ancestry::holds(&error.code));
            report.files = commit.map(|commit| commit.files);
            report.bytes = commit.map(|commit| commit.bytes);
            let point = standing.points.iter().find(|point| Some(point.generation) == report.generation);
            report.path = point.map(|point| match copy.dataset.kind {
                DatasetKind::Files => point.tree.display().to_string(),
                DatasetKind::Sqlite => point.tree.join(replication::DATABASE_NAME).display().to_string(),
            });
            report.captured_at = standing.confirmed;
            report.lag_seconds = standing.behind(masters_now, now).map(|(since, now)| lag(since, now));
            report.progress = progress(standing);
            report.last_error = standing.error.clone();
            report.state = state(&report, standing);
        });
        report
    }

    fn not_replicated(&self, datasets: &[Dataset]) -> Vec<NotReplicated> {
        let own = self.dir.root().display().to_string();
        let mut list = vec![NotReplicated { dataset: None, path: own, reason: "own_data".into() }];
        for dataset in datasets {
            list.extend(dataset.excludes.iter().map(|glob| NotReplicated {
                dataset: Some(dataset.name.clone()),
                path: glob.clone(),
                reason: "excluded".into(),
            }));
            list.extend(super::own::within(dataset).map(|path| NotReplicated {
                dataset: Some(dataset.name.clone()),
                path: path.to_owned(),
                reason: "machines_own".into(),
            }));
        }
        let feeds = self.feeds.all().into_iter().map(|feed| (feed.dataset.name.clone(), feed.skipped()));
        let copies =
            self.copies.all().into_iter().map(|copy| (copy.dataset.name.clone(), copy.standing(|s| s.skipped.clone())));
        let unknown = |commit: &replication::Commit| {
            let unknown = commit.owners.as_ref().map(replication::Owners::unknown).unwrap_or_default();
            unknown.into_iter().map(|owner| (owner, "owner".to_owned())).collect::<Vec<_>>()
        };
        let owners = self.copies.all().into_iter().map(|copy| {
            let unknown = copy.standing(|standing| standing.commit.as_ref().map(unknown));
            (copy.dataset.name.clone(), unknown.unwrap_or_default())
        });
        for (name, skipped) in feeds.chain(copies).chain(owners) {
            list.extend(skipped.into_iter().map(|(path, reason)| NotReplicated {
                dataset: Some(name.clone()),
                path,
                reason,
            }));
        }
        list
    }
}

fn blank(dataset: Dataset, switches: Switches) -> DatasetReport {
    let group = dataset.kind.group();
    DatasetReport {
        group,
        switch: switches.of(group),
        switch_until: switches.until(group),
        name: dataset.name,
        kind: dataset.kind,
        class: dataset.class,
        state: DatasetState::Unseeded,
        source: dataset.source,
        target: dataset.target,
        path: None,
        generation: None,
        content: None,
        held: false,
        captured_at: None,
        lag_seconds: None,
        lag_limit_seconds: f64::from(contract::threshold::Threshold::LagSoft.default()),
        files: None,
        bytes: None,
        progress: None,
        last_error: None,
        last_written: None,
    }
}

fn brief(report: DatasetReport) -> DatasetBrief {
    DatasetBrief {
        name: report.name,
        kind: report.kind,
        class: report.class,
        state: report.state,
        lag_seconds: report.lag_seconds,
        generation: report.generation,
        last_written: report.last_written,
    }
}

/// Seconds from one moment to another on the same clock; never negative, whatever that clock does.
fn lag(since: Timestamp, now: Timestamp) -> f64 {
    let seconds = now.duration_since(since).as_secs_f64().max(0.0);
    (seconds * 10.0).round() / 10.0
}

fn progress(standing: &Standing) -> Option<Progress> {
    let pulling = standing.pulling.as_ref()?;
    if standing.commit.is_some() && pulling.meter.elapsed() < WORTH_SHOWING {
        return None;
    }
    let reading = || {
        let (files_done, bytes_done) = pulling.reading.unwrap_or_default();
        Progress { files_done, bytes_done, ..Progress::default() }
    };
    Some(pulling.meter.shown().unwrap_or_else(reading))
}

fn state(report: &DatasetReport, standing: &Standing) -> DatasetState {
    if report.progress.is_some() {
        DatasetState::Copying
    } else if !report.switch.is_on() {
        DatasetState::Stopped
    } else if standing.error.is_some() {
        DatasetState::Failed
    } else if standing.commit.is_none() {
        DatasetState::Unseeded
    } else if report.lag_seconds.is_some_and(|lag| lag > report.lag_limit_seconds) {
        DatasetState::Behind
    } else {
        DatasetState::Current
    }
}
