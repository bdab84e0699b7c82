//! Feeding: a server is brought to where a journal ends.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::gtid::Position;
use crate::journal::Journal;
use crate::server::{From, Look, Server, quoted};

/// How far a server says to be while a seed is loaded into it: nobody was ever there.
const LOADING: &str = "4294967294-1-1";

/// What feeding came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fed {
    /// Where the server stands now.
    pub position: Position,
    /// Transactions that were replayed.
    pub transactions: u64,
    /// Whether the seed was loaded first.
    pub reloaded: bool,
    /// Where the server's content was dumped to before, because nobody else had it.
    pub aside: Option<PathBuf>,
}

impl Journal {
    /// Brings the server to where the journal ends, from wherever it is; it may have been begun before. Where it is nowhere
    /// in the journal the seed is loaded, over what is there; what nobody else has is dumped into `aside` first. `own`:
    /// the journal was begun by this very server.
    ///
    /// # Errors
    /// [`ErrorKind::Occupied`] where the server has data and was never fed from here; [`ErrorKind::Unsuited`] where both
    /// servers have the same id; [`ErrorKind::Unplayable`] where it does not end where the journal does.
    pub fn feed(&self, server: &Server, own: bool, aside: &Path, stop: &(dyn Fn() -> bool + Sync)) -> Result<Fed> {
        let volume = self.whole()?;
        let look = server.look()?;
        look.check()?;
        if look.id == volume.seed.server && !own {
            let text = format!("both servers have the id {}: give this one another server_id", look.id);
            return Err(Error::new(ErrorKind::Unsuited, text));
        }
        let mut found = volume.find(&look.position)?;
        let (mut reloaded, mut put_aside) = (false, None);
        if found.at.is_none() {
            put_aside = self.make_way(server, &look, aside, stop)?;
            let seeded = volume.seed.position()?;
            load(server, &volume.dir, &look, &seeded, stop)?;
            found = volume.find(&seeded)?;
            reloaded = true;
        }
        let end = found.position.clone();
        if let (Some(from), Some(to)) = (found.at, found.end)
            && from != found.end
        {
            server.play(false, From::Tool(volume.between(from, to)), stop)?;
        }
        let position = if reloaded || found.left > 0 { server.look()?.position } else { look.position };
        if position != end {
            let text = format!("the server stands at {position} and the journal ends at {end}");
            return Err(Error::new(ErrorKind::Unplayable, text));
        }
        let known = end.to_string();
        self.remember(|state| state.known = Some(known))?;
        Ok(Fed { position: end, transactions: found.left, reloaded, aside: put_aside })
    }

    /// Whether the server stands where the journal ends.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`], [`ErrorKind::NoSeed`].
    pub fn is_fed(&self, server: &Server) -> Result<bool> {
        Ok(server.look()?.position == self.end()?)
    }

    /// Sees to it that what is on the server is somewhere else, too.
    fn make_way(
        &self,
        server: &Server,
        look: &Look,
        aside: &Path,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<PathBuf>> {
        let position = look.position.to_string();
        if look.schemas.is_empty() || position == LOADING {
            return Ok(None);
        }
        let Some(known) = self.state().known else {
            let text = format!("the server has databases of its own: {}", look.schemas.join(", "));
            return Err(Error::new(ErrorKind::Occupied, text));
        };
        if known == position {
            return Ok(None);
        }
        // A dump is as secret as the server it was made of.
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(aside);
        made.map_err(crate::error::at("make", aside))?;
        let (whole, part) = (aside.join(format!("{position}.sql")), aside.join(format!("{position}.part")));
        if !whole.exists() {
            let _ = fs::remove_file(&part);
            server.dump(&look.schemas, &part, stop)?;
            fs::rename(&part, &whole).map_err(crate::error::at("write", &whole))?;
        }
        Ok(Some(whole))
    }
}

/// Makes a server what the seed says. A crash within leaves it at a position where nobody was: it is loaded again then.
fn load(
    server: &Server,
    volume: &Path,
    look: &Look,
    position: &Position,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<()> {
    server.close()?;
    server.ask(&format!("RESET MASTER; SET GLOBAL gtid_binlog_state = '{LOADING}'"))?;
    let mut clear: String = look.schemas.iter().map(|name| format!("DROP DATABASE {};\n", quoted(name))).collect();
    for (name, is_role) in server.account_names()? {
        clear.push_str(&format!("DROP {} {name};\n", if is_role { "ROLE" } else { "USER" }));
    }
    server.play(true, From::Text(&clear), stop)?;
    server.play(true, From::File(&volume.join("dump.sql")), stop)?;
    server.play(true, From::File(&volume.join("accounts.sql")), stop)?;
    server.ask(&format!("RESET MASTER; SET GLOBAL gtid_binlog_state = '{position}'")).map(drop)
}
