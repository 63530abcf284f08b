//! What happens in a group, for programs that watch: the codes that Flash gave such events, and their fields.

use serde_json::{Value, json};
use stratus::{Event, Events, Played};

use crate::console::Console;

/// Hands on what happens until the group is left.
pub(crate) async fn forward(mut events: Events, console: Console) {
    while let Some(event) = events.recv().await {
        if is_told_elsewhere(&event) {
            continue;
        }
        tell(console, event.code(), fields(&event));
    }
}

/// What the handle of a publication or a playback says as well, and is told there; and posts, which are data.
fn is_told_elsewhere(event: &Event) -> bool {
    matches!(
        event,
        Event::PublishStart { .. }
            | Event::PublishIdle { .. }
            | Event::PlayStart { .. }
            | Event::PlayReset { .. }
            | Event::Equivocated { .. }
            | Event::Post(_)
            | Event::PostTaken(_)
    )
}

/// One event under its code. As in Flash, its level says whether something went wrong.
pub(crate) fn tell(console: Console, code: &str, fields: Value) {
    let is_error = [".Failed", ".Rejected", ".BadName", ".Misbehaved", ".Lagged", ".Gap"]
        .iter()
        .any(|ending| code.ends_with(ending));
    let mut object = json!({ "code": code, "level": if is_error { "error" } else { "status" } });
    if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
        object.extend(fields);
    }
    console.event("event", object);
}

/// What a player got that is no message.
pub(crate) fn tell_played(console: Console, played: &Played, stream: &str) {
    let Some(code) = played.code() else { return };
    let fields = match played {
        Played::Gap { first_index, count } => json!({ "first_index": first_index, "fragments": count }),
        Played::Lagged { missed } => json!({ "messages": missed }),
        _ => json!({}),
    };
    let mut fields = fields;
    fields["stream"] = stream.into();
    tell(console, code, fields);
}

fn fields(event: &Event) -> Value {
    match event {
        Event::NeighborConnect { peer, address } | Event::NeighborDisconnect { peer, address } => {
            json!({ "peer": peer.to_string(), "neighbor": address.to_string() })
        }
        Event::LocalCoverage(_) => json!({}),
        Event::PublishNotify { name, .. }
        | Event::UnpublishNotify { name, .. }
        | Event::PublishStart { name, .. }
        | Event::PublishBadName { name, .. }
        | Event::PublishIdle { name, .. }
        | Event::PlayStart { name, .. }
        | Event::PlayReset { name, .. }
        | Event::Equivocated { name, .. } => json!({ "stream": name }),
        Event::Post(post) => json!({ "id": post.id().to_string(), "peer": post.sender().to_string() }),
        Event::PostTaken(id) => json!({ "id": id.to_string() }),
        Event::Misbehaved { peer, what } => json!({ "peer": peer.to_string(), "what": what }),
        Event::SendTo(parcel) => crate::route::fields(parcel),
        Event::ServerConnect { server, named } => json!({ "server": server, "named": named }),
        Event::ServerDisconnect { server, why } => json!({ "server": server, "why": why }),
        Event::Lagged { missed } => json!({ "events": missed }),
    }
}
