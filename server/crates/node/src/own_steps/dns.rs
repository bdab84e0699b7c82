//! Switching a DNS record on the servers that are authoritative for it: an update that holds only as long as the record
//! has the value that it is said to have (RFC 2136, 2.4.2), signed with a shared key (RFC 8945). What counts is what each
//! server answers afterwards. A value that nobody declared is somebody else's, and is left alone.

mod unlisted;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use contract::command::Secret;
use contract::own_step::{DNS_TTL_LONG, DnsWork, TsigKey};
use contract::{FieldError, Problem, Refused, Rule, Text, Timestamp};
use futures_util::future::join_all;
use hickory_proto::op::update_message::{self, UpdateMessage as _};
use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::tsig::{TsigAlgorithm, TsigError};
use hickory_proto::rr::{Name, RData, RecordSet, RecordType, TSigner};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Way;

/// For one question with its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The port where none is typed.
const PORT: u16 = 53;
/// How far the clocks may be apart, in seconds (RFC 8945, 10).
const FUDGE: u16 = 300;

/// What is to be switched, and where.
#[derive(Clone)]
pub(crate) struct Switch {
    zone: Name,
    record: Name,
    kind: RecordType,
    old: Vec<RData>,
    new: Vec<RData>,
    ttl: u32,
    servers: Vec<SocketAddr>,
    key: Option<TSigner>,
}

/// What a server has to say of the record.
#[derive(Debug, PartialEq)]
struct Answer {
    values: Vec<RData>,
    ttl: u32,
}

/// Why a server could not be asked, or did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    server: SocketAddr,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Unreachable(String),
    Unreadable(String),
    NotAuthoritative,
    Key(String),
    Refused(String),
    Foreign(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.server;
        match &self.kind {
            Kind::Unreachable(why) => write!(f, "{server}: no answer: {why}"),
            Kind::Unreadable(why) => write!(f, "{server}: its answer cannot be read: {why}"),
            Kind::NotAuthoritative => write!(f, "{server}: it is not authoritative for the zone"),
            Kind::Key(why) => write!(f, "{server}: it does not take the key: {why}"),
            Kind::Refused(why) => write!(f, "{server}: it refuses the update: {why}"),
            Kind::Foreign(found) => write!(f, "{server}: the record has another value: {found}"),
        }
    }
}

impl Trouble {
    /// What an operator can do about it beside trying again; `None` where there is nothing to add.
    pub(crate) fn remedy(&self) -> Option<Text> {
        Some(match self.kind {
            Kind::Foreign(_) => Text::new(
                "Qualcun altro ha cambiato il record: non è stato sovrascritto. Verificare chi e perché, rimettere il valore previsto, poi premere Riprendi.",
                "Somebody else has changed the record: it was not overwritten. Find out who and why, put the expected value back, then resume.",
            ),
            Kind::Key(_) => Text::new(
                "Il server non accetta la chiave TSIG: nome, algoritmo, segreto o orologio non coincidono. Cambiare il record a mano e confermare; correggere il passo per la prossima volta.",
                "The server does not take the TSIG key: name, algorithm, secret or clock differ. Change the record by hand and acknowledge; correct the step for the next time.",
            ),
            Kind::Refused(_) | Kind::NotAuthoritative => Text::new(
                "Il server non accetta aggiornamenti per questa zona da questa macchina o con questa chiave. Permetterli sul server, poi premere Riprendi.",
                "The server takes no updates for this zone from this machine or with this key. Allow them on the server, then resume.",
            ),
            Kind::Unreachable(_) | Kind::Unreadable(_) => return None,
        })
    }

    /// The same as something worth knowing beforehand.
    fn preview(&self, step: &str) -> Refused {
        let rule = match self.kind {
            Kind::Unreachable(_) | Kind::Unreadable(_) => Rule::StepUnreachable,
            Kind::Foreign(_) => Rule::StepValue,
            Kind::Key(_) | Kind::Refused(_) | Kind::NotAuthoritative => Rule::StepRefused,
        };
        Refused::new(rule, step, self.to_string())
    }
}

