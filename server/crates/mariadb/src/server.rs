//! One server of this machine, by its Unix socket.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::child::{self, Running, Stop};
use crate::error::{Error, ErrorKind, Result, at};
use crate::gtid::Position;

/// How long a server may think about a question.
const PATIENCE: Duration = Duration::from_secs(15);

/// Schemas that are the server itself.
const SYSTEM: &[&str] = &["information_schema", "performance_schema", "mysql", "sys"];

/// Accounts by which this machine is run: they are never replaced by another machine's.
const OWN_ACCOUNTS: &[&str] = &["'root'@'localhost'", "'mysql'@'localhost'", "'mariadb.sys'@'localhost'"];

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    socket: PathBuf,
}

/// What a server is at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Its version, as it says it.
    pub version: String,
    /// `@@server_id`.
    pub id: u32,
    /// How far its binary log is.
    pub position: Position,
    /// Whether only its administrators can write.
    pub closed: bool,
    /// Whether its own events run.
    pub events: bool,
    /// Where its binary log lies, without the number at the end; `None` if it keeps none.
    pub log: Option<PathBuf>,
    /// `@@binlog_format`.
    pub format: String,
    /// Databases that are not the server's own.
    pub schemas: Vec<String>,
}

impl Look {
    /// Why the server cannot be one of a pair.
    ///
    /// # Errors
    /// [`ErrorKind::Unsuited`], with what its administrator is to change.
    pub fn check(&self) -> Result<()> {
        let unsuited = |what: &str| Err(Error::new(ErrorKind::Unsuited, what));
        if self.log.is_none() {
            return unsuited("the server keeps no binary log: set log_bin, log_slave_updates and binlog_format=ROW");
        }
        if self.format != "ROW" {
            return unsuited("the server's binary log does not hold rows: set binlog_format=ROW");
        }
        if self.id == 0 {
            return unsuited("the server has no id of its own: set server_id");
        }
        Ok(())
    }
}

