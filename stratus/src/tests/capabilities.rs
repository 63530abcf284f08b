//! What a group's maker allowed in it: spec GS-4, MC-4.

use stratus_core::Identity;
use stratus_multicast as multicast;

use super::passwords::full_mesh;
use super::*;
use crate::error::{JoinError, PlayError, PublishError};
use crate::request::Request;

/// A group in which nothing is allowed: RTMFP's default.
fn bare() -> GroupSpecifier {
    GroupSpecifier::new("show").unwrap().make_unique([1; 32])
}

#[tokio::test]
async fn a_group_without_multicast_takes_no_stream_and_plays_none() {
    let connection = Connection::builder().listen(loopback()).start().await.unwrap();
    let group = connection.join(&bare().build()).await.unwrap();
    let refused = group.publish("cam", Publish::default()).await.unwrap_err();
    assert_eq!((refused, refused.code()), (PublishError::MulticastDisabled, "NetStream.Connect.Rejected"));
    let refused = group.play("cam", Play::default()).await.unwrap_err();
    assert_eq!((refused, refused.code()), (PlayError::MulticastDisabled, "NetStream.Connect.Rejected"));
    assert_eq!(refused.to_string(), "this group carries no streams");
    connection.close().await;
}

#[tokio::test]
async fn a_group_whose_members_may_not_connect_is_not_joined() {
    let capabilities = Capabilities { peer_to_peer_disabled: true, ..Capabilities::services() };
    let connection = Connection::builder().listen(loopback()).start().await.unwrap();
    let refused = connection.join(&bare().capabilities(capabilities).build()).await.unwrap_err();
    assert_eq!((refused, refused.code()), (JoinError::PeerToPeerDisabled, "NetGroup.Connect.Rejected"));
    connection.close().await;
}

#[tokio::test]
async fn what_is_published_all_the_same_is_refused_by_every_member() {
    let server = server().await;
    let key = Identity::from_seed([7; 32]);
    // A member that was patched to allow itself what the group does not.
    let mut patched = at(&server);
    patched.believed_authority = Some(key.public());
    let mut members = members(&at(&server), &bare().build(), 3).await;
    members.extend(self::members(&patched, &bare().build(), 1).await);
    full_mesh(&members).await;
    let mut listeners: Vec<Events> = members[..3].iter().map(|(_, group)| group.events()).collect();
    let (forger, group) = &members[3];
    let publish = multicast::Publish {
        key: Identity::from_seed([50; 32]),
        name: "cam".to_owned(),
        began: 700,
        authorization: Some(key),
        parameters: (&multicast::Config::default()).into(),
        wishes: multicast::Overrides::default(),
    };
    let ask = |reply| Request::Publish { publish: Box::new(publish), reply };
    group.ask(ask).await.unwrap().expect("it was patched");
    for events in &mut listeners {
        let cut = until(events, |event| match event {
            Event::PublishNotify { name, .. } => panic!("somebody believed in {name}"),
            Event::Misbehaved { peer, what } if *peer == forger.peer() => Some(*what),
            _ => None,
        });
        assert_eq!(cut.await, "an announcement without the group's authorization or a valid signature");
    }
    close_all(members).await;
    server.shutdown().await;
}