impl Switch {
    /// Reads a declaration.
    ///
    /// # Errors
    /// One [`FieldError`] for each field that cannot be taken.
    pub(crate) fn of(work: &DnsWork, secret: Option<&Secret>) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut keep = |field: &str, problem: Problem| errors.push(FieldError::new(field, problem));
        let mut name = |field: &str, text: &str| {
            let read = Name::from_ascii(text).map_err(|_| keep(field, Problem::NotAServer));
            read.unwrap_or_else(|()| Name::root())
        };
        let (zone, record) = (name("zone", &work.zone), name("record", &work.record));
        let kind: RecordType = work.record_type.parse().unwrap_or(RecordType::A);
        let mut values = |field: &str, texts: &[String]| {
            let mut set = Vec::new();
            for text in texts {
                match RData::try_from_str(kind, &full(kind, text)) {
                    Ok(value) => set.push(value),
                    Err(_) => keep(field, value_problem(text, Problem::NotARecord)),
                }
            }
            set
        };
        let (old, new) = (values("old_values", &work.old), values("new_values", &work.new));
        let mut servers = Vec::new();
        for text in &work.servers {
            match address(text) {
                Some(server) => servers.push(server),
                None => keep("servers", value_problem(text, Problem::NotAnIp)),
            }
        }
        let key =
            work.key.as_ref().and_then(|key| signer(key, secret).map_err(|(field, problem)| keep(field, problem)).ok());
        if errors.is_empty() {
            Ok(Self { zone, record, kind, old, new, ttl: work.ttl, servers, key })
        } else {
            Err(errors)
        }
    }

    const fn sides(&self, way: Way) -> (&Vec<RData>, &Vec<RData>) {
        match way {
            Way::There => (&self.old, &self.new),
            Way::Back => (&self.new, &self.old),
        }
    }

    /// Whether every server answers with the values of that way; `now` is in seconds since 1970.
    pub(crate) async fn is_made(&self, way: Way, now: u64) -> Option<String> {
        let wanted = self.sides(way).1;
        for server in &self.servers {
            let answer = self.ask(*server, now).await.ok()?;
            if !same(&answer.values, wanted) {
                return None;
            }
        }
        Some(format!("{} {} {}", self.record, self.kind, told(wanted)))
    }

    /// Switches wherever that was not done yet. A server that does not answer holds the others up only in the end; a value
    /// that nobody declared, on any of them, before anything is changed.
    ///
    /// # Errors
    /// The first [`Trouble`].
    pub(crate) async fn make(&self, way: Way, now: u64) -> Result<String, Trouble> {
        let (from, to) = self.sides(way);
        let mut late = None;
        let mut due = Vec::new();
        for server in &self.servers {
            match self.ask(*server, now).await {
                Ok(answer) if same(&answer.values, to) => {}
                Ok(answer) if same(&answer.values, from) => due.push(*server),
                Ok(answer) => return Err(Trouble { server: *server, kind: Kind::Foreign(told(&answer.values)) }),
                Err(trouble) => late = late.or(Some(trouble)),
            }
        }
        for server in due {
            self.swap(server, from, to, now).await?;
        }
        late.map_or_else(|| Ok(format!("{} {} {}", self.record, self.kind, told(to))), Err)
    }

    async fn swap(&self, server: SocketAddr, from: &[RData], to: &[RData], now: u64) -> Result<(), Trouble> {
        let set = |values: &[RData]| {
            let mut set = RecordSet::with_ttl(self.record.clone(), self.kind, self.ttl);
            for value in values {
                set.add_rdata(value.clone());
            }
            set
        };
        let update = update_message::compare_and_swap(set(from), set(to), self.zone.clone(), false);
        let answer = self.exchange(server, update, self.key.as_ref(), now).await?;
        match answer.metadata.response_code {
            ResponseCode::NoError => Ok(()),
            // It was changed between the question and the update.
            ResponseCode::NXRRSet => {
                let found = self.ask(server, now).await?;
                if same(&found.values, to) { Ok(()) } else { Err(Kind::Foreign(told(&found.values)).at(server)) }
            }
            code => Err(code_trouble(server, code)),
        }
    }

    /// Asks one server for the record as it has it itself.
    async fn ask(&self, server: SocketAddr, now: u64) -> Result<Answer, Trouble> {
        let mut question = Message::query();
        question.metadata.recursion_desired = false;
        question.add_query(Query::query(self.record.clone(), self.kind));
        let answer = self.exchange(server, question, self.key.as_ref(), now).await?;
        match answer.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain if answer.metadata.authoritative => {
                let ours =
                    answer.answers.iter().filter(|one| one.name == self.record && one.data.record_type() == self.kind);
                let ttl = ours.clone().map(|one| one.ttl).max().unwrap_or_default();
                Ok(Answer { values: ours.map(|one| one.data.clone()).collect(), ttl })
            }
            ResponseCode::NoError | ResponseCode::NXDomain => Err(Kind::NotAuthoritative.at(server)),
            code => Err(code_trouble(server, code)),
        }
    }

    /// What is worth knowing beforehand: each server is asked for the record, and for leave to change nothing; and whether
    /// there are others that callers ask.
    pub(crate) async fn preview(&self, step: &str, now: u64) -> Vec<Refused> {
        let listed = join_all(self.servers.iter().map(|server| self.preview_at(*server, step, now)));
        let (listed, unlisted) = tokio::join!(listed, self.preview_unlisted(step, now));
        [listed.concat(), unlisted].concat()
    }

    async fn preview_at(&self, server: SocketAddr, step: &str, now: u64) -> Vec<Refused> {
        let answer = match self.ask(server, now).await {
            Ok(answer) => answer,
            Err(trouble) => return vec![trouble.preview(step)],
        };
        let mut found = Vec::new();
        if !same(&answer.values, &self.old) && !same(&answer.values, &self.new) {
            found.push(Kind::Foreign(told(&answer.values)).at(server).preview(step));
        } else if answer.ttl > DNS_TTL_LONG {
            found.push(Refused::new(Rule::StepTtl, step, format!("{server}: {} s", answer.ttl)));
        }
        let refused = match self.exchange(server, self.empty_update(), self.key.as_ref(), now).await {
            Ok(answer) if answer.metadata.response_code == ResponseCode::NoError => None,
            Ok(answer) => Some(code_trouble(server, answer.metadata.response_code)),
            Err(trouble) => Some(trouble),
        };
        found.extend(refused.map(|trouble| trouble.preview(step)));
        found
    }

    /// An update without a change: what a server says to it, it would say to a real one.
    fn empty_update(&self) -> Message {
        let mut message = Message::query();
        message.metadata.op_code = OpCode::Update;
        message.metadata.recursion_desired = false;
        message.add_zone(Query::query(self.zone.clone(), RecordType::SOA));
        message
    }

    /// One question and its answer, signed where there is a key.
    async fn exchange(
        &self,
        server: SocketAddr,
        mut message: Message,
        key: Option<&TSigner>,
        now: u64,
    ) -> Result<Message, Trouble> {
        let unreadable = |error: &dyn fmt::Display| Kind::Unreadable(error.to_string()).at(server);
        let id = message.metadata.id;
        let mut verifier = None;
        if let Some(key) = key {
            verifier = message.finalize(key, now).map_err(|error| unreadable(&error))?;
        }
        let bytes = message.to_vec().map_err(|error| unreadable(&error))?;
        let answered = tokio::time::timeout(PATIENCE, over_tcp(server, &bytes)).await;
        let answered = answered.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        let bytes = answered.map_err(|error| Kind::Unreachable(error.to_string()).at(server))?;
        let answer = Message::from_vec(&bytes).map_err(|error| unreadable(&error))?;
        if answer.metadata.id != id {
            return Err(unreadable(&"it answers another question"));
        }
        // A server that does not take a key says so without a signature that anybody could verify.
        if let Some(error) = answer.signature().and_then(|record| record.data.error.as_ref()) {
            return Err(Kind::Key(key_words(error)).at(server));
        }
        if let Some(mut verifier) = verifier {
            verifier.verify(&bytes).map_err(|_| Kind::Key("its answer is not signed with it".into()).at(server))?;
        }
        Ok(answer)
    }
}

