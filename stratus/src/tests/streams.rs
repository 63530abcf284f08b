use super::*;

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
    let mut playing = Vec::new();
    for (_, group) in &members[1..] {
        let mut playback = group.play("cam", Play::default()).await.unwrap();
        let (started, has_started) = tokio::sync::oneshot::channel();
        playing.push((
            tokio::spawn(async move {
                assert!(matches!(next(&mut playback).await, Some(Played::Start { is_reset: false, .. })));
                started.send(()).unwrap();
                let payloads = play_to_end(&mut playback).await;
                playback.finish().await;
                payloads
            }),
            has_started,
        ));
    }
    let mut tasks = Vec::new();
    for (task, has_started) in playing {
        has_started.await.unwrap();
        tasks.push(task);
    }
    publication.send(key(payloads()[0].clone())).await.unwrap();
    for payload in &payloads()[1..] {
        publication.send(message(payload.clone())).await.unwrap();
    }
    assert!(publication.end().await.unwrap(), "everyone has everything");
    for task in tasks {
        let played = timeout(PATIENCE, task).await.unwrap().unwrap();
        assert!(played == payloads(), "played {:?}", lengths(&played));
    }
    close_all(members).await;
    server.shutdown().await;
}
