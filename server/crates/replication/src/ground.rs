//! What the next generation is made from: a spare tree that is to be changed, and the newest generation, whose files it
//! shares. It refuses to rely on anything that was found damaged.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use crate::bases::Bases;
use crate::beneath::Beneath;
use crate::change::Changes;
use crate::error::{Error, Result};
use crate::manifest::{EntryKind, Manifest};
use crate::nursery::Grown;
use crate::own_copy::{self, Lent};
use crate::reuse::Reuse;
use crate::spare::{Spare, Spares};
use crate::stage::Stage;
use crate::store::remove_tree;
use crate::tree::{Arrived, Builder};
use crate::update::Update;
use crate::watch::{Point, Watch, pass};

/// How a manifest is put on disk.
pub(crate) struct Layout {
    pub(crate) changes: Changes,
    /// New files that can be inodes of the newest generation: which one.
    pub(crate) links: HashMap<usize, usize>,
}

#[derive(Default)]
pub(crate) struct Ground {
    /// The newest generation, if it can serve.
    pub(crate) reuse: Option<Reuse>,
    /// The tree to change, and what it holds. Without one the whole tree is put together.
    spare: Option<(Spare, Manifest)>,
    /// What of the whole tree is in its place already.
    grown: Option<Grown>,
}

impl Ground {
    pub(crate) fn new(reuse: Reuse, spare: Option<(Spare, Manifest)>) -> Self {
        Self { reuse: Some(reuse), spare, grown: None }
    }

    /// What was put in its place while it came.
    pub(crate) fn grow(&mut self, grown: Option<Grown>) {
        self.grown = grown;
    }

    /// What was put in its place goes to the stage: what it was meant for is not what is built.
    pub(crate) fn give_back(&mut self, stage: &mut Stage, offered: &Manifest) -> Result<()> {
        self.grown.take().map_or(Ok(()), |grown| grown.give_to(stage, offered))
    }

    /// What has to happen for this manifest.
    pub(crate) fn lay_out(&mut self, manifest: &Manifest) -> Result<Layout> {
        let (changes, mut tree) = match &self.spare {
            Some((spare, have)) => {
                let root = spare.place.join("tree");
                let tree = Beneath::open(&root).map_err(|e| Error::io("cannot change a spare tree", &root, e))?;
                (Changes::between(have, &spare.missing, manifest), Some(tree))
            }
            None => (Changes::whole(manifest), None),
        };
        let links = self.reuse.as_mut().map(|reuse| reuse.links(&changes, manifest, tree.as_mut()));
        Ok(Layout { changes, links: links.unwrap_or_default() })
    }

    /// Takes, for what will come, the spare's own copies of the content that it is told by. From then on the spare is
    /// nobody's, and holds these files no more: see [`Ground::is_other`].
    pub(crate) fn lend(
        &mut self,
        offered: &Manifest,
        asked: &HashMap<u32, u64>,
        bases: &Bases,
        stage: &Stage,
        spares: &mut Spares,
    ) -> Result<HashMap<u32, Lent>> {
        let mut lent = HashMap::new();
        let Some((spare, _)) = &mut self.spare else { return Ok(lent) };
        if spare.own.is_empty() {
            return Ok(lent);
        }
        let useful = own_copy::useful(spare, offered, asked, bases);
        spares.give_up(spare)?;
        for index in useful {
            let entry = &offered.entries()[index as usize];
            if let EntryKind::File { hash, .. } = &entry.kind
                && let Some(one) = own_copy::lend(spare, &entry.path, stage, hash)?
            {
                lent.insert(index, one);
            }
        }
        own_copy::share_the_rest(spare)?;
        Ok(lent)
    }

    /// Nothing is built of it.
    pub(crate) fn leave(self) -> Result<()> {
        match self.spare {
            Some((spare, _)) if spare.is_given_up() => remove_tree(&spare.place),
            _ => Ok(()),
        }
    }

    /// Whether the spare holds less than it did at the first layout.
    pub(crate) fn is_other(&self) -> bool {
        self.spare.as_ref().is_some_and(|(spare, _)| spare.is_given_up() && !spare.missing.is_empty())
    }

    /// Copies into the stage what was not asked for because it is here, but cannot be linked: an amendment or a kept
    /// name took its inode.
    pub(crate) fn fill(&mut self, manifest: &Manifest, layout: &Layout, stage: &mut Stage) -> Result<()> {
        let Some(reuse) = &mut self.reuse else { return Ok(()) };
        for index in layout.changes.leaders(manifest) {
            let EntryKind::File { size: size @ 1.., hash, .. } = manifest.entries()[index].kind else { continue };
            if !layout.links.contains_key(&index)
                && !stage.has(&hash)
                && let Some(mut file) = reuse.content(&hash)
            {
                stage.copy(&mut file, hash, size, |_| Ok(()))?;
            }
        }
        Ok(())
    }

    /// Makes the tree in the hidden directory, which comes to be here.
    pub(crate) fn build(
        mut self,
        hidden: &Path,
        manifest: &Manifest,
        layout: Layout,
        stage: &Stage,
        spares: &mut Spares,
        watch: &dyn Watch,
    ) -> Result<()> {
        let root = hidden.join("tree");
        let Layout { mut changes, links } = layout;
        let half = Point::TreeHalfBuilt;
        let spare = self.spare.take();
        let mut arrived = Arrived::new(&root, self.reuse.as_mut(), &links, stage);
        match spare {
            Some((spare, have)) => {
                spares.take(&spare, hidden)?;
                pass(watch, Point::SpareTaken)?;
                Update { root: &root, have: &have, want: manifest, changes: &changes, half, watch }.run(&mut arrived)
            }
            None => {
                fs::create_dir(hidden).map_err(|e| Error::io("cannot build the next generation", hidden, e))?;
                let Some(grown) = self.grown.take() else {
                    return Builder { root: &root, manifest, changes: &changes, bytes: 0, half, watch }
                        .build(&mut arrived);
                };
                let placed = grown.leave_to(&root)?;
                let there: HashSet<usize> = placed.values().map(|index| *index as usize).collect();
                let is_dir = |index: usize| manifest.entries()[index].kind == EntryKind::Dir;
                changes.make.retain(|index| !is_dir(*index) && !there.contains(index));
                Builder { root: &root, manifest, changes: &changes, bytes: 0, half, watch }
                    .make(&mut arrived.beside(manifest, &placed)?)
            }
        }
    }
}
