//! One group entered over one connection, and what is said while that takes its time.

use std::time::Duration;

use serde_json::json;
use stratus::{Builder, Connection, Event, Events, Group, MulticastConfig, StartError, Way};
use stratus_admin::Admin;
use stratus_groupspec::Groupspec;
use tokio::time::{Instant, timeout, timeout_at};

use crate::args::Reach;
use crate::consent::Part;
use crate::console::{Console, Verbosity};
use crate::events::{self, forward};
use crate::identity;
use crate::report::{Role, Watched};
use crate::spec;
use crate::stop::{Code, Failure};

/// How long leaving may take: goodbyes that have not arrived by then never do.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection that is in one group, or on its way there.
pub(crate) struct Session {
    connection: Connection,
    group: Group,
    has_posts: bool,
}

impl Session {
    /// Opens the socket and begins to join.
    pub(crate) async fn open(
        spec: &Groupspec,
        reach: &Reach,
        part: Part,
        multicast: MulticastConfig,
        console: Console,
    ) -> Result<(Self, Entrance), Failure> {
        let is_founder = !has_way(spec, reach)?;
        let connection = builder(reach, part, multicast)?.start().await.map_err(|error| of_start(&error))?;
        let group = connection
            .join(spec)
            .await
            .map_err(|error| Failure::new(Code::Failed, "cannot join the group").tried(error.to_string()))?;
        let events = group.events();
        let title = spec::title(spec);
        console.note(format_args!("joining group {title}"));
        console.event("state", json!({ "state": "joining", "group": spec::name(spec) }));
        if console.has_events() {
            tokio::spawn(forward(group.events(), console));
        }
        let here = connection.addresses().first().map(|address| format!("{}@{address}", connection.peer()));
        if let Some(here) = &here {
            console.detail(format_args!("others can come by --bootstrap {here}"));
        }
        let founder = here.filter(|_| is_founder);
        let patience = reach.patience();
        let entrance = Entrance { group: group.clone(), events, title, patience, founder, console };
        let has_posts = spec.capabilities().posting;
        Ok((Self { connection, group, has_posts }, entrance))
    }

    /// Opens the operator's listener, if one is wanted. It ends with what is given back.
    pub(crate) async fn admin(
        &self,
        reach: &Reach,
        role: Role,
        spec: &str,
        stream: Option<&str>,
        console: Console,
    ) -> Result<Option<Admin>, Failure> {
        let Some(config) = reach.admin() else { return Ok(None) };
        let watched = Watched {
            connection: self.connection.clone(),
            group: self.group.clone(),
            alias: reach.alias(spec),
            role,
            stream: stream.map(str::to_owned),
            has_posts: self.has_posts,
        };
        let admin = Admin::start(config, watched.asks()).await.map_err(|error| Failure::from(&error))?;
        console.note(format_args!("admin listener on http: {}", admin.local_addr()));
        Ok(Some(admin))
    }

    /// The group.
    pub(crate) fn group(&self) -> &Group {
        &self.group
    }

    /// Says goodbye and closes the socket.
    pub(crate) async fn close(self) {
        // What has not arrived by now never will.
        let _ = timeout(LEAVE_TIMEOUT, self.connection.close()).await;
    }
}

/// What being in the group means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// A member answers, or a server knows us: whoever comes will find us. Enough for a publisher.
    Known,
    /// A member answers, or a server says that there is none yet. What a viewer needs.
    Linked,
}

/// Who else was there when the group was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    /// As far as a server knows, nobody.
    Alone,
    /// Members, linked or on the way to it.
    Others,
}

/// The way into a group, until it is entered.
pub(crate) struct Entrance {
    group: Group,
    events: Events,
    title: String,
    patience: Duration,
    /// Where others find this member, if it knows neither a server nor a member and waits for them to come.
    founder: Option<String>,
    console: Console,
}

impl Entrance {
    /// Waits until the group is entered in the sense of `wanted`, and says how that goes.
    pub(crate) async fn entered(mut self, wanted: Presence) -> Result<Company, Failure> {
        if let Some(here) = &self.founder {
            self.console.note(format_args!("waiting for others: they come by --bootstrap {here}"));
            return Ok(Company::Alone);
        }
        let deadline = Instant::now() + self.patience;
        loop {
            if self.group.neighbor_count() > 0 {
                self.console.note(format_args!("joined group {}", self.title));
                return Ok(self.succeed(Company::Others));
            }
            match timeout_at(deadline, self.events.recv()).await {
                Ok(Some(event)) => {
                    self.tell(&event);
                    if let Some(company) = company(&event, wanted) {
                        return Ok(self.succeed(company));
                    }
                }
                Ok(None) => return Err(Failure::new(Code::Failed, "the group was closed")),
                Err(_) => {
                    events::tell(self.console, "NetGroup.Connect.Failed", json!({}));
                    let ways = self.group.ways().await.unwrap_or_default();
                    return Err(unreachable(&self.title, self.patience, &ways));
                }
            }
        }
    }

