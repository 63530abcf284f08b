//! Objects: spec TR-60 to TR-62.

use super::*;
use crate::SendError;

const OBJECT: usize = 64 << 10;

fn send(member: &Member, to: PeerId, mark: u8, length: usize) -> Result<(), SendError> {
    let head = member.port.packet_from(&[mark]);
    member.link(to).send_bulk(&head, Bytes::from(vec![mark; length]))
}

fn is_object(seen: &Seen, from: PeerId, mark: u8) -> bool {
    matches!(seen, Seen::Bulk(peer, bytes) if *peer == from && bytes.len() == OBJECT + 1
        && bytes.iter().all(|byte| *byte == mark))
}

#[tokio::test]
async fn objects_arrive_whole_and_in_order_both_ways() {
    let (mut a, mut b) = pair(1).await;
    for mark in 0..20 {
        send(&a, b.peer(), mark, OBJECT).unwrap();
        send(&b, a.peer(), 100 + mark, OBJECT).unwrap();
    }
    for mark in 0..20 {
        assert!(is_object(&b.next().await, a.peer(), mark));
        assert!(is_object(&a.next().await, b.peer(), 100 + mark));
    }
}

#[tokio::test]
async fn a_frame_at_the_limit_goes_and_one_above_it_does_not() {
    let (a, mut b) = pair(1).await;
    let most = config().bulk_frame_bytes - 5;
    assert_eq!(send(&a, b.peer(), 7, most + 1), Err(SendError::TooLong));
    assert_eq!(send(&a, b.peer(), 7, most), Ok(()));
    assert!(matches!(b.next().await, Seen::Bulk(_, bytes) if bytes.len() == most + 1));
}

/// spec TR-61: whoever reads nothing holds up objects, not control, and the sender is told.
#[tokio::test]
async fn an_unread_port_stops_objects_and_the_queue_has_an_end() {
    let (a, mut b) = pair(1).await;
    let mut sent = 0;
    // 32 wait in the queue, 8 at the reader, and some are in the windows between them.
    while sent < 200 {
        match send(&a, b.peer(), 7, OBJECT) {
            Ok(()) => sent += 1,
            Err(error) => {
                assert_eq!(error, SendError::Full);
                tokio::time::sleep(QUIET).await;
                if send(&a, b.peer(), 7, OBJECT).is_err() {
                    break;
                }
                sent += 1;
            }
        }
        tokio::task::yield_now().await;
    }
    assert!((40..=80).contains(&sent), "{sent} objects under way to somebody who reads none");
    let mut arrived = 0;
    while arrived < sent {
        assert!(is_object(&b.next().await, a.peer(), 7));
        arrived += 1;
    }
}

/// spec TR-60: an urgent datagram does not wait behind objects for the budget.
#[tokio::test]
async fn live_datagrams_overtake_objects() {
    let mut a = Member::with(Config { max_upload: Some(200_000), ..config() }, 1, 1);
    let mut b = Member::new(2, 1);
    b.dial(&a);
    assert_eq!(a.next().await, Seen::Up(b.peer()));
    assert_eq!(b.next().await, Seen::Up(a.peer()));
    for mark in 0..4 {
        send(&a, b.peer(), mark, OBJECT).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    // The objects take 1.4 s at this rate.
    for mark in 0..20 {
        let packet = a.port.packet_from(&[mark; 1_000]);
        a.link(b.peer()).send_live(&packet, Instant::now() + Duration::from_secs(5), Priority::Push);
    }
    let mut order = Vec::new();
    while order.len() < 24 {
        order.push(matches!(b.next().await, Seen::Datagram(..)));
    }
    let first_object = order.iter().rposition(|is_live| *is_live).expect("datagrams arrived");
    let objects_before = order[..first_object].iter().filter(|is_live| !**is_live).count();
    assert!(objects_before <= 1, "{objects_before} objects went before the last datagram");
}

/// spec TR-61
#[tokio::test]
async fn nothing_of_a_group_follows_its_end() {
    let (a, mut b) = pair(1).await;
    for mark in 0..10 {
        send(&a, b.peer(), mark, OBJECT).unwrap();
    }
    b.link(a.peer()).close();
    let seen = b.rest().await;
    let down = seen.iter().position(|seen| *seen == Seen::Down(a.peer())).expect("the link is gone");
    assert_eq!(down, seen.len() - 1, "{} events after it", seen.len() - 1 - down);
}
