//! Restarts, rivals, second handles, statistics and what events are called.

use stratus_core::PeerId;

use super::*;
use crate::{
    Conditions, GroupInfo, Identity, MulticastConfig, NetStreamMulticastInfo, Overrides, Parameters,
    PlayError, PublishError, Purpose, Reliability, SampleAccess, StreamId,
};

/// A group in which only holders of the key may publish.
fn guarded(tag: u8) -> Groupspec {
    GroupSpecifier::new("show")
        .unwrap()
        .make_unique([tag; 32])
        .capabilities(Capabilities::services())
        .publish_key_seed([7; 32])
        .build()
}

/// Sends a key message each 20 ms until told to stop.
async fn keep_sending(mut publication: Publication) {
    let mut clock = tokio::time::interval(Duration::from_millis(20));
    for number in 0u32.. {
        clock.tick().await;
        if publication.send(key(number.to_be_bytes().repeat(500))).await.is_err() {
            return;
        }
    }
}

/// A publisher in a runtime of its own, to be killed without a word.
fn doomed(builder: Builder, spec: Groupspec) -> (tokio::runtime::Runtime, tokio::task::JoinHandle<StreamId>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let task = runtime.spawn(async move {
        let connection = start(builder).await;
        let group = connection.join(&spec).await.unwrap();
        group.joined(PATIENCE).await.unwrap();
        let publication = group.publish("cam", Publish::default()).await.unwrap();
        let stream = publication.stream();
        tokio::spawn(async move {
            keep_sending(publication).await;
            connection.close().await;
        });
        stream
    });
    (runtime, task)
}

