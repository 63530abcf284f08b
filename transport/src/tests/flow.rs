//! What waits, what is dropped, what goes first: spec TR-20 to TR-26.

use super::*;
use crate::testing::Conditions;

const SECOND: Duration = Duration::from_secs(1);

fn live(member: &Member, to: PeerId, mark: u8, expires_in: Duration, priority: Priority) {
    let packet = member.port.packet_from(&[mark; 1_128]);
    member.link(to).send_live(&packet, Instant::now() + expires_in, priority);
}

/// Connects `b` to a member with an upload budget.
async fn budgeted(budget: u64) -> (Member, Member) {
    let mut a = Member::with(Config { max_upload: Some(budget), ..config() }, 1, 1);
    let mut b = Member::new(2, 1);
    b.dial(&a);
    assert_eq!(a.next().await, Seen::Up(b.peer()));
    assert_eq!(b.next().await, Seen::Up(a.peer()));
    (a, b)
}

fn marks(seen: &[Seen]) -> Vec<u8> {
    let mark = |seen: &Seen| match seen {
        Seen::Datagram(_, bytes) => Some(bytes[0]),
        _ => None,
    };
    seen.iter().filter_map(mark).collect()
}

#[tokio::test]
async fn a_train_of_datagrams_leaves_in_few_calls() {
    let (a, mut b) = pair(1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let before = a.link(b.peer()).counters();
    for n in 0..40 {
        live(&a, b.peer(), n, SECOND, Priority::Push);
    }
    assert_eq!(marks(&b.rest().await), (0..40).collect::<Vec<_>>());
    let after = a.link(b.peer()).counters();
    let (datagrams, calls) =
        (after.sent_datagrams - before.sent_datagrams, after.send_calls - before.send_calls);
    assert!(calls * 4 <= datagrams, "{datagrams} datagrams in {calls} calls");
}

#[tokio::test]
async fn over_budget_the_urgent_go_first_and_the_expired_not_at_all() {
    let (a, mut b) = budgeted(60_000).await;
    for _ in 0..100 {
        live(&a, b.peer(), 2, Duration::from_millis(300), Priority::Push);
    }
    live(&a, b.peer(), 1, SECOND, Priority::Urgent);
    let arrived = marks(&b.rest().await);
    let urgent = arrived.iter().position(|mark| *mark == 1).expect("the urgent one arrived");
    assert!(urgent < 12, "{urgent} went before the urgent one");
    // 300 ms at 60,000 B/s are 15 datagrams of 1,200 wire bytes, and a burst of five before.
    assert!((10..=26).contains(&arrived.len()), "{} arrived", arrived.len());
    let drops = a.link(b.peer()).counters().drops;
    assert_eq!(drops.expired + arrived.len() as u64, 101, "{drops:?}");
}

#[tokio::test]
async fn a_full_queue_is_counted() {
    let small = Config { max_upload: Some(20_000), live_queue_bytes: 20_000, ..config() };
    let mut a = Member::with(small, 1, 1);
    let mut b = Member::new(2, 1);
    b.dial(&a);
    assert_eq!(a.next().await, Seen::Up(b.peer()));
    assert_eq!(b.next().await, Seen::Up(a.peer()));
    for _ in 0..50 {
        live(&a, b.peer(), 7, SECOND, Priority::Push);
    }
    let counters = a.link(b.peer()).counters();
    assert!(counters.queued_bytes <= 20_000, "{counters:?}");
    assert!(counters.drops.full >= 25, "{counters:?}");
}

#[tokio::test]
async fn the_budget_is_kept_and_shared_fairly_over_links() {
    let (a, mut b) = budgeted(200_000).await;
    let mut a = a;
    let mut c = Member::new(3, 1);
    c.dial(&a);
    assert_eq!(a.next().await, Seen::Up(c.peer()));
    assert_eq!(c.next().await, Seen::Up(a.peer()));
    // The first link is fed everything before the second gets anything.
    for to in [b.peer(), c.peer()] {
        for _ in 0..400 {
            live(&a, to, 7, Duration::from_millis(600), Priority::Push);
        }
    }
    let (b_count, c_count) = tokio::join!(b.rest(), c.rest());
    let (b_count, c_count) = (b_count.len(), c_count.len());
    let all = (b_count + c_count) * 1_200;
    assert!((90_000..=150_000).contains(&all), "{all} bytes in 600 ms at 200,000 B/s");
    assert!(b_count.abs_diff(c_count) <= 12, "{b_count} and {c_count}");
}

#[tokio::test]
async fn a_datagram_longer_than_every_path_carries_is_counted_and_not_sent() {
    let (a, mut b) = pair(1).await;
    let fits = a.port.packet_from(&[7; 1_158]);
    let too_long = a.port.packet_from(&[8; 1_159]);
    let expires = Instant::now() + SECOND;
    a.link(b.peer()).send_live(&too_long, expires, Priority::Push);
    a.link(b.peer()).send_live(&fits, expires, Priority::Push);
    assert_eq!(b.next().await, Seen::Datagram(a.peer(), Bytes::from(vec![7; 1_158])));
    assert_eq!(a.link(b.peer()).counters().drops.too_long, 1);
}

#[tokio::test]
async fn an_unread_port_loses_datagrams_but_no_control() {
    let a = Member::new(1, 1);
    let mut b = Member::with(Config { inbound_events: 16, ..config() }, 2, 1);
    let mut a = a;
    a.dial(&b);
    assert_eq!(a.next().await, Seen::Up(b.peer()));
    tokio::time::sleep(Duration::from_millis(50)).await;
    for n in 0..40 {
        live(&a, b.peer(), n, SECOND, Priority::Push);
    }
    for n in 0..100 {
        a.send(b.peer(), &[n]);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(b.port.dropped() >= 20, "{} dropped", b.port.dropped());
    let seen = b.rest().await;
    let control: Vec<_> = seen.iter().filter(|seen| matches!(seen, Seen::Control(..))).collect();
    assert_eq!(control.len(), 100);
}

#[tokio::test]
async fn a_neighbor_that_reads_nothing_is_reported_as_full() {
    let mut a = Member::new(1, 1);
    let b = Member::with(Config { inbound_events: 16, ..config() }, 2, 1);
    a.dial(&b);
    assert_eq!(a.next().await, Seen::Up(b.peer()));
    let packet = a.port.packet_from(&[7; 4_000]);
    let mut result = Ok(());
    for _ in 0..2_000 {
        result = a.link(b.peer()).send_control(&packet);
        if result.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(result, Err(crate::SendError::Full));
}

#[tokio::test]
async fn a_lossy_slow_path_loses_and_delays_as_told() {
    let (loss_per_mille, delay) = (200, Duration::from_millis(40));
    let path = Conditions { loss_per_mille, delay, ..Conditions::default() };
    let mut a = Member::new(1, 1);
    let mut b = Member::on(Endpoint::bind_over(config(), &identity(2), path).unwrap(), 1);
    a.dial(&b);
    assert_eq!(a.next().await, Seen::Up(b.peer()));
    assert_eq!(b.next().await, Seen::Up(a.peer()));
    let started = Instant::now();
    for n in 0..50 {
        live(&a, b.peer(), n, SECOND, Priority::Push);
    }
    assert!(matches!(b.next().await, Seen::Datagram(..)));
    assert!(started.elapsed() >= delay, "after {:?}", started.elapsed());
    let arrived = 1 + marks(&b.rest().await).len();
    assert!((30..=48).contains(&arrived), "{arrived} of 50 arrived");
}
