//! Lies that a descriptor can tell, each refused. Spec RE-20 to RE-24.

use stratus_core::DecodeError;

use super::*;

fn object(mark: u8, length: u64) -> Vec<u8> {
    vec![mark; length as usize]
}

/// Three files, the third a copy of the first, and an empty one.
fn builder() -> SetBuilder {
    let mut builder = SetBuilder::new("holiday", "");
    let long = [object(1, OBJECT_BYTES), object(2, 500)].map(|object| hash(&object)).to_vec();
    builder.add("a/long.bin", OBJECT_BYTES + 500, long.clone());
    builder.add("a/short.txt", 7, vec![hash(&object(3, 7))]);
    builder.add("b/copy.bin", OBJECT_BYTES + 500, long);
    builder.add("empty", 0, Vec::new());
    builder
}

fn file(path: &str, size: u64, first: u64) -> FileEntry {
    FileEntry { path: path.to_owned(), size, first }
}

fn lying(files: Vec<FileEntry>, objects: usize) -> Result<(), SetError> {
    Descriptor { files, hashes: vec![[7; 32]; objects], ..Descriptor::default() }.validate()
}

#[test]
fn a_set_is_put_together_from_its_name_alone() {
    let set = builder().finish().expect("a set");
    let mut assembly = Assembly::new(set.id());
    assert_eq!(assembly.wanted(), 0..1);
    assert_eq!(assembly.take(0, set.heads()[0].clone()), Ok(Taken::More));
    assert_eq!(assembly.wanted(), 1..2);
    assert_eq!(assembly.take(1, set.heads()[1].clone()), Ok(Taken::Complete));
    assert_eq!(assembly.set(), Some(&set));
    assert_eq!(SetId::from_hex(&set.id().to_string()), Some(set.id()));
}

#[test]
fn equal_contents_are_there_once() {
    let set = builder().finish().expect("a set");
    assert_eq!((set.descriptor().hashes.len(), set.object_count()), (3, 5));
    assert_eq!(set.content_bytes(), OBJECT_BYTES + 507);
    assert_eq!(
        [0, 1, 2, 3].map(|data| set.data_length(data)),
        [Some(OBJECT_BYTES), Some(500), Some(7), None]
    );
}

#[test]
fn a_data_object_is_right_to_the_last_byte_or_wrong() {
    let set = builder().finish().expect("a set");
    let mut bytes = object(2, 500);
    assert!(set.is_data(1, &bytes));
    bytes[499] ^= 1;
    assert!(!set.is_data(1, &bytes) && !set.is_data(1, &object(2, 499)) && !set.is_data(9, &bytes));
}

#[test]
fn a_head_with_a_flipped_byte_is_the_senders_fault() {
    let set = builder().finish().expect("a set");
    for (index, head) in set.heads().iter().enumerate() {
        let mut assembly = Assembly::new(set.id());
        for (number, whole) in set.heads().iter().enumerate().take(index) {
            assembly.take(number as u64, whole.clone()).expect("right");
        }
        let mut bytes = head.to_vec();
        bytes[3] ^= 1;
        assert_eq!(assembly.take(index as u64, bytes.into()), Err(Wrong::Bytes));
        assert_eq!(assembly.take(9, head.clone()), Err(Wrong::Bytes));
    }
}

#[test]
fn a_root_that_lies_about_its_pages_is_refused() {
    let root = |body_bytes: u64, pages: usize| Root { body_bytes, pages: vec![[1; 32]; pages] };
    assert!(root(1, 1).validate().is_ok() && root(OBJECT_BYTES + 1, 2).validate().is_ok());
    for lie in [root(0, 0), root(OBJECT_BYTES, 2), root(OBJECT_BYTES + 1, 1)] {
        assert!(lie.validate().is_err(), "{lie:?}");
        // Its hash is right, so it is the maker's lie and not the sender's.
        let bytes = lie.to_bytes();
        let mut assembly = Assembly::new(SetId(hash(&bytes)));
        assert!(matches!(assembly.take(0, bytes), Err(Wrong::Lies(SetError::Sizes(_)))));
    }
    let most = root(2_046 * OBJECT_BYTES, 2_046).to_bytes();
    assert!(most.len() <= crate::MOST_OBJECT_BYTES && Root::from_bytes(most).is_ok());
    assert_eq!(Root::from_bytes(root(7, 2_047).to_bytes()), Err(DecodeError::TooLong));
}

