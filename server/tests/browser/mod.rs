//! Somebody at the panel of a real machine, without JavaScript: logs in, opens pages, posts forms.
#![allow(clippy::panic, clippy::unwrap_used, dead_code, missing_docs, reason = "test code")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::machines::Machine;

/// What came back.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// One person with a session of their own.
#[derive(Debug)]
pub struct Browser {
    port: u16,
    cookie: String,
}

impl Browser {
    /// A new user of that role, logged in.
    pub fn of_new_user(machine: &Machine, name: &str, role: &str) -> Self {
        let password = format!("la frase di {name}, lunga");
        let ran = machine.run_with(&["user", "add", name, "--role", role], &password);
        assert_eq!(ran.code, 0, "{ran:?}");
        Self::login(machine, name, &password)
    }

    /// The password of a user that was made here.
    pub fn password_of(name: &str) -> String {
        format!("la frase di {name}, lunga")
    }

    pub fn login(machine: &Machine, name: &str, password: &str) -> Self {
        let mut browser = Self { port: machine.panel, cookie: String::new() };
        let page = browser.post("/login", &[("name", name), ("password", password)]);
        assert_eq!(page.status, 303, "{page:?}");
        let set = page.head.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
        browser.cookie = set.filter_map(|line| line.split(';').next()).next_back().unwrap().to_owned();
        browser
    }

    pub fn get(&self, path: &str) -> Page {
        self.send(&format!("GET {path} HTTP/1.1\r\n"), "").unwrap()
    }

    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.try_post(path, fields).unwrap()
    }

    /// The same at a machine that may be down.
    pub fn try_post(&self, path: &str, fields: &[(&str, &str)]) -> std::io::Result<Page> {
        let body =
            fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&");
        let kind = "Content-Type: application/x-www-form-urlencoded";
        self.send(&format!("POST {path} HTTP/1.1\r\n{kind}\r\nContent-Length: {}\r\n", body.len()), &body)
    }

    fn send(&self, head: &str, body: &str) -> std::io::Result<Page> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let cookie = &self.cookie;
        let more = format!("Host: 127.0.0.1\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n{body}");
        stream.write_all(format!("{head}{more}").as_bytes())?;
        let mut text = Vec::new();
        stream.read_to_end(&mut text)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let cut_off = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(cut_off)?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(cut_off)?;
        Ok(Page { status, head: head.to_owned(), body: body.to_owned() })
    }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).into() } else { format!("%{byte:02X}") })
        .collect()
}
