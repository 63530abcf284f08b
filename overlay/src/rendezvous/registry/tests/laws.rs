//! What holds whatever clients do.

use super::*;

/// Random steps of 12 clients in 3 groups, of which some are hostile; gives back all outputs.
fn random_run(seed: u64) -> Vec<Output> {
    let limits = Config {
        connections: 10,
        groups: 2,
        members_per_group: 4,
        members: 9,
        introductions: Rate { burst: 1, per_second: 1 },
        ..config()
    };
    let mut room = Room::new(limits);
    let mut choice = Rng::from_seed(seed);
    let mut connections: BTreeMap<u64, u64> = BTreeMap::new();
    let mut trace = Vec::new();
    for step in 0..400u64 {
        let (client, target) = (choice.below(12), choice.below(12));
        let group = *choice.pick(&[0, 0, 0, 1, 2]).unwrap();
        let connection = connections.get(&client).copied().unwrap_or(9_999);
        let out = match choice.below(20) {
            0..2 => {
                connections.insert(client, step);
                room.open_as(client, step)
            }
            2..8 => room.say(connection, ClientMessage::Register(registration(client, group, connection))),
            8 => room.say(connection, ClientMessage::Leave { group: group_id(group) }),
            9..17 => room.introduce(connection, group, target),
            17 if choice.chance(1, 4) => room.give(Input::Garbled { connection }),
            17 => room.give(Input::Closed { connection }),
            18 => room.refresh(connection, group),
            _ => {
                let seconds = choice.below(8);
                room.pass(seconds)
            }
        };
        check_outputs(&out, &room, seed, step);
        trace.extend(out);
    }
    trace
}

fn check_outputs(out: &[Output], room: &Room, seed: u64, step: u64) {
    let stats = room.registry.stats();
    let held = (stats.connection_count, stats.group_count, stats.member_count);
    assert!(held.0 <= 10 && held.1 <= 2 && held.2 <= 9, "{held:?} at step {step}, seed {seed}");
    assert!(room.registry.introducer.asker_count() <= 10, "askers at step {step}, seed {seed}");
    assert!(out.len() <= 2 * 10, "{} outputs at step {step}, seed {seed}", out.len());
    for output in out {
        let Output::Send { connection, message } = output else { continue };
        assert_eq!(ServerMessage::from_bytes(message.to_bytes()).as_ref(), Ok(message));
        let ServerMessage::Welcome { members, .. } = message else { continue };
        let asker = room.registry.connections[connection].peer;
        assert!(
            members.iter().all(|named| Record::from_bytes(named.record.clone()).unwrap().peer() != asker),
            "an asker heard of itself at step {step}, seed {seed}"
        );
    }
}

#[test]
fn random_clients_find_bounds_kept_and_the_same_seed_gives_the_same_answers() {
    let mut kinds = BTreeMap::new();
    for seed in 0..20 {
        let trace = random_run(seed);
        assert_eq!(trace, random_run(seed), "seed {seed}");
        for output in trace {
            *kinds.entry(kind(&output)).or_insert(0) += 1;
        }
    }
    let is_rare = kinds.values().any(|count| *count < 10);
    assert!(!is_rare && kinds.len() >= 10, "the runs prove little: {kinds:?}");
}

/// A word for what the output says.
fn kind(output: &Output) -> &'static str {
    match output {
        Output::Send { message: ServerMessage::Refused { refusal, .. }, .. } => refusal.name(),
        Output::Send { message: ServerMessage::Welcome { .. }, .. } => "welcome",
        Output::Send { message: ServerMessage::Introduced { .. }, .. } => "introduced",
        Output::Send { message: ServerMessage::Goodbye, .. } => "goodbye",
        Output::Close { .. } => "close",
        Output::Event(_) => "event",
    }
}
