//! What an operator brings to take the service, as typed; and the dry run: what would happen if the button were pressed.

use clap::Args as ClapArgs;
use contract::isolation::Attestation;
use contract::own_step::blocks;
use contract::preflight::{Override, PreflightReport, Take};
use contract::{Denied, Lang, NodeRole, Rule, query};
use serde_json::Value;

use super::remote::Line;
use super::{Exit, print};

/// What a grave command asks for in any case, and its dry run does not.
#[derive(Debug, ClapArgs)]
pub(super) struct Word {
    /// The name of the machine on which the command runs
    #[arg(
        long,
        value_name = "NAME",
        required_unless_present = "dry_run",
        default_value = "",
        hide_default_value = true
    )]
    pub(super) confirm_name: String,
    /// Why
    #[arg(
        long,
        value_name = "TEXT",
        required_unless_present = "dry_run",
        default_value = "",
        hide_default_value = true
    )]
    pub(super) reason: String,
}

/// What an operator brings wherever the other site must be out of service.
#[derive(Debug, ClapArgs)]
pub struct Brought {
    /// Who saw that machine off, and how; once for each machine of the other site
    #[arg(long, value_name = "IP=TEXT")]
    attest: Vec<String>,
    /// Consent to lose what the dry run lists, where the service is taken
    #[arg(long)]
    accept_data_loss: bool,
    /// Pass a guard, saying why; may be repeated
    #[arg(long = "override", value_name = "RULE[@SUBJECT]=REASON")]
    overrides: Vec<String>,
    /// Switch this machine of the other site off on the way, before the evidence; may be repeated
    #[arg(long, value_name = "IP")]
    power_off: Vec<String>,
    /// Why it cannot wait for a second person, where one is wanted; an alarm tells everybody
    #[arg(long, value_name = "REASON")]
    break_glass: Option<String>,
    /// Return at once instead of when it is done or stuck
    #[arg(long)]
    pub no_wait: bool,
}

impl Brought {
    /// The same as the node takes it, for whoever gives their word. What lacks its text is told by the node, like
    /// everything else that is wrong.
    pub fn into_take(self, confirm_name: String, reason: String) -> Take {
        Take {
            confirm_name,
            reason,
            attest: self.attest.iter().map(|typed| attestation(typed)).collect(),
            accept_data_loss: self.accept_data_loss,
            overrides: self.overrides.iter().map(|typed| passed(typed)).collect(),
            point: None,
            power_off: self.power_off,
            member: None,
            break_glass: self.break_glass,
            password: None,
        }
    }
}

/// What an operator brings to take the service.
#[derive(Debug, ClapArgs)]
pub struct TakeArgs {
    #[command(flatten)]
    word: Word,
    #[command(flatten)]
    pub brought: Brought,
    /// The restore point of `sync points` to go on from, read again first; the last complete generations unless given
    #[arg(long, value_name = "ID")]
    point: Option<String>,
    /// Change nothing; say what would happen
    #[arg(long)]
    pub dry_run: bool,
}

impl TakeArgs {
    /// The same as the node takes it.
    pub fn into_take(self) -> Take {
        Take { point: self.point, ..self.brought.into_take(self.word.confirm_name, self.word.reason) }
    }
}

/// `IP=TEXT`.
pub fn attestation(typed: &str) -> Attestation {
    let (ip, text) = typed.split_once('=').unwrap_or((typed, ""));
    Attestation { ip: ip.trim().to_owned(), text: text.trim().to_owned() }
}

/// `RULE[@SUBJECT]=REASON`.
pub(super) fn passed(typed: &str) -> Override {
    let (what, reason) = typed.split_once('=').unwrap_or((typed, ""));
    let (rule, subject) = what.split_once('@').map_or((what, None), |(rule, subject)| (rule, Some(subject)));
    Override {
        rule: rule.trim().to_owned(),
        subject: subject.map(|subject| subject.trim().to_owned()),
        reason: reason.trim().to_owned(),
    }
}

/// Asks what would happen on a node of that side, and prints it. 0 when the command would be obeyed, 3 when a guard says no.
pub async fn dry_run(line: &Line, side: NodeRole, take: Take) -> Result<Exit, Exit> {
    let status = line.ask(query::Status {}).await?;
    if status["node"]["role"] != side.as_str() {
        let name = status["node"]["name"].as_str().unwrap_or_default();
        return Err(line.deny(&Denied::rule(Rule::RoleWrong, name, side.other().label())));
    }
    let answer = line.ask(query::DryRun { take }).await?;
    let report: PreflightReport = serde_json::from_value(answer)
        .map_err(|error| Exit::failed(format_args!("the node's answer cannot be read: {error}")))?;
    let report = report.in_words(Lang::En);
    let printed = serde_json::to_value(&report).unwrap_or_default();
    if line.json {
        print::json(&printed);
    } else {
        words(&printed);
        for warning in &report.warnings {
            eprintln!("warning: {warning}");
        }
    }
    for finding in &report.blocked {
        eprintln!("refused: {finding}");
    }
    Ok(if report.allowed { Exit::Done } else { Exit::Refused })
}

fn words(report: &Value) {
    let verdict = &report["verdict"];
    print::line(&format!("Ready, with the other site up:  {}", print::text(&verdict["ready"])));
    print::line(&format!("Can be done now:                {}", print::text(&verdict["now"])));
    print::line(&format!("This command would be obeyed:   {}", print::text(&report["allowed"])));
    let items = |list: &str| report[list].as_array().into_iter().flatten();
    isolation(report);
    if report["point"].is_string() {
        print::line(&format!("Restore point:                  {}", print::text(&report["point"])));
    }
    if items("loss").next().is_some() {
        let keys = [
            "dataset",
            "generation",
            "captured_at",
            "age_seconds",
            "in_flight",
            "none_confirmed",
            "skipped",
            "missing",
        ];
        print::table(
            &["DATASET", "GENERATION", "CAPTURED", "AGE s", "IN FLIGHT", "NOTHING NEWER", "SKIPPED", "MISSING"],
            &print::rows(&report["loss"], &keys),
        );
    }
    print::line(&format!("Steps: {}", in_blocks(&report["steps"])));
    if items("left_out").next().is_some() {
        print::line(&format!("Left out, their group is off: {}", in_blocks(&report["left_out"])));
    }
}

/// Steps in their order, those of a group in brackets behind its name.
pub(super) fn in_blocks(steps: &Value) -> String {
    let steps = steps.as_array().map(Vec::as_slice).unwrap_or_default();
    let told = blocks(steps, |step| step["group"].as_str()).into_iter().map(|block| {
        let ids = block.items.iter().map(|step| print::text(&step["id"])).collect::<Vec<_>>().join(" → ");
        block.group.map_or(ids.clone(), |group| format!("{group} [{ids}]"))
    });
    told.collect::<Vec<_>>().join(" → ")
}

/// What every machine of the other site came to.
pub fn isolation(report: &Value) {
    let row = |machine: &Value| {
        let probes = print::list(&machine["evidence"]);
        let told = |probe: &Value| format!("{} {}", print::text(&probe["probe"]), print::text(&probe["result"]));
        let probes: Vec<String> = probes.map(told).collect();
        let mut row = print::cells(machine, &["ip", "outcome", "attestation"]);
        row.push(probes.join(", "));
        row
    };
    let rows: Vec<Vec<String>> = print::list(&report["isolation"]).map(row).collect();
    if !rows.is_empty() {
        print::table(&["MACHINE", "OUTCOME", "ATTESTATION", "PROBES"], &rows);
    }
}
