use super::*;

#[tokio::test]
async fn two_members_prove_their_group_and_exchange_both_kinds_of_message() {
    let (mut a, mut b) = pair(1).await;
    let (a_peer, b_peer) = (a.peer(), b.peer());
    a.send(b_peer, b"ordered");
    assert_eq!(b.next().await, Seen::Control(a_peer, Bytes::from_static(b"ordered")));
    b.send_live(a_peer, b"quick");
    assert_eq!(a.next().await, Seen::Datagram(b_peer, Bytes::from_static(b"quick")));
}
