//! The forms of the page Isolamento. One page per way of reading the power, so that each asks only for what its way needs,
//! with JavaScript and without.

use contract::command::Secret;
use contract::power::{PowerForm, PowerWay};

use super::forms::{Fields, value};
use super::query;

/// The machine whose power is being set, and by which way, from the address.
pub(super) fn open(path: &str) -> Option<(String, PowerWay)> {
    let way = query::value(path, "way")?.parse().ok()?;
    let ip = query::value(path, "ip").filter(|ip| !ip.is_empty())?;
    Some((ip, way))
}

/// How the power is read, as typed.
pub(super) fn power(fields: &Fields) -> PowerForm {
    let text = |name: &str| value(fields, name).trim().to_owned();
    // A browser ends every line of a form with CR LF; the shell would take the CR for a letter.
    let script = |name: &str| value(fields, name).replace("\r\n", "\n").trim().to_owned();
    PowerForm {
        ip: text("ip"),
        way: text("way"),
        host: text("host"),
        port: text("port"),
        user: text("user"),
        password: Some(value(fields, "password")).filter(|typed| !typed.is_empty()).map(Secret::new),
        status: script("status"),
        off: script("off"),
        shutdown: script("shutdown"),
        on: script("on"),
        soft: text("soft"),
    }
}
