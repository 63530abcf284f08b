//! Committed wire forms: a change here is another wire version (docs/protocol.md).

use stratus_core::testing::identity;
use stratus_core::{DecodeError, Wire};

use super::Group;
use crate::{Item, Listing, Message, Stretch, Summary};

const MOMENT: u64 = 1_790_000_000_000_000;

fn messages() -> Vec<Message> {
    let right = identity(9);
    let items = vec![Item { sequence: MOMENT, tag: 5 }, Item { sequence: MOMENT + 700, tag: 3 }];
    let stretch = Stretch { from: items[0], to: items[1] };
    let rest = Stretch { from: items[1], to: Item::END };
    let summary = |stretch| Summary { stretch, count: 3, fingerprint: [0xab; 16] };
    let posts = vec![
        Group::sign(1, MOMENT, "one", Some(&right)),
        Group::sign(2, MOMENT + 50, "two", None),
        Group::sign(1, MOMENT + 700, "", Some(&right)),
    ];
    vec![
        Message::Announce { is_news: true, items: items.clone() },
        Message::Pull { items: items.clone() },
        Message::Posts(posts),
        Message::Lack { items: items[..1].to_vec() },
        Message::Compare { is_answer: true, summaries: vec![summary(stretch), summary(rest)] },
        Message::Holds(vec![
            Listing { stretch, items: items[..1].to_vec() },
            Listing { stretch: rest, items: Vec::new() },
        ]),
        Message::Same,
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_wire_forms_are_the_committed_ones_and_read_back() {
    let written: String = messages().iter().map(|message| hex(&message.to_bytes()) + "\n").collect();
    assert!(written == include_str!("vectors.txt"), "the wire form changed:\n{written}");
    for message in messages() {
        assert_eq!(Message::from_bytes(message.to_bytes()), Ok(message.clone()));
    }
}

#[test]
fn every_prefix_is_cut_short_and_every_tail_is_refused() {
    for message in messages() {
        let bytes = message.to_bytes();
        for length in 0..bytes.len() {
            assert!(Message::from_bytes(bytes.slice(..length)).is_err(), "{length} bytes of {message:?}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Message::from_bytes(longer.into()), Err(DecodeError::Trailing));
    }
}

#[test]
fn what_does_not_ascend_has_another_form_and_is_refused() {
    // spec PO-6
    let item = |sequence, tag| Item { sequence, tag };
    for items in [vec![item(3, 5), item(3, 5)], vec![item(3, 5), item(3, 4)]] {
        let bytes = Message::Pull { items }.to_bytes();
        assert_eq!(Message::from_bytes(bytes), Err(DecodeError::Invalid));
    }
    let posts = [Group::sign(1, 700, "b", None), Group::sign(1, 700, "b", None)];
    assert_eq!(Message::from_bytes(Message::Posts(posts.to_vec()).to_bytes()), Err(DecodeError::Invalid));
    let stretch = |from, to| Stretch { from: item(from, 0), to: item(to, 0) };
    let holds = |stretches: &[Stretch]| {
        let listing = |stretch: &Stretch| Listing { stretch: *stretch, items: Vec::new() };
        Message::from_bytes(Message::Holds(stretches.iter().map(listing).collect()).to_bytes())
    };
    assert!(holds(&[stretch(3, 50), stretch(50, 700)]).is_ok());
    assert_eq!(holds(&[stretch(3, 50), stretch(7, 700)]), Err(DecodeError::Invalid), "they overlap");
    assert_eq!(holds(&[stretch(50, 3)]), Err(DecodeError::Invalid));
    let outside = Listing { stretch: stretch(3, 50), items: vec![item(50, 0)] };
    assert_eq!(Message::from_bytes(Message::Holds(vec![outside]).to_bytes()), Err(DecodeError::Invalid));
}
