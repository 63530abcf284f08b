use super::*;

const LOAD: Load = Load { size: 1_128, rate: 2_000_000 };
const SCHEDULE: Schedule =
    Schedule { warm_up: Duration::from_millis(100), measured: Duration::from_millis(500) };

async fn delivered(signing: Signing) -> Tally {
    run(LOAD, 3, SCHEDULE, signing).await.expect("loopback carries three connections")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_viewer_of_a_plain_star_gets_everything() {
    let tally = delivered(Signing::None).await;
    assert!(tally.wanted > 250, "{tally:?}");
    assert_eq!(tally.delivered, tally.wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_star_gives_out_only_what_it_has_checked_and_that_is_everything() {
    let tally = delivered(Signing::Runs(2.5)).await;
    assert!(tally.wanted > 250 && tally.cpu > Duration::ZERO, "{tally:?}");
    assert_eq!(tally.delivered, tally.wanted);
}
