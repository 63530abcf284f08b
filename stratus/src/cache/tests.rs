use std::os::unix::fs::PermissionsExt as _;

use stratus_groupspec::GroupSpecifier;

use super::*;

const NOW: u64 = 1_800_000_000;

/// A member with a number, in a network of its own for every ten numbers.
fn kept(number: u16, seen_at: u64, linked_seconds: u64) -> Kept {
    let mut id = [0; 32];
    id[..2].copy_from_slice(&number.to_be_bytes());
    let address = SocketAddr::from(([10, 0, (number / 10) as u8, 3], 5_000 + number));
    Kept { peer: PeerId::from_bytes(id), addresses: vec![address], seen_at, linked_seconds }
}

fn numbers(members: &[Kept]) -> Vec<u16> {
    members.iter().map(|kept| kept.addresses[0].port() - 5_000).collect()
}

fn keys() -> GroupKeys {
    GroupSpecifier::new("a name that nobody may read").unwrap().make_unique([3; 32]).build().keys()
}

#[test]
fn sixteen_anchors_outlast_any_number_of_newcomers() {
    let anchors = (0..20).map(|number| kept(number, NOW - 86_400, 700 + u64::from(number)));
    let newcomers = (100..400).map(|number| kept(number, NOW, 50));
    let best = best(newcomers.chain(anchors).collect(), NOW);
    assert_eq!(best.len(), MOST);
    assert_eq!(numbers(&best[..ANCHORS]), (4..20).rev().collect::<Vec<_>>());
    assert!(best[ANCHORS..].iter().all(|kept| kept.linked_seconds == 50));
}

#[test]
fn what_is_kept_is_bounded_and_ages() {
    let all: Vec<Kept> = (0..=MOST as u16).map(|number| kept(number, NOW, 3)).collect();
    assert_eq!(best(all[..MOST].to_vec(), NOW).len(), MOST);
    assert_eq!(best(all.clone(), NOW).len(), MOST);
    assert_eq!(best(all.clone(), NOW + FORGET.as_secs() - 1).len(), MOST);
    assert_eq!(best(all, NOW + FORGET.as_secs()), []);
}

#[test]
fn one_network_fills_the_cache_only_if_there_is_no_other() {
    let crowd = (900..960).map(|number| Kept {
        addresses: vec![SocketAddr::from(([203, 0, 113, 7], 5_000 + number))],
        ..kept(number, NOW, 3)
    });
    let others = (0..30).map(|number| kept(10 * number, NOW - 700, 3));
    let best = best(crowd.chain(others).collect(), NOW);
    assert!(numbers(&best).iter().filter(|number| **number < 900).count() == 30, "{:?}", numbers(&best));
}

#[test]
fn a_file_is_read_as_it_was_written_and_nonsense_is_left_out() {
    let members = vec![kept(3, NOW, 50), kept(7, NOW - 3, 700)];
    let text = file::text(&members);
    assert_eq!(file::members(&text), members);
    let spoiled = text.replace("10.0.0.3:5003", "10.0.0.3");
    assert_eq!(file::members(&spoiled), members[1..]);
    for nonsense in ["", "stratus members 2\n", "\0\0\0", "stratus members 1\nx y z\n\n  \n"] {
        assert_eq!(file::members(nonsense), [], "{nonsense:?}");
    }
}

#[test]
fn members_of_one_run_are_known_to_the_next_and_the_file_says_nothing_of_the_group() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("groups");
    let mut cache = Cache::open(&folder, &keys());
    assert_eq!(cache.members(), []);
    let met = kept(3, 0, 0);
    let began = Instant::now();
    let ended = began + Duration::from_secs(50);
    cache.linked(met.peer, began);
    cache.unlinked(&met.peer, met.addresses.clone(), ended);
    cache.note(&kept(7, 0, 0).peer, met.addresses.clone(), ended);
    cache.page().write();
    let next = Cache::open(&folder, &keys());
    assert_eq!(next.members(), [BootstrapPeer { peer: met.peer, addresses: met.addresses.clone() }]);
    assert_eq!(next.members[&met.peer].linked_seconds, 50);
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let name = file.file_name().into_string().unwrap();
    let text = std::fs::read_to_string(file.path()).unwrap();
    for secret in [keys().group_id.to_string(), "name".to_owned(), "group".to_owned()] {
        assert!(!text.contains(&secret) && !name.contains(&secret[..4]), "{name}: {text}");
    }
}

#[test]
fn two_members_on_one_machine_keep_what_either_met() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = Cache::open(folder.path(), &keys());
    let mut other = Cache::open(folder.path(), &keys());
    for (cache, number) in [(&mut one, 3), (&mut other, 7)] {
        let met = kept(number, 0, 0);
        cache.linked(met.peer, Instant::now());
        cache.note(&met.peer, met.addresses, Instant::now());
        cache.page().write();
    }
    assert_eq!(Cache::open(folder.path(), &keys()).members().len(), 2);
}
