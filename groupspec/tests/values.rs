//! What a groupspec says when asked.

mod common;

use common::{POSTING_SEED, PUBLISH_SEED, TAG, full, plain, unique, unnamed};
use stratus_core::Identity;
use stratus_core::testing::peer;
use stratus_groupspec::{
    Capabilities, GroupSpecifier, Groupspec, IpMulticastAddress, append_bootstrap_peer,
    append_ip_multicast_address, append_posting_authorization, append_publish_authorization, append_server,
};

#[test]
fn a_full_groupspec_says_what_was_put_in() {
    let spec = Groupspec::parse(&full().to_string_with_authorizations()).unwrap();
    assert_eq!(spec.name(), Some("grüße"));
    assert_eq!(spec.servers(), ["stratus.example:1935", "[2001:db8::1]:50"]);
    assert_eq!(spec.publish_authority(), Some(Identity::from_seed(PUBLISH_SEED).public()));
    assert_eq!(spec.publish_authorization().unwrap().seed(), PUBLISH_SEED);
    assert_eq!(spec.posting_authority(), Some(Identity::from_seed(POSTING_SEED).public()));
    assert_eq!(spec.posting_authorization().unwrap().seed(), POSTING_SEED);
    assert_eq!(spec.bootstrap_peers().iter().map(|hint| hint.peer).collect::<Vec<_>>(), [peer(3), peer(50)]);
    assert_eq!(spec.bootstrap_peers()[0].addresses[1], "[2001:db8::7]:50".parse().unwrap());
    assert_eq!(spec.ip_multicast_addresses()[1].source, Some("203.0.113.9".parse().unwrap()));
    assert!(spec.is_unique() && !spec.is_guessable() && spec.has_authorizations());
}

#[test]
fn a_bare_name_is_guessable_and_authorizes_nothing() {
    let spec = plain();
    assert_eq!(spec.to_string_with_authorizations(), "G:027f10050e7465737400");
    assert_eq!(spec.capabilities(), Capabilities::default());
    assert!(spec.is_guessable() && !spec.has_authorizations());
    assert!(spec.publish_authority().is_none() && spec.publish_authorization().is_none());
}

// spec GS-5
#[test]
fn a_group_without_a_name_has_a_tag() {
    let spec = Groupspec::parse(&unnamed().to_string_with_authorizations()).unwrap();
    assert_eq!((spec.name(), spec.is_unique()), (None, true));
}

#[test]
fn any_other_option_name_or_tag_is_another_group() {
    let services = Capabilities::services();
    let show = || GroupSpecifier::new("show").unwrap().make_unique(TAG).capabilities(services);
    let others = [
        show().capabilities(Capabilities { posting: false, ..services }),
        show().capabilities(Capabilities { server_channel: true, ..services }),
        show().make_unique([0x34; 32]),
        show().publish_key_seed(PUBLISH_SEED),
        show().posting_key_seed(PUBLISH_SEED),
        GroupSpecifier::new("shows").unwrap().make_unique(TAG).capabilities(services),
        GroupSpecifier::unnamed(TAG).capabilities(services),
    ];
    let mut ids: Vec<_> = others.into_iter().map(|other| other.build().group_id()).collect();
    ids.push(unique().group_id());
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 8);
    assert_eq!(show().build().group_id(), unique().group_id());
}

// spec GS-7
#[test]
fn whatever_is_appended_is_there_and_the_group_is_the_same() {
    let address = IpMulticastAddress { group: "[ff02::7]:700".parse().unwrap(), source: None };
    let text = full().to_string_without_authorizations()
        + &append_publish_authorization(PUBLISH_SEED)
        + &append_server("192.0.2.3:1935").unwrap()
        + &append_bootstrap_peer(peer(7), &["192.0.2.7:7".parse().unwrap()]).unwrap()
        + &append_ip_multicast_address(address).unwrap()
        + &append_posting_authorization(POSTING_SEED);
    let spec = Groupspec::parse(&text).unwrap();
    assert_eq!(spec.group_id(), full().group_id());
    assert_eq!(spec.to_string_with_authorizations(), text);
    assert_eq!(spec.servers()[2], "192.0.2.3:1935");
    assert_eq!(spec.bootstrap_peers()[2].peer, peer(7));
    assert_eq!(spec.ip_multicast_addresses()[3], address);
    assert!(spec.publish_authorization().is_some() && spec.posting_authorization().is_some());
}

// spec GS-8
#[test]
fn a_hint_of_a_later_program_is_kept_and_ignored() {
    let text = plain().to_string_with_authorizations() + "0441070707";
    let spec = Groupspec::parse(&text).unwrap();
    assert_eq!(spec.to_string_without_authorizations(), text);
    assert_eq!(spec.group_id(), plain().group_id());
}
