//! The few words a page reads from its address. Unknown ones are ignored: an address is typed by anybody.

/// The value of one word of a query string.
pub(super) fn value(path: &str, name: &str) -> Option<String> {
    let query = path.split_once('?')?.1;
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let found = pairs.filter(|(key, _)| *key == name).map(|(_, value)| decode(value)).next_back()?;
    Some(found)
}

/// Percent-encoding undone; what is not UTF-8 is replaced.
fn decode(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let hex: Vec<u8> = bytes.by_ref().take(2).collect();
                let parsed = std::str::from_utf8(&hex).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
                out.push(parsed.unwrap_or(b'?'));
            }
            other => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A path as it may stand in a query.
pub(super) fn encode(text: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    text.bytes().map(|b| if keep(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_whatever_stands_in_the_address() {
        assert_eq!(value("/registro?upto=12&verify=1", "upto").as_deref(), Some("12"));
        assert_eq!(value("/login?next=%2Fdati%3Fx%3D1+y", "next").as_deref(), Some("/dati?x=1 y"));
        assert_eq!(value("/registro?verify", "verify").as_deref(), Some(""));
        assert_eq!(value("/registro?upto=%zz%", "upto").as_deref(), Some("??"));
        assert_eq!(value("/registro", "upto"), None);
        assert_eq!(value(&format!("/?next={}", encode("/dati?x=è")), "next").as_deref(), Some("/dati?x=è"));
    }
}
