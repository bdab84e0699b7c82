//! A Master, an image of it from before, and a replica; and what the rules are watched by: things that the product cannot
//! know, and that the properties speak of.

use std::collections::BTreeSet;
use std::time::Duration;

use contract::Timestamp;
use node::ancestry::{self, GivenUp};

/// A content; 0 is that of an empty source.
pub type Content = u8;

const NAMES: [&str; 8] = ["empty", "a", "b", "c", "d", "e", "f", "g"];

/// A rule that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A source gives nothing to whoever has what it never offered.
    ContentIsKnown,
    /// A content is on disk before it is offered.
    RecordedFirst,
    /// A consent is about one content.
    ConsentNamesContent,
    /// What comes has a larger number than what is given up for it.
    NumbersGrow,
    /// What is given up is pinned first.
    GivenUpIsPinned,
    /// What an activation of an older restore point skips is pinned.
    SkippedIsPinned,
    /// What was made on the DR is put aside before the replica follows again.
    MadeIsPutAside,
    /// What the Master wrote last is kept before what comes home takes its place.
    TailIsKept,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// Somebody writes on the Master.
    Write,
    /// The replica asks; the Master captures and, where it may, offers.
    Ask,
    /// What was offered has arrived and is committed.
    Commit,
    /// The Master dies before the offer came to its end.
    Crash,
    /// An image of the Master is made.
    Image,
    /// The Master is put back to the image.
    PutBack,
    /// An empty machine takes the place of the Master.
    Replace,
    /// An operator gives up what is on the replica now.
    Consent,
    /// The DR serves, from the newest content or from the one before it.
    Activate { older: bool },
    /// Somebody writes on the DR.
    WriteThere,
    /// The service goes back, and what was made on the DR does not.
    RollBack,
    /// It goes back together with what was made there.
    BringHome,
}

/// The machine that feeds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Source {
    pub content: Content,
    /// Number and content of everything that it remembers to have offered.
    pub ledger: Vec<(u64, Content)>,
}

/// The copy that serves on the DR.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Served {
    pub content: Content,
    pub base: Content,
}

/// What is under way between the two.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Offer {
    number: u64,
    content: Content,
    /// Brought about by a consent.
    given_up: Option<Content>,
}

/// What the properties speak of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Seen {
    /// A content was replaced by one that does not come after it, and nobody had given it up.
    pub erased: bool,
    /// What an operator has given a copy up for was not taken.
    pub in_vain: bool,
    /// The Master has refused.
    pub refused: bool,
    pub consents: u8,
    pub replaced_by_consent: u8,
    pub given_up: BTreeSet<Content>,
    pub followed_after_consent: bool,
    /// What was made on the DR and did not come home, and what the Master wrote last before something came home.
    pub displaced: BTreeSet<Content>,
    /// What an activation of an older point has skipped.
    pub skipped: BTreeSet<Content>,
    pub came_home: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub source: Source,
    image: Option<Source>,
    /// Content and number on the replica.
    pub replica: Option<(Content, u64)>,
    /// The one before it.
    pub before: Option<(Content, u64)>,
    /// How often the DR has begun to serve.
    pub activations: u8,
    /// What the DR serves, and what of the Master that began with.
    pub served: Option<Served>,
    offer: Option<Offer>,
    /// The content that a consent names.
    consent: Option<Content>,
    /// What can be gone back to whatever the policy says.
    pub pinned: BTreeSet<Content>,
    /// Of each content what came before it.
    pub past: Vec<BTreeSet<Content>>,
    pub accidents: u8,
    pub seen: Seen,
}

impl World {
    pub fn new() -> Self {
        Self {
            source: Source::default(),
            image: None,
            replica: None,
            before: None,
            activations: 0,
            served: None,
            offer: None,
            consent: None,
            pinned: BTreeSet::new(),
            past: vec![BTreeSet::new()],
            accidents: 0,
            seen: Seen::default(),
        }
    }

    pub fn moves(&self, contents: u8, accidents: u8, activations: u8, moves: &mut Vec<Move>) {
        self.moves_of_dr(contents, activations, moves);

        let fresh = self.accidents < accidents;
        let can = |step| match step {
            Move::Write => self.served.is_none() && self.past.len() < contents.into(),
            // Nothing flows to one that serves.
            Move::Ask => self.served.is_none() && self.offer.is_none(),
            Move::Commit | Move::Crash => self.offer.is_some(),
            Move::Image => fresh && self.image.is_none(),
            Move::PutBack => fresh && self.image.is_some(),
            Move::Replace => fresh,
            // The product asks for it only where a copy is held.
            Move::Consent => self.seen.refused && self.consent.is_none() && self.seen.consents < 2,
            Move::Activate { .. } | Move::WriteThere | Move::RollBack | Move::BringHome => false,
        };
        let all = [
            Move::Write,
            Move::Ask,
            Move::Commit,
            Move::Crash,
            Move::Image,
            Move::PutBack,
            Move::Replace,
            Move::Consent,
        ];
        moves.extend(all.into_iter().filter(|step| can(*step)));
    }

