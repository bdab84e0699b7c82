//! `tvox-dr isolation` and `tvox-dr power`: what is known of the machines of the other site, and what can see whether one
//! is off.

use clap::{ArgGroup, Args as ClapArgs, Subcommand};
use contract::power::{PowerForm, PowerReading, PowerState, PowerWay};
use contract::{Command, Lang, Outcome, SCHEMA, query};
use serde_json::{Value, json};

use super::remote::{Line, secret};
use super::{Exit, print};

/// The isolation of the other site.
#[derive(Debug, Subcommand)]
pub enum IsolationVerb {
    /// The machines of the other site, and how the power of each is read
    Show,
}

/// The power of the machines of the other site.
#[derive(Debug, Subcommand)]
pub enum PowerVerb {
    /// Set how the power of a machine is read and switched: by its controller (IPMI), or by commands of your own
    Set(PowerSetArgs),
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
}

/// How the power of a machine is read and switched.
#[derive(Debug, ClapArgs)]
#[command(group(ArgGroup::new("way").required(true).args(["ipmi", "status"])))]
pub struct PowerSetArgs {
    /// The machine of the other site
    ip: String,
    /// Its management controller, by name or IP
    #[arg(long, value_name = "HOST", requires = "user")]
    ipmi: Option<String>,
    /// The controller's UDP port; 623 unless given
    #[arg(long, value_name = "N", default_value = "", hide_default_value = true, conflicts_with = "status")]
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
        let way = if self.ipmi.is_some() { PowerWay::Ipmi } else { PowerWay::Command };
        Ok(PowerForm {
            ip: self.ip,
            way: way.as_str().to_owned(),
            host: self.ipmi.unwrap_or_default(),
            port: self.port,
            user: self.user,
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
    }
}

/// Does what a verb about the power says.
pub async fn power(line: &Line, verb: PowerVerb) -> Result<Exit, Exit> {
    let command = match verb {
        PowerVerb::Set(args) => Command::PowerSet(args.into_form()?),
        PowerVerb::Remove { ip } => Command::PowerRemove { ip },
        PowerVerb::Status { ip } => Command::PowerRead { ip },
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
        let by = match (power["way"].as_str(), power["host"].as_str()) {
            (Some(way), Some(host)) => format!("{way} {host}:{}", power["port"]),
            (Some(way), None) => way.to_owned(),
            (None, _) => "-".to_owned(),
        };
        let mut row = print::cells(machine, &["ip", "current"]);
        row.extend([by, print::text(&power["soft_seconds"]), print::text(&machine["has_password"])]);
        row.extend(print::cells(reading, &["state", "at"]));
        row
    };
    let rows: Vec<Vec<String>> = print::list(&report["machines"]).map(row).collect();
    print::table(&["MACHINE", "CURRENT", "POWER READ BY", "SOFT s", "PASSWORD", "STATE", "READ AT"], &rows);
}
