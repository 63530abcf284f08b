use super::load::Load;
use super::rounds::Plan;
use super::stage::Schedule;
use super::*;
use crate::console::Verbosity;

#[test]
fn four_members_and_both_stars_deliver_everything() {
    let measured = Duration::from_secs(2);
    let plan = Plan {
        nodes: 4,
        load: Load { size: 1_128, rate: 2_000_000 },
        ours: Schedule { warm_up: Duration::from_secs(1), measured },
        star: Some(Schedule { warm_up: Duration::from_millis(200), measured: measured / 4 }),
        rounds: 1,
    };
    let results = plan.run(Console::new(Verbosity::Quiet)).expect("loopback carries four members");
    assert!(results.ours.wanted > 3 * 400, "{} messages", results.ours.wanted);
    assert_eq!(
        [&results.ours, &results.star, &results.unsigned_star].map(|tally| tally.delivery()),
        [1.0; 3]
    );
    let figures = Figures::of(&plan, &results, [None, None]).json();
    assert_eq!(figures["delivery"], 1.0);
    // Every byte came at least once, with a manifest, over sockets, and cost something.
    for (name, least) in
        [("copies", 0.98), ("auth_ratio", 0.01), ("wire_per_payload", 1.05), ("star_ratio", 0.1)]
    {
        assert!(figures[name].as_f64() > Some(least), "{name}: {figures}");
    }
}