impl Kind {
    const fn at(self, server: SocketAddr) -> Trouble {
        Trouble { server, kind: self }
    }
}

fn code_trouble(server: SocketAddr, code: ResponseCode) -> Trouble {
    match code {
        ResponseCode::NotAuth | ResponseCode::NotZone => Kind::NotAuthoritative.at(server),
        code => Kind::Refused(code.to_string()).at(server),
    }
}

fn key_words(error: &TsigError) -> String {
    match error {
        TsigError::BadSig => "the secret differs (BADSIG)".into(),
        TsigError::BadKey => "it knows no key of that name and algorithm (BADKEY)".into(),
        TsigError::BadTime => "the clocks are too far apart (BADTIME)".into(),
        TsigError::BadTrunc => "it wants a longer signature (BADTRUNC)".into(),
        TsigError::Unknown(code) => format!("error {code}"),
    }
}

fn value_problem(value: &str, problem: Problem) -> Problem {
    Problem::Value { value: value.to_owned(), problem: Box::new(problem) }
}

/// A value with the names in it in full: what is typed is never relative to a zone.
fn full(kind: RecordType, text: &str) -> String {
    let named = matches!(kind, RecordType::CNAME | RecordType::SRV) && !text.ends_with('.');
    if named { format!("{text}.") } else { text.to_owned() }
}

fn address(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, PORT)))
}

fn signer(key: &TsigKey, secret: Option<&Secret>) -> Result<TSigner, (&'static str, Problem)> {
    let algorithm = match key.algorithm.as_str() {
        "hmac-sha384" => TsigAlgorithm::HmacSha384,
        "hmac-sha512" => TsigAlgorithm::HmacSha512,
        _ => TsigAlgorithm::HmacSha256,
    };
    let name = Name::from_ascii(&key.name).map_err(|_| ("key_name", Problem::NotAServer))?;
    let secret = secret.ok_or(("secret", Problem::Required))?;
    let bytes = BASE64_STANDARD.decode(secret.reveal().trim()).map_err(|_| ("secret", Problem::NotBase64))?;
    TSigner::new(bytes, algorithm, name, FUDGE).map_err(|error| ("key_algorithm", Problem::Other(error.to_string())))
}

/// A moment in seconds since 1970, as signatures count it.
pub(crate) fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_second()).unwrap_or_default()
}

/// The same values, in any order.
fn same(found: &[RData], wanted: &[RData]) -> bool {
    found.len() == wanted.len() && wanted.iter().all(|value| found.contains(value))
}

fn told(values: &[RData]) -> String {
    let words: Vec<String> = values.iter().map(ToString::to_string).collect();
    if words.is_empty() { "-".into() } else { words.join(", ") }
}

/// One message there and one back, each behind its length (RFC 1035, 4.2.2).
async fn over_tcp(server: SocketAddr, message: &[u8]) -> std::io::Result<Vec<u8>> {
    let length = u16::try_from(message.len()).map_err(std::io::Error::other)?;
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await?;
    let mut answer = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}
