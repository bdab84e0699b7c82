//! The one-time session secret: how a machine that was put back to an earlier copy of itself is told from the one it was,
//! also where no mandate and no generation came in between, and how two machines that were one are found.
//!
//! Each node shows the other one a *ticket*, and gets the next one for it, once for each *talk* (a control conversation, or
//! five minutes of it). The order makes it safe to die between any two instructions: the giver writes the next ticket down
//! before it tells it, and goes on taking the old one until the next was shown; the taker writes it down before it shows it.
//! So whoever was not put back never holds a smaller number than the other one has seen, and never shows a larger one than
//! the other one has given, however late or doubled the words arrive. What is accused follows from that alone, without a
//! clock.
//!
//! It lies in the mandate's files, because what is decided by it must be known where the database is lost. The database
//! keeps the number of the ticket held once more ([`Tally`]): one of the two put back alone is found by comparing them.
//! Tickets belong to one mandate: a take begins anew, and so settles what was found.

use contract::mandate::MandateFinding;
use serde::{Deserialize, Serialize};

use super::file::Record;

/// Successors of one ticket that are remembered. One is the rule; another one for each talk that died before it was shown.
const MOST_GIVEN: usize = 4;

/// What is shown once.
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Ticket {
    /// Counts from 0, which nobody had to give.
    pub number: u64,
    /// Random.
    pub secret: String,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ticket({}, …)", self.number)
    }
}

/// A ticket that was given and not shown yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Given {
    /// The talk it was given to: two machines that were one are in different talks, and only one of them may have it.
    pub to: String,
    /// The ticket.
    pub ticket: Ticket,
    /// It was given after a copy of that machine had admitted to be one.
    pub after_stale: bool,
}

/// What the other node must show.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Expected {
    /// The last ticket that it has shown.
    pub ticket: Ticket,
    /// The talk that ticket was given to.
    pub by: String,
    /// What may come next.
    pub given: Vec<Given>,
    /// A copy of that machine with a ticket that was used up has admitted to be one.
    pub stale: bool,
}

/// Both halves, as a node keeps them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Session {
    /// What this node shows.
    pub held: Ticket,
    /// What the other one must show.
    pub expected: Expected,
}

/// What a node says of it at every contact.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Word {
    /// The talk that the speaker is in.
    pub talk: String,
    /// What it shows.
    pub held: Ticket,
    /// The number of the last ticket that it was shown.
    pub expected: u64,
    /// The talk that ticket was given to.
    pub by: String,
    /// What it has given since.
    pub given: Vec<Given>,
    /// The talk of the control conversation that it is in at this moment.
    pub talking: Option<String>,
    /// Whether it can write down what it gives; a machine with a full disk must not hold the other one's gate.
    pub able: bool,
}

/// What the one who hears brings along.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ear {
    /// The talk it is in.
    pub talk: String,
    /// The other node's talk in the conversation that goes on, if there is one.
    pub talking: Option<String>,
    /// A secret that nobody has seen yet.
    pub fresh: String,
    /// Whether its database knows the ticket that it holds.
    pub tallied: bool,
}

impl Session {
    /// What a node says that can write and is in no conversation.
    #[must_use]
    pub fn word(&self, talk: &str) -> Word {
        Word {
            talk: talk.to_owned(),
            held: self.held.clone(),
            expected: self.expected.ticket.number,
            by: self.expected.by.clone(),
            given: self.expected.given.clone(),
            talking: None,
            able: true,
        }
    }
}

/// Hears the other node, under the same mandate; `against` is what it says against itself. What is found is this node's own
/// finding: a machine that was put back sees by the other one's word that it lacks something.
pub fn hear(session: &mut Session, told: &Word, against: &[MandateFinding], ear: &Ear) -> Option<MandateFinding> {
    if against.contains(&MandateFinding::Cloned) {
        return Some(MandateFinding::Cloned);
    }
    if told.expected > session.held.number {
        // It was shown a ticket that this node does not know to have held.
        return Some(MandateFinding::SetBack);
    }
    if against.is_empty() {
        let found = shown(&mut session.expected, told, ear);
        if found.is_none() {
            take(&mut session.held, told, ear);
        }
        return found;
    }
    let used_up = told.held.number < session.expected.ticket.number;
    session.expected.stale |= used_up && against.contains(&MandateFinding::SetBack);
    None
}

