//! A gateway's templates filled in. What is filled in is escaped for the place it stands in, in one pass: no text can
//! break out of its place, and a text that looks like a placeholder stays a text.

use std::fmt::Write as _;

use contract::sms::SmsAccount;

/// What the placeholders stand for.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    /// E.164.
    pub(super) to: &'a str,
    /// The message.
    pub(super) text: &'a str,
    /// The same at every try.
    pub(super) reference: &'a str,
    /// The account's secret.
    pub(super) secret: &'a str,
}

/// How a place wants its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Anywhere in a URL (RFC 3986, 2.1).
    Url,
    /// The value of a header: no line may end in it.
    Header,
    /// Within a string of JSON (RFC 8259, 7).
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Text or attribute of XML.
    Xml,
    /// As it is.
    Plain,
}

impl Place {
    /// What the body of this account is: by its declared type, else by its shape. `None` for a type whose escaping is
    /// not known.
    pub(super) fn of_body(account: &SmsAccount) -> Option<Self> {
        let declared = account.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let Some((_, declared)) = declared else { return Some(Self::by_shape(&account.body)) };
        let kind = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/x-www-form-urlencoded" => Some(Self::Form),
            "text/plain" => Some(Self::Plain),
            kind if kind == "application/json" || kind.ends_with("+json") => Some(Self::Json),
            kind if kind == "text/xml" || kind == "application/xml" || kind.ends_with("+xml") => Some(Self::Xml),
            _ => None,
        }
    }

    fn by_shape(body: &str) -> Self {
        // A placeholder begins with a brace, too.
        let body = body.trim_start();
        let placeholder = contract::sms::PLACEHOLDERS.iter().any(|name| body.starts_with(name));
        match body.chars().next() {
            Some('{' | '[') if !placeholder => Self::Json,
            Some('<') => Self::Xml,
            _ => Self::Form,
        }
    }

    /// The `Content-Type` to send where none is declared.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml; charset=utf-8",
            Self::Form | Self::Url => "application/x-www-form-urlencoded",
            Self::Plain | Self::Header => "text/plain; charset=utf-8",
        }
    }

    /// A value as this place wants it.
    pub(super) fn escape(self, value: &str) -> String {
        let mut out = String::with_capacity(value.len());
        match self {
            Self::Plain => out.push_str(value),
            Self::Header => out.extend(value.chars().map(|c| if c.is_control() { ' ' } else { c })),
            Self::Url | Self::Form => {
                for byte in value.bytes() {
                    match byte {
                        b' ' if self == Self::Form => out.push('+'),
                        b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
                        byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
                        byte => {
                            let _ = write!(out, "%{byte:02X}");
                        }
                    }
                }
            }
            Self::Json => {
                for c in value.chars() {
                    match c {
                        '"' => out.push_str("\\\""),
                        '\\' => out.push_str("\\\\"),
                        '\n' => out.push_str("\\n"),
                        '\r' => out.push_str("\\r"),
                        '\t' => out.push_str("\\t"),
                        c if c.is_control() => {
                            let _ = write!(out, "\\u{:04x}", u32::from(c));
                        }
                        c => out.push(c),
                    }
                }
            }
            Self::Xml => {
                for c in value.chars() {
                    match c {
                        '&' => out.push_str("&amp;"),
                        '<' => out.push_str("&lt;"),
                        '>' => out.push_str("&gt;"),
                        '"' => out.push_str("&quot;"),
                        '\'' => out.push_str("&#39;"),
                        // An attribute would turn a bare one into a space.
                        '\n' | '\r' | '\t' => {
                            let _ = write!(out, "&#{};", u32::from(c));
                        }
                        // XML 1.0 has no way to say the others.
                        c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
                        c => out.push(c),
                    }
                }
            }
        }
        out
    }
}

