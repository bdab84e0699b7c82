//! Whether the declared services can be handled on this machine at all, found out before the day on which they must be.
//! Nothing is run: of a shell text the program that it begins with is looked for, no more can be known of it.

use std::path::Path;

use contract::service::{Handling, Service};
use contract::{Refused, Rule};

use crate::process::program::missing;

/// Where systemd reads units from (systemd.unit(5)), those it makes by itself among them.
const UNIT_DIRS: [&str; 9] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/run/systemd/generator.late",
    "/run/systemd/transient",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/etc/init.d",
];

/// What cannot be handled, each service and reason once.
pub(crate) fn preview(services: &[Service]) -> Vec<Refused> {
    let wrong = |service: &Service| {
        let mut why: Vec<String> = match &service.handling {
            Handling::Unit(unit) => missing("systemctl").or_else(|| missing_unit(unit)).into_iter().collect(),
            Handling::Commands { start, stop, check } => {
                [start, stop, check].into_iter().filter_map(|text| missing(text)).collect()
            }
        };
        why.dedup();
        why.into_iter().map(|why| Refused::new(Rule::ServiceCommand, &service.name, why)).collect::<Vec<_>>()
    };
    services.iter().flat_map(wrong).collect()
}

/// Whether a unit is nowhere to be found. Without a systemd that runs there is nothing to look in.
fn missing_unit(unit: &str) -> Option<String> {
    let runs = Path::new("/run/systemd/system").is_dir();
    let is_there = |dir: &str| file_names(unit).iter().any(|name| Path::new(dir).join(name).exists());
    (runs && !UNIT_DIRS.into_iter().any(is_there)).then(|| format!("unit={unit}"))
}

/// What the file of a unit may be called: its own name, its template's, or that of a script of old.
fn file_names(unit: &str) -> Vec<String> {
    let (name, kind) = match unit.rsplit_once('.') {
        Some((name, kind)) => (name, kind),
        None => (unit, "service"),
    };
    let template = name.split_once('@').map(|(template, _)| format!("{template}@.{kind}"));
    [format!("{name}.{kind}"), name.to_owned()].into_iter().chain(template).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, [start, stop, check]: [&str; 3]) -> Service {
        let [start, stop, check] = [start, stop, check].map(str::to_owned);
        let handling = Handling::Commands { start, stop, check };
        Service { name: name.into(), handling, timeout_seconds: 1, order: 0 }
    }

    #[test]
    fn each_program_that_is_not_there_is_told_with_its_service_once() {
        let services = [
            service("good", ["touch /tmp/x", "rm -f /tmp/x", "test -e /tmp/x"]),
            service("bad", ["no-such-start on", "no-such-start on", "/no/such/check"]),
        ];
        let told: Vec<_> =
            preview(&services).into_iter().map(|one| format!("{}: {}", one.subject, one.detail)).collect();
        assert_eq!(told, ["bad: missing=no-such-start", "bad: missing=/no/such/check"]);
    }

    #[test]
    fn a_unit_is_looked_for_by_its_own_name_and_by_its_templates() {
        assert_eq!(file_names("kamailio"), ["kamailio.service", "kamailio"]);
        assert_eq!(file_names("asterisk@1.service"), ["asterisk@1.service", "asterisk@1", "asterisk@.service"]);
    }
}
