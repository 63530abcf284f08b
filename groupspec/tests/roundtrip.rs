//! Strings and values: what goes in comes out, and what was changed is another group or refused.

mod common;

use common::{full, identity_end, plain, protected, unique, unnamed};
use proptest::prelude::*;
use stratus_core::PeerId;
use stratus_groupspec::{Capabilities, GroupSpecifier, Groupspec, IpMulticastAddress, MOST_TEXT_BYTES};

fn samples() -> [Groupspec; 5] {
    [plain(), unique(), unnamed(), full(), protected()]
}

// spec GS-1, GS-6
#[test]
fn any_flipped_bit_of_the_identity_is_another_group_or_refused() {
    for spec in samples() {
        let text = spec.to_string_with_authorizations();
        each_flip(&text, 0..identity_end(&text), |flipped, at| {
            if let Ok(other) = Groupspec::parse(flipped) {
                assert_ne!(other.group_id(), spec.group_id(), "bit {at:?} of {text}");
            }
        });
    }
}

// spec GS-6
#[test]
fn any_flipped_bit_of_a_hint_is_the_same_group_or_refused() {
    let spec = full();
    let text = spec.to_string_with_authorizations();
    let (mut accepted_count, mut refused_count) = (0, 0);
    each_flip(&text, identity_end(&text)..text.len(), |flipped, at| match Groupspec::parse(flipped) {
        Ok(other) => {
            accepted_count += 1;
            assert_eq!(other.group_id(), spec.group_id(), "bit {at:?} of {text}");
        }
        Err(_) => refused_count += 1,
    });
    assert!(accepted_count > 100 && refused_count > 100, "{accepted_count} {refused_count}");
}

/// Calls `judge` with `text` in which one bit of one character is flipped.
fn each_flip(text: &str, range: std::ops::Range<usize>, mut judge: impl FnMut(&str, (usize, u32))) {
    for at in range {
        for bit in 0..7 {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            judge(std::str::from_utf8(&bytes).expect("seven bits are ASCII"), (at, bit));
        }
    }
}

// spec GS-2
#[test]
fn a_cut_identity_is_refused_where_it_ends_and_cut_hints_never_change_the_group() {
    for spec in samples() {
        let text = spec.to_string_with_authorizations();
        let end = identity_end(&text);
        for cut in 0..text.len() {
            match Groupspec::parse(&text[..cut]) {
                Ok(other) => {
                    assert!(cut >= end, "a groupspec without its marker at {cut}");
                    assert_eq!(other.group_id(), spec.group_id());
                }
                Err(error) => assert_eq!(error.position, if cut < 2 { 0 } else { cut }, "{error}"),
            }
        }
    }
}

// spec GS-1
#[test]
fn any_upper_case_digit_is_refused_at_its_position() {
    let text = full().to_string_with_authorizations();
    for (position, digit) in text.char_indices().skip(2).filter(|(_, digit)| digit.is_alphabetic()) {
        let mut changed = text.clone();
        changed.replace_range(position..=position, &digit.to_uppercase().to_string());
        assert_eq!(Groupspec::parse(&changed).unwrap_err().position, position);
    }
}

fn capabilities() -> impl Strategy<Value = Capabilities> {
    any::<[bool; 7]>().prop_map(|flags| Capabilities {
        routing: flags[0],
        multicast: flags[1],
        object_replication: flags[2],
        posting: flags[3],
        server_channel: flags[4],
        peer_to_peer_disabled: flags[5],
        ip_multicast_member_updates: flags[6],
    })
}

fn specifier() -> impl Strategy<Value = GroupSpecifier> {
    let identity = (
        "[^\\p{Cc}]{1,40}",
        any::<Option<[u8; 32]>>(),
        capabilities(),
        any::<Option<[u8; 32]>>(),
        any::<Option<[u8; 32]>>(),
    );
    let peers = prop::collection::vec((any::<[u8; 32]>(), prop::collection::vec(1u16.., 0..4)), 0..4);
    let servers = prop::collection::vec("[a-z]{1,9}\\.example:[1-9][0-9]{0,3}", 0..4);
    let multicast = prop::collection::vec((1u8.., 1u16..), 0..4);
    (identity, peers, servers, multicast).prop_map(
        |((name, tag, capabilities, publish, posting), peers, servers, multicast)| {
            let mut specifier = GroupSpecifier::new(&name).unwrap().capabilities(capabilities);
            specifier = tag.into_iter().fold(specifier, GroupSpecifier::make_unique);
            specifier = publish.into_iter().fold(specifier, GroupSpecifier::publish_key_seed);
            specifier = posting.into_iter().fold(specifier, GroupSpecifier::posting_key_seed);
            for (id, ports) in peers {
                let addresses: Vec<_> =
                    ports.into_iter().map(|port| ([203, 0, 113, 7], port).into()).collect();
                specifier = specifier.add_bootstrap_peer(PeerId::from_bytes(id), &addresses).unwrap();
            }
            for server in servers {
                specifier = specifier.add_server(&server).unwrap();
            }
            for (last, port) in multicast {
                let address = IpMulticastAddress { group: ([239, 1, 2, last], port).into(), source: None };
                specifier = specifier.add_ip_multicast_address(address).unwrap();
            }
            specifier
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    // spec GS-2
    #[test]
    fn what_was_built_reads_back(specifier in specifier()) {
        let spec = specifier.build();
        let text = spec.to_string_with_authorizations();
        prop_assert!(text.len() <= MOST_TEXT_BYTES);
        let read = Groupspec::parse(&text).unwrap();
        prop_assert_eq!(read.to_string_with_authorizations(), text);
        prop_assert!(read == spec, "another value was read");
    }

    // spec GS-9
    #[test]
    fn without_authorizations_it_is_the_same_group_with_the_same_hints(specifier in specifier()) {
        let spec = specifier.build();
        let public = Groupspec::parse(&spec.to_string_without_authorizations()).unwrap();
        prop_assert_eq!(public.group_id(), spec.group_id());
        prop_assert_eq!(public.servers(), spec.servers());
        prop_assert_eq!(public.bootstrap_peers(), spec.bootstrap_peers());
        prop_assert_eq!(public.ip_multicast_addresses(), spec.ip_multicast_addresses());
        prop_assert!(!public.has_authorizations());
        prop_assert!(public.publish_authorization().is_none() && public.posting_authorization().is_none());
    }

    // spec GS-2
    #[test]
    fn whatever_parses_prints_as_it_was_written(is_full in any::<bool>(), body in prop::collection::vec(any::<u8>(), 0..60), at in 0usize..400) {
        let mut text = if is_full { full() } else { protected() }.to_string_with_authorizations();
        let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
        let at = 2 + 2 * (at % (text.len() / 2));
        text.replace_range(at..(at + hex.len()).min(text.len()), &hex);
        if let Ok(spec) = Groupspec::parse(&text) {
            prop_assert_eq!(spec.to_string_with_authorizations(), text);
        }
    }

    #[test]
    fn any_text_is_refused_inside_itself_and_not_quoted(text in "(G:)?\\PC{0,80}") {
        let error = Groupspec::parse(&text).unwrap_err();
        prop_assert!(error.position <= text.len());
        prop_assert!(!error.to_string().contains('\n'));
    }
}
