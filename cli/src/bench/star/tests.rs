use super::*;

const LOAD: Load = Load { size: 1_128, rate: 2_000_000 };
const SCHEDULE: Schedule =
    Schedule { warm_up: Duration::from_millis(100), measured: Duration::from_millis(500) };

async fn delivered(load: Load, signing: Signing, carrier: Carrier) -> Tally {
    run(load, 3, SCHEDULE, signing, carrier).await.expect("loopback carries three connections")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_viewer_of_a_plain_star_gets_everything() {
    let tally = delivered(LOAD, Signing::None, Carrier::Datagrams).await;
    assert!(tally.wanted > 250, "{tally:?}");
    assert_eq!(tally.delivered, tally.wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_star_gives_out_only_what_it_has_checked_and_that_is_everything() {
    let tally = delivered(LOAD, Signing::Runs(2.5), Carrier::Datagrams).await;
    assert!(tally.wanted > 250 && tally.cpu > Duration::ZERO, "{tally:?}");
    assert_eq!(tally.delivered, tally.wanted);
}

#[test]
fn only_what_can_work_is_tried() {
    let carriers = |size| Carrier::for_load(Load { size, ..LOAD });
    assert_eq!(carriers(1_128), [Carrier::Datagrams]);
    assert_eq!(carriers(1_129), [Carrier::Datagrams, Carrier::Streams]);
    assert_eq!(carriers(524_289), [Carrier::Streams]);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_many_fragments_come_whole_in_every_way() {
    let load = Load { size: 5_000, rate: 2_000_000 };
    for carrier in [Carrier::Datagrams, Carrier::Streams] {
        for signing in [Signing::None, Signing::Runs(5.0)] {
            let tally = delivered(load, signing, carrier).await;
            assert!(tally.wanted > 50, "{tally:?}");
            assert_eq!(tally.delivered, tally.wanted, "{carrier:?}, {signing:?}");
        }
    }
}