/// Looks at the ticket that the other node shows.
fn shown(expected: &mut Expected, told: &Word, ear: &Ear) -> Option<MandateFinding> {
    let (held, known) = (&told.held, &expected.ticket);
    if held.number < known.number {
        // Late, or used up: in that case the one who shows it hears our number, and knows.
        return None;
    }
    if held == known {
        // Who only asks gets nothing while another one of its name is in a conversation.
        if ear.talking.as_ref().is_none_or(|talk| *talk == told.talk) {
            give(expected, &told.talk, &ear.fresh);
        }
        return None;
    }
    if held.number == known.number {
        // Two have taken the same number, each in its own talk.
        return Some(MandateFinding::Cloned);
    }
    let Some(heir) = expected.given.iter().find(|given| given.ticket == *held).cloned() else {
        // This node does not know to have given it.
        return Some(MandateFinding::SetBack);
    };
    // One that came back after its copy had admitted to be one is a second machine.
    let twice = expected.stale && heir.after_stale;
    *expected = Expected { ticket: heir.ticket, by: heir.to, given: Vec::new(), stale: expected.stale };
    twice.then_some(MandateFinding::Cloned)
}

/// Gives the next ticket to a talk that has none.
fn give(expected: &mut Expected, talk: &str, fresh: &str) {
    let has = |given: &Given| given.to == talk && given.after_stale == expected.stale;
    if (expected.by == talk && !expected.stale) || expected.given.iter().any(has) {
        return;
    }
    if expected.given.len() >= MOST_GIVEN {
        expected.given.remove(0);
    }
    let ticket = Ticket { number: expected.ticket.number + 1, secret: fresh.to_owned() };
    expected.given.push(Given { to: talk.to_owned(), ticket, after_stale: expected.stale });
}

/// Takes the next ticket, where it was given to this talk and the database knows the one that is held.
fn take(held: &mut Ticket, told: &Word, ear: &Ear) {
    let next = |given: &&Given| given.to == ear.talk && given.ticket.number == held.number + 1;
    if ear.tallied
        && let Some(given) = told.given.iter().rev().find(next)
    {
        *held = given.ticket.clone();
    }
}

/// Whether the other node has seen the newest ticket in this very talk, and talks with no second machine of this name: then
/// its answer is meant for this one.
#[must_use]
pub fn recognises(told: &Word, ear: &Ear) -> bool {
    let alone = told.talking.as_ref().is_none_or(|talk| *talk == ear.talk);
    alone && (told.by == ear.talk || !told.able || !ear.tallied)
}

/// What the database remembers of the ticket held.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tally {
    /// The pair.
    pub pair: String,
    /// The mandate it was held under.
    pub mandate: String,
    /// Its number.
    pub number: u64,
}

impl Tally {
    /// What the database is to know of a record; `None` where there is no mandate.
    #[must_use]
    pub fn of(record: &Record) -> Option<Self> {
        let head = record.mandate.as_ref()?;
        Some(Self { pair: head.pair.clone(), mandate: head.id.clone(), number: record.session.held.number })
    }
}

