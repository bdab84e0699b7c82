//! The accounts of a machine by name and number, as its own files have them: a directory service is not asked. It refuses
//! names that no account can have.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::field::{Fields, put_string};
use crate::store::write_durably;
use crate::wire::CHUNK;

/// Longest name of an account (`useradd` takes 32 bytes, directory services more).
const LONGEST: usize = 255;

const USER: u8 = 0;
const GROUP: u8 = 1;

/// What a source told last, beside the generations that were made by it.
const TOLD: &str = "accounts";

/// The accounts of a machine, as passwd(5) and group(5) list them: of several lines the first one counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    pub(crate) users: Vec<(String, u32)>,
    pub(crate) groups: Vec<(String, u32)>,
}

impl Accounts {
    /// Reads `passwd` and `group` in this directory.
    pub fn read(etc: &Path) -> Result<Self> {
        let list = |name: &str| {
            let path = etc.join(name);
            let text = fs::read(&path).map_err(|e| Error::io("cannot read the accounts of this machine", &path, e))?;
            let mut found = Vec::new();
            for line in String::from_utf8_lossy(&text).lines() {
                let mut fields = line.split(':');
                if let (Some(name), Some(Ok(number))) = (fields.next(), fields.nth(1).map(str::parse))
                    && is_a_name(name)
                {
                    found.push((name.to_owned(), number));
                }
            }
            Ok::<_, Error>(found)
        };
        Ok(Self { users: list("passwd")?, groups: list("group")? })
    }

    /// As they travel: kind u8, number u32, name; as many as one frame holds.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let users = self.users.iter().map(|user| (USER, user));
        for (kind, (name, number)) in users.chain(self.groups.iter().map(|group| (GROUP, group))) {
            if out.len() + name.len() + 16 > CHUNK {
                break;
            }
            out.push(kind);
            out.extend_from_slice(&number.to_le_bytes());
            put_string(&mut out, name.as_bytes());
        }
        out
    }

    /// Undoes [`Accounts::encode`].
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let malformed = || Error::protocol("malformed names of accounts");
        let (mut fields, mut accounts) = (Fields::new(bytes), Self::default());
        while !fields.is_empty() {
            let (kind, number, name) = (fields.u8()?, fields.u32()?, fields.string()?);
            let name = std::str::from_utf8(name).ok().filter(|name| is_a_name(name)).ok_or_else(malformed)?;
            let list = match kind {
                USER => &mut accounts.users,
                GROUP => &mut accounts.groups,
                _ => return Err(malformed()),
            };
            list.push((name.to_owned(), number));
        }
        Ok(accounts)
    }

    /// What the source told last; `None`: its owners are numbers, or the file cannot be read and it is asked again.
    pub(crate) fn told(store: &Path) -> Option<Self> {
        Self::decode(&fs::read(store.join(TOLD)).ok()?).ok()
    }

    /// Keeps what the source tells now.
    pub(crate) fn keep_told(told: Option<&Self>, store: &Path) -> Result<()> {
        let path = store.join(TOLD);
        match told {
            now if now == Self::told(store).as_ref() => Ok(()),
            Some(told) => write_durably(&path, &told.encode()),
            None => fs::remove_file(&path).map_err(|e| Error::io("cannot forget the accounts of the source", &path, e)),
        }
    }
}

fn is_a_name(name: &str) -> bool {
    (1..=LONGEST).contains(&name.len()) && !name.contains(|c: char| c.is_control() || c == ':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_account_is_passed_over() {
        let etc = tempfile::tempdir().unwrap();
        let passwd = "root:x:0:0::/root:/bin/sh\n# a comment\nbad:x:many:1::/:\n\npbx:x:1000:1000::/:\n";
        fs::write(etc.path().join("passwd"), passwd).unwrap();
        fs::write(etc.path().join("group"), "root:x:0:\npbx:x:1000:a,b\n+:::\n").unwrap();
        let read = Accounts::read(etc.path()).unwrap();
        let both = [("root".to_owned(), 0), ("pbx".to_owned(), 1000)];
        assert_eq!((&read.users[..], &read.groups[..]), (&both[..], &both[..]));
        assert_eq!(Accounts::decode(&read.encode()).unwrap(), read);
        assert!(Accounts::read(&etc.path().join("nowhere")).is_err());
    }

    #[test]
    fn names_that_no_account_has_are_refused() {
        let frame = |kind: u8, name: &[u8]| {
            let mut out = vec![kind, 1, 0, 0, 0];
            put_string(&mut out, name);
            out
        };
        assert!(Accounts::decode(&frame(USER, b"pbx")).is_ok());
        let long = frame(USER, &[b'a'; 256]);
        for bad in [&frame(2, b"pbx")[..], &frame(USER, b""), &frame(USER, b"a\nb"), &frame(USER, b"a:b"), &long] {
            assert!(Accounts::decode(bad).is_err(), "{bad:?}");
        }
        assert!(Accounts::decode(&frame(USER, b"pbx")[..7]).is_err());
    }

    #[test]
    fn what_was_told_stays_until_something_else_is_told() {
        let store = tempfile::tempdir().unwrap();
        let told = Accounts { users: vec![("pbx".into(), 7)], groups: vec![] };
        Accounts::keep_told(None, store.path()).unwrap();
        Accounts::keep_told(Some(&told), store.path()).unwrap();
        assert_eq!(Accounts::told(store.path()), Some(told));
        Accounts::keep_told(None, store.path()).unwrap();
        assert_eq!(Accounts::told(store.path()), None);
    }
}
