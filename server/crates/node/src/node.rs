//! The node: everything that belongs to one machine, held together. It is opened once, run once, and stopped once.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use contract::live::Live;
use contract::state::NodeState;
use contract::status::{AlarmCount, NodeInfo, StatusReport};
use contract::{Denied, PROTOCOL, SCHEMA};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::cluster::NodeIp;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::delivery::Outbox;
use crate::error::OpenError;
use crate::gate::Gate;
use crate::home::Home;
use crate::identity::Identity;
use crate::isolation::Power;
use crate::licence::SupplierKey;
use crate::link::Link;
use crate::mandate::Book;
use crate::mandate::file::{Record, Seat};
use crate::monitor::Watchman;
use crate::preflight::Lookout;
use crate::runs::Runs;
use crate::services::Services;
use crate::sessions::Sessions;
use crate::store::Store;
use crate::sync::bandwidth::Pacing;
use crate::sync::replica::Copies;
use crate::sync::scrub::Scrub;
use crate::sync::source::Feeds;
use crate::sync::task::Tasks;
use crate::telephony::Switchboard;
use crate::throttle::Throttle;

/// How often the live picture is drawn at most.
const PICTURE_PACE: Duration = Duration::from_millis(200);
/// How often it is drawn at least: a lag grows by itself.
const PICTURE_TICK: Duration = Duration::from_secs(1);
/// And how often while nobody watches.
const PICTURE_UNWATCHED: Duration = Duration::from_secs(30);
/// How long a stop waits for work to end in good order.
const FAREWELL: Duration = Duration::from_secs(3);

/// One machine of a pair.
#[derive(Debug)]
pub struct Node {
    pub(crate) dir: DataDir,
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Store,
    pub(crate) identity: Identity,
    pub(crate) info: NodeInfo,
    pub(crate) supplier_key: Option<SupplierKey>,
    pub(crate) throttle: Throttle,
    pub(crate) link: Link,
    pub(crate) book: Book,
    pub(crate) gate: Gate,
    pub(crate) runs: Runs,
    pub(crate) services: Services,
    pub(crate) power: Power,
    pub(crate) lookout: Lookout,
    pub(crate) switchboard: Switchboard,
    /// The control conversation with each machine, counted.
    pub(crate) control_sessions: [watch::Sender<u64>; 2],
    pub(crate) node_ip: NodeIp,
    pub(crate) feeds: Feeds,
    pub(crate) copies: Copies,
    pub(crate) home: Home,
    pub(crate) pacing: Pacing,
    pub(crate) tasks: Tasks,
    pub(crate) scrub: Scrub,
    pub(crate) watch: Watchman,
    pub(crate) outbox: Outbox,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks_running: TaskTracker,
    sessions: Sessions,
    live: watch::Sender<Arc<Live>>,
    poked: Notify,
    /// Somebody has begun to watch.
    looked_for: Notify,
}

/// The product's version, as compared between the nodes of a pair.
#[must_use]
pub fn version() -> String {
    // A test needs a pair of different versions; a release cannot be told to lie about its own.
    #[cfg(debug_assertions)]
    if let Ok(version) = std::env::var("TVOX_DR_TEST_VERSION") {
        return version;
    }
    env!("CARGO_PKG_VERSION").to_owned()
}

