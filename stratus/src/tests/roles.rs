//! What a member gives, on real sockets.

use super::*;

/// What each viewer played and how many bytes of payload it sent, the given viewers' builders first.
async fn watch(builders: &[Builder], messages: u8) -> Vec<(Vec<Bytes>, u64)> {
    let mut all = Vec::new();
    for builder in builders {
        let connection = start(builder.clone()).await;
        let group = connection.join(&spec(1)).await.unwrap();
        all.push((connection, group));
    }
    for (_, group) in &all {
        group.joined(PATIENCE).await.unwrap();
    }
    let mut publication = all[0].1.publish("cam", Publish::default()).await.unwrap();
    let mut playbacks = Vec::new();
    for (_, group) in &all[1..] {
        playbacks.push(group.play("cam", Play::default()).await.unwrap());
    }
    publication.send(key(vec![0; 2_000])).await.unwrap();
    for playback in &mut playbacks {
        assert!(matches!(next(playback).await, Some(Played::Start { .. })));
    }
    for number in 1..messages {
        publication.send(message(vec![number; 2_000])).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    publication.end().await.unwrap();
    let mut seen = Vec::new();
    for (mut playback, (_, group)) in playbacks.into_iter().zip(&all[1..]) {
        let played = play_to_end(&mut playback).await;
        let info = group.info().await.unwrap();
        let sent = info.streams.iter().map(|(_, stream)| stream.counters.sent_bytes()).sum();
        seen.push((played, sent));
    }
    close_all(all).await;
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn download_only_and_metered_members_send_no_payload_and_get_everything() {
    let server = server().await;
    let usual = at(&server);
    // The publisher cannot feed all four alone: 200,000 bytes a second each.
    let publisher = usual.clone().max_upload(600_000);
    let builders =
        [publisher, usual.clone().download_only(), usual.clone().metered(), usual.clone(), usual.clone()];
    let seen = watch(&builders, 100).await;
    let expected: Vec<Bytes> = (0..100).map(|number| vec![number; 2_000].into()).collect();
    for (played, _) in &seen {
        assert!(*played == expected, "{} of 100 messages came", played.len());
    }
    let sent: Vec<u64> = seen.iter().map(|(_, sent)| *sent).collect();
    assert_eq!(sent[..2], [0, 0]);
    assert!(sent[2] + sent[3] > 0, "the others carry: {sent:?}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_of_a_real_member_is_replayed_to_the_same_outputs() {
    use stratus_node::journal::Replay;
    let server = server().await;
    let folder = tempfile::tempdir().unwrap();
    let files = ["publisher", "viewer"].map(|name| folder.path().join(name));
    let usual = at(&server);
    let builders = [usual.clone().journal(&files[0]), usual.clone().journal(&files[1]), usual];
    let seen = watch(&builders, 30).await;
    assert!(seen.iter().all(|(played, _)| played.len() == 30));
    for file in files {
        let journal = std::fs::read(&file).unwrap();
        let mut replay = Replay::new(journal.into()).unwrap();
        while let Some(step) = replay.step().unwrap() {
            assert_eq!(step, Ok(()), "{}", file.display());
        }
        assert!(replay.steps() > 60, "{} steps", replay.steps());
        assert_eq!(replay.rest(), 0);
    }
    let error = at(&server).journal(folder.path()).start().await.unwrap_err();
    assert!(error.to_string().starts_with("cannot write the journal: "), "{error}");
    server.shutdown().await;
}
