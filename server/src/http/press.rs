//! What the forms of the button bring along: words, reasons, consents and proofs.

use app::action::{ATTEST, DISCARD, OVERRIDE, OVERRIDE_TICK};
use contract::command::Secret;
use contract::failback::Failback;
use contract::isolation::Attestation;
use contract::preflight::{Override, Release, Take};
use contract::{Denied, FieldError, Problem};

use super::forms::{Fields, under, value};
use super::{approval, isolation};

/// What is brought to take the service. A word or a reason that was left empty was not given.
///
/// # Errors
/// [`Denied::Invalid`]: something was ticked, and what belongs to it was not typed.
pub(super) fn taken(fields: &Fields) -> Result<Take, Denied> {
    let overrides = overridden(fields);
    let reasonless = |(guard, _): &(&str, String)| value(fields, &format!("{OVERRIDE}{guard}")).trim().is_empty();
    let ticked = under(fields, OVERRIDE_TICK).filter(reasonless);
    let errors: Vec<FieldError> =
        ticked.map(|(guard, _)| FieldError::new(format!("{OVERRIDE}{guard}"), Problem::Required)).collect();
    if !errors.is_empty() {
        return Err(Denied::Invalid(errors));
    }
    Ok(Take {
        confirm_name: value(fields, "confirm_name").trim().to_owned(),
        reason: value(fields, "reason").trim().to_owned(),
        attest: attested(fields),
        accept_data_loss: !value(fields, "accept_data_loss").is_empty(),
        overrides,
        point: Some(value(fields, "point")).filter(|point| !point.is_empty()),
        power_off: isolation::powered_off(fields)?,
        member: Some(value(fields, "member")).filter(|member| !member.is_empty()),
        break_glass: approval::break_glass(fields),
        password: Some(Secret::new(value(fields, "password"))),
    })
}

/// What an operator brings to give the service back with what was made on the DR.
pub(super) fn sent_home(fields: &Fields) -> Failback {
    let ticked = |name: &str| !value(fields, name).is_empty();
    let left = fields.iter().filter(|(_, ticked)| !ticked.is_empty());
    let left = left.filter_map(|(name, _)| name.strip_prefix(DISCARD)).map(str::to_owned);
    Failback {
        confirm_name: value(fields, "confirm_name").trim().to_owned(),
        reason: value(fields, "reason").trim().to_owned(),
        discard: left.collect(),
        discard_dr_data: ticked("discard_dr_data"),
        accept_data_loss: ticked("accept_data_loss"),
        member: Some(value(fields, "member")).filter(|member| !member.is_empty()),
        break_glass: approval::break_glass(fields),
        password: Some(Secret::new(value(fields, "password"))),
    }
}

/// What an operator brings to give the service back without it, or to stop it.
pub(super) fn released(fields: &Fields) -> Release {
    Release {
        confirm_name: value(fields, "confirm_name").trim().to_owned(),
        reason: value(fields, "reason").trim().to_owned(),
        discard_dr_data: !value(fields, "discard_dr_data").is_empty(),
        break_glass: approval::break_glass(fields),
        password: Some(Secret::new(value(fields, "password"))),
    }
}

/// The words of whoever vouches, each for a machine.
pub(super) fn attested(fields: &Fields) -> Vec<Attestation> {
    let word = |(ip, text): (&str, String)| Attestation { ip: ip.to_owned(), text };
    under(fields, ATTEST).map(word).collect()
}

/// The guards that are passed, each with its reason.
pub(super) fn overridden(fields: &Fields) -> Vec<Override> {
    let one = |(guard, reason): (&str, String)| {
        let (rule, subject) = guard.split_once('@').map_or((guard, None), |(rule, of)| (rule, Some(of.to_owned())));
        Override { rule: rule.to_owned(), subject, reason }
    };
    under(fields, OVERRIDE).map(one).collect()
}
