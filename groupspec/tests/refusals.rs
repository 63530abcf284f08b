//! Every reason for which a text is not a groupspec, with its position and its words.

mod common;

use common::{POSTING_SEED, PUBLISH_SEED, full, plain, unique};
use stratus_core::testing::peer;
use stratus_groupspec::{
    BuildError, GroupSpecifier, Groupspec, IpMulticastAddress, append_bootstrap_peer,
    append_ip_multicast_address, append_posting_authorization, append_publish_authorization, append_server,
};

#[track_caller]
fn assert_refused(text: &str, expected: &str) {
    assert_eq!(Groupspec::parse(text).map_err(|error| error.to_string()), Err(expected.to_owned()), "{text}");
}

#[test]
fn texts_that_are_no_groupspec_at_all() {
    assert_refused(
        "",
        "this is no groupspec, which begins with \"G:\"; copy it again exactly as it was given: position 0",
    );
    assert_refused(
        "g:027f10",
        "this is no groupspec, which begins with \"G:\"; copy it again exactly as it was given: position 0",
    );
    assert_refused(
        "G:027f1",
        "the groupspec is cut short; copy it again exactly as it was given: position 7",
    );
    assert_refused(
        "G:027F10",
        "the groupspec has an upper-case digit; copy it again exactly as it was given: position 5",
    );
    assert_refused(
        "G:027f10 ",
        "the groupspec has a character that is no hex digit; copy it again exactly as it was given: position 8",
    );
    let long = format!("G:{}", "0".repeat(8_192));
    assert_refused(
        &long,
        "the groupspec is too long, 8192 bytes are allowed; use fewer hints: position 8192",
    );
}

// spec GS-3
#[test]
fn versions_that_are_not_ours() {
    assert_refused(
        "G:027f0201010103010c050e74657374011b00",
        "the groupspec has version 2, this program knows 16; use a newer program: position 6",
    );
    assert_refused(
        "G:050e7465737400",
        "the groupspec has no version, as those of Flash; make one with \"stratus group new\": position 2",
    );
    assert_refused(
        "G:00",
        "the groupspec has no version, as those of Flash; make one with \"stratus group new\": position 2",
    );
    assert_refused(
        "G:037f8110050e7465737400",
        "the groupspec has version 144, this program knows 16; use a newer program: position 6",
    );
    assert_refused(
        "G:017f050e7465737400",
        "the groupspec has a field of the wrong length; copy it again exactly as it was given: position 6",
    );
}

// spec GS-4, GS-5
#[test]
fn identities_in_any_other_form() {
    let copy = "copy it again exactly as it was given";
    assert_refused(
        "G:027f10020101050e7465737400",
        &format!("the groupspec has a field of the wrong length; {copy}: position 8"),
    );
    assert_refused(
        "G:027f1001010100050e7465737400",
        &format!("the groupspec has its options in another order than it must; {copy}: position 12"),
    );
    assert_refused(
        "G:027f1001010101050e7465737400",
        "the groupspec says something twice that it may say once; remove one: position 12",
    );
    assert_refused(
        "G:027f10010405050e7465737400",
        &format!("the groupspec has an unknown option 04; {copy}, or use a newer program: position 8"),
    );
    assert_refused(
        "G:027f108001",
        &format!("the groupspec has a number in a longer form than needed; {copy}: position 8"),
    );
    assert_refused("G:027f10038001", &format!("the groupspec is cut short; {copy}: position 14"));
    assert_refused(
        "G:027f10028001",
        &format!("the groupspec has a number in a longer form than needed; {copy}: position 10"),
    );
    assert_refused("G:027f1000", &format!("the groupspec has neither a name nor a tag; {copy}: position 8"));
    assert_refused(
        "G:027f10010e00",
        &format!("the groupspec has neither a name nor a tag; {copy}: position 12"),
    );
    assert_refused(
        "G:027f10050e74ff737400",
        &format!("the groupspec has a name or server that is not plain UTF-8 text; {copy}: position 14"),
    );
    assert_refused(
        "G:027f10050e741b737400",
        &format!("the groupspec has a name or server that is not plain UTF-8 text; {copy}: position 14"),
    );
    assert_refused(
        "G:027f10050e74657374050e7465737400",
        &format!("the groupspec has a field of the wrong length; {copy}: position 20"),
    );
    assert_refused(
        &format!("G:027f108205{}{}00", "0e", "74".repeat(260)),
        &format!("the groupspec has a field of the wrong length; {copy}: position 8"),
    );
}

/// `plain` with `hint` behind it.
fn with(hint: &str) -> String {
    plain().to_string_with_authorizations() + hint
}

