//! The forms of the page Isolamento. One page per way of reading the power, so that each asks only for what its way needs,
//! with JavaScript and without.

use app::action::{POWER_OFF, POWER_OFF_CONFIRM};
use contract::command::Secret;
use contract::life::LifeSignsForm;
use contract::power::{PowerForm, PowerOrder, PowerWay};
use contract::{Denied, FieldError, Problem};

use super::forms::{Fields, under, value};
use super::press::overridden;
use super::query;

/// The machine whose power is being set, and by which way, from the address.
pub(super) fn open(path: &str) -> Option<(String, PowerWay)> {
    let way = query::value(path, "way")?.parse().ok()?;
    let ip = query::value(path, "ip").filter(|ip| !ip.is_empty())?;
    Some((ip, way))
}

/// The machines that are to be switched off on the way: each was ticked, and its IP was typed beside it.
///
/// # Errors
/// [`Denied::Invalid`] on the field beside each tick where something else was typed.
pub(super) fn powered_off(fields: &Fields) -> Result<Vec<String>, Denied> {
    let ticked: Vec<String> = under(fields, POWER_OFF).map(|(ip, _)| ip.to_owned()).collect();
    let unconfirmed = |ip: &&String| value(fields, &format!("{POWER_OFF_CONFIRM}{ip}")).trim() != **ip;
    let wrong: Vec<FieldError> = ticked
        .iter()
        .filter(unconfirmed)
        .map(|ip| FieldError::new(format!("{POWER_OFF_CONFIRM}{ip}"), Problem::TypeToConfirm(ip.clone())))
        .collect();
    if wrong.is_empty() { Ok(ticked) } else { Err(Denied::Invalid(wrong)) }
}

/// What proves a machine to be alive, as typed.
pub(super) fn signs(fields: &Fields) -> LifeSignsForm {
    let text = |name: &str| value(fields, name).trim().to_owned();
    LifeSignsForm { ip: text("name"), tcp: text("tcp"), sip: text("sip") }
}

/// What is brought to switch a machine outside of a run.
pub(super) fn order(fields: &Fields) -> PowerOrder {
    PowerOrder {
        ip: value(fields, "name"),
        confirm_name: value(fields, "confirm_name").trim().to_owned(),
        reason: value(fields, "reason").trim().to_owned(),
        overrides: overridden(fields),
        password: Some(Secret::new(value(fields, "password"))),
    }
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
        url: text("url"),
        system: text("system"),
        fingerprint: text("fingerprint"),
        ca: text("ca"),
        status: script("status"),
        off: script("off"),
        shutdown: script("shutdown"),
        on: script("on"),
        soft: text("soft"),
    }
}
