//! The steps by which the DR gives the service back: what was made on it is listed, and kept aside before the sync goes on.

use std::sync::Arc;
use std::time::Duration;

use contract::run::{DatasetLedger, Ledger, RunKind, TableLedger};
use contract::{Denied, Refused, Rule, Text};
use replication::{Change, LedgerEntry, NameKind, Unwatched};

use super::log::{Event, Plan, State};
use super::procedure::Step;
use super::step::{Seen, Stop};
use super::{Run, store};
use crate::node::Node;
use crate::sync::denied;
use crate::sync::replica::Copy;

/// How often leftovers of another mandate are looked for.
const LOOK: Duration = Duration::from_secs(5);
/// Names of a dataset that the log of a run keeps.
const LISTED: usize = 100;

impl Node {
    /// Puts aside what an activation left behind whose mandate is over, until the node stops: a DR that was lost while it
    /// served comes back with its copies serving, and follows the other side again only without them.
    pub(crate) async fn keep_leftovers_aside(self: Arc<Self>) {
        let mut book = self.book.watch();
        while !self.stop.is_cancelled() {
            let over = self.may_receive() && self.services_are_down() && self.is_given_for_good().await;
            if over && matches!(self.data_is_preserved().await, Ok(None)) {
                match self.preserve_data().await {
                    Ok(()) => self.note("data.preserved", None).await,
                    Err(stop) => tracing::error!(why = stop.output, "what was made on the DR cannot be put aside"),
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = book.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// The service was given away with its content, and the copy that served here is not put aside yet: it holds the
    /// newest, whatever has become of that run.
    pub(super) async fn gives_in_vain(&self) -> Result<bool, Denied> {
        let Some(head) = self.mandate_info() else { return Ok(false) };
        let gave = |state: &State| state.plan.mandate == head.id;
        let given = store::load_newest(self.store.pool(), RunKind::Failback, gave).await?;
        Ok(given.is_some_and(|state| !state.is_done(&Step::Preserve)))
    }

    /// Whether nobody can need the copy any more that served here: what a failback has given stays until the Master has it
    /// in its place.
    async fn is_given_for_good(&self) -> bool {
        match self.gives_in_vain().await {
            Ok(true) => {
                let head = self.mandate_info().map(|head| head.id);
                self.any_across(|told| told.settled.is_some() && told.settled == head).await
            }
            Ok(false) => true,
            Err(_) => false,
        }
    }

    /// What was made on the copies that serve.
    pub(super) async fn ledger(&self) -> Result<Ledger, Denied> {
        let mut ledger = Ledger::default();
        for copy in self.copies.all() {
            let name = copy.dataset.name.clone();
            let looked = self.with_engine(&copy, |replica| match replica.promoted() {
                Some(_) => replica.ledger(&Unwatched).map(Some),
                None => Ok(None),
            });
            let looked = looked.await.ok_or_else(|| not_open(&copy))?;
            let made = looked.map_err(denied(format!("list what was made in {name}")))?;
            ledger.datasets.extend(made.filter(|made| !made.is_empty()).map(|made| of_dataset(name, made)));
        }
        ledger.datasets.sort_by(|a, b| a.dataset.cmp(&b.dataset));
        Ok(ledger)
    }

    pub(super) fn ledger_is_settled(&self, run: &Run, plan: &Plan) -> Seen {
        let ledger = run.look(|state: &State| state.ledger.clone())?;
        (at_stake(plan, &ledger).datasets.is_empty() || plan.consent).then(|| summary(&ledger))
    }

    pub(super) async fn write_ledger(&self, run: &Run, plan: &Plan) -> Result<(), Stop> {
        let ledger = self.ledger().await?;
        let refused = self.refuse_to_discard(&at_stake(plan, &ledger), plan.consent);
        if plan.kind == RunKind::Failback && refused.is_none() {
            // Before it is written down: what is listed as discarded lies there whole. And again where the list says the
            // same: a file may have been written anew with as many bytes.
            self.export_discarded(plan, &ledger).await?;
        }
        if run.look(|state| state.ledger.as_ref() != Some(&ledger)) {
            self.log_run(run, vec![Event::Ledger { ledger }]).await?;
        }
        let Some(refused) = refused else { return Ok(()) };
        let mut stop = Stop::refused(&[refused]);
        // Consent came with the command: only a new one can bring it.
        let again = Text::new(
            "Annullare l'operazione: i servizi ripartono. Poi ripetere il rientro, scartando i dati.",
            "Abort the run: the services start again. Then roll back once more, discarding the data.",
        );
        stop.remedy = Text::new(format!("{} {}", stop.remedy.it, again.it), format!("{} {}", stop.remedy.en, again.en));
        Err(stop)
    }

    /// Copies what a failback discards to a place of its own, with the list of everything that was made.
    async fn export_discarded(&self, plan: &Plan, ledger: &Ledger) -> Result<(), Denied> {
        let place = self.dir.exports().join(&plan.id);
        for made in at_stake(plan, ledger).datasets {
            let copies = self.copies.all();
            let Some(copy) = copies.iter().find(|copy| copy.dataset.name == made.dataset) else { continue };
            let to = place.join(format!("{}.{}", copy.dataset.name, copy.dataset.kind.as_str()));
            let exported = self.with_engine(copy, move |replica| replica.export(&to, &Unwatched)).await;
            let exported = exported.ok_or_else(|| not_open(copy))?;
            exported.map_err(denied(format!("export what was made in {}", made.dataset)))?;
            let text = serde_json::to_vec_pretty(ledger).map_err(|error| Denied::failed("write the ledger", error))?;
            let written = crate::data_dir::write_durably(&place.join("ledger.json"), &text, 0o600);
            written.map_err(|error| Denied::failed("write the ledger", error))?;
        }
        Ok(())
    }

    /// The guard of the data that was made on the DR.
    pub(super) fn refuse_to_discard(&self, ledger: &Ledger, consent: bool) -> Option<Refused> {
        let asks = !consent && !ledger.datasets.is_empty();
        asks.then(|| Refused::new(Rule::DrDataDiscard, &self.info.name, summary(ledger)))
    }

    pub(super) async fn data_is_preserved(&self) -> Result<Seen, Stop> {
        for copy in self.copies.all() {
            let serves = self.with_engine(&copy, |replica| replica.promoted().is_some()).await;
            if serves.ok_or_else(|| not_open(&copy))? {
                return Ok(None);
            }
        }
        Ok(Some(String::new()))
    }

    /// Keeps what was made on the DR as a restore point; the sync then goes on from the last generation.
    pub(super) async fn preserve_data(&self) -> Result<(), Stop> {
        for copy in self.copies.all() {
            let now = self.clock.now();
            let kept =
                self.with_engine(&copy, move |replica| match replica.promoted().map(|serving| serving.run.clone()) {
                    Some(run) => replica.hand_back(&run, now, &Unwatched),
                    None => Ok(()),
                });
            let kept = kept.await.ok_or_else(|| not_open(&copy))?;
            kept.map_err(denied(format!("preserve the data of {}", copy.dataset.name)))?;
        }
        Ok(())
    }
}

/// A replica that could not be opened; why stands with the dataset.
pub(super) fn not_open(copy: &Arc<Copy>) -> Denied {
    let why = copy.standing(|standing| standing.error.as_ref().map(|error| error.message.clone()));
    Denied::failed(format!("open the replica of {}", copy.dataset.name), why.unwrap_or_else(|| "not open yet".into()))
}

/// What of it would be discarded: all of it, unless it travels home.
pub(super) fn at_stake(plan: &Plan, ledger: &Ledger) -> Ledger {
    let lost = |made: &&DatasetLedger| plan.kind != RunKind::Failback || plan.discard.contains(&made.dataset);
    Ledger { datasets: ledger.datasets.iter().filter(lost).cloned().collect() }
}

/// In figures: the same in every language.
fn summary(ledger: &Ledger) -> String {
    let dataset = |made: &DatasetLedger| {
        let rows = made
            .tables
            .iter()
            .fold((0, 0, 0), |sum, table| (sum.0 + table.added, sum.1 + table.changed, sum.2 + table.removed));
        let rows =
            if made.tables.is_empty() { String::new() } else { format!(", SQL +{} ~{} -{}", rows.0, rows.1, rows.2) };
        format!("{} +{} ~{} -{}{rows}", made.dataset, made.added, made.changed, made.removed)
    };
    ledger.datasets.iter().map(dataset).collect::<Vec<_>>().join("; ")
}

fn of_dataset(dataset: String, made: replication::Ledger) -> DatasetLedger {
    let sign = |change| match change {
        Change::Added => '+',
        Change::Changed => '~',
        Change::Removed => '-',
    };
    let name = |entry: &LedgerEntry| {
        let slash = if entry.kind == NameKind::Directory { "/" } else { "" };
        format!("{}{}{slash}", sign(entry.change), entry.path)
    };
    let mut paths: Vec<String> = made.names.iter().map(name).collect();
    let mut tables = Vec::new();
    if let Some(database) = made.database {
        paths.extend(database.schema.iter().map(|item| format!("{}{} {}", sign(item.change), item.kind, item.name)));
        paths.extend(database.unreadable);
        let rows = |table: replication::TableLedger| TableLedger {
            table: table.name,
            added: table.added,
            changed: table.changed,
            removed: table.removed,
        };
        tables = database.tables.into_iter().map(rows).collect();
    }
    paths.truncate(LISTED);
    DatasetLedger {
        dataset,
        added: made.added.files,
        changed: made.changed.files,
        removed: made.removed.files,
        bytes: made.added.bytes + made.changed.bytes,
        tables,
        paths,
    }
}
