//! `tvox-dr isolation` and `tvox-dr power`: what is known of the machines of the other site, and what can see whether one
//! is off.

use std::path::PathBuf;

use clap::{ArgGroup, Args as ClapArgs, Subcommand};
use contract::life::LifeSignsForm;
use contract::power::{PowerForm, PowerOrder, PowerReading, PowerState, PowerWay};
use contract::preflight::Take;
use contract::{Command, Lang, Outcome, SCHEMA, query};
use serde_json::{Value, json};

use super::delivery::certificate;
use super::remote::{Line, secret};
use super::{Exit, preflight, print};

/// The isolation of the other site.
#[derive(Debug, Subcommand)]
pub enum IsolationVerb {
    /// The machines of the other site: how the power of each is read, what proves it to be alive
    Show,
    /// Look at every machine of the other site now
    Test,
    /// Declare what proves a machine to be alive besides its tvox-dr: all of it at once
    Set {
        /// The machine of the other site
        ip: String,
        /// A TCP port of its services or datasets; may be repeated
        #[arg(long, value_name = "PORT")]
        tcp: Vec<String>,
        /// Where it answers calls; port 5060 and UDP unless given
        #[arg(long, value_name = "IP[:PORT][/tcp]", default_value = "", hide_default_value = true)]
        sip: String,
    },
    /// Take that back
    Remove {
        /// The machine
        ip: String,
    },
}

/// The power of the machines of the other site.
#[derive(Debug, Subcommand)]
pub enum PowerVerb {
    /// Set how the power of a machine is read and switched: by its controller (IPMI, Redfish), or by commands of your own
    Set(Box<PowerSetArgs>),
    /// Forget it, the stored password too
    Remove {
        /// The machine
        ip: String,
    },
    /// Read the power of a machine now; 1 when it cannot be read
    Status {
        /// The machine
        ip: String,
    },
    /// Switch a machine off: gently first where that is set; 1 when it was not seen off
    Off(PowerOrderArgs),
    /// Switch a machine on
    On(PowerOrderArgs),
}

/// What an operator brings to switch a machine.
#[derive(Debug, ClapArgs)]
pub struct PowerOrderArgs {
    /// The machine
    ip: String,
    /// The name of the machine on which the command runs
    #[arg(long, value_name = "NAME")]
    confirm_name: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Pass a guard, saying why; may be repeated
    #[arg(long = "override", value_name = "RULE[@SUBJECT]=REASON")]
    overrides: Vec<String>,
}

impl PowerOrderArgs {
    fn into_order(self) -> PowerOrder {
        PowerOrder {
            ip: self.ip,
            confirm_name: self.confirm_name,
            reason: self.reason,
            overrides: self.overrides.iter().map(|typed| preflight::passed(typed)).collect(),
            password: None,
        }
    }
}

/// How the power of a machine is read and switched.
#[derive(Debug, ClapArgs)]
#[command(group(ArgGroup::new("way").required(true).args(["ipmi", "redfish", "status"])))]
pub struct PowerSetArgs {
    /// The machine of the other site
    ip: String,
    /// Its management controller, by name or IP
    #[arg(long, value_name = "HOST", requires = "user")]
    ipmi: Option<String>,
    /// Its management controller's web service: https://HOST[:PORT]
    #[arg(long, value_name = "URL", requires = "user")]
    redfish: Option<String>,
    /// Redfish: the system's id where the service has several
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true, requires = "redfish")]
    system: String,
    /// Redfish: the SHA-256 of the only certificate that is taken
    #[arg(long, value_name = "HEX", default_value = "", hide_default_value = true, requires = "redfish")]
    fingerprint: String,
    /// Redfish: the authority that signed its certificate, as PEM; the system's unless given
    #[arg(long, value_name = "FILE", requires = "redfish")]
    ca: Option<PathBuf>,
    /// The controller's UDP port; 623 unless given
    #[arg(long, value_name = "N", default_value = "", hide_default_value = true, requires = "ipmi")]
    port: String,
    /// The controller's user, with the privilege Operator
    #[arg(long, default_value = "", hide_default_value = true, conflicts_with = "status")]
    user: String,
    /// Prints `on` or `off` and nothing else; run by /bin/sh -c on this machine
    #[arg(long, value_name = "CMD")]
    status: Option<String>,
    /// Switches it off at once
    #[arg(long, value_name = "CMD", default_value = "", hide_default_value = true, conflicts_with = "ipmi")]
    off: String,
    /// Asks its system to shut down
    #[arg(long, value_name = "CMD", default_value = "", hide_default_value = true, conflicts_with = "ipmi")]
    shutdown: String,
    /// Switches it on
    #[arg(long, value_name = "CMD", default_value = "", hide_default_value = true, conflicts_with = "ipmi")]
    on: String,
    /// How long its system may take to shut down before the power is cut, in seconds; 0 cuts it at once
    #[arg(long, value_name = "S", default_value = "0")]
    soft: String,
    /// Read the password from stdin; without it the stored one is kept
    #[arg(long)]
    password_stdin: bool,
}

