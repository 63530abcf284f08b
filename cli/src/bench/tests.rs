use super::load::Load;
use super::rounds::{Plan, Results, Rival};
use super::stage::Schedule;
use super::star::Carrier;
use super::*;
use crate::console::Verbosity;

fn measured(load: Load, secs: u64) -> (Results, serde_json::Value) {
    let measured = Duration::from_secs(secs);
    let plan = Plan {
        nodes: 4,
        load,
        ours: Schedule { warm_up: Duration::from_secs(1), measured },
        star: Some(Schedule { warm_up: Duration::from_millis(200), measured: measured / 4 }),
        rounds: 1,
        beside: ours::Beside::default(),
    };
    let results = plan.run(Console::new(Verbosity::Quiet)).expect("loopback carries four members");
    let figures = Figures::of(&plan, &results, [None, None]).json();
    (results, figures)
}

fn deliveries(rival: &Rival) -> Vec<(Carrier, f64)> {
    rival.tallies.iter().map(|(carrier, tally)| (*carrier, tally.delivery())).collect()
}

#[test]
fn four_members_and_both_stars_deliver_everything() {
    let (results, figures) = measured(Load { size: 1_128, rate: 2_000_000 }, 2);
    assert!(results.ours.wanted > 3 * 400, "{} messages", results.ours.wanted);
    for star in [&results.star, &results.unsigned_star] {
        assert_eq!(deliveries(star), [(Carrier::Datagrams, 1.0)]);
    }
    assert_eq!(figures["delivery"], 1.0);
    // Every byte came at least once, with a manifest, over sockets, and cost something.
    for (name, least) in
        [("copies", 0.98), ("auth_ratio", 0.01), ("wire_per_payload", 1.05), ("star_ratio", 0.1)]
    {
        assert!(figures[name].as_f64() > Some(least), "{name}: {figures}");
    }
}

#[test]
fn messages_of_many_fragments_come_whole_from_members_and_from_stars_of_both_kinds() {
    let (results, figures) = measured(Load { size: 16_384, rate: 2_000_000 }, 2);
    assert!(results.ours.wanted > 3 * 25, "{} messages", results.ours.wanted);
    assert_eq!((results.ours.delivery(), figures["run_length"].as_f64()), (1.0, Some(15.0)));
    for star in [&results.star, &results.unsigned_star] {
        assert_eq!(deliveries(star), [(Carrier::Datagrams, 1.0), (Carrier::Streams, 1.0)]);
    }
    assert!(figures["copies"].as_f64() > Some(0.95), "{figures}");
}

#[test]
fn posts_reach_all_members_and_one_that_comes_late_has_them_for_less_than_they_weigh() {
    let options = args::Post { nodes: 4, rate: 40, secs: 1, size: 60, history: Some(600), json: true };
    let figures = phase(post::measure(&options)).expect("loopback carries four members");
    assert_eq!((&figures["complete"], &figures["duplicates_shown"]), (&1.0.into(), &0.into()), "{figures}");
    assert_eq!(
        (&figures["history_posts"], &figures["late_duplicates"]),
        (&600.into(), &0.into()),
        "{figures}"
    );
    let at_most =
        |name: &str, most: f64| figures[name].as_f64().is_some_and(|found| found > 0.0 && found < most);
    assert!(at_most("late_ratio", 1.2), "{figures}");
    // A body of 60 bytes has a key and a signature of 96, and is announced a few times.
    assert!(at_most("data_ratio", 4.0) && at_most("wire_per_payload", 40.0), "{figures}");
}
