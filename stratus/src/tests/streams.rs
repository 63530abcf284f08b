use tokio::sync::oneshot;

use super::*;
use crate::{
    Conditions, Identity, MulticastConfig, OverlayConfig, Piece, PieceFlags, PlayError, PublishError,
};

/// Messages of all sizes, told apart by their first bytes.
fn payloads() -> Vec<Bytes> {
    let lengths = [10, 0, 1_128, 1_129, 50_000, 1, 0, 200_000, 3_000];
    lengths.iter().enumerate().map(|(n, length)| Bytes::from(vec![n as u8 + 1; *length])).collect()
}

fn lengths(payloads: &[Bytes]) -> Vec<usize> {
    payloads.iter().map(Bytes::len).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_is_played_byte_for_byte_by_everyone() {
    let server = server().await;
    let members = members(&at(&server), &spec(1), 5).await;
    let mut publication = members[0].1.publish("cam", Publish::default()).await.unwrap();
    let mut tasks = Vec::new();
    for (_, group) in &members[1..] {
        tasks.push(viewer(group.play("cam", Play::default()).await.unwrap()));
    }
    for (_, start) in &mut tasks {
        timeout(PATIENCE, start).await.unwrap().unwrap();
    }
    publication.send(key(payloads()[0].clone())).await.unwrap();
    for payload in &payloads()[1..] {
        publication.send(message(payload.clone())).await.unwrap();
    }
    assert!(publication.end().await.unwrap(), "everyone has everything");
    for (task, _) in tasks {
        let played = timeout(PATIENCE, task).await.unwrap().unwrap();
        assert!(played == payloads(), "played {:?}", lengths(&played));
    }
    close_all(members).await;
    server.shutdown().await;
}

/// A publisher and a viewer who has heard the first message.
async fn playing(builder: &Builder, spec: &Groupspec) -> (Vec<(Connection, Group)>, Publication, Playback) {
    let members = members(builder, spec, 2).await;
    let mut publication = members[0].1.publish("cam", Publish::default()).await.unwrap();
    let mut playback = members[1].1.play("cam", Play::default()).await.unwrap();
    publication.send(key("first")).await.unwrap();
    assert!(matches!(next(&mut playback).await, Some(Played::Start { .. })));
    let Some(Played::Message(message)) = next(&mut playback).await else { panic!("no message") };
    assert_eq!(message.payload(), "first");
    (members, publication, playback)
}

#[tokio::test]
async fn a_message_over_the_cap_is_refused_and_the_stream_goes_on() {
    let server = server().await;
    let (members, mut publication, mut playback) = playing(&at(&server), &spec(1)).await;
    let error = publication.send(message(vec![7; (4 << 20) + 1])).await.unwrap_err();
    assert_eq!(error.to_string(), "the message has more than 4194304 bytes");
    let flags = PieceFlags { is_start: true, ..PieceFlags::default() };
    let piece = |length: usize| Piece { payload: vec![7; length].into(), flags, flush: false };
    let error = publication.write(piece(1_129)).await.unwrap_err();
    assert_eq!(error.to_string(), "the piece has 1129 bytes, and at most 1128 fit into a fragment");
    publication.send(message("second")).await.unwrap();
    publication.end().await.unwrap();
    assert_eq!(play_to_end(&mut playback).await, ["second"]);
    close_all(members).await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_message_grows_over_the_cap_piece_by_piece_and_is_refused_there() {
    let server = server().await;
    let small = MulticastConfig { max_message: 2_000, ..MulticastConfig::default() };
    let (members, mut publication, _playback) = playing(&at(&server).multicast(small), &spec(1)).await;
    let piece = |is_start| {
        let flags = PieceFlags { is_start, ..PieceFlags::default() };
        Piece { payload: vec![7; 1_000].into(), flags, flush: false }
    };
    publication.write(piece(true)).await.unwrap();
    publication.write(piece(false)).await.unwrap();
    let error = publication.write(piece(false)).await.unwrap_err();
    assert_eq!(error.to_string(), "the message has more than 2000 bytes");
    publication.write(piece(true)).await.unwrap();
    close_all(members).await;
    server.shutdown().await;
}

#[tokio::test]
async fn publishing_needs_the_authorization_where_the_group_asks_for_one() {
    let server = server().await;
    let spec = GroupSpecifier::new("show")
        .unwrap()
        .make_unique([1; 32])
        .capabilities(Capabilities::services())
        .publish_key_seed([7; 32])
        .build();
    let viewer_spec = Groupspec::parse(&spec.to_string_without_authorizations()).unwrap();
    let members = members(&at(&server), &viewer_spec, 2).await;
    let error = members[0].1.publish("cam", Publish::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "this groupspec does not authorize publishing");
    let wrong = Publish { authorization: Some(Identity::from_seed([8; 32])), ..Publish::default() };
    assert_eq!(members[0].1.publish("cam", wrong).await.unwrap_err(), PublishError::NotAuthorized);
    let owner = start(at(&server)).await;
    let group = owner.join(&spec).await.unwrap();
    group.joined(PATIENCE).await.unwrap();
    let mut publication = group.publish("cam", Publish::default()).await.unwrap();
    let mut playback = members[1].1.play("cam", Play::default()).await.unwrap();
    publication.send(key("granted")).await.unwrap();
    publication.end().await.unwrap();
    assert_eq!(play_to_end(&mut playback).await, ["granted"]);
    close_all(members).await;
    owner.close().await;
    server.shutdown().await;
}

#[tokio::test]
async fn streams_are_announced_and_their_ends_too() {
    let server = server().await;
    let members = members(&at(&server), &spec(1), 2).await;
    let mut events = members[1].1.events();
    let publication = members[0].1.publish("cam", Publish::default()).await.unwrap();
    let (stream, name) = until(&mut events, |event| match event {
        Event::PublishNotify { stream, name } => Some((*stream, name.clone())),
        _ => None,
    })
    .await;
    assert_eq!((stream, name.as_str()), (publication.stream(), "cam"));
    drop(publication);
    let ended = until(&mut events, |event| match event {
        Event::UnpublishNotify { stream, .. } => Some(*stream),
        _ => None,
    });
    assert_eq!(ended.await, stream);
    close_all(members).await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_name_is_played_again_after_it_was_let_go_and_never_a_long_one() {
    let server = server().await;
    let connection = start(at(&server)).await;
    let group = connection.join(&spec(1)).await.unwrap();
    let playback = group.play("cam", Play::default()).await.unwrap();
    assert_eq!(group.play(&"x".repeat(129), Play::default()).await.unwrap_err(), PlayError::NameTooLong);
    drop(playback);
    assert!(group.play("cam", Play::default()).await.is_ok());
    connection.close().await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_newcomer_starts_at_the_newest_key_message() {
    let server = server().await;
    let (mut members, mut publication, _playback) = playing(&at(&server), &spec(1)).await;
    for payload in ["old", "older"] {
        publication.send(message(payload)).await.unwrap();
    }
    publication.send(key("newest key")).await.unwrap();
    publication.send(message("after it")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let late = start(at(&server)).await;
    let group = late.join(&spec(1)).await.unwrap();
    let mut playback = group.play("cam", Play::default()).await.unwrap();
    assert!(matches!(next(&mut playback).await, Some(Played::Start { .. })));
    let Some(Played::Message(first)) = next(&mut playback).await else { panic!("no message") };
    assert_eq!(first.payload(), "newest key");
    members.push((late, group));
    publication.end().await.unwrap();
    assert_eq!(play_to_end(&mut playback).await, ["after it"]);
    close_all(members).await;
    server.shutdown().await;
}

/// Plays to the end from the first message on; says when it has found the stream.
fn viewer(mut playback: Playback) -> (tokio::task::JoinHandle<Vec<Bytes>>, oneshot::Receiver<()>) {
    let (started, start) = oneshot::channel();
    let task = tokio::spawn(async move {
        assert!(matches!(next(&mut playback).await, Some(Played::Start { .. })));
        started.send(()).unwrap();
        let payloads = play_to_end(&mut playback).await;
        playback.finish().await;
        payloads
    });
    (task, start)
}

/// Sends `count` messages of 4,000 bytes, one each 20 ms, and ends; runs `halfway` in the middle.
async fn send_numbers(mut publication: Publication, count: u32, halfway: impl FnOnce()) {
    let mut halfway = Some(halfway);
    let mut clock = tokio::time::interval(Duration::from_millis(20));
    for number in 0..count {
        clock.tick().await;
        let payload = number.to_be_bytes().repeat(1_000);
        let outgoing = if number == 0 { key(payload) } else { message(payload) };
        publication.send(outgoing).await.unwrap();
        if number == count / 2 {
            halfway.take().expect("the middle comes once")();
        }
    }
    publication.end().await.unwrap();
}

/// A stream of `count` messages to `viewers`; gives what each played.
async fn broadcast(builder: &Builder, viewers: usize, count: u32) -> Vec<Vec<Bytes>> {
    let members = members(builder, &spec(1), viewers + 1).await;
    let publication = members[0].1.publish("cam", Publish::default()).await.unwrap();
    let mut tasks = Vec::new();
    for (_, group) in &members[1..] {
        tasks.push(viewer(group.play("cam", Play::default()).await.unwrap()));
    }
    for (_, start) in &mut tasks {
        timeout(PATIENCE, start).await.unwrap().unwrap();
    }
    send_numbers(publication, count, || {}).await;
    let mut played = Vec::new();
    for (task, _) in tasks {
        played.push(timeout(PATIENCE, task).await.unwrap().unwrap());
    }
    close_all(members).await;
    played
}

fn numbers(payloads: &[Bytes]) -> Vec<u32> {
    payloads.iter().map(|payload| u32::from_be_bytes(payload[..4].try_into().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missing_where_one_packet_in_twenty_is_lost() {
    let server = server().await;
    let path = Conditions { loss_per_mille: 50, delay: Duration::from_millis(30), ..Conditions::default() };
    let played = broadcast(&at(&server).conditions(path), 4, 100).await;
    for payloads in &played {
        assert_eq!(numbers(payloads), (0..100).collect::<Vec<_>>());
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limited_upload_still_serves_everyone() {
    let server = server().await;
    // 4,000 bytes each 20 ms are 200,000 a second; with the shares of all, twice that is enough.
    let played = broadcast(&at(&server).max_upload(500_000), 4, 100).await;
    for payloads in &played {
        assert_eq!(numbers(payloads), (0..100).collect::<Vec<_>>());
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_lose_nothing_when_another_is_killed() {
    let server = server().await;
    // Found dead sooner than usual, or ending the stream waits for the dead one for five seconds.
    let tenth = Duration::from_millis(100);
    let overlay = OverlayConfig { probe_period: tenth, probe_timeout: tenth, ..OverlayConfig::default() };
    let builder = at(&server).overlay(overlay);
    let members = members(&builder, &spec(1), 5).await;
    let publication = members[0].1.publish("cam", Publish::default()).await.unwrap();
    let mut tasks = Vec::new();
    for (_, group) in &members[1..] {
        tasks.push(viewer(group.play("cam", Play::default()).await.unwrap()));
    }
    // A sixth in a runtime of its own, which goes away like a killed process: without a word.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let victim = runtime.spawn(async move {
        let connection = start(builder).await;
        let group = connection.join(&spec(1)).await.unwrap();
        let (task, start) = viewer(group.play("cam", Play::default()).await.unwrap());
        start.await.unwrap();
        (connection, task)
    });
    for (_, start) in &mut tasks {
        timeout(PATIENCE, start).await.unwrap().unwrap();
    }
    let _victim = timeout(PATIENCE, victim).await.unwrap().unwrap();
    send_numbers(publication, 150, move || runtime.shutdown_background()).await;
    for (task, _) in tasks {
        let played = timeout(PATIENCE, task).await.unwrap().unwrap();
        assert_eq!(numbers(&played), (0..150).collect::<Vec<_>>());
    }
    close_all(members).await;
    server.shutdown().await;
}
