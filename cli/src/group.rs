//! `stratus group`: makes and explains groupspecs.

use std::time::SystemTime;

use serde_json::{Value, json};
use stratus_groupspec::{BuildError, Capabilities, GroupSpecifier, Groupspec, IpMulticastAddress};

use crate::args::{GroupCommand, GroupNew};
use crate::console::Console;
use crate::spec;
use crate::stop::{Code, Failure, Stop};

/// Runs `stratus group …`.
pub(crate) fn run(command: &GroupCommand, console: Console) -> Result<(), Stop> {
    match command {
        GroupCommand::New(options) => new(options, console),
        GroupCommand::Show { spec, json } => show(&spec::load(spec)?, *json, console),
    }
}

fn new(options: &GroupNew, console: Console) -> Result<(), Stop> {
    let spec = build(options)?;
    let (with, without) = (spec.to_string_with_authorizations(), spec.to_string_without_authorizations());
    if !options.unique {
        console.note("warning: without --unique, whoever guesses the name and these options can enter");
    }
    if options.json {
        return console.data(stamped(
            "group",
            json!({
                "with_authorizations": with,
                "without_authorizations": without,
                "group_id": spec.group_id().to_string(),
            }),
        ));
    }
    if !spec.has_authorizations() {
        console.note("both lines are the same: any member may publish and post (see --publish-key)");
    }
    console.data(with)?;
    console.data(without)
}

fn build(options: &GroupNew) -> Result<Groupspec, Failure> {
    let mut specifier =
        GroupSpecifier::new(&options.name).map_err(unusable)?.capabilities(capabilities(options));
    if options.unique {
        specifier = specifier.make_unique(random_bytes()?);
    }
    if options.publish_key {
        specifier = specifier.publish_key_seed(random_bytes()?);
    }
    if options.posting_key {
        specifier = specifier.posting_key_seed(random_bytes()?);
    }
    for server in &options.server {
        specifier = specifier.add_server(server).map_err(unusable)?;
    }
    for (peer, address) in &options.bootstrap {
        specifier = specifier.add_bootstrap_peer(*peer, &[*address]).map_err(unusable)?;
    }
    for address in &options.ip_multicast {
        let address = IpMulticastAddress { group: *address, source: None };
        specifier = specifier.add_ip_multicast_address(address).map_err(unusable)?;
    }
    Ok(specifier.build())
}

fn capabilities(options: &GroupNew) -> Capabilities {
    Capabilities {
        routing: !options.no_routing,
        multicast: !options.no_multicast,
        object_replication: !options.no_replication,
        posting: !options.no_posting,
        ..Capabilities::services()
    }
}

fn unusable(error: BuildError) -> Failure {
    Failure::new(Code::Usage, "cannot make this groupspec").tried(error.to_string())
}

/// 32 bytes that nobody can guess.
pub(crate) fn random_bytes() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::new(Code::Failed, "the system gave no random numbers").tried(error.to_string())
    })?;
    Ok(bytes)
}

fn show(spec: &Groupspec, as_json: bool, console: Console) -> Result<(), Stop> {
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
        ("publishing", right(spec.publish_authority().is_some(), spec.publish_authorization().is_some())),
        ("posting", right(spec.posting_authority().is_some(), spec.posting_authorization().is_some())),
    ];
    lines.extend(spec.servers().iter().map(|server| ("server", server.clone())));
    lines.extend(spec.bootstrap_peers().iter().map(|peer| {
        let addresses: Vec<String> = peer.addresses.iter().map(ToString::to_string).collect();
        ("member", format!("{} {}", peer.peer, addresses.join(" ")))
    }));
    let multicast = spec.ip_multicast_addresses().iter();
    lines.extend(multicast.map(|address| ("ip multicast", address.group.to_string())));
    lines
}

fn description(spec: &Groupspec) -> Value {
    let members: Vec<Value> = spec
        .bootstrap_peers()
        .iter()
        .map(|peer| json!({ "peer": peer.peer.to_string(), "addresses": peer.addresses }))
        .collect();
    let multicast: Vec<String> =
        spec.ip_multicast_addresses().iter().map(|address| address.group.to_string()).collect();
    json!({
        "name": spec.name(),
        "group_id": spec.group_id().to_string(),
        "is_unique": spec.is_unique(),
        "services": services(&spec.capabilities()),
        "publishing_needs_authorization": spec.publish_authority().is_some(),
        "has_publish_authorization": spec.publish_authorization().is_some(),
        "posting_needs_authorization": spec.posting_authority().is_some(),
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

fn right(is_restricted: bool, is_held: bool) -> String {
    match (is_restricted, is_held) {
        (false, _) => "any member",
        (true, false) => "needs an authorization, which this groupspec does not carry",
        (true, true) => "needs an authorization, which this groupspec carries: keep it secret",
    }
    .to_owned()
}

/// One line of JSON: what kind of thing it is, when it was, and the rest.
pub(crate) fn stamped(kind: &str, mut fields: Value) -> Value {
    fields["type"] = kind.into();
    fields["time"] = humantime::format_rfc3339_millis(SystemTime::now()).to_string().into();
    fields
}