impl PowerSetArgs {
    fn into_form(self) -> Result<PowerForm, Exit> {
        let way = match (&self.ipmi, &self.redfish) {
            (Some(_), _) => PowerWay::Ipmi,
            (None, Some(_)) => PowerWay::Redfish,
            (None, None) => PowerWay::Command,
        };
        Ok(PowerForm {
            ip: self.ip,
            way: way.as_str().to_owned(),
            host: self.ipmi.unwrap_or_default(),
            port: self.port,
            user: self.user,
            url: self.redfish.unwrap_or_default(),
            system: self.system,
            fingerprint: self.fingerprint,
            ca: certificate(self.ca.as_deref())?,
            password: self.password_stdin.then(secret).transpose()?,
            status: self.status.unwrap_or_default(),
            off: self.off,
            shutdown: self.shutdown,
            on: self.on,
            soft: self.soft,
        })
    }
}

/// Does what a verb about the isolation says.
pub async fn isolation(line: &Line, verb: IsolationVerb) -> Result<Exit, Exit> {
    match verb {
        IsolationVerb::Show => Ok(line.show(&line.ask(query::Isolation {}).await?, machines)),
        IsolationVerb::Test => {
            let report = line.ask(query::DryRun { take: Take::default() }).await?;
            let found = json!({ "schema": SCHEMA, "isolation": report["isolation"] });
            Ok(line.show(&found, preflight::isolation))
        }
        IsolationVerb::Set { ip, tcp, sip } => declare(line, LifeSignsForm { ip, tcp: tcp.join(" "), sip }).await,
        IsolationVerb::Remove { ip } => declare(line, LifeSignsForm { ip, ..LifeSignsForm::default() }).await,
    }
}

async fn declare(line: &Line, form: LifeSignsForm) -> Result<Exit, Exit> {
    line.tell(Command::LifeSignsSet(form)).await.map(|_| Exit::Done)
}

/// Does what a verb about the power says.
pub async fn power(line: &Line, verb: PowerVerb) -> Result<Exit, Exit> {
    let command = match verb {
        PowerVerb::Set(args) => Command::PowerSet(args.into_form()?),
        PowerVerb::Remove { ip } => Command::PowerRemove { ip },
        PowerVerb::Status { ip } => Command::PowerRead { ip },
        PowerVerb::Off(args) => Command::PowerOff(args.into_order()),
        PowerVerb::On(args) => Command::PowerOn(args.into_order()),
    };
    Ok(match line.tell(command).await? {
        Outcome::Power(reading) => told(line, &reading),
        _ => Exit::Done,
    })
}

/// Prints a reading; what could not be read is a failure.
fn told(line: &Line, reading: &PowerReading) -> Exit {
    if line.json {
        let mut told = serde_json::to_value(reading).unwrap_or_default();
        told["message"] = json!(reading.text(Lang::En));
        let mut object = json!({ "schema": SCHEMA });
        if let (Some(object), Value::Object(told)) = (object.as_object_mut(), told) {
            object.extend(told);
        }
        print::json(&object);
    } else if reading.state != PowerState::Unknown {
        print::line(&format!("{}: {}", reading.state.as_str(), reading.text(Lang::En)));
    }
    if reading.state == PowerState::Unknown {
        return Exit::failed(format_args!("could not read the power of {}: {}", reading.ip, reading.text(Lang::En)));
    }
    Exit::Done
}

fn machines(report: &Value) {
    let row = |machine: &Value| {
        let (power, reading) = (&machine["power"], &machine["reading"]);
        let by = match (power["way"].as_str(), power["host"].as_str(), power["url"].as_str()) {
            (Some(way), Some(host), _) => format!("{way} {host}:{}", power["port"]),
            (Some(way), None, Some(url)) => format!("{way} {url}"),
            (Some(way), None, None) => way.to_owned(),
            (None, ..) => "-".to_owned(),
        };
        let mut row = print::cells(machine, &["ip", "current"]);
        row.extend([by, print::text(&power["soft_seconds"]), print::text(&machine["has_password"])]);
        row.extend(print::cells(reading, &["state", "at"]));
        row.extend(print::cells(&machine["signs"], &["tcp", "sip"]));
        row
    };
    let rows: Vec<Vec<String>> = print::list(&report["machines"]).map(row).collect();
    print::table(
        &["MACHINE", "CURRENT", "POWER READ BY", "SOFT s", "PASSWORD", "STATE", "READ AT", "TCP", "SIP"],
        &rows,
    );
}