    /// The same without a word: where a screen is drawn nothing else may be written.
    pub(crate) async fn quietly(self, wanted: Presence) -> Result<Company, Failure> {
        Self { console: Console::new(Verbosity::Quiet), ..self }.entered(wanted).await
    }

    /// Ends only with the failure to enter; a group that was entered stays so.
    pub(crate) async fn failed(self, wanted: Presence) -> Failure {
        match self.entered(wanted).await {
            Ok(_) => std::future::pending().await,
            Err(failure) => failure,
        }
    }

    fn succeed(&self, company: Company) -> Company {
        self.console.event("state", json!({ "state": "joined", "is_alone": company == Company::Alone }));
        events::tell(self.console, "NetGroup.Connect.Success", json!({}));
        company
    }

    fn tell(&self, event: &Event) {
        let title = &self.title;
        match event {
            Event::ServerConnect { server, named: 0 } => {
                self.console
                    .note(format_args!("joining group {title}: server {server} knows nobody else yet"));
            }
            Event::ServerConnect { server, named } => {
                self.console.note(format_args!("joining group {title}: server {server} names {named}"));
            }
            Event::ServerDisconnect { server, why } => {
                self.console.note(format_args!("joining group {title}: server {server}: {why}"));
            }
            event => self.console.detail(event.code()),
        }
    }
}

/// Who is there, if the event says enough.
fn company(event: &Event, wanted: Presence) -> Option<Company> {
    match event {
        Event::NeighborConnect { .. } => Some(Company::Others),
        Event::ServerConnect { named: 0, .. } => Some(Company::Alone),
        Event::ServerConnect { .. } if wanted == Presence::Known => Some(Company::Others),
        _ => None,
    }
}

/// Whether somebody is named through whom the group can be entered; an error if that was forgotten.
fn has_way(spec: &Groupspec, reach: &Reach) -> Result<bool, Failure> {
    let names_server = !reach.server.is_empty() || !spec.servers().is_empty();
    let names_member = !reach.bootstrap.is_empty() || !spec.bootstrap_peers().is_empty();
    let has_way = names_member || names_server && !reach.no_server;
    if has_way || reach.no_server {
        return Ok(has_way);
    }
    Err(Failure::new(Code::Usage, "there is no way into the group")
        .tried("the groupspec names no server and no member")
        .hint("name a server (--server HOST:PORT) or a member (--bootstrap PEER@ADDR); --no-server waits for others"))
}

fn builder(reach: &Reach, part: Part, multicast: MulticastConfig) -> Result<Builder, Failure> {
    let mut builder = Connection::builder().listen(reach.listen()).multicast(multicast);
    if reach.only_objects {
        builder = builder.large_packets();
    }
    if let Some(path) = &reach.identity {
        builder = builder.identity(identity::load(path)?);
    }
    if reach.no_server {
        builder = builder.without_servers();
    }
    builder = match part {
        Part::Relays => builder,
        Part::DownloadOnly => builder.download_only(),
        Part::Metered => builder.metered(),
    };
    let builder = reach.server.iter().fold(builder, |builder, server| builder.server(server));
    let builder = reach
        .bootstrap
        .iter()
        .fold(builder, |builder, (peer, address)| builder.bootstrap_peer(*peer, *address));
    let builder = reach.member_cache().into_iter().fold(builder, Builder::member_cache);
    let builder = reach.journal.iter().fold(builder, |builder, file| builder.journal(file));
    Ok(reach.max_upload.into_iter().fold(builder, Builder::max_upload))
}

fn unreachable(title: &str, patience: Duration, ways: &[Way]) -> Failure {
    let tried: Vec<String> = ways.iter().map(ToString::to_string).collect();
    let patience = humantime::format_duration(patience);
    Failure::new(Code::Unreachable, format!("no member of group {title} answered within {patience}"))
        .tried(tried.join(", "))
        .hint(
            "check that the server runs and UDP gets through; --server names another, --timeout waits longer",
        )
}

fn of_start(error: &StartError) -> Failure {
    match error {
        StartError::Bind(bind) => Failure::from(bind),
        other => Failure::new(Code::Usage, "cannot start with these settings").tried(other.to_string()),
    }
}
