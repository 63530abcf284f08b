//! Posts among members on real sockets.

use super::*;
use crate::{PostError, PostingConfig};

/// The texts of the posts that come, until there are so many, in any order.
async fn texts(events: &mut Events, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        let text = until(events, |event| match event {
            Event::Post(post) => Some(String::from_utf8_lossy(post.body()).into_owned()),
            _ => None,
        });
        texts.push(text.await);
    }
    texts.sort();
    texts
}

#[tokio::test]
async fn lines_reach_all_members_once_and_their_sender_hears_that_they_did() {
    let server = server().await;
    let members = members(&at(&server), &spec(70), 3).await;
    let mut events: Vec<Events> = members.iter().map(|(_, group)| group.events()).collect();
    let id = members[0].1.post("hello").await.unwrap();
    members[1].1.post("hello").await.unwrap();
    assert_eq!(texts(&mut events[2], 2).await, ["hello", "hello"]);
    assert_eq!(texts(&mut events[1], 1).await, ["hello"]);
    let taken = |event: &Event| match event {
        Event::PostTaken(id) => Some(*id),
        _ => None,
    };
    assert_eq!(until(&mut events[0], taken).await, id);
    close_all(members).await;
}

#[tokio::test]
async fn who_comes_late_has_what_was_said_before() {
    let server = server().await;
    let spec = spec(71);
    let first = members(&at(&server), &spec, 2).await;
    for number in 0..30 {
        first[0].1.post(format!("line {number:02}")).await.unwrap();
    }
    let late = start(at(&server)).await;
    let group = late.join(&spec).await.unwrap();
    let mut events = group.events();
    let expected: Vec<String> = (0..30).map(|number| format!("line {number:02}")).collect();
    assert_eq!(texts(&mut events, 30).await, expected);
    let held = group.posts().await.unwrap();
    let said: Vec<_> = held.iter().map(|post| String::from_utf8_lossy(post.body()).into_owned()).collect();
    assert_eq!(said, expected, "in their order");
    assert!(held.iter().all(|post| post.sender() == first[0].0.peer()));
    assert_eq!(group.info().await.unwrap().posting.delivered, 30);
    late.close().await;
    close_all(first).await;
}

#[tokio::test]
async fn a_reader_cannot_post_and_a_group_without_posts_has_none() {
    let right = GroupSpecifier::new("show")
        .unwrap()
        .make_unique([72; 32])
        .capabilities(Capabilities::services())
        .posting_key_seed([7; 32])
        .build();
    let reading = Groupspec::parse(&right.to_string_without_authorizations()).unwrap();
    let connection = start(Connection::builder().listen(loopback())).await;
    let (reader, writer) = (connection.join(&reading).await.unwrap(), connection.join(&right).await.unwrap());
    let refused = reader.post("no").await.unwrap_err();
    assert_eq!(refused, PostError::NotAuthorized);
    assert_eq!(refused.to_string(), "this groupspec does not authorize posting");
    assert!(writer.post("yes").await.is_ok(), "the right is the handle's");
    assert_eq!(reader.post("still no").await, Err(PostError::NotAuthorized));
    let silent = Capabilities { posting: false, ..Capabilities::services() };
    let silent = GroupSpecifier::new("show").unwrap().make_unique([73; 32]).capabilities(silent).build();
    let group = connection.join(&silent).await.unwrap();
    assert_eq!(group.post("no").await, Err(PostError::PostingDisabled));
    assert_eq!(group.posts().await.unwrap(), []);
    connection.close().await;
}

#[tokio::test]
async fn what_is_too_long_or_too_fast_is_refused_with_the_reason() {
    let config = PostingConfig { max_posts_per_interval: 2, ..PostingConfig::default() };
    let connection = start(Connection::builder().listen(loopback()).posting(config)).await;
    let group = connection.join(&spec(74)).await.unwrap();
    let refused = group.post(vec![7; 8_193]).await.unwrap_err();
    assert_eq!(
        (refused, refused.to_string().as_str()),
        (PostError::TooLong, "the post is longer than 8192 bytes")
    );
    let mut outcomes = Vec::new();
    // An interval may begin among them: of five in a row one is too many in any case.
    for _ in 0..5 {
        outcomes.push(group.post("quick").await);
    }
    let is_too_fast = |outcome: &&Result<_, _>| matches!(outcome, Err(PostError::TooFast { .. }));
    let refused = outcomes.iter().find(is_too_fast).and_then(|outcome| outcome.as_ref().err());
    let said = refused.expect("one is too many").to_string();
    assert!(said.starts_with("posting faster than the group allows: wait "), "{said}");
    assert!(outcomes.iter().filter(|outcome| outcome.is_ok()).count() >= 2);
    connection.close().await;
}