/// The next thing played that is not a message, and how many messages came before it.
async fn next_word(playback: &mut Playback) -> (usize, Option<Played>) {
    let mut messages = 0;
    loop {
        match next(playback).await {
            Some(Played::Message(_)) => messages += 1,
            other => return (messages, other),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_of_a_killed_publisher_go_on_within_a_second_of_its_return_with_one_reset() {
    let server = server().await;
    let path = Conditions { loss_per_mille: 10, delay: Duration::from_millis(30), ..Conditions::default() };
    let builder = at(&server).conditions(path);
    let viewers = members(&builder, &guarded(1), 3).await;
    let mut playbacks = Vec::new();
    for (_, group) in &viewers {
        playbacks.push(group.play("cam", Play::default()).await.unwrap());
    }
    let (runtime, publisher) = doomed(builder.clone(), guarded(1));
    let first = timeout(PATIENCE, publisher).await.unwrap().unwrap();
    for playback in &mut playbacks {
        let started = Some(Played::Start { stream: first, is_reset: false });
        assert_eq!(next_word(playback).await, (0, started));
        assert!(matches!(next(playback).await, Some(Played::Message(_))));
    }
    runtime.shutdown_background();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let (runtime, publisher) = doomed(builder, guarded(1));
    let second = timeout(PATIENCE, publisher).await.unwrap().unwrap();
    let back_at = std::time::Instant::now();
    for playback in &mut playbacks {
        let (_, word) = next_word(playback).await;
        assert_eq!(word, Some(Played::Start { stream: second, is_reset: true }));
        assert!(matches!(next(playback).await, Some(Played::Message(_))), "no message after the reset");
        let pause = back_at.elapsed();
        assert!(pause <= Duration::from_secs(1), "resumed {pause:?} after the publisher was back");
    }
    // Nothing else is ever told of the restart.
    tokio::time::sleep(Duration::from_secs(2)).await;
    for playback in &mut playbacks {
        while let Ok(played) = timeout(Duration::from_millis(10), playback.next()).await {
            assert!(matches!(played, Some(Played::Message(_))), "{played:?}");
        }
    }
    runtime.shutdown_background();
    close_all(viewers).await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_of_a_publisher_that_stays_away_are_told_and_their_playback_ends() {
    let server = server().await;
    let config = MulticastConfig { publisher_timeout: Duration::from_secs(3), ..MulticastConfig::default() };
    let builder = at(&server).multicast(config);
    let viewers = members(&builder, &spec(1), 2).await;
    let mut playback = viewers[0].1.play("cam", Play::default()).await.unwrap();
    let mut events = viewers[0].1.events();
    let (runtime, publisher) = doomed(builder, spec(1));
    let stream = timeout(PATIENCE, publisher).await.unwrap().unwrap();
    assert!(matches!(next_word(&mut playback).await, (0, Some(Played::Start { .. }))));
    assert!(matches!(next(&mut playback).await, Some(Played::Message(_))));
    runtime.shutdown_background();
    let (_, word) = next_word(&mut playback).await;
    assert_eq!(word, Some(Played::Idle));
    assert_eq!(next(&mut playback).await, None);
    let told = until(&mut events, |event| {
        matches!(event, Event::PublishIdle { .. }).then(|| (event.code(), event.fields()))
    });
    let fields = vec![("name", "cam".to_owned()), ("stream", format!("{:08x}", stream.alias().0))];
    assert_eq!(told.await, ("NetStream.Publish.Idle", fields));
    close_all(viewers).await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_handle_on_a_group_and_on_a_stream_adds_no_traffic() {
    let server = server().await;
    let members = members(&at(&server), &spec(1), 2).await;
    let mut publication = members[0].1.publish("cam", Publish::default()).await.unwrap();
    let error = members[0].1.publish("cam", Publish::default()).await.unwrap_err();
    assert_eq!((error, error.code()), (PublishError::BadName, "NetStream.Publish.BadName"));
    let (viewer, group) = (&members[1].0, &members[1].1);
    let second = viewer.join(&spec(1)).await.unwrap();
    assert_eq!(second.id(), group.id());
    let mut one = group.play("cam", Play::default()).await.unwrap();
    publication.send(key("first")).await.unwrap();
    assert!(matches!(next(&mut one).await, Some(Played::Start { .. })));
    assert!(matches!(next(&mut one).await, Some(Played::Message(_))));
    let mut other = second.play("cam", Play::default()).await.unwrap();
    publication.send(message("in the middle")).await.unwrap();
    publication.send(key("second")).await.unwrap();
    publication.send(message("third")).await.unwrap();
    publication.end().await.unwrap();
    assert_eq!(play_to_end(&mut one).await, ["in the middle", "second", "third"]);
    assert_eq!(play_to_end(&mut other).await, ["second", "third"]);
    let info = group.info().await.unwrap().multicast_info("cam").copied().unwrap();
    let received = info.bytes_pushed_from_peers + info.bytes_requested_from_peers;
    assert_eq!(received as usize, "firstin the middlesecondthird".len(), "something came twice");
    // The first handle goes, the second keeps membership and subscription.
    drop((one, other));
    let (connections, groups): (Vec<_>, Vec<_>) = members.into_iter().unzip();
    drop(groups);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(second.info().await.is_ok());
    for connection in connections {
        connection.close().await;
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_playbacks_may_go_and_the_other_goes_on() {
    let server = server().await;
    let members = members(&at(&server), &spec(1), 2).await;
    let mut publication = members[0].1.publish("cam", Publish::default()).await.unwrap();
    let one = members[1].1.play("cam", Play::default()).await.unwrap();
    let mut other = members[1].1.play("cam", Play::default()).await.unwrap();
    publication.send(key("first")).await.unwrap();
    assert!(matches!(next(&mut other).await, Some(Played::Start { is_reset: false, .. })));
    drop(one);
    tokio::time::sleep(Duration::from_millis(100)).await;
    publication.send(message("second")).await.unwrap();
    publication.end().await.unwrap();
    assert_eq!(play_to_end(&mut other).await, ["first", "second"]);
    close_all(members).await;
    server.shutdown().await;
}

#[tokio::test]
async fn samples_that_a_publisher_keeps_go_to_players_only() {
    // spec MC-20
    let server = server().await;
    let members = members(&at(&server), &spec(1), 2).await;
    let parameters = Parameters {
        sample_access: SampleAccess { audio: true, video: false },
        ..Parameters::from(&MulticastConfig::default())
    };
    let publish = Publish { parameters: Some(parameters), ..Publish::default() };
    let mut publication = members[0].1.publish("cam", publish).await.unwrap();
    let mut looking = members[1].1.play("cam", Play::default()).await.unwrap();
    let for_player = Play { purpose: Purpose::Player, ..Play::default() };
    let mut showing = members[1].1.play("cam", for_player).await.unwrap();
    publication.send(key("first")).await.unwrap();
    for playback in [&mut looking, &mut showing] {
        assert!(matches!(next(playback).await, Some(Played::Start { .. })));
        assert!(matches!(next(playback).await, Some(Played::Message(_))));
    }
    for kind in [Kind::Audio, Kind::Video, Kind::Data] {
        publication.send(Outgoing { payload: "abc".into(), kind, is_key: true }).await.unwrap();
    }
    publication.end().await.unwrap();
    assert_eq!(play_to_end(&mut showing).await, ["abc"; 3]);
    let mut seen = Vec::new();
    while let Some(played) = next(&mut looking).await {
        match played {
            Played::Start { .. } => {}
            Played::Message(message) => seen.push(format!("{:?} {:?}", message.kind, message.payload())),
            Played::Withheld { index, kind, bytes } => seen.push(format!("{index} {kind:?} {bytes} bytes")),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, ["Audio b\"abc\"", "2 Video 3 bytes", "Data b\"abc\""]);
    close_all(members).await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_lossy_path_a_class_that_is_let_go_is_missing_and_the_reliable_one_is_whole() {
    // spec MC-19
    let server = server().await;
    let path = Conditions { loss_per_mille: 100, delay: Duration::from_millis(40), ..Conditions::default() };
    let members = members(&at(&server).conditions(path), &spec(1), 2).await;
    // A repair takes a round trip of 80 ms; audio waits for none.
    let reliability = Reliability { audio: Some(Duration::from_millis(20)), ..Reliability::default() };
    let parameters = Parameters { reliability, ..Parameters::from(&MulticastConfig::default()) };
    let publish = Publish { parameters: Some(parameters), ..Publish::default() };
    let mut publication = members[0].1.publish("cam", publish).await.unwrap();
    let mut playback = members[1].1.play("cam", Play::default()).await.unwrap();
    publication.send(key("first")).await.unwrap();
    assert!(matches!(next(&mut playback).await, Some(Played::Start { .. })));
    assert!(matches!(next(&mut playback).await, Some(Played::Message(_))));
    let sending = tokio::spawn(async move {
        let mut clock = tokio::time::interval(Duration::from_millis(10));
        for number in 0..200u8 {
            clock.tick().await;
            let kind = if number % 2 == 0 { Kind::Data } else { Kind::Audio };
            // Several datagrams: what comes with its manifest in one is lost with it, and its class is not known.
            let payload = vec![number; 3_000].into();
            publication.send(Outgoing { payload, kind, is_key: false }).await.unwrap();
        }
        publication.end().await.unwrap();
    });
    let (mut data, mut audio, mut missing) = (Vec::new(), 0, 0);
    while let Some(played) = next(&mut playback).await {
        match played {
            Played::Message(message) if message.kind == Kind::Data => data.push(message.payload()[0]),
            Played::Message(_) => audio += 1,
            Played::Gap { count, .. } => missing += count,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(data, (0..200u8).step_by(2).collect::<Vec<_>>(), "something reliable is missing");
    assert!(
        missing > 0,
        "a tenth was lost, and all of it repaired in no time: {audio} came, {missing} are missing"
    );
    assert_eq!(audio * 3 + missing, 300, "what is missing was told");
    sending.await.unwrap();
    close_all(members).await;
    server.shutdown().await;
}

#[tokio::test]
async fn properties_out_of_range_are_refused_by_name_and_those_in_range_hold() {
    // spec MC-18
    let server = server().await;
    let members = members(&at(&server), &spec(1), 2).await;
    let (publisher, viewer) = (&members[0].1, &members[1].1);
    let wrong = Overrides { push_neighbor_limit: Some(65), ..Overrides::default() };
    let publish = Publish { overrides: wrong, ..Publish::default() };
    let error = publisher.publish("cam", publish).await.unwrap_err();
    assert_eq!(error.to_string(), "multicast setting multicastPushNeighborLimit must be 1 to 64");
    let error = viewer.play("cam", Play { overrides: wrong, ..Play::default() }).await.unwrap_err();
    assert!(matches!(error, PlayError::Property(_)), "{error}");
    let config = MulticastConfig::default();
    let second = Duration::from_secs(1);
    let parameters = Parameters {
        window_duration: second * 3,
        fetch_period: second / 5,
        availability_update_period: second / 4,
        availability_send_to_all: true,
        reliability: Reliability { audio: Some(second / 8), ..Reliability::default() },
        ..Parameters::from(&config)
    };
    let overrides = Overrides {
        relay_margin_duration: Some(second),
        push_neighbor_limit: Some(2),
        ..Overrides::default()
    };
    let publish = Publish { parameters: Some(parameters.clone()), overrides, ..Publish::default() };
    let mut publication = publisher.publish("cam", publish).await.unwrap();
    let wishes = Overrides { window_duration: Some(second * 2), ..Overrides::default() };
    let mut playback = viewer.play("cam", Play { overrides: wishes, ..Play::default() }).await.unwrap();
    publication.send(key("first")).await.unwrap();
    assert!(matches!(next(&mut playback).await, Some(Played::Start { .. })));
    let here = |info: GroupInfo| info.stream("cam").unwrap().properties;
    let at_home = here(publisher.info().await.unwrap());
    assert_eq!((at_home.relay_margin_duration, at_home.push_neighbor_limit), (second, 2));
    let there = here(viewer.info().await.unwrap());
    assert_eq!((there.window_duration, there.fetch_period), (second * 2, second / 5));
    assert!(there.availability_send_to_all);
    assert_eq!((there.relay_margin_duration, there.push_neighbor_limit), (second * 2, 4));
    assert_eq!(viewer.info().await.unwrap().stream("cam").unwrap().parameters, parameters);
    let later = Overrides { fetch_period: Some(second), ..Overrides::default() };
    playback.set_overrides(later).await.unwrap();
    let changed = here(viewer.info().await.unwrap());
    assert_eq!((changed.window_duration, changed.fetch_period), (second * 3, second));
    let refused = playback.set_overrides(Overrides { window_duration: Some(second * 60), ..later }).await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "multicast setting multicastWindowDuration must be 250ms to 30s"
    );
    close_all(members).await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_counter_that_can_be_is_counted_and_every_rate_measured() {
    let server = server().await;
    let path = Conditions { loss_per_mille: 50, delay: Duration::from_millis(20), ..Conditions::default() };
    // One child a slice: whoever plays relays.
    let config = MulticastConfig { push_neighbor_limit: 1, ..MulticastConfig::default() };
    let members = members(&at(&server).conditions(path).multicast(config), &spec(1), 4).await;
    let publication = members[0].1.publish("cam", Publish::default()).await.unwrap();
    let mut playbacks = Vec::new();
    for (_, group) in &members[1..] {
        playbacks.push(group.play("cam", Play::default()).await.unwrap());
    }
    let sending = tokio::spawn(keep_sending(publication));
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut all = NetStreamMulticastInfo::default();
    for (_, group) in &members {
        let info = *group.info().await.unwrap().multicast_info("cam").unwrap();
        all.bytes_pushed_to_peers += info.bytes_pushed_to_peers;
        all.fragments_pushed_to_peers += info.fragments_pushed_to_peers;
        all.bytes_pushed_from_peers += info.bytes_pushed_from_peers;
        all.fragments_pushed_from_peers += info.fragments_pushed_from_peers;
        all.bytes_requested_by_peers += info.bytes_requested_by_peers;
        all.fragments_requested_by_peers += info.fragments_requested_by_peers;
        all.bytes_requested_from_peers += info.bytes_requested_from_peers;
        all.fragments_requested_from_peers += info.fragments_requested_from_peers;
    }
    let viewer = *members[1].1.info().await.unwrap().multicast_info("cam").unwrap();
    let mine = playbacks[0].multicast_info().await.unwrap().unwrap();
    assert!(mine.fragments_pushed_from_peers >= viewer.fragments_pushed_from_peers);
    // 2,000 bytes each 20 ms.
    assert!((80_000..130_000).contains(&viewer.receive_data_bytes_per_second), "{viewer:?}");
    assert!(viewer.receive_control_bytes_per_second > 0 && viewer.send_control_bytes_per_second > 0);
    let publisher = *members[0].1.info().await.unwrap().multicast_info("cam").unwrap();
    assert!(publisher.send_data_bytes_per_second > 80_000, "{publisher:?}");
    let json = serde_json::to_value(all).unwrap();
    let is_to_come = |name: &str| name.contains("Server") || name.contains("IPMulticast");
    let fields = json.as_object().unwrap();
    assert_eq!(fields.len(), 21);
    for (name, value) in fields.iter().filter(|(name, _)| !name.contains("PerSecond")) {
        assert_eq!(value.as_u64() == Some(0), is_to_come(name), "{name}: {value}");
    }
    assert!(fields.contains_key("bytesReceivedFromIPMulticast"));
    let services = serde_json::to_value(members[0].1.info().await.unwrap().services).unwrap();
    assert_eq!(services.as_object().unwrap().len(), 8);
    sending.abort();
    close_all(members).await;
    server.shutdown().await;
}

#[test]
fn events_bear_the_names_and_fields_of_flash() {
    let stream = StreamId(Identity::from_seed([1; 32]).public());
    let (peer, name) = (PeerId::from_bytes([3; 32]), || "cam".to_owned());
    let address = stratus_core::RingKey::new([2; 32]).address(&peer);
    let connect = Event::NeighborConnect { peer, address };
    let fields = vec![("neighbor", address.to_string()), ("peerID", peer.to_string())];
    assert_eq!((connect.code(), connect.fields()), ("NetGroup.Neighbor.Connect", fields));
    let codes: Vec<&str> = [
        Event::NeighborDisconnect { peer, address },
        Event::PublishNotify { stream, name: name() },
        Event::UnpublishNotify { stream, name: name() },
        Event::PublishStart { stream, name: name() },
        Event::PublishBadName { stream, name: name() },
        Event::PublishIdle { stream, name: name() },
        Event::PlayStart { stream, name: name() },
        Event::PlayReset { stream, name: name() },
    ]
    .iter()
    .map(Event::code)
    .collect();
    let expected = [
        "NetGroup.Neighbor.Disconnect",
        "NetGroup.MulticastStream.PublishNotify",
        "NetGroup.MulticastStream.UnpublishNotify",
        "NetStream.Publish.Start",
        "NetStream.Publish.BadName",
        "NetStream.Publish.Idle",
        "NetStream.Play.Start",
        "NetStream.MulticastStream.Reset",
    ];
    assert_eq!(codes, expected);
    let reset = Played::Start { stream, is_reset: true };
    assert_eq!(reset.code(), Some("NetStream.MulticastStream.Reset"));
}