    pub fn make(&mut self, step: Move, without: Option<Rule>) {
        match step {
            Move::Write => {
                self.source.content = self.write_over(self.source.content);
            }
            Move::Ask => self.ask(without),
            Move::Commit => self.commit(),
            Move::Crash => self.offer = None,
            Move::Image => self.image = Some(self.source.clone()),
            Move::PutBack => {
                self.source = self.image.clone().unwrap_or_default();
                self.accident();
            }
            Move::Replace => {
                self.source = Source::default();
                self.accident();
            }
            Move::Consent => {
                self.consent = self.replica.map(|(content, _)| content);
                self.seen.consents += u8::from(self.consent.is_some());
            }
            _ => self.make_on_dr(step, without),
        }
    }

    /// A new content that comes after this one.
    pub fn write_over(&mut self, before: Content) -> Content {
        let mut past = self.past[usize::from(before)].clone();
        past.insert(before);
        self.past.push(past);
        (self.past.len() - 1) as Content
    }

    pub fn comes_after(&self, content: Content, other: Content) -> bool {
        content == other || self.past[usize::from(content)].contains(&other)
    }

    /// What was under way does not arrive any more.
    pub fn stop_offering(&mut self) {
        self.offer = None;
    }

    fn accident(&mut self) {
        self.accidents += 1;
        self.offer = None;
    }

    /// What is on the replica, where an operator has given exactly that up, and what follows from that.
    fn given_up(&self, without: Option<Rule>) -> Option<(Content, GivenUp)> {
        let (here, number) = self.replica?;
        let named = self.consent?;
        let at = Timestamp::UNIX_EPOCH;
        let covers = ancestry::covers(name(named), at, name(here), at, Duration::from_secs(3600));
        let covers = covers || without == Some(Rule::ConsentNamesContent);
        Some((here, ancestry::given_up(covers, number, None)?))
    }

    fn ask(&mut self, without: Option<Rule>) {
        let given_up = self.given_up(without);
        if let Some((content, given_up)) = given_up {
            self.seen.given_up.insert(content);
            if without != Some(Rule::GivenUpIsPinned) {
                self.pin([given_up.keeps]);
            }
        }
        let here = self.replica.map(|(content, _)| content);
        let known = here.is_some_and(|here| self.source.ledger.iter().any(|(_, content)| *content == here));
        let admits = ancestry::admits(here.map(name), known, given_up.is_some());
        if !admits && without != Some(Rule::ContentIsKnown) {
            self.seen.refused = true;
            return;
        }
        let content = self.source.content;
        let beyond = given_up.map(|(_, given_up)| given_up.beyond).filter(|_| without != Some(Rule::NumbersGrow));
        let last = self.source.ledger.last().copied();
        let number = match last {
            Some((number, known)) if known == content && beyond.is_none_or(|up| number > up) => number,
            _ => ancestry::next_generation(last.map(|(number, _)| number), beyond),
        };
        if without != Some(Rule::RecordedFirst) {
            self.record(number, content);
        }
        self.offer = Some(Offer { number, content, given_up: given_up.map(|(content, _)| content) });
    }

    /// The generations of these numbers stay, of those that are here.
    pub fn pin(&mut self, numbers: impl IntoIterator<Item = u64>) {
        let here: Vec<(Content, u64)> = self.replica.into_iter().chain(self.before).collect();
        for number in numbers {
            self.pinned.extend(here.iter().filter(|(_, one)| *one == number).map(|(content, _)| *content));
        }
    }

    pub fn record(&mut self, number: u64, content: Content) {
        if !self.source.ledger.contains(&(number, content)) {
            self.source.ledger.push((number, content));
        }
    }

    /// What was offered has arrived. The engine takes nothing that has no larger number than what is here.
    fn commit(&mut self) {
        let Some(offer) = self.offer.take() else { return };
        if let Some((here, number)) = self.replica {
            if here != offer.content && offer.number <= number {
                self.seen.refused = true;
                self.seen.in_vain |= offer.given_up.is_some();
                return;
            }
            let chosen = self.seen.skipped.contains(&here) && self.pinned.contains(&here);
            self.seen.erased |= !self.comes_after(offer.content, here) && self.consent != Some(here) && !chosen;
            self.seen.replaced_by_consent += u8::from(offer.given_up.is_some());
            self.seen.followed_after_consent |= self.seen.replaced_by_consent > 0 && offer.given_up.is_none();
        }
        self.before = self.replica.filter(|(before, _)| *before != offer.content).or(self.before);
        self.replica = Some((offer.content, offer.number));
        if offer.given_up.is_some() {
            self.consent = None;
        }
    }
}

pub fn name(content: Content) -> &'static str {
    NAMES[usize::from(content)]
}
