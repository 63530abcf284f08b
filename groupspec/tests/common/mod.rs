//! Groupspecs that several tests share.
#![allow(missing_docs, unreachable_pub, dead_code, reason = "each test file uses its own part")]

use std::sync::LazyLock;

use stratus_core::testing::peer;
use stratus_groupspec::{Capabilities, GroupSpecifier, Groupspec, IpMulticastAddress, Password};

pub const PUBLISH_SEED: [u8; 32] = [0x11; 32];
pub const POSTING_SEED: [u8; 32] = [0x22; 32];
pub const TAG: [u8; 32] = [0x33; 32];
pub const SALT: [u8; 16] = [0x44; 16];
pub const PUBLISH_PASSWORD: &str = "tram ocelot fjord lantern";
pub const POSTING_PASSWORD: &str = "Quitte, Hafen & neunzig Möwen";

/// Only a name: RTMFP's sample `test`.
pub fn plain() -> Groupspec {
    GroupSpecifier::new("test").unwrap().build()
}

/// A unique group in which anyone may do anything.
pub fn unique() -> Groupspec {
    GroupSpecifier::new("show").unwrap().make_unique(TAG).capabilities(Capabilities::services()).build()
}

/// No name.
pub fn unnamed() -> Groupspec {
    let capabilities = Capabilities { multicast: true, ..Capabilities::default() };
    GroupSpecifier::unnamed(TAG).capabilities(capabilities).build()
}

/// Publishing and posting by password; made once, since it takes its time.
pub fn protected() -> Groupspec {
    static MADE: LazyLock<Groupspec> = LazyLock::new(make_protected);
    MADE.clone()
}

fn make_protected() -> Groupspec {
    let (publish, posting) =
        (Password::new(PUBLISH_PASSWORD).unwrap(), Password::new(POSTING_PASSWORD).unwrap());
    let specifier =
        GroupSpecifier::new("show").unwrap().make_unique(TAG).capabilities(Capabilities::services());
    let specifier = specifier.set_publish_password(&publish, SALT).unwrap();
    specifier.set_posting_password(&posting, [0x55; 16]).unwrap().build()
}

/// Every option, every hint, every authorization.
pub fn full() -> Groupspec {
    let everything = Capabilities {
        server_channel: true,
        peer_to_peer_disabled: true,
        ip_multicast_member_updates: true,
        ..Capabilities::services()
    };
    let group = |group: &str, source: Option<&str>| IpMulticastAddress {
        group: group.parse().unwrap(),
        source: source.map(|source| source.parse().unwrap()),
    };
    GroupSpecifier::new("grüße")
        .unwrap()
        .make_unique(TAG)
        .capabilities(everything)
        .publish_key_seed(PUBLISH_SEED)
        .posting_key_seed(POSTING_SEED)
        .add_server("stratus.example:1935")
        .unwrap()
        .add_server("[2001:db8::1]:50")
        .unwrap()
        .add_bootstrap_peer(
            peer(3),
            &["203.0.113.7:700".parse().unwrap(), "[2001:db8::7]:50".parse().unwrap()],
        )
        .unwrap()
        .add_bootstrap_peer(peer(50), &[])
        .unwrap()
        .add_ip_multicast_address(group("239.1.2.3:30000", None))
        .unwrap()
        .add_ip_multicast_address(group("232.1.2.3:30000", Some("203.0.113.9")))
        .unwrap()
        .add_ip_multicast_address(group("[ff3e::8000:1]:30000", Some("2001:db8::9")))
        .unwrap()
        .build()
}

/// Where the hints begin: the shortest beginning of the text that is a groupspec ends with the marker.
pub fn identity_end(text: &str) -> usize {
    let ends = (0..=text.len()).filter(|end| text.is_char_boundary(*end));
    ends.into_iter()
        .find(|end| Groupspec::parse(&text[..*end]).is_ok())
        .expect("the whole text is a groupspec")
}
