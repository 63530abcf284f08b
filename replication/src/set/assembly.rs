use std::ops::Range;

use bytes::Bytes;
use stratus_core::Wire;

use super::descriptor::{Descriptor, Root, SetError};
use super::{Set, SetId, hash};

/// A set as it comes: first the root, then the pages; then it is known what is right. Source: spec RE-23.
#[derive(Clone, Debug)]
pub struct Assembly {
    id: SetId,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    Root,
    Pages { bytes: Bytes, root: Root, pages: Vec<Option<Bytes>> },
    Done(Box<Set>),
}

/// What became of an object that came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Taken {
    /// It is right; more of the head is to come.
    More,
    /// It was the last of the head: the set is known.
    Complete,
}

/// Why an object was not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// Whoever sent it is to blame.
    Bytes,
    /// It is what the set's name says, and a lie: whoever made the set is to blame.
    Lies(SetError),
}

impl Assembly {
    /// Nothing of it is here yet.
    pub fn new(id: SetId) -> Self {
        Self { id, stage: Stage::Root }
    }

    /// A set that is known.
    pub fn of(set: Set) -> Self {
        Self { id: set.id(), stage: Stage::Done(Box::new(set)) }
    }

    /// The set, once it is known.
    pub fn set(&self) -> Option<&Set> {
        match &self.stage {
            Stage::Done(set) => Some(set),
            _ => None,
        }
    }

    /// What has to come before anything else.
    pub fn wanted(&self) -> Range<u64> {
        match &self.stage {
            Stage::Root => 0..1,
            Stage::Pages { pages, .. } => 1..1 + pages.len() as u64,
            Stage::Done(_) => 0..0,
        }
    }

    /// The root or a page, if it is here: what others may ask for.
    pub fn head_object(&self, index: u64) -> Option<Bytes> {
        match &self.stage {
            Stage::Root => None,
            Stage::Pages { bytes, .. } if index == 0 => Some(bytes.clone()),
            Stage::Pages { pages, .. } => pages.get(usize::try_from(index - 1).ok()?)?.clone(),
            Stage::Done(set) => set.head_object(index),
        }
    }

    /// Takes the root or a page.
    pub fn take(&mut self, index: u64, object: Bytes) -> Result<Taken, Wrong> {
        match &mut self.stage {
            Stage::Root if index == 0 && hash(&object) == self.id.0 => {
                let root = Root::from_bytes(object.clone()).map_err(SetError::Unreadable);
                let root = root.and_then(|root| root.validate().map(|()| root)).map_err(Wrong::Lies)?;
                let pages = vec![None; root.pages.len()];
                self.stage = Stage::Pages { bytes: object, root, pages };
                Ok(Taken::More)
            }
            Stage::Pages { root, pages, .. } => {
                let place = index.checked_sub(1).and_then(|place| usize::try_from(place).ok());
                let expected = place.and_then(|place| root.pages.get(place));
                let (Some(place), true) = (place, expected == Some(&hash(&object))) else {
                    return Err(Wrong::Bytes);
                };
                pages[place] = Some(object);
                self.complete().map_err(Wrong::Lies)
            }
            _ => Err(Wrong::Bytes),
        }
    }

    fn complete(&mut self) -> Result<Taken, SetError> {
        let Stage::Pages { bytes, root, pages } = &self.stage else { return Ok(Taken::More) };
        let Some(pages) = pages.iter().cloned().collect::<Option<Vec<Bytes>>>() else {
            return Ok(Taken::More);
        };
        let body: Bytes = pages.concat().into();
        if body.len() as u64 != root.body_bytes {
            return Err(SetError::Sizes("descriptor".to_owned()));
        }
        let descriptor = Descriptor::from_bytes(body).map_err(SetError::Unreadable)?;
        descriptor.validate()?;
        self.stage = Stage::Done(Box::new(Set::new(bytes.clone(), pages, descriptor)));
        Ok(Taken::Complete)
    }
}