#[test]
fn sizes_and_objects_must_fit_together() {
    assert_eq!(lying(vec![file("a", OBJECT_BYTES, 0), file("b", 3, 1)], 2), Ok(()));
    let lies = [
        (vec![file("a", 3, 0)], 2),
        (vec![file("a", OBJECT_BYTES + 1, 0)], 1),
        (vec![file("a", 1 << 53, 0)], 1),
        (vec![file("a", 3, 1)], 2),
        (vec![file("a", 3, 0), file("b", 4, 0)], 1),
        (vec![file("a", 0, 1)], 0),
        (vec![], 1),
    ];
    for (files, objects) in lies {
        let told = format!("{files:?}");
        assert!(matches!(lying(files, objects), Err(SetError::Sizes(_))), "{told}");
    }
}

#[test]
fn a_set_of_more_objects_than_allowed_is_refused_before_anything_is_made_for_it() {
    let most = MOST_DATA_OBJECTS;
    let many = |count: u64| {
        let mut bytes = vec![0, 0, 0];
        let mut writer = stratus_core::Writer::new();
        writer.varint(count);
        bytes.extend(writer.finish());
        Descriptor::from_bytes(bytes.into())
    };
    assert_eq!(many(most + 1), Err(DecodeError::TooLong));
    assert_eq!(many(1 << 40), Err(DecodeError::TooLong));
    assert_eq!(many(most), Err(DecodeError::Truncated));
    let files = |count: usize| (0..count).map(|number| file(&format!("f{number}"), 0, 0)).collect::<Vec<_>>();
    assert_eq!(lying(files(MOST_FILES), 0), Ok(()));
    assert_eq!(lying(files(MOST_FILES + 1), 0), Err(SetError::TooMany));
}

#[test]
fn paths_that_lead_out_or_mean_something_else_are_refused() {
    use PathFault as F;
    let long = "x".repeat(256);
    let deep = vec!["x"; 33].join("/");
    let lies = [
        ("../etc/passwd", F::Dots),
        ("a/../../b", F::Dots),
        ("a/./b", F::Dots),
        ("/etc/passwd", F::Absolute),
        ("\\\\host\\share", F::Absolute),
        ("C:evil", F::Absolute),
        ("", F::Empty),
        ("a//b", F::Empty),
        ("a/", F::Empty),
        ("a\\..\\b", F::Character),
        ("a\nb", F::Character),
        ("a\0b", F::Character),
        ("evil\u{202e}txt.exe", F::Character),
        ("con", F::Reserved),
        ("a/NUL.txt", F::Reserved),
        ("Com1", F::Reserved),
        ("a/lpt9.log", F::Reserved),
        ("trailing.", F::Reserved),
        ("trailing ", F::Reserved),
        (".stratus-x/index", F::Reserved),
        (long.as_str(), F::TooLong),
        (deep.as_str(), F::TooLong),
    ];
    for (path, fault) in lies {
        assert_eq!(check_path(path), Err(fault), "{path:?}");
        assert_eq!(lying(vec![file(path, 0, 0)], 0), Err(SetError::Path(path.to_owned(), fault)));
    }
    for path in ["a", "a/b.c", "console.txt", "com10", "übung/naïve file (1).mp4", &"x".repeat(255)] {
        assert_eq!(check_path(path), Ok(()), "{path:?}");
    }
}

#[test]
fn two_names_that_are_one_somewhere_are_refused() {
    for (a, b) in [("a", "a"), ("Readme", "README"), ("straße/Ä", "straße/ä"), ("x", "x/y"), ("X", "x/y")]
    {
        let lie = lying(vec![file(a, 0, 0), file(b, 0, 0)], 0);
        assert!(matches!(lie, Err(SetError::Duplicate(_))), "{a:?} {b:?}: {lie:?}");
    }
    assert_eq!(lying(vec![file("x/a", 0, 0), file("x/b", 0, 0)], 0), Ok(()));
}