impl Server {
    /// The server at a Unix socket. Who asks is the user that this process runs as, or whoever `~/.my.cnf` says.
    #[must_use]
    pub fn at(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// What it is now.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`] where it does not answer.
    pub fn look(&self) -> Result<Look> {
        let said = self.ask(
            "SELECT @@version, @@server_id, @@gtid_binlog_pos, @@read_only, @@event_scheduler, \
             IFNULL(@@log_bin_basename, ''), @@binlog_format; SHOW DATABASES;",
        )?;
        let mut lines = said.lines();
        let fields: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
        let odd = || Error::new(ErrorKind::Unsuited, "the server's answer cannot be read");
        let [version, id, position, closed, events, log, format] = fields[..] else { return Err(odd()) };
        let log = Some(log).filter(|log| !log.is_empty() && *log != "NULL").map(PathBuf::from);
        Ok(Look {
            version: version.to_owned(),
            id: id.parse().map_err(|_| odd())?,
            position: position.parse().map_err(|_| odd())?,
            closed: closed == "1",
            events: events == "ON",
            log,
            format: format.to_owned(),
            schemas: lines.filter(|name| !SYSTEM.contains(name)).map(str::to_owned).collect(),
        })
    }

    /// Keeps everybody but its administrators from writing, and its own events from running.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`], and what the server says.
    pub fn close(&self) -> Result<()> {
        self.ask("SET GLOBAL event_scheduler = OFF; SET GLOBAL read_only = 1;").map(drop)
    }

    /// Lets everybody write, into a binary log that begins here; its own events run where `events`.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`], and what the server says.
    pub fn open(&self, events: bool) -> Result<()> {
        let events = if events { "SET GLOBAL event_scheduler = ON;" } else { "" };
        self.ask(&format!("FLUSH LOCAL BINARY LOGS; {events} SET GLOBAL read_only = 0;")).map(drop)
    }

    /// Where its binary log is, and how far: file, byte and position of one moment.
    pub(crate) fn stands(&self) -> Result<(String, u64, Position)> {
        let said =
            self.ask("FLUSH TABLES WITH READ LOCK; SHOW MASTER STATUS; SELECT @@gtid_binlog_pos; UNLOCK TABLES;")?;
        let mut lines = said.lines();
        let mut read = || {
            let mut fields = lines.next()?.split('\t');
            Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?, lines.next()?.parse().ok()?))
        };
        read().ok_or_else(|| Error::new(ErrorKind::Unsuited, "the server does not say where its binary log is"))
    }

    /// The answers to some statements, a line for each row, its fields separated by tabs.
    pub(crate) fn ask(&self, statements: &str) -> Result<String> {
        let mut command = self.client();
        command.args(["--batch", "--raw", "--skip-column-names", "--execute", statements]).stdout(Stdio::piped());
        let mut running = Running::start(command)?;
        let stdout = running.child().stdout.take();
        child::wait(vec![running], Some(PATIENCE), &|| false, || {
            let mut said = String::new();
            if let Some(mut stdout) = stdout {
                let read = stdout.read_to_string(&mut said);
                read.map_err(|error| Error::new(ErrorKind::Io, format_args!("the server cannot be heard: {error}")))?;
            }
            Ok(said)
        })
    }

    /// Has the client take statements from a file, or from what other tools say. Nothing of it is logged where `unlogged`.
    pub(crate) fn play(&self, unlogged: bool, from: From<'_>, stop: Stop<'_>) -> Result<()> {
        let mut client = self.client();
        client.args(["--batch", "--binary-mode", "--default-character-set=utf8mb4", "--max-allowed-packet=1G"]);
        if unlogged {
            client.arg("--init-command=SET SESSION sql_log_bin = 0");
        }
        match from {
            From::File(path) => {
                client.stdin(fs::File::open(path).map_err(at("read", path))?);
                child::wait(vec![Running::start(client)?], None, stop, || Ok(()))
            }
            From::Text(text) => {
                client.stdin(Stdio::piped());
                let mut client = Running::start(client)?;
                let stdin = client.stdin();
                child::wait(vec![client], None, stop, || {
                    // A client that hung up says why by itself.
                    let _ = stdin.map(|mut stdin| stdin.write_all(text.as_bytes()));
                    Ok(())
                })
            }
            From::Tool(mut tool) => {
                tool.stdout(Stdio::piped());
                let mut tool = Running::start(tool)?;
                let Some(said) = tool.child().stdout.take() else {
                    return Err(Error::new(ErrorKind::Io, "a tool without a voice"));
                };
                client.stdin(said);
                child::wait(vec![tool, Running::start(client)?], None, stop, || Ok(()))
            }
        }
    }

    /// A consistent dump of these databases into a new file.
    pub(crate) fn dump(&self, schemas: &[String], to: &Path, stop: Stop<'_>) -> Result<()> {
        let file = fs::File::create_new(to).map_err(at("write", to))?;
        let mut dump = child::tool("mariadb-dump");
        dump.arg(self.socket_argument())
            .args(["--single-transaction", "--master-data=2", "--gtid", "--routines", "--events", "--triggers"])
            .args(["--hex-blob", "--default-character-set=utf8mb4", "--max-allowed-packet=1G", "--databases"])
            .args(schemas)
            .stdout(file.try_clone().map_err(at("write", to))?);
        child::wait(vec![Running::start(dump)?], None, stop, || Ok(()))?;
        file.sync_all().map_err(at("write", to))
    }

    /// The statements that make the accounts of this server on another one, but for those that run the machine.
    pub(crate) fn accounts(&self) -> Result<String> {
        let mut statements = String::new();
        for (name, is_role) in self.account_names()? {
            if is_role {
                statements.push_str(&format!("CREATE OR REPLACE ROLE {name};\n"));
            } else {
                let made = self.ask(&format!("SHOW CREATE USER {name}"))?;
                statements.push_str(&made.trim_end().replacen("CREATE USER", "CREATE OR REPLACE USER", 1));
                statements.push_str(";\n");
            }
        }
        for (name, _) in self.account_names()? {
            for grant in self.ask(&format!("SHOW GRANTS FOR {name}"))?.lines() {
                statements.push_str(grant);
                statements.push_str(";\n");
            }
        }
        Ok(statements)
    }

    /// Accounts and roles, but for those that run the machine; quoted, with whether it is a role.
    pub(crate) fn account_names(&self) -> Result<Vec<(String, bool)>> {
        let said = self.ask(
            "SELECT IF(is_role, QUOTE(user), CONCAT(QUOTE(user), '@', QUOTE(host))), is_role FROM (SELECT user, host, \
             IFNULL(JSON_VALUE(priv, '$.is_role'), 0) = 1 AS is_role FROM mysql.global_priv) AS account \
             WHERE user <> 'PUBLIC' ORDER BY is_role DESC, user, host;",
        )?;
        let accounts = said.lines().filter_map(|line| line.rsplit_once('\t'));
        let others = accounts.filter(|(name, _)| !OWN_ACCOUNTS.contains(name));
        Ok(others.map(|(name, is_role)| (name.to_owned(), is_role == "1")).collect())
    }

    fn client(&self) -> Command {
        let mut client = child::tool("mariadb");
        client.arg(self.socket_argument());
        client
    }

    fn socket_argument(&self) -> String {
        format!("--socket={}", self.socket.display())
    }
}

/// Where statements come from.
pub(crate) enum From<'a> {
    File(&'a Path),
    Text(&'a str),
    Tool(Command),
}

/// A name in backquotes.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
