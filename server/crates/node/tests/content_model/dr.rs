//! The DR serves: from which content, what is made there, and what becomes of that when the service goes back.

use node::ancestry;

use crate::world::{Content, Move, Rule, Served, World, name};

impl World {
    pub fn moves_of_dr(&self, contents: u8, activations: u8, moves: &mut Vec<Move>) {
        if self.served.is_some() {
            moves.extend([Move::RollBack, Move::BringHome]);
            if self.past.len() < contents.into() {
                moves.push(Move::WriteThere);
            }
        } else if self.replica.is_some() && self.activations < activations {
            moves.push(Move::Activate { older: false });
            if self.before.is_some() {
                moves.push(Move::Activate { older: true });
            }
        }
    }

    pub fn make_on_dr(&mut self, step: Move, without: Option<Rule>) {
        match step {
            Move::Activate { older } => {
                let Some((base, number)) = (if older { self.before } else { self.replica }) else { return };
                let here: Vec<(Content, u64)> = self.before.into_iter().chain(self.replica).collect();
                let unused = ancestry::skipped(here.iter().map(|(_, number)| *number), number);
                let newest = here.last().filter(|(content, _)| *content != base);
                self.seen.skipped.extend(newest.map(|(content, _)| *content));
                if without != Some(Rule::SkippedIsPinned) {
                    self.pin(unused);
                }
                self.activations += 1;
                self.stop_offering();
                self.served = Some(Served { content: base, base });
            }
            Move::WriteThere => {
                let Some(content) = self.served.as_ref().map(|served| served.content) else { return };
                let content = self.write_over(content);
                self.served.iter_mut().for_each(|served| served.content = content);
            }
            Move::RollBack => {
                let Some(served) = self.served.take() else { return };
                if served.content != served.base {
                    self.seen.displaced.insert(served.content);
                    if without != Some(Rule::MadeIsPutAside) {
                        self.pinned.insert(served.content);
                    }
                }
            }
            Move::BringHome => self.bring_home(without),
            _ => {}
        }
    }

    /// The Master takes it in where what the copy began with was its own; what it wrote last is for its operator to consent to.
    fn bring_home(&mut self, without: Option<Rule>) {
        let Some(served) = self.served.clone() else { return };
        if !self.source.ledger.iter().any(|(_, content)| *content == served.base) {
            self.seen.refused = true;
            return;
        }
        let live = self.source.content;
        let newest = self.replica.map(|(content, _)| name(content));
        if ancestry::is_tail(name(live), name(served.base), newest) {
            self.seen.displaced.insert(live);
        }
        // Whatever is replaced there is kept, also what the DR has.
        if without != Some(Rule::TailIsKept) {
            self.pinned.insert(live);
        }
        self.source.content = served.content;
        let last = self.source.ledger.last().copied();
        if last.is_none_or(|(_, known)| known != served.content) {
            let number = ancestry::next_generation(last.map(|(number, _)| number), None);
            self.record(number, served.content);
        }
        self.served = None;
        self.seen.came_home = true;
    }
}
