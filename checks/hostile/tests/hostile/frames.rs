//! A member that floods below our messages, with frames that the QUIC library would never send.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use stratus_core::Identity;
use stratus_hostile::{Rudeness, bombard};

use crate::scene::{ALONE, LOAD, Scene, bar, is_bearable, say};

/// Growth that one attack may cause.
const MOST_BYTES: u64 = 8 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_frames_cost_little_and_end_within_five_seconds() {
    let _alone = ALONE.lock().await;
    let mut scene = Scene::new(70, 2).await;
    let (spec, to, costs) = (scene.spec.clone(), scene.witness.address, scene.witness.reader());
    let attacking = tokio::spawn(async move {
        // The first second is for joining, two more for what it takes without an attack.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (joined, quiet) = (costs.cpu(), Instant::now());
        tokio::time::sleep(Duration::from_secs(2)).await;
        let before = (costs.cpu() - joined).as_secs_f64() / quiet.elapsed().as_secs_f64();
        let mut attackers = BTreeSet::new();
        for (seed, what) in (80..).zip(Rudeness::ALL) {
            let (cpu, memory, began) = (costs.cpu(), costs.memory(), Instant::now());
            let identity = Identity::from_seed([seed; 32]);
            let result = bombard(&spec, &identity, to, what, bar(Duration::from_secs(5))).await;
            let during = (costs.cpu() - cpu).as_secs_f64() / began.elapsed().as_secs_f64();
            let grown = costs.memory().saturating_sub(memory);
            say(&format!(
                "{what:?}: {:.1} % of a core, {:.1} % before; {} packets, {} frames, borne {:?}, memory +{:.1} MiB, back {}: {}",
                during * 100.0,
                before * 100.0,
                result.packets,
                result.frames,
                result.borne,
                grown as f64 / 1_048_576.0,
                result.is_let_in_again,
                result.ending,
            ));
            let borne = result.borne.expect("it is cut off");
            assert!(borne <= bar(Duration::from_secs(5)), "{what:?}: {result:?}");
            // What is over a limit of QUIC ends the connection after a few packets.
            assert!(is_bearable(before, during) || borne < Duration::from_millis(500), "{what:?}: {during}");
            assert!(grown <= MOST_BYTES, "{what:?} made it grow by {grown} bytes");
            if !result.is_let_in_again {
                attackers.insert(identity.peer());
            }
        }
        attackers
    });
    // The stream lasts as long as the attacks do.
    let mut written = 0;
    while !attacking.is_finished() {
        written = LOAD.write_from(&mut scene.publication, written, Duration::from_millis(450)).await;
    }
    let banned = attacking.await.unwrap();
    let outcome = scene.end(written).await;
    assert!(banned.len() >= 4, "only {} were kept out", banned.len());
    assert_eq!(outcome.blamed, banned, "those that were kept out, and nobody else");
    outcome.assert_unharmed();
}