impl Node {
    /// Opens the node in a data directory and holds it.
    ///
    /// # Errors
    /// [`OpenError`]: nothing was changed, and the sentence says what to do.
    pub async fn open(root: &Path, clock: Arc<dyn Clock>) -> Result<Arc<Self>, OpenError> {
        let config = Config::read(&DataDir::name(root))?;
        let dir = DataDir::hold(root)?;
        let identity = Identity::read(&dir)?;
        let store = Store::open(&dir, false).await?;
        let unusable = |why: String| OpenError::Unusable { dir: dir.root().to_owned(), why };
        let row: Option<(String, String, String)> = sqlx::query_as("SELECT id, name, role FROM node")
            .fetch_optional(store.pool())
            .await
            .map_err(|error| unusable(format!("its database cannot be read: {error}")))?;
        let (id, name, role) = row
            .ok_or_else(|| unusable("its initialisation did not end; remove it and run `tvox-dr init` again".into()))?;
        let role = role.parse().map_err(|problem| unusable(format!("its role cannot be read: {problem}")))?;
        let info = NodeInfo { name, id, role, version: version(), protocol: PROTOCOL };
        let paired: Option<String> = sqlx::query_scalar(
            "SELECT pair_id FROM peer WHERE pair_id IS NOT NULL UNION SELECT pair_id FROM member WHERE pair_id IS NOT NULL",
        )
            .fetch_optional(store.pool())
            .await
            .map_err(|error| unusable(format!("its database cannot be read: {error}")))?;
        let book = Book::open(&dir, Record::new(&info.id, &info.name, info.role), paired.is_some())?;
        crate::rescue::journal::take_over(&dir, &store, &info.name)
            .await
            .map_err(|denied| unusable(denied.text(contract::Lang::En)))?;
        let gate = Gate::open(&store).await.map_err(|denied| unusable(denied.text(contract::Lang::En)))?;
        let tasks =
            Tasks::open(&store, clock.now()).await.map_err(|denied| unusable(denied.text(contract::Lang::En)))?;
        let sessions = Sessions::new(&store);
        let supplier_key = SupplierKey::of(&dir);
        let empty = Live {
            at: clock.now(),
            status: blank_status(&info),
            sync: contract::sync::SyncReport {
                schema: SCHEMA,
                generation: None,
                datasets: Vec::new(),
                restore_points: Vec::new(),
                not_replicated: Vec::new(),
            },
            task: None,
            run: None,
            telephony: None,
            preflight: None,
            alarms: Vec::new(),
            disks: Vec::new(),
        };
        let node = Arc::new(Self {
            dir,
            config,
            clock,
            store,
            identity,
            info,
            supplier_key,
            throttle: Throttle::default(),
            link: Link::default(),
            book,
            gate,
            runs: Runs::default(),
            services: Services::default(),
            power: Power::default(),
            lookout: Lookout::default(),
            switchboard: Switchboard::default(),
            control_sessions: [watch::Sender::new(0), watch::Sender::new(0)],
            node_ip: NodeIp::default(),
            feeds: Feeds::default(),
            copies: Copies::default(),
            pacing: Pacing::default(),
            home: Home::default(),
            tasks,
            scrub: Scrub::default(),
            watch: Watchman::default(),
            outbox: Outbox::default(),
            stop: CancellationToken::new(),
            tasks_running: TaskTracker::new(),
            sessions,
            live: watch::Sender::new(Arc::new(empty)),
            poked: Notify::new(),
            looked_for: Notify::new(),
        });
        Ok(node)
    }

    /// Starts the peer link, the sync and the live picture; returns once the port is bound.
    ///
    /// # Errors
    /// [`OpenError::Listen`] when the port is taken; [`OpenError::Unusable`] when the stored state cannot be read.
    pub async fn run(self: &Arc<Self>) -> Result<(), OpenError> {
        let listener = self.bind_peer_link().await?;
        let unusable = |denied: Denied| OpenError::Unusable {
            dir: self.dir.root().to_owned(),
            why: denied.text(contract::Lang::En),
        };
        self.compare_tally().await.map_err(unusable)?;
        self.look_for_node_ip().await;
        self.refresh_sources().await.map_err(unusable)?;
        if self.info.role == contract::NodeRole::Client {
            self.resume_replicas().await.map_err(unusable)?;
            // Before the first word to the Master, which keeps to what it is told.
            self.apply_bandwidth().await;
        }
        self.take_up_run().await;
        self.draw().await;
        self.tasks_running.spawn(Arc::clone(self).listen(listener));
        for seat in Seat::ALL {
            self.tasks_running.spawn(Arc::clone(self).keep_contact(seat));
        }
        self.tasks_running.spawn(Arc::clone(self).keep_gate());
        self.tasks_running.spawn(Arc::clone(self).keep_telling_the_lost());
        self.tasks_running.spawn(Arc::clone(self).keep_picture());
        self.tasks_running.spawn(Arc::clone(self).sweep());
        self.tasks_running.spawn(Arc::clone(self).watch_over());
        self.tasks_running.spawn(Arc::clone(self).measure_disks());
        self.tasks_running.spawn(Arc::clone(self).deliver());
        self.tasks_running.spawn(Arc::clone(self).keep_services());
        self.tasks_running.spawn(Arc::clone(self).keep_telephony());
        let node = Arc::clone(self);
        tokio::task::spawn_blocking(move || node.finish_discarding());
        if self.info.role == contract::NodeRole::Client {
            self.tasks_running.spawn(Arc::clone(self).keep_leftovers_aside());
            self.tasks_running.spawn(Arc::clone(self).keep_switches());
            self.tasks_running.spawn(Arc::clone(self).keep_scrubbing());
            self.tasks_running.spawn(Arc::clone(self).keep_healing());
            self.tasks_running.spawn(Arc::clone(self).keep_bandwidth());
        } else {
            self.tasks_running.spawn(Arc::clone(self).keep_home());
            self.tasks_running.spawn(Arc::clone(self).keep_looking_for_node_ip());
        }
        self.tasks_running.spawn(Arc::clone(self).keep_looking_ahead());
        Ok(())
    }

    /// Stops everything within a few seconds, in good order where there is time for it.
    pub async fn shut_down(&self) {
        self.stop.cancel();
        self.tasks_running.close();
        if tokio::time::timeout(FAREWELL, self.tasks_running.wait()).await.is_err() {
            tracing::warn!("some work did not end in time; it will be taken up at the next start");
        }
        // A reader that does not end must not hold the stop: the database is safe without a farewell.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.store.close()).await;
    }

    /// This machine.
    #[must_use]
    pub const fn info(&self) -> &NodeInfo {
        &self.info
    }

