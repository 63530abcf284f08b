use std::sync::Arc;

use bytes::Bytes;
use stratus_core::{DecodeError, Reader, Signature, Wire, Writer};

use crate::item::{put_items, put_stretch, put_summaries, take_items, take_stretch, take_summaries};
use crate::post::MAX_BODY;
use crate::{Author, Item, Post, Stretch, Summary};

/// Most items in a list of one message, over all its lists.
pub(crate) const MAX_ITEMS: usize = 1_024;
/// Most posts in a message.
pub(crate) const MAX_POSTS: usize = 256;
/// Bytes of posts after which a message is full: with one more post it still fits a control frame of 64 KiB.
pub(crate) const FULL: usize = 32 << 10;
/// Most summaries, and lists, in a message.
pub(crate) const MAX_SUMMARIES: usize = 64;

/// What a member holds in a stretch, item by item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing {
    /// Where.
    pub stretch: Stretch,
    /// All that it holds there.
    pub items: Vec<Item>,
}

/// What members say to each other about posts (spec PO-5).
///
/// | byte | message | rest |
/// |---|---|---|
/// | 1 | `Announce` | 1 byte: bit 0 it is news; items |
/// | 2 | `Pull` | items |
/// | 3 | `Posts` | authors (varint count, each as [`Author`]), posts (varint count; each: varint number of its author, varint sequence, for all but the first how much more than the one before, varint + body, 64 signature) |
/// | 4 | `Lack` | items |
/// | 5 | `Compare` | 1 byte: bit 0 it is an answer; summaries |
/// | 6 | `Holds` | varint count, for each: a stretch as in [`Summary`], items |
/// | 7 | `Same` | |
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// "I have these."
    Announce {
        /// Whether they are news in the group, to be passed on, or were only missing here.
        is_news: bool,
        /// Which.
        items: Vec<Item>,
    },
    /// "Give me these."
    Pull {
        /// Which.
        items: Vec<Item>,
    },
    /// Here they are.
    Posts(Vec<Arc<Post>>),
    /// "I do not have these", in answer to `Pull`.
    Lack {
        /// Which.
        items: Vec<Item>,
    },
    /// "This is what I hold, in short."
    Compare {
        /// Whether it answers a `Compare`.
        is_answer: bool,
        /// Stretch by stretch.
        summaries: Vec<Summary>,
    },
    /// "This is what I hold, item by item." Answered by `Announce` of what is not in it, and by `Pull` of what is news.
    Holds(Vec<Listing>),
    /// In answer to `Compare` or `Holds`: "I hold the same."
    Same,
}

impl Wire for Message {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Announce { is_news, items } => {
                writer.u8(1);
                writer.u8(u8::from(*is_news));
                put_items(writer, items);
            }
            Self::Pull { items } => {
                writer.u8(2);
                put_items(writer, items);
            }
            Self::Posts(posts) => {
                writer.u8(3);
                put_posts(writer, posts);
            }
            Self::Lack { items } => {
                writer.u8(4);
                put_items(writer, items);
            }
            Self::Compare { is_answer, summaries } => {
                writer.u8(5);
                writer.u8(u8::from(*is_answer));
                put_summaries(writer, summaries);
            }
            Self::Holds(listings) => {
                writer.u8(6);
                put_listings(writer, listings);
            }
            Self::Same => writer.u8(7),
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match reader.u8()? {
            1 => Self::Announce { is_news: bool::decode(reader)?, items: take_items(reader, MAX_ITEMS)? },
            2 => Self::Pull { items: take_items(reader, MAX_ITEMS)? },
            3 => Self::Posts(take_posts(reader)?),
            4 => Self::Lack { items: take_items(reader, MAX_ITEMS)? },
            5 => Self::Compare {
                is_answer: bool::decode(reader)?,
                summaries: take_summaries(reader, MAX_SUMMARIES)?,
            },
            6 => Self::Holds(take_listings(reader)?),
            7 => Self::Same,
            _ => return Err(DecodeError::Unknown),
        })
    }
}

/// Authors once each, in the order in which posts name them; then the posts, which ascend.
fn put_posts(writer: &mut Writer, posts: &[Arc<Post>]) {
    let mut authors: Vec<&Author> = Vec::new();
    let mut numbers = Vec::with_capacity(posts.len());
    for post in posts {
        let author: &Author = post.author();
        let known = authors.iter().position(|known| *known == author);
        numbers.push(known.unwrap_or_else(|| {
            authors.push(author);
            authors.len() - 1
        }));
    }
    writer.varint(authors.len() as u64);
    authors.iter().for_each(|author| author.encode(writer));
    writer.varint(posts.len() as u64);
    let mut before = 0;
    for (post, number) in posts.iter().zip(numbers) {
        writer.varint(number as u64);
        writer.varint(post.sequence() - before);
        writer.sized(post.body());
        post.signature().encode(writer);
        before = post.sequence();
    }
}

fn take_posts(reader: &mut Reader) -> Result<Vec<Arc<Post>>, DecodeError> {
    let authors: Vec<Author> = reader.list(MAX_POSTS)?;
    let authors: Vec<Arc<Author>> = authors.into_iter().map(Arc::new).collect();
    let count = reader.varint_up_to(MAX_POSTS as u64)?;
    let mut posts: Vec<Arc<Post>> = Vec::new();
    let mut named = 0;
    for _ in 0..count {
        let number = reader.varint()?;
        // Each author is named for the first time in the order of the list, so that a message has one form.
        if number > named || number >= authors.len() as u64 {
            return Err(DecodeError::Invalid);
        }
        named = named.max(number + 1);
        let last = posts.last().map(|post| post.item());
        let sequence =
            last.map_or(0, |item| item.sequence).checked_add(reader.varint()?).ok_or(DecodeError::Number)?;
        // Copied: a post of a hundred bytes must not keep a frame of 32 KiB alive.
        let body = Bytes::copy_from_slice(&reader.sized(MAX_BODY)?);
        let signature = Signature::decode(reader)?;
        let post = Post::of(authors[number as usize].clone(), sequence, body, signature);
        if last.is_some_and(|last| post.item() <= last) {
            return Err(DecodeError::Invalid);
        }
        posts.push(Arc::new(post));
    }
    let is_tidy = named == authors.len() as u64 && !has_twins(&authors);
    if is_tidy { Ok(posts) } else { Err(DecodeError::Invalid) }
}

fn has_twins(authors: &[Arc<Author>]) -> bool {
    let twin = |(at, author): (usize, &Arc<Author>)| authors[..at].contains(author);
    authors.iter().enumerate().any(twin)
}

fn put_listings(writer: &mut Writer, listings: &[Listing]) {
    writer.varint(listings.len() as u64);
    let mut before = None;
    for Listing { stretch, items } in listings {
        put_stretch(writer, *stretch, &mut before);
        put_items(writer, items);
    }
}

fn take_listings(reader: &mut Reader) -> Result<Vec<Listing>, DecodeError> {
    let count = reader.varint_up_to(MAX_SUMMARIES as u64)?;
    let (mut before, mut room) = (None, MAX_ITEMS);
    let mut listings = Vec::new();
    for _ in 0..count {
        let stretch = take_stretch(reader, &mut before)?;
        let items = take_items(reader, room)?;
        room -= items.len();
        if items.iter().any(|item| *item < stretch.from || *item >= stretch.to) {
            return Err(DecodeError::Invalid);
        }
        listings.push(Listing { stretch, items });
    }
    Ok(listings)
}