/// Whether database and mandate files are not of one time: what the database is to know, the ancestors of that mandate, and
/// what it does know. The files are written first, and no ticket is taken before the
/// database knows the one that is held: so it is at most one behind, and never ahead.
#[must_use]
pub fn parted(ours: Option<&Tally>, ancestors: &[String], known: Option<&Tally>) -> bool {
    let Some(ours) = ours else { return false };
    match known {
        Some(known) if known.pair == ours.pair && known.mandate == ours.mandate => {
            known.number > ours.number || known.number + 1 < ours.number
        }
        Some(known) if known.pair == ours.pair => {
            // The mandate has just changed, unless a ticket was taken under it.
            !ancestors.contains(&known.mandate) || ours.number > 0
        }
        _ => ours.number > 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One machine, with secrets that count.
    #[derive(Clone, Default)]
    struct Machine {
        session: Session,
        talk: String,
        found: Option<MandateFinding>,
    }

    fn machine(talk: &str) -> Machine {
        Machine { talk: talk.into(), ..Machine::default() }
    }

    /// One hears the other, `times` times each way.
    fn exchange(a: &mut Machine, b: &mut Machine, times: u32) {
        for _ in 0..times {
            listen(a, b);
            listen(b, a);
        }
    }

    fn listen(hearer: &mut Machine, speaker: &Machine) {
        if hearer.found.is_some() {
            return;
        }
        let number = hearer.session.expected.ticket.number;
        let fresh = format!("{}-{}-{number}", hearer.talk, speaker.talk);
        let ear = Ear { talk: hearer.talk.clone(), talking: None, fresh, tallied: true };
        let against: Vec<_> = speaker.found.into_iter().collect();
        hearer.found = hear(&mut hearer.session, &speaker.session.word(&speaker.talk), &against, &ear);
    }

    #[test]
    fn each_talk_renews_the_tickets_once_on_both_sides() {
        let (mut a, mut b) = (machine("a1"), machine("b1"));
        exchange(&mut a, &mut b, 5);
        assert_eq!((a.session.held.number, b.session.held.number), (1, 1));
        a.talk = "a2".into();
        exchange(&mut a, &mut b, 5);
        assert_eq!((a.session.held.number, b.session.held.number), (2, 1));
        assert_eq!((a.found, b.found), (None, None));
    }

    #[test]
    fn a_machine_that_was_put_back_knows_it_and_only_that_one() {
        let (mut a, mut b) = (machine("a1"), machine("b1"));
        exchange(&mut a, &mut b, 5);
        let copy = a.clone();
        a.talk = "a2".into();
        b.talk = "b2".into();
        exchange(&mut a, &mut b, 5);
        a = Machine { talk: "a3".into(), ..copy };
        exchange(&mut a, &mut b, 5);
        assert_eq!((a.found, b.found), (Some(MandateFinding::SetBack), None));
        assert!(b.session.expected.stale);
    }

    #[test]
    fn of_two_that_were_one_the_second_makes_both_known() {
        let (mut a, mut b) = (machine("a1"), machine("b1"));
        exchange(&mut a, &mut b, 5);
        let mut copy = Machine { talk: "copy".into(), ..a.clone() };
        a.talk = "a2".into();
        exchange(&mut a, &mut b, 5);
        exchange(&mut copy, &mut b, 5);
        assert_eq!((copy.found, b.found), (Some(MandateFinding::SetBack), None), "it may be alone");
        exchange(&mut a, &mut b, 5);
        assert_eq!((a.found, b.found), (Some(MandateFinding::Cloned), Some(MandateFinding::Cloned)));
    }

    #[test]
    fn two_that_talk_by_turns_from_the_start_are_found() {
        let (mut a, mut b) = (machine("a1"), machine("b1"));
        exchange(&mut a, &mut b, 5);
        let mut copy = Machine { talk: "copy".into(), ..a.clone() };
        a.talk = "a2".into();
        for _ in 0..5 {
            exchange(&mut a, &mut b, 1);
            exchange(&mut copy, &mut b, 1);
        }
        assert_eq!(b.found, Some(MandateFinding::Cloned));
    }

    #[test]
    fn an_answer_counts_only_in_the_talk_that_has_renewed_and_not_beside_another_one() {
        let (mut a, mut b) = (machine("a1"), machine("b1"));
        let ear = |machine: &Machine| Ear { talk: machine.talk.clone(), tallied: true, ..Ear::default() };
        assert!(!recognises(&b.session.word("b1"), &ear(&a)));
        exchange(&mut a, &mut b, 3);
        assert!(recognises(&b.session.word("b1"), &ear(&a)));
        let copy = Machine { talk: "copy".into(), ..a.clone() };
        assert!(!recognises(&b.session.word("b1"), &ear(&copy)));
        let beside = Word { talking: Some("a1".into()), by: "copy".into(), ..b.session.word("b1") };
        assert!(!recognises(&beside, &ear(&copy)), "it talks with the first one at this moment");
        let full = Word { able: false, ..b.session.word("b1") };
        assert!(recognises(&full, &ear(&copy)), "a full disk there holds nobody here");
    }

    #[test]
    fn a_database_may_be_one_ticket_behind_its_mandate_files_and_no_more() {
        let tally = |mandate: &str, number| Tally { pair: "p".into(), mandate: mandate.into(), number };
        let is = |number, known: Option<Tally>| parted(Some(&tally("m2", number)), &["m1".into()], known.as_ref());
        assert!(!parted(None, &[], Some(&tally("m1", 9))), "no mandate: nothing to compare");
        assert!(!is(3, Some(tally("m2", 3))) && !is(3, Some(tally("m2", 2))));
        assert!(is(3, Some(tally("m2", 1))) && is(3, Some(tally("m1", 7))) && is(3, None), "the database is older");
        assert!(is(3, Some(tally("m2", 4))) && is(3, Some(tally("m3", 1))), "the mandate files are older");
        assert!(!is(0, Some(tally("m1", 7))) && !is(0, None), "the mandate has just changed");
        assert!(!is(0, Some(Tally { pair: "q".into(), ..tally("x", 7) })), "of another pair");
    }
}