    /// What was configured before the database opened.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The data directory.
    #[must_use]
    pub const fn dir(&self) -> &DataDir {
        &self.dir
    }

    /// The sessions of the panel.
    #[must_use]
    pub const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The clock this node was opened with.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The picture that was drawn last, which may be half a minute old.
    #[must_use]
    pub fn last_picture(&self) -> Arc<Live> {
        Arc::clone(&self.live.borrow())
    }

    /// The live picture, drawn anew for whoever asks here, and each next one for as long as somebody watches.
    pub async fn live(&self) -> watch::Receiver<Arc<Live>> {
        let mut live = self.live.subscribe();
        self.looked_for.notify_one();
        self.draw().await;
        live.mark_changed();
        live
    }

    /// Certificate chain and key of the panel as PEM: one's own where configured, else this node's.
    ///
    /// # Errors
    /// [`OpenError::Configuration`] naming the file that cannot be read.
    pub fn panel_tls(&self) -> Result<(Vec<u8>, Vec<u8>), OpenError> {
        let Some(own) = &self.config.panel_tls else { return Ok(self.identity.pem()) };
        let read = |file: &Path| {
            std::fs::read(file)
                .map_err(|error| OpenError::Configuration { file: file.to_owned(), why: error.to_string() })
        };
        Ok((read(&own.certificate)?, read(&own.key)?))
    }

    /// Something changed that people look at.
    pub(crate) fn poke(&self) {
        self.poked.notify_one();
    }

    pub(crate) async fn status(&self) -> Result<StatusReport, Denied> {
        Ok(StatusReport {
            generation: self.highest_generation().await?,
            pair: self.pair_info().await?,
            sync: self.switches().await?,
            datasets: self.briefs().await?,
            licence: self.licence().await?.summary,
            alarms: self.alarm_count().await?,
            state: self.state(),
            mandate: self.mandate_info(),
            services: self.service_statuses().await?,
            gate: Some(self.gate_report()),
            run: self.run_brief().await?,
            approval: self.approval_policy().await?,
            travel: self.travel_info(),
            steps_left: self.steps_left_names().await?,
            ..blank_status(&self.info)
        })
    }

    /// Everything the pages show live.
    pub(crate) async fn picture(&self) -> Result<Live, Denied> {
        Ok(Live {
            at: self.clock.now(),
            status: self.status().await?,
            sync: self.sync_report().await?,
            task: self.tasks.report(None),
            run: self.run_report(None).await?,
            telephony: self.telephony_now().await?,
            preflight: self.preflight(),
            alarms: self.latest_alarms().await?,
            disks: self.disks().await?,
        })
    }

    async fn draw(&self) {
        match self.picture().await {
            Ok(live) => {
                let live = Arc::new(live);
                self.live.send_modify(|last| *last = live);
            }
            Err(error) => tracing::error!(?error, "the live picture could not be drawn"),
        }
    }

    async fn keep_picture(self: Arc<Self>) {
        while !self.stop.is_cancelled() {
            // Drawing costs two dozen questions to the database: nobody asks them for a picture that nobody sees.
            let watched = self.live.receiver_count() > 0;
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.looked_for.notified() => {}
                () = self.poked.notified(), if watched => {}
                () = tokio::time::sleep(if watched { PICTURE_TICK } else { PICTURE_UNWATCHED }) => {}
            }
            self.draw().await;
            tokio::time::sleep(PICTURE_PACE).await;
        }
    }

    /// Keeps the reserve on the disk, and ends sessions that nobody used: once a minute is often enough, each use checks
    /// for itself.
    async fn sweep(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(Duration::from_secs(60));
        let mut looks = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = looks.tick() => {
                    if let Err(error) = self.dir.keep_reserve() {
                        tracing::debug!(%error, "no space can be kept back");
                    }
                }
                _ = ticks.tick() => {
                    let _ = self.sessions.delete_expired(self.clock.now().as_second()).await;
                }
            }
        }
    }
}

fn blank_status(info: &NodeInfo) -> StatusReport {
    use contract::licence::{LicenceState, LicenceSummary};
    use contract::status::{PairInfo, StoppedUntil, Switches};
    use contract::sync::Switch;
    StatusReport {
        schema: SCHEMA,
        node: info.clone(),
        state: NodeState::initial(info.role),
        mandate: None,
        generation: None,
        pair: PairInfo { id: None, associated: false, peer: None, cluster: None },
        sync: Switches { database: Switch::On, files: Switch::On, until: StoppedUntil::default() },
        datasets: Vec::new(),
        licence: LicenceSummary {
            state: LicenceState::Missing,
            serial: None,
            company: None,
            modules: Vec::new(),
            expires: None,
        },
        services: Vec::new(),
        gate: None,
        run: None,
        approval: contract::approval::ApprovalPolicy::default(),
        travel: None,
        steps_left: Vec::new(),
        alarms: AlarmCount::default(),
    }
}