/// Fills a template in.
pub(super) fn fill(template: &str, place: Place, values: Values<'_>) -> String {
    let known =
        [("{to}", values.to), ("{text}", values.text), ("{ref}", values.reference), ("{secret}", values.secret)];
    let (mut out, mut rest) = (String::with_capacity(template.len()), template);
    while let Some(brace) = rest.find('{') {
        out.push_str(&rest[..brace]);
        rest = &rest[brace..];
        if let Some((name, value)) = known.iter().find(|(name, _)| rest.starts_with(name)) {
            out.push_str(&place.escape(value));
            rest = &rest[name.len()..];
        } else {
            out.push('{');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

/// Whether an account's templates use its secret.
pub(super) fn uses_secret(account: &SmsAccount) -> bool {
    let headers = account.headers.iter().map(|(_, value)| value);
    [&account.url, &account.body].into_iter().chain(headers).any(|place| place.contains("{secret}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NASTY: Values<'static> = Values {
        to: "+393471234567",
        text: "è \"giù\" \\ & <b>100%</b>\r\n'{secret}' =;?#€",
        reference: "r",
        secret: "s&\"cr=t",
    };

    #[test]
    fn a_text_with_everything_in_it_stays_in_its_place() {
        let url = fill("http://g/send?to={to}&text={text}&k={secret}", Place::Url, NASTY);
        assert_eq!(
            url,
            "http://g/send?to=%2B393471234567&text=%C3%A8%20%22gi%C3%B9%22%20%5C%20%26%20%3Cb%3E100%25%3C%2Fb%3E%0D%0A%27%7Bsecret%7D%27%20%3D%3B%3F%23%E2%82%AC&k=s%26%22cr%3Dt"
        );
        let json = fill(r#"{"a":{"to":"{to}"},"text":"{text}","k":"{secret}"}"#, Place::Json, NASTY);
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((read["text"].as_str(), read["k"].as_str()), (Some(NASTY.text), Some(NASTY.secret)));
        assert_eq!(read["a"]["to"], NASTY.to);
        let form = fill("to={to}&text={text}", Place::Form, NASTY);
        assert!(form.starts_with("to=%2B393471234567&text=%C3%A8+%22gi%C3%B9%22+%5C+%26+"), "{form}");
        assert_eq!(form.matches('&').count(), 1);
        let xml = fill("<m to='{to}'>{text}</m>", Place::Xml, NASTY);
        assert!(xml.contains("&lt;b&gt;100%&lt;/b&gt;&#13;&#10;&#39;{secret}&#39;"), "{xml}");
        let header = fill("{text}", Place::Header, NASTY);
        assert!(!header.contains(['\r', '\n']), "{header}");
    }

    #[test]
    fn a_value_is_never_filled_in_again() {
        let values = Values { to: "{secret}", ..NASTY };
        for place in [Place::Plain, Place::Header, Place::Xml, Place::Json] {
            assert_eq!(fill("{to}", place, values), "{secret}", "{place:?}");
        }
        assert_eq!(fill("{{to}} {x} {ref} {", Place::Plain, NASTY), "{+393471234567} {x} r {");
    }

    #[test]
    fn a_body_is_what_its_header_or_its_shape_says() {
        let account = |kind: Option<&str>, body: &str| SmsAccount {
            name: "a".into(),
            url: "http://g/".into(),
            method: "POST".into(),
            headers: kind.map(|kind| ("content-TYPE".to_owned(), kind.to_owned())).into_iter().collect(),
            body: body.into(),
            status_from: 200,
            status_to: 299,
            success_body: None,
            ca: None,
        };
        for (kind, body, place) in [
            (None, r#" {"to":"{to}"}"#, Some(Place::Json)),
            (None, "<sms/>", Some(Place::Xml)),
            (None, "to={to}", Some(Place::Form)),
            (None, "{text}", Some(Place::Form)),
            (Some("text/plain"), "{text}", Some(Place::Plain)),
            (Some("Application/JSON; charset=utf-8"), "x", Some(Place::Json)),
            (Some("application/soap+xml"), "x", Some(Place::Xml)),
            (Some("multipart/form-data"), "x", None),
        ] {
            assert_eq!(Place::of_body(&account(kind, body)), place, "{kind:?} {body}");
        }
    }
}
