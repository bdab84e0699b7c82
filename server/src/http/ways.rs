//! The forms about who is told, by which ways and from when on: Soglie, SMTP, SMS, the language of messages. What a form
//! means that was sent without JavaScript is found out here.

use contract::command::Secret;
use contract::sms::SmsForm;
use contract::smtp::{Security, SmtpForm};
use contract::threshold::Threshold;
use contract::{Command, Denied, FieldError, Lang, Problem};

use super::forms::{Fields, value};

fn trimmed(fields: &Fields, name: &str) -> String {
    value(fields, name).trim().to_owned()
}

/// A secret that was typed; an empty field leaves the one that is stored.
fn secret(fields: &Fields, name: &str) -> Option<Secret> {
    Some(value(fields, name)).filter(|typed| !typed.is_empty()).map(Secret::new)
}

/// The language of messages, where the form has it.
pub(super) fn language(fields: &Fields) -> Result<Option<Lang>, Denied> {
    if !fields.iter().any(|(name, _)| name == "language") {
        return Ok(None);
    }
    let unknown = || Denied::field("language", Problem::NotOneOf("it, en".into()));
    Lang::from_tag(&value(fields, "language")).map(Some).ok_or_else(unknown)
}

/// Every limit that the form has.
pub(super) fn thresholds(fields: &Fields) -> Command {
    let there = |limit: &&Threshold| fields.iter().any(|(name, _)| name == limit.name());
    let values = Threshold::ALL.iter().filter(there);
    Command::ThresholdsSet {
        values: values.map(|limit| (limit.name().to_owned(), trimmed(fields, limit.name()))).collect(),
    }
}

/// The mail server. Without the switch *Autenticazione* what stands in the fields below it counts for nothing.
pub(super) fn smtp(fields: &Fields) -> Result<Command, Denied> {
    let text = |name: &str| trimmed(fields, name);
    let authenticates = value(fields, "auth") == "on";
    let form = SmtpForm {
        server: text("server"),
        port: port(&text("port"), &text("security"), &text("drawn_port"), &text("drawn_security")),
        security: text("security"),
        from: text("from"),
        user: if authenticates { text("user") } else { String::new() },
        password: if authenticates { secret(fields, "password") } else { None },
        ca: text("ca"),
    };
    if authenticates && form.user.is_empty() {
        let mut errors = form.check().err().unwrap_or_default();
        errors.push(FieldError::new("user", Problem::Required));
        return Err(Denied::Invalid(errors));
    }
    Ok(Command::SmtpSet(form))
}

/// A port that was left as it was drawn, and was the one that goes with the security, goes with the new security.
fn port(typed: &str, security: &str, drawn_port: &str, drawn_security: &str) -> String {
    let went_with = drawn_security.parse::<Security>().is_ok_and(|drawn| drawn.port().to_string() == drawn_port);
    match security.parse::<Security>() {
        Ok(now) if went_with && typed == drawn_port => now.port().to_string(),
        _ => typed.to_owned(),
    }
}

/// An SMS account. Line ends come as a browser sends them.
pub(super) fn sms_account(fields: &Fields) -> Command {
    let text = |name: &str| trimmed(fields, name);
    Command::SmsAccountAdd(SmsForm {
        name: text("name"),
        url: text("url"),
        method: text("method"),
        headers: text("headers").lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect(),
        body: text("body").replace("\r\n", "\n"),
        success_status: text("success_status"),
        success_body: text("success_body"),
        secret: secret(fields, "secret"),
        ca: text("ca"),
        new: !text("fresh").is_empty(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_untouched_port_follows_the_security_and_a_chosen_one_stays() {
        for (typed, security, drawn_port, drawn_security, port_is) in [
            ("25", "tls", "25", "none", "465"),
            ("465", "starttls", "465", "tls", "587"),
            ("465", "tls", "465", "tls", "465"),
            // Another was chosen before, or is now.
            ("2525", "tls", "2525", "none", "2525"),
            ("25", "starttls", "25", "starttls", "25"),
            ("25", "starttls", "587", "starttls", "25"),
            // With JavaScript the page says nothing of what it was drawn with: what is typed is meant.
            ("25", "starttls", "", "", "25"),
            ("25", "nonsense", "25", "none", "25"),
        ] {
            assert_eq!(port(typed, security, drawn_port, drawn_security), port_is, "{typed} {security} {drawn_port}");
        }
    }
}
