//! `stratus group new`: makes a groupspec.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;
use stratus::PeerId;
use stratus_groupspec::{BuildError, Capabilities, GroupSpecifier, Groupspec, IpMulticastAddress, Password};

use super::{random_bytes, stamped};
use crate::args::GroupNew;
use crate::console::Console;
use crate::password::{self, Given, Kind};
use crate::stop::{Code, Failure, Stop};

/// Runs `stratus group new …`.
pub(crate) fn run(options: &GroupNew, console: Console) -> Result<(), Stop> {
    let spec = build(options, console)?;
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

fn build(options: &GroupNew, console: Console) -> Result<Groupspec, Failure> {
    let mut specifier =
        GroupSpecifier::new(&options.name).map_err(unusable)?.capabilities(capabilities(options));
    if options.unique {
        specifier = specifier.make_unique(random_bytes()?);
    }
    specifier = protect(specifier, options, console)?;
    specifier = with_ways(specifier, &options.server, &options.bootstrap)?;
    for (group, source) in &options.ip_multicast {
        let address = IpMulticastAddress { group: *group, source: *source };
        specifier = specifier.add_ip_multicast_address(address).map_err(unusable)?;
    }
    Ok(specifier.build())
}

/// Names the servers and members through which the group is entered.
pub(crate) fn with_ways(
    mut specifier: GroupSpecifier,
    servers: &[String],
    members: &[(PeerId, SocketAddr)],
) -> Result<GroupSpecifier, Failure> {
    for server in servers {
        specifier = specifier.add_server(server).map_err(unusable)?;
    }
    for (peer, address) in members {
        specifier = specifier.add_bootstrap_peer(*peer, &[*address]).map_err(unusable)?;
    }
    Ok(specifier)
}

/// Gives publishing and posting their keys: random ones, or those of passwords.
fn protect(
    mut specifier: GroupSpecifier,
    options: &GroupNew,
    console: Console,
) -> Result<GroupSpecifier, Failure> {
    let paths = [options.publish_password_file.as_deref(), options.posting_password_file.as_deref()];
    password::check_stdin(&paths)?;
    if options.publish_key {
        specifier = specifier.publish_key_seed(random_bytes()?);
    } else {
        specifier = by_password(
            specifier,
            password::PUBLISH,
            paths[0],
            GroupSpecifier::set_publish_password,
            console,
        )?;
    }
    if options.posting_key {
        Ok(specifier.posting_key_seed(random_bytes()?))
    } else {
        by_password(specifier, password::POSTING, paths[1], GroupSpecifier::set_posting_password, console)
    }
}

/// Sets the password that the user gave, if any.
fn by_password(
    specifier: GroupSpecifier,
    kind: Kind,
    path: Option<&Path>,
    set: impl FnOnce(GroupSpecifier, &Password, [u8; 16]) -> Result<GroupSpecifier, BuildError>,
    console: Console,
) -> Result<GroupSpecifier, Failure> {
    let Some(Given { password, place, is_asked_for }) = kind.read(path, console)? else {
        return Ok(specifier);
    };
    if !is_asked_for {
        console.note(format_args!("the {kind} is that of {place}"));
    }
    set(specifier, &password, random_bytes()?).map_err(|error| match error {
        BuildError::WeakPassword(weakness) => kind.too_weak(&place, weakness),
        error => unusable(error),
    })
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
