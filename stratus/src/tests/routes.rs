//! Directed routing between real members, and what an application may do at a hop.

use std::sync::{Arc, Mutex};

use super::*;
use crate::{
    GetError, GroupAddress, Hop, Identity, Key, LookUpError, PutError, ReceiveMode, RouteError, SendMode,
    SendResult, SendTo,
};

/// Members of a group in which all take for the nearest.
async fn nearest_members(tag: u8, count: usize) -> (Server, Vec<(Connection, Group)>) {
    let server = server().await;
    let members = members(&at(&server), &spec(tag), count).await;
    for (_, group) in &members {
        while group.neighbor_count() < count - 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        group.set_receive_mode(ReceiveMode::Nearest).await.unwrap();
    }
    // A word about the mode is as far as a message.
    tokio::time::sleep(Duration::from_millis(200)).await;
    (server, members)
}

/// Where each sits.
async fn addresses(members: &[(Connection, Group)]) -> Vec<GroupAddress> {
    let mut addresses = Vec::new();
    for (connection, group) in members {
        assert_eq!(group.info().await.unwrap().address, group.address_of(&connection.peer()));
        addresses.push(group.address_of(&connection.peer()));
    }
    addresses
}

async fn arrival(events: &mut Events) -> SendTo {
    until(events, |event| match event {
        Event::SendTo(parcel) => Some(parcel.clone()),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn what_is_sent_to_a_place_arrives_at_the_nearest_member() {
    let (_server, members) = nearest_members(61, 4).await;
    let addresses = addresses(&members).await;
    let place = GroupAddress::from_bytes([0x55; 32]);
    let nearest = place.nearest(&addresses).unwrap();
    let to = addresses.iter().position(|address| address == nearest).unwrap();
    let from = (to + 1) % 4;
    let mut events = members[to].1.events();
    let sent = members[from].1.send_to_nearest("hello", place).await;
    assert_eq!(sent, Ok(SendResult::Sent));
    let hop = arrival(&mut events).await;
    assert_eq!((&hop.message[..], hop.from, hop.has_arrived()), (&b"hello"[..], addresses[from], false));
    // Passed on, it comes to ourselves.
    let here = arrival(&mut events).await;
    assert!(here.from_local && here.has_arrived());
    assert_eq!((here.to, here.origin, here.hops), (Some(place), addresses[from], 1));
    close_all(members).await;
}

#[tokio::test]
async fn an_application_may_answer_at_a_hop() {
    // RG-25; what a hop may do besides is tried on machines in `overlay`
    let (_server, members) = nearest_members(62, 3).await;
    let addresses = addresses(&members).await;
    let seen: Arc<Mutex<Vec<SendTo>>> = Arc::default();
    let keeping = seen.clone();
    let decide = move |parcel: &SendTo| {
        keeping.lock().unwrap().push(parcel.clone());
        Hop::Answer(Bytes::from_static(b"pong"))
    };
    members[2].1.on_send_to(decide).await.unwrap();
    let mut events = members[0].1.events();
    assert_eq!(members[0].1.send_to_nearest("ping", addresses[2]).await, Ok(SendResult::Sent));
    let answer = arrival(&mut events).await;
    assert_eq!((&answer.message[..], answer.from), (&b"pong"[..], addresses[2]));
    assert_eq!(seen.lock().unwrap().iter().map(|hop| &hop.message[..]).collect::<Vec<_>>(), [b"ping"]);
    close_all(members).await;
}

#[tokio::test]
async fn neighbors_on_the_ring_and_all_of_them_are_reached() {
    let (_server, members) = nearest_members(63, 3).await;
    let mut order: Vec<usize> = (0..3).collect();
    let addresses = addresses(&members).await;
    order.sort_by_key(|number| addresses[*number]);
    let mut next = members[order[1]].1.events();
    let mut previous = members[order[2]].1.events();
    let group = &members[order[0]].1;
    assert_eq!(group.send_to_neighbor("up", SendMode::NextIncreasing).await, Ok(SendResult::Sent));
    assert_eq!(group.send_to_neighbor("down", SendMode::NextDecreasing).await, Ok(SendResult::Sent));
    assert_eq!(&arrival(&mut next).await.message[..], b"up");
    assert_eq!(&arrival(&mut previous).await.message[..], b"down");
    assert_eq!(group.send_to_all_neighbors("all").await, Ok(SendResult::Sent));
    assert_eq!(&arrival(&mut next).await.message[..], b"all");
    assert_eq!(&arrival(&mut previous).await.message[..], b"all");
    close_all(members).await;
}

#[tokio::test]
async fn a_group_without_routing_refuses_it() {
    let capabilities = Capabilities { routing: false, ..Capabilities::services() };
    let spec = GroupSpecifier::new("show").unwrap().make_unique([64; 32]).capabilities(capabilities).build();
    let connection = start(Connection::builder().listen(loopback())).await;
    let group = connection.join(&spec).await.unwrap();
    let place = GroupAddress::from_bytes([3; 32]);
    assert_eq!(group.send_to_nearest("x", place).await, Err(RouteError::RoutingDisabled));
    assert_eq!(group.set_receive_mode(ReceiveMode::Nearest).await, Err(RouteError::RoutingDisabled));
    connection.close().await;
}

#[tokio::test]
async fn a_value_is_found_by_another_member_and_an_older_one_is_refused() {
    // spec DH-4
    let (_server, members) = nearest_members(65, 3).await;
    let [first, second] = [&members[0].1, &members[1].1];
    let key = first.dht().put("seven").await.unwrap();
    let got = second.dht().get(key).await.unwrap();
    assert_eq!((&got.value.payload()[..], got.value.sequence()), (&b"seven"[..], 0));
    let signer = Identity::from_seed([9; 32]);
    let key = first.dht().put_signed(&signer, "count", 3, "three").await.unwrap();
    second.dht().put_signed(&signer, "count", 4, "four").await.unwrap();
    let older = first.dht().put_signed(&signer, "count", 3, "three").await;
    assert_eq!(older, Err(PutError::Older { kept: 4 }));
    let said = older.unwrap_err().to_string();
    assert_eq!(said, "sequence 4 is kept already, and only a higher one replaces it");
    let got = first.dht().get(key).await.unwrap();
    assert_eq!((&got.value.payload()[..], got.copies), (&b"four"[..], 3));
    let nothing = first.dht().get(Key::from_bytes([7; 32])).await;
    assert_eq!(nothing, Err(GetError::NotFound { is_proven: true }));
    close_all(members).await;
}

#[tokio::test]
async fn a_member_is_found_and_one_that_is_not_there_is_not() {
    // SK-6
    let (_server, members) = nearest_members(66, 3).await;
    let (absent, present) = (Identity::from_seed([9; 32]).peer(), members[2].0.peer());
    assert_eq!(members[0].1.has_member(&present).await, Ok(Some(true)));
    assert_eq!(members[0].1.has_member(&absent).await, Ok(Some(false)));
    close_all(members).await;
}

#[tokio::test]
async fn alone_there_is_nobody_to_ask() {
    let connection = start(Connection::builder().listen(loopback())).await;
    let group = connection.join(&spec(67)).await.unwrap();
    let place = GroupAddress::from_bytes([3; 32]);
    let refused = group.look_up(place).await.unwrap_err();
    assert_eq!(refused, LookUpError::Alone);
    assert_eq!(refused.to_string(), "the group has no other member that could be asked");
    assert_eq!(group.dht().put("seven").await, Err(PutError::Alone));
    assert_eq!(group.dht().get(Key::from_bytes([7; 32])).await, Err(GetError::Alone));
    connection.close().await;
}
