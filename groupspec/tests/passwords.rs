//! Rights that belong to who knows a password.

mod common;

use common::{
    POSTING_PASSWORD as POSTING, PUBLISH_PASSWORD as PUBLISH, PUBLISH_SEED, SALT, TAG, plain, protected,
    unique,
};
use stratus_groupspec::{
    AuthorizeError, BuildError, GroupSpecifier, Groupspec, MOST_PASSWORD_BYTES, MOST_TEXT_BYTES, Password,
    PasswordError, Weakness, append_publish_authorization,
};

fn password(text: &str) -> Password {
    Password::new(text).unwrap()
}

fn show() -> GroupSpecifier {
    GroupSpecifier::new("show").unwrap().make_unique(TAG)
}

fn public(spec: &Groupspec) -> Groupspec {
    Groupspec::parse(&spec.to_string_without_authorizations()).unwrap()
}

// spec GS-12
#[test]
fn the_public_string_and_the_password_are_the_authorization() {
    let (spec, public) = (protected(), public(&protected()));
    assert!(public.has_publish_password() && public.has_posting_password() && !public.has_authorizations());
    let text = public.to_string_without_authorizations()
        + &public.encode_publish_authorization(&password(PUBLISH)).unwrap()
        + &public.encode_posting_authorization(&password(POSTING)).unwrap();
    assert_eq!(text, spec.to_string_with_authorizations());
    let publisher = public.with_publish_password(&password(PUBLISH)).unwrap();
    assert_eq!(publisher.publish_authorization().unwrap().public(), spec.publish_authority().unwrap());
    assert!(publisher.posting_authorization().is_none());
    let both = publisher.with_posting_password(&password(POSTING)).unwrap();
    assert!(both == spec, "one after the other is the same as both at once");
    assert!(both.with_publish_password(&password(PUBLISH)).unwrap() == spec, "a second time changes nothing");
}

// spec GS-12
#[test]
fn a_wrong_password_authorizes_nothing() {
    let public = public(&protected());
    let wrong = |text: &str| public.encode_publish_authorization(&password(text)).unwrap_err();
    for text in ["tram ocelot fjord lanterN", "tram ocelot fjord lantern ", "x", POSTING] {
        assert_eq!(wrong(text), AuthorizeError::WrongPassword, "{text}");
    }
    assert_eq!(
        public.encode_posting_authorization(&password(PUBLISH)).unwrap_err(),
        AuthorizeError::WrongPassword
    );
    assert_eq!(AuthorizeError::WrongPassword.to_string(), "the password is wrong");
}

#[test]
fn a_password_where_none_is_asked_for_is_refused_with_the_reason() {
    let refusal = |spec: &Groupspec| spec.with_publish_password(&password(PUBLISH)).unwrap_err();
    assert_eq!(refusal(&unique()), AuthorizeError::NothingToAuthorize);
    let random = show().publish_key_seed(PUBLISH_SEED).build();
    assert!(!random.has_publish_password());
    assert_eq!(refusal(&random), AuthorizeError::NoPassword);
    assert_eq!(
        AuthorizeError::NoPassword.to_string(),
        "this group has no password for that; its groupspec with authorizations is needed"
    );
}

// spec GS-12
#[test]
fn what_a_wrong_password_gives_is_refused_by_whoever_reads_it() {
    // A patched member appends what its password gives without looking.
    let other = show().set_publish_password(&password(POSTING), SALT).unwrap().build();
    let text = public(&protected()).to_string_without_authorizations() + &other.authorizations();
    assert!(Groupspec::parse(&text).unwrap_err().to_string().contains("an authorization of another group"));
}