// spec GS-7, GS-8
#[test]
fn hints_that_cannot_be() {
    // "G:", version, name and marker take 22 bytes.
    let copy = "copy it again exactly as it was given";
    assert_refused(
        &with("00"),
        "the groupspec says something twice that it may say once; remove one: position 22",
    );
    assert_refused(
        &with("0119"),
        &format!("the groupspec has an unknown hint 19; {copy}, or use a newer program: position 22"),
    );
    assert_refused(
        &with("020b03"),
        &format!("the groupspec has a field of the wrong length; {copy}: position 26"),
    );
    assert_refused(
        &with("040a010203"),
        &format!("the groupspec has a field of the wrong length; {copy}: position 26"),
    );
    let address = "the groupspec has an address that cannot be used; append it again: position 26";
    assert_refused(&with("070acb0071072af8"), address);
    assert_refused(&with("070aef0102030000"), address);
    assert_refused(&with("0b0aef0102032af8e0000001"), address);
    assert_refused(&with("280b"), &format!("the groupspec is cut short; {copy}: position 26"));
    assert_refused(&with(&format!("280b{}0400000000002a", "07".repeat(32))), address);
    assert_refused(
        &with("054061626364"),
        "the groupspec has a server that is not \"host:port\"; append it again: position 26",
    );
    let nine = append_server("a.example:7").unwrap().repeat(9);
    assert_refused(&with(&nine), "the groupspec has too many hints of one kind; remove some: position 230");
}

// spec GS-9
#[test]
fn authorizations_that_do_not_fit_the_group() {
    assert_refused(
        &with(&append_publish_authorization([7; 32])),
        "the groupspec authorizes what every member of the group may do; leave the authorization out: position 22",
    );
    let wrong = "the groupspec has an authorization of another group; append the one of this group";
    let public = full().to_string_without_authorizations();
    let at = public.len() + 4;
    assert_refused(
        &(public.clone() + &append_publish_authorization(POSTING_SEED)),
        &format!("{wrong}: position {at}"),
    );
    assert_refused(
        &(public.clone() + &append_posting_authorization(PUBLISH_SEED)),
        &format!("{wrong}: position {at}"),
    );
    let twice = append_publish_authorization(PUBLISH_SEED).repeat(2);
    let expected = format!(
        "the groupspec says something twice that it may say once; remove one: position {}",
        public.len() + twice.len() / 2
    );
    assert_refused(&(public + &twice), &expected);
}

#[test]
fn a_specifier_refuses_what_would_not_parse() {
    assert_eq!(GroupSpecifier::new("").unwrap_err(), BuildError::EmptyName);
    assert_eq!(GroupSpecifier::new(&"x".repeat(256)).unwrap_err(), BuildError::LongName);
    assert_eq!(GroupSpecifier::new("a\u{1b}[2J").unwrap_err(), BuildError::NotText);
    for server in
        ["", "stratus.example", ":1935", "a b:7", "h:0", "h:07", "h:65536", "::1:50", "[::1]50", "a..b:3"]
    {
        assert_eq!(append_server(server), Err(BuildError::Server), "{server}");
    }
    let dial = |address: &str| append_bootstrap_peer(peer(3), &[address.parse().unwrap()]);
    for address in ["0.0.0.0:7", "203.0.113.7:0", "239.1.2.3:7", "[::ffff:203.0.113.7]:7"] {
        assert_eq!(dial(address), Err(BuildError::Address), "{address}");
    }
    let nine = vec!["203.0.113.7:700".parse().unwrap(); 9];
    assert_eq!(append_bootstrap_peer(peer(3), &nine), Err(BuildError::TooMany(8)));
    let unicast = IpMulticastAddress { group: "203.0.113.7:700".parse().unwrap(), source: None };
    assert_eq!(append_ip_multicast_address(unicast), Err(BuildError::Address));
}

// spec GS-8
#[test]
fn a_specifier_keeps_the_text_within_its_limit() {
    let host = [["h".repeat(60)].as_slice(); 4].concat().join(".");
    let addresses = vec!["[2001:db8::7]:50".parse().unwrap(); 8];
    let mut specifier = GroupSpecifier::new(&"n".repeat(255)).unwrap().publish_key_seed([7; 32]);
    for number in 0..8 {
        specifier = specifier.add_server(&format!("{host}:{}", 50_000 + number)).unwrap();
    }
    let mut peer_count = 0;
    let refusal = loop {
        match specifier.clone().add_bootstrap_peer(peer(peer_count), &addresses) {
            Ok(more) => specifier = more,
            Err(refusal) => break refusal,
        }
        peer_count += 1;
    };
    assert_eq!((refusal, peer_count), (BuildError::TooLong, 8));
    let text = specifier.build().to_string_with_authorizations();
    assert_eq!(Groupspec::parse(&text).unwrap().bootstrap_peers().len(), 8);
}

#[test]
fn neither_debug_nor_an_error_shows_a_secret() {
    let spec = full();
    let shown = format!("{spec:?}");
    assert_eq!(shown, format!("Groupspec({:?}, unique, with authorizations)", spec.group_id()));
    assert_eq!(
        format!("{:?}", unique()),
        format!("Groupspec({:?}, unique, without authorizations)", unique().group_id())
    );
    let text = spec.to_string_without_authorizations();
    assert!(!text.contains(&"11".repeat(32)) && !text.contains(&"22".repeat(32)));
    assert!(spec.to_string_with_authorizations().contains(&"11".repeat(32)));
}
