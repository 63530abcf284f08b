//! `stratus group show`: explains a groupspec, but for its secrets.

use std::fmt;

use serde_json::{Value, json};
use stratus_groupspec::{Capabilities, Groupspec, IpMulticastAddress};

use super::stamped;
use crate::console::Console;
use crate::stop::Stop;

/// Runs `stratus group show …`.
pub(crate) fn run(spec: &Groupspec, as_json: bool, console: Console) -> Result<(), Stop> {
    if as_json {
        return console.data(stamped("group", description(spec)));
    }
    for (label, text) in lines(spec) {
        console.data(format_args!("{label:<13}{text}"))?;
    }
    Ok(())
}

fn lines(spec: &Groupspec) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("name", spec.name().unwrap_or("none").to_owned()),
        ("group id", spec.group_id().to_string()),
        ("secrecy", secrecy(spec).to_owned()),
        ("services", services(&spec.capabilities()).join(", ")),
        ("publishing", publishing(spec).to_string()),
        ("posting", posting(spec).to_string()),
    ];
    lines.extend(spec.servers().iter().map(|server| ("server", server.clone())));
    lines.extend(spec.bootstrap_peers().iter().map(|peer| {
        let addresses: Vec<String> = peer.addresses.iter().map(ToString::to_string).collect();
        ("member", format!("{} {}", peer.peer, addresses.join(" ")))
    }));
    let multicast = spec.ip_multicast_addresses().iter();
    lines.extend(multicast.map(|address| ("ip multicast", multicast_address(address))));
    lines
}

fn description(spec: &Groupspec) -> Value {
    let members: Vec<Value> = spec
        .bootstrap_peers()
        .iter()
        .map(|peer| json!({ "peer": peer.peer.to_string(), "addresses": peer.addresses }))
        .collect();
    let multicast: Vec<String> = spec.ip_multicast_addresses().iter().map(multicast_address).collect();
    json!({
        "name": spec.name(),
        "group_id": spec.group_id().to_string(),
        "is_unique": spec.is_unique(),
        "services": services(&spec.capabilities()),
        "publishing_needs_authorization": spec.publish_authority().is_some(),
        "has_publish_password": spec.has_publish_password(),
        "has_publish_authorization": spec.publish_authorization().is_some(),
        "posting_needs_authorization": spec.posting_authority().is_some(),
        "has_posting_password": spec.has_posting_password(),
        "has_posting_authorization": spec.posting_authorization().is_some(),
        "servers": spec.servers(),
        "bootstrap_peers": members,
        "ip_multicast_addresses": multicast,
    })
}

fn secrecy(spec: &Groupspec) -> &'static str {
    if spec.is_unique() {
        "random tag: only holders of the groupspec can enter"
    } else {
        "none: whoever guesses name and options can enter"
    }
}

fn services(capabilities: &Capabilities) -> Vec<&'static str> {
    let all = [
        (capabilities.multicast, "multicast"),
        (capabilities.posting, "posting"),
        (capabilities.object_replication, "replication"),
        (capabilities.routing, "routing"),
        (capabilities.server_channel, "server channel"),
        (capabilities.peer_to_peer_disabled, "no peer to peer"),
        (capabilities.ip_multicast_member_updates, "ip multicast member updates"),
    ];
    all.into_iter().filter_map(|(is_on, name)| is_on.then_some(name)).collect()
}

/// Who may do something.
struct Right {
    is_restricted: bool,
    has_password: bool,
    is_held: bool,
}

fn publishing(spec: &Groupspec) -> Right {
    Right {
        is_restricted: spec.publish_authority().is_some(),
        has_password: spec.has_publish_password(),
        is_held: spec.publish_authorization().is_some(),
    }
}

fn posting(spec: &Groupspec) -> Right {
    Right {
        is_restricted: spec.posting_authority().is_some(),
        has_password: spec.has_posting_password(),
        is_held: spec.posting_authorization().is_some(),
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_restricted, has_password, is_held } = self;
        f.write_str(match (is_restricted, has_password, is_held) {
            (false, ..) => "any member",
            (true, false, false) => "needs an authorization, which this groupspec does not carry",
            (true, false, true) => "needs an authorization, which this groupspec carries: keep it secret",
            (true, true, false) => {
                "needs the password, or an authorization, which this groupspec does not carry"
            }
            (true, true, true) => {
                "needs the password, or an authorization, which this groupspec carries: keep it secret"
            }
        })
    }
}

fn multicast_address(address: &IpMulticastAddress) -> String {
    match address.source {
        Some(source) => format!("{}@{source}", address.group),
        None => address.group.to_string(),
    }
}