#[test]
fn the_authorizations_alone_are_what_is_behind_the_public_string() {
    let server = |specifier: GroupSpecifier| specifier.add_server("stratus.example:1935").unwrap().build();
    let spec = server(show().set_publish_password(&password(PUBLISH), SALT).unwrap());
    assert_eq!(
        spec.to_string_without_authorizations() + &spec.authorizations(),
        spec.to_string_with_authorizations()
    );
    assert_eq!(plain().authorizations(), "");
    assert_eq!(
        show().publish_key_seed(PUBLISH_SEED).build().authorizations(),
        append_publish_authorization(PUBLISH_SEED)
    );
}

// spec GS-6, GS-12
#[test]
fn password_salt_and_right_each_make_another_key() {
    let of = |text: &str, salt| show().set_publish_password(&password(text), salt).unwrap().build();
    let posting = show().set_posting_password(&password(PUBLISH), SALT).unwrap().build();
    assert!(of(PUBLISH, SALT) == of(PUBLISH, SALT));
    let mut keys = vec![
        of(PUBLISH, SALT).publish_authority(),
        of(POSTING, SALT).publish_authority(),
        of(PUBLISH, [0x45; 16]).publish_authority(),
        posting.posting_authority(),
    ];
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 4);
}

// spec GS-12
#[test]
fn other_lengths_and_schemes_are_refused() {
    let with_05 = |value: &str| {
        let length = 1 + value.len() / 2;
        let text = format!("G:027f10{length:02x}05{value}050e7465737400");
        Groupspec::parse(&text).map_err(|error| error.to_string())
    };
    let (key, salt) = ("07".repeat(32), "44".repeat(16));
    assert!(with_05(&key).is_ok() && with_05(&format!("{key}01{salt}")).is_ok());
    let length =
        "the groupspec has a field of the wrong length; copy it again exactly as it was given: position 8";
    for value in
        [&key[2..], &format!("{key}01"), &format!("{key}01{salt}44"), &format!("{key}01{}", &salt[2..])]
    {
        assert_eq!(with_05(value).unwrap_err(), length, "{value}");
    }
    for scheme in ["00", "02", "ff"] {
        assert_eq!(
            with_05(&format!("{key}{scheme}{salt}")).unwrap_err(),
            format!(
                "the groupspec has an unknown kind of password {scheme}; use a newer program: position 8"
            )
        );
    }
}

// spec GS-13
#[test]
fn weak_passwords_are_refused_with_the_reason() {
    let cases = [
        ("x7#Qp2!mZ9k", Weakness::Short, "it has fewer than 12 characters"),
        ("unbelievable", Weakness::Word, "it is made from words that are tried first"),
        ("P4ssw0rd123!", Weakness::Common, "it is much like passwords that many people use"),
        ("qwertyuiop[]", Weakness::Keyboard, "it follows the keys of a keyboard"),
        ("aaaaaaaaaaaaaaaaaaaa", Weakness::Repeats, "it repeats itself"),
        ("abcdefghijklmnop", Weakness::Sequence, "it counts up or down"),
        ("1987-06-05 15.04.2026", Weakness::Date, "it is made from a date"),
        ("show show show show", Weakness::Repeats, "it repeats itself"),
    ];
    for (text, weakness, reason) in cases {
        let refused = show().set_publish_password(&password(text), SALT).unwrap_err();
        assert_eq!(refused, BuildError::WeakPassword(weakness), "{text}");
        assert_eq!(refused.to_string(), format!("the password is too weak: {reason}"));
        assert_eq!(show().set_posting_password(&password(text), SALT).unwrap_err(), refused);
    }
    for text in ["Wie grün ist mein Tal?", "密码学家在山上种了七棵树啊"] {
        assert!(show().set_publish_password(&password(text), SALT).is_ok(), "{text}");
    }
}

#[test]
fn a_weak_password_that_a_group_has_can_be_used() {
    // Another program may have made it.
    let made =
        GroupSpecifier::new("test").unwrap().set_publish_password(&password(PUBLISH), SALT).unwrap().build();
    let refusal = made.with_publish_password(&password("weak")).unwrap_err();
    assert_eq!(refusal, AuthorizeError::WrongPassword, "tried, not judged");
}

