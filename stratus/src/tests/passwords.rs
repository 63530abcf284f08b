use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{Password, PublishError, random_salt, stretch};

const TYPED: &str = "tram ocelot fjord lantern";

fn password(text: &str) -> Password {
    Password::new(text).unwrap()
}

/// A group whose publishers know `text`, with the authorization.
async fn made_with(text: &str, salt: [u8; 16]) -> Groupspec {
    let specifier =
        GroupSpecifier::new("show").unwrap().make_unique([1; 32]).capabilities(Capabilities::services());
    let typed = password(text);
    stretch(move || specifier.set_publish_password(&typed, salt)).await.unwrap().build()
}

/// A group whose publishers know [`TYPED`], as everyone has it.
async fn protected() -> Groupspec {
    let spec = made_with(TYPED, random_salt().unwrap()).await;
    Groupspec::parse(&spec.to_string_without_authorizations()).unwrap()
}

fn with(text: &str) -> Publish {
    Publish { password: Some(password(text)), ..Publish::default() }
}

#[tokio::test]
async fn the_public_string_and_the_password_are_enough_to_publish() {
    let server = server().await;
    let members = members(&at(&server), &protected().await, 2).await;
    let mut playback = members[1].1.play("cam", Play::default()).await.unwrap();
    let error = members[0].1.publish("cam", Publish::default()).await.unwrap_err();
    assert_eq!(error, PublishError::NotAuthorized);
    let error = members[0].1.publish("cam", with("tram ocelot fjord lanterns")).await.unwrap_err();
    assert_eq!(
        (error, error.to_string().as_str()),
        (PublishError::WrongPassword, "the publish password is wrong")
    );
    let mut publication = members[0].1.publish("cam", with(TYPED)).await.unwrap();
    publication.send(key("granted")).await.unwrap();
    publication.end().await.unwrap();
    assert_eq!(play_to_end(&mut playback).await, ["granted"]);
    close_all(members).await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_password_for_a_group_that_has_none_is_refused() {
    let server = server().await;
    let connection = start(at(&server)).await;
    let open = connection.join(&spec(1)).await.unwrap();
    let random = GroupSpecifier::new("show")
        .unwrap()
        .make_unique([2; 32])
        .capabilities(Capabilities::services())
        .publish_key_seed([7; 32])
        .build();
    let random = Groupspec::parse(&random.to_string_without_authorizations()).unwrap();
    let random = connection.join(&random).await.unwrap();
    for group in [open, random] {
        let error = group.publish("cam", with(TYPED)).await.unwrap_err();
        assert_eq!(error.to_string(), "this group has no publish password");
    }
    connection.close().await;
    server.shutdown().await;
}

/// Waits until everyone has a link with everyone.
pub(super) async fn full_mesh(members: &[(Connection, Group)]) {
    let all_linked = async {
        while members.iter().any(|(_, group)| group.neighbor_count() + 1 < members.len()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, all_linked).await.expect("few are a full mesh in time");
}

// spec GS-12, MC-4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_wrong_password_signs_is_refused_by_every_member() {
    let server = server().await;
    let (guess, salt) = ("tram ocelot fjord lanterns", [0x44; 16]);
    let spec = made_with(TYPED, salt).await;
    let spec = Groupspec::parse(&spec.to_string_without_authorizations()).unwrap();
    let (here, typed) = (spec.clone(), password(guess));
    assert!(stretch(move || here.with_publish_password(&typed)).await.is_err(), "refused at home");
    // A member that was patched to take what the guess gives for the group's key.
    let wrong = made_with(guess, salt).await.publish_authorization().unwrap();
    let mut patched = at(&server);
    patched.believed_authority = Some(wrong.public());
    let mut members = members(&at(&server), &spec, 4).await;
    members.extend(self::members(&patched, &spec, 1).await);
    full_mesh(&members).await;
    let (honest, forger) = (&members[..4], &members[4]);

    let mut playbacks = Vec::new();
    let mut listeners = Vec::new();
    for (_, group) in &honest[1..] {
        playbacks.push(group.play("cam", Play::default()).await.unwrap());
        listeners.push(group.events());
    }
    let forged = Publish { authorization: Some(wrong), ..Publish::default() };
    let mut forged = forger.1.publish("cam", forged).await.expect("it was patched to allow itself");
    forged.send(key("forged")).await.unwrap();
    for events in &mut listeners {
        let what = until(events, |event| match event {
            Event::PublishNotify { name, .. } => panic!("somebody believed in {name}"),
            Event::Misbehaved { peer, what } if *peer == forger.0.peer() => Some(*what),
            _ => None,
        });
        assert_eq!(what.await, "an announcement without the group's authorization or a valid signature");
        let cut = until(events, |event| match event {
            Event::NeighborDisconnect { peer, .. } if *peer == forger.0.peer() => Some(()),
            _ => None,
        });
        cut.await;
    }

    let mut publication = honest[0].1.publish("cam", with(TYPED)).await.unwrap();
    publication.send(key("granted")).await.unwrap();
    publication.end().await.unwrap();
    for playback in &mut playbacks {
        assert_eq!(play_to_end(playback).await, ["granted"], "and nothing of the forger's");
    }
    drop(forged);
    close_all(members).await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stretching_is_one_at_a_time_and_nobody_else_waits() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let (running, most) = (running.clone(), most.clone());
            tokio::spawn(stretch(move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(20));
                running.fetch_sub(1, Ordering::SeqCst);
                n
            }))
        })
        .collect();
    // Given up while it waits for its turn, or while it runs: the turn is not lost.
    tasks[0].abort();
    tasks[3].abort();
    let mut done = Vec::new();
    for task in tasks {
        done.extend(timeout(PATIENCE, task).await.unwrap().ok());
    }
    assert!(done.ends_with(&[4, 5, 6, 7]), "{done:?}");
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_runtimes_only_thread_goes_on_while_a_password_is_stretched() {
    let mut ticks = 0;
    let spec = protected();
    tokio::pin!(spec);
    let mut clock = tokio::time::interval(Duration::from_millis(5));
    loop {
        tokio::select! {
            biased;
            _ = &mut spec => break,
            _ = clock.tick() => ticks += 1,
        }
    }
    assert!(ticks >= 5, "{ticks} ticks of 5 ms in a hundred or more");
}

#[tokio::test]
#[should_panic(expected = "what the work said")]
async fn a_panic_of_the_work_is_the_callers() {
    stretch(|| panic!("what the work said")).await
}

#[tokio::test]
async fn nothing_that_is_shown_has_a_password() {
    let server = server().await;
    let connection = start(at(&server)).await;
    let spec = protected().await;
    let group = connection.join(&spec).await.unwrap();
    let publish = with(TYPED);
    let shown = format!("{publish:?} {group:?} {connection:?} {spec:?}");
    assert!(shown.contains("Password(hidden)") && !shown.contains(TYPED), "{shown}");
    let seed = spec.encode_publish_authorization(&password(TYPED)).unwrap();
    let publication = group.publish("cam", publish).await.unwrap();
    let shown = format!("{publication:?} {group:?} {:?}", group.info().await.unwrap());
    assert!(!shown.contains(TYPED) && !shown.contains(&seed[6..]), "{shown}");
    connection.close().await;
    server.shutdown().await;
}
