//! Object replication between real members, with the application as the store.

use super::*;
use crate::{MOST_OBJECT_BYTES, ObjectEvent, Objects, ObjectsError};

fn object(index: u64) -> Bytes {
    vec![index as u8; MOST_OBJECT_BYTES].into()
}

/// Gives what it is asked for, and takes what comes, until `count` objects have come or it waited too long.
async fn exchange(objects: &mut Objects, count: usize, lie: Option<u64>) -> (Vec<u64>, Vec<&'static str>) {
    let (mut came, mut codes) = (Vec::new(), Vec::new());
    while came.len() < count {
        let Ok(Some(event)) = timeout(PATIENCE, objects.next()).await else { break };
        codes.push(event.code());
        match event {
            ObjectEvent::Request { request, index, .. } if lie == Some(index) => {
                objects.write(request, Bytes::from_static(b"no")).await.unwrap();
            }
            ObjectEvent::Request { request, index, .. } => {
                objects.write(request, object(index)).await.unwrap();
            }
            ObjectEvent::Result { index, object: bytes, .. } if bytes == object(index) => {
                came.push(index);
                objects.add_have(index..index + 1).await.unwrap();
            }
            ObjectEvent::Result { index, peer, .. } => objects.reject(index, peer).await.unwrap(),
            ObjectEvent::SendNotify { .. } | ObjectEvent::Failed { .. } | ObjectEvent::Spread => {}
        }
    }
    codes.sort_unstable();
    codes.dedup();
    (came, codes)
}

#[tokio::test]
async fn objects_come_whole_with_the_codes_that_flash_gave_them() {
    let server = server().await;
    let members = members(&at(&server), &spec(90), 2).await;
    let mut giver = members[0].1.objects().await.unwrap();
    let mut taker = members[1].1.objects().await.unwrap();
    giver.add_have(0..40).await.unwrap();
    taker.add_want(5..25).await.unwrap();
    let giving = tokio::spawn(async move { exchange(&mut giver, 1, None).await });
    let (mut came, codes) = exchange(&mut taker, 20, None).await;
    came.sort_unstable();
    assert_eq!(came, (5..25).collect::<Vec<_>>());
    assert_eq!(codes, ["NetGroup.Replication.Fetch.Result", "NetGroup.Replication.Fetch.SendNotify"]);
    let info = taker.info().await.unwrap();
    assert_eq!((info.stats.received_objects, info.stats.duplicate_bytes, info.want.len()), (20, 0, 0));
    assert_eq!(info.have.ranges(), std::iter::once(5..25).collect::<Vec<_>>());
    let (sent, received) = (members[0].1.info().await.unwrap(), members[1].1.info().await.unwrap());
    assert!(sent.services.object_replication_send_bytes_per_second > 0);
    assert!(received.services.object_replication_receive_bytes_per_second > 0);
    giving.abort();
}

#[tokio::test]
async fn whoever_sends_wrong_bytes_is_dropped() {
    let server = server().await;
    let members = members(&at(&server), &spec(91), 2).await;
    let mut events = members[1].1.events();
    let mut giver = members[0].1.objects().await.unwrap();
    let mut taker = members[1].1.objects().await.unwrap();
    giver.add_have(0..3).await.unwrap();
    taker.add_want(0..3).await.unwrap();
    let giving = tokio::spawn(async move { exchange(&mut giver, 1, Some(1)).await });
    let taking = tokio::spawn(async move { exchange(&mut taker, 3, None).await });
    let blamed = until(&mut events, |event| match event {
        Event::Misbehaved { peer, what } => Some((*peer, *what)),
        _ => None,
    });
    assert_eq!(blamed.await, (members[0].0.peer(), "sent an object with wrong bytes"));
    giving.abort();
    taking.abort();
}

#[tokio::test]
async fn a_group_without_objects_says_so() {
    let server = server().await;
    let capabilities = Capabilities { multicast: true, ..Capabilities::default() };
    let spec = GroupSpecifier::new("show").unwrap().make_unique([92; 32]).capabilities(capabilities).build();
    let connection = start(at(&server)).await;
    let group = connection.join(&spec).await.unwrap();
    assert_eq!(group.objects().await.err(), Some(ObjectsError::ReplicationDisabled));
}