#[test]
fn texts_that_are_no_passwords() {
    let refused = |text: &str| Password::new(text).unwrap_err();
    assert_eq!(refused(""), PasswordError::Empty);
    assert_eq!(refused("two\nlines of text"), PasswordError::ControlCharacter);
    assert_eq!(refused("one line of text\n"), PasswordError::ControlCharacter);
    assert_eq!(refused("nul\0in between"), PasswordError::ControlCharacter);
    assert!(Password::new(&"ü".repeat(MOST_PASSWORD_BYTES / 2)).is_ok());
    assert_eq!(refused(&"x".repeat(MOST_PASSWORD_BYTES + 1)), PasswordError::TooLong);
}

#[test]
fn no_debug_and_no_error_shows_a_password_or_a_seed() {
    let (spec, typed) = (protected(), password(PUBLISH));
    let seed: String = spec.authorizations()[6..70].to_owned();
    let specifier = show().set_publish_password(&typed, SALT).unwrap();
    let shown = [
        format!("{typed:?} {spec:?} {specifier:?} {:?}", spec.publish_authorization()),
        format!("{:?}", public(&spec).with_publish_password(&password(POSTING)).unwrap_err()),
        format!("{:?}", show().set_publish_password(&password("canary canary"), SALT).unwrap_err()),
        Password::new("canary\ncanary").unwrap_err().to_string(),
    ];
    for text in &shown {
        for secret in [PUBLISH, POSTING, "canary", &seed] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    assert!(shown[0].starts_with("Password(hidden) "));
}

// spec GS-2
#[test]
fn the_longest_identity_and_both_authorizations_have_room() {
    let host = [["h".repeat(60)].as_slice(); 4].concat().join(".");
    let addresses = vec!["[2001:db8::7]:50".parse().unwrap(); 8];
    let mut specifier = GroupSpecifier::new(&"n".repeat(255)).unwrap().make_unique(TAG);
    for number in 0..8 {
        specifier = specifier.add_server(&format!("{host}:{}", 50_000 + number)).unwrap();
    }
    for number in 0.. {
        let peer = stratus_core::testing::peer(number);
        let Ok(more) = specifier.clone().add_bootstrap_peer(peer, &addresses) else { break };
        specifier = more;
    }
    let specifier = specifier.set_publish_password(&password(PUBLISH), SALT).unwrap();
    let spec = specifier.set_posting_password(&password(POSTING), SALT).unwrap().build();
    assert!(spec.to_string_with_authorizations().len() <= MOST_TEXT_BYTES);
    assert!(public(&spec).with_publish_password(&password(PUBLISH)).is_ok());
}

#[test]
fn an_authorization_that_does_not_fit_any_more_is_told() {
    let public = public(&protected()).to_string_without_authorizations();
    // Hints of a later program fill the text but for one byte.
    let filler = (MOST_TEXT_BYTES - public.len()) / 2 - 3;
    let length = format!("{:02x}{:02x}", 0x80 | ((filler + 1) >> 7), (filler + 1) & 0x7f);
    let full = Groupspec::parse(&(public + &length + "41" + &"07".repeat(filler))).unwrap();
    assert_eq!(full.with_publish_password(&password(PUBLISH)).unwrap_err(), AuthorizeError::TooLong);
}

#[test]
fn versions_are_values() {
    assert_eq!(GroupSpecifier::MAX_SUPPORTED_GROUPSPEC_VERSION, 16);
    assert_eq!((plain().version(), show().min_groupspec_version()), (16, 16));
    let lower = show().set_min_groupspec_version(2).unwrap();
    assert_eq!((lower.min_groupspec_version(), lower.build().version()), (2, 16));
    let refused = show().set_min_groupspec_version(17).unwrap_err();
    assert_eq!(refused, BuildError::Version(17));
    assert_eq!(refused.to_string(), "the highest version of groupspecs is 16, not 17");
}
