//! Carries out a scenario.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use stratus::{Capabilities, GroupSpecifier, Groupspec};

use crate::crew::Crew;
use crate::member::{MESSAGE_BYTES, Orders, Published, Role, Said, Viewed};
use crate::network::{Counted, HostPlan, Network};
use crate::outcome::Outcome;
use crate::scenario::{LEAST_PACKET, Midway, Scenario, Uploads, WIRE_PER_MILLE};
use crate::trouble::Trouble;

/// Hosts before the viewers.
const SERVER: usize = 0;
const PUBLISHER: usize = 1;
const VIEWERS: usize = 2;
const PORT: u16 = 1_935;
/// How long members may take to come together.
const GATHERING: Duration = Duration::from_secs(40);
/// How long they get to know each other before the stream begins.
const SETTLING: Duration = Duration::from_secs(3);
/// How long after its end a stream may take to be complete: the window, and whatever a busy machine adds.
const ENDING: Duration = Duration::from_secs(14);
/// How long a report may take.
const REPORTING: Duration = Duration::from_secs(3);
/// How long a killed publisher stays away.
const ABSENCE: Duration = Duration::from_secs(2);
/// A link carries a little more than the members were told, or rounding would lose packets.
const LINK_PERCENT: u64 = 110;

/// How large everything is.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// This program, which members run.
    pub program: &'a Path,
    /// How many viewers.
    pub viewers: usize,
    /// Payload bytes a second.
    pub rate: u64,
    /// How long the stream is.
    pub length: Duration,
    /// So many times wider than in the documentation are the bars on shares and times: more than 1 for short runs on
    /// machines of unknown speed.
    pub room: u64,
    /// Set when somebody wants the lab to stop.
    pub is_interrupted: &'a AtomicBool,
}

/// What was seen in one run.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) viewed: Vec<Viewed>,
    pub(crate) published: Published,
    /// When a publisher that had been killed was in the group again.
    pub(crate) back_at: Option<Duration>,
    pub(crate) counted: Vec<Counted>,
    /// What the last viewer sent in its fullest second, IP headers included.
    pub(crate) fullest_second: u64,
    /// How late the forwarder was at worst.
    pub(crate) most_late: Duration,
    /// Packets that the lab itself lost.
    pub(crate) refused: u64,
    /// Packets that members sent, and those of them that were lost in bursts.
    pub(crate) carried: (u64, u64),
}

/// Builds the network, plays the scenario, takes everything away.
pub fn run(scenario: &Scenario, settings: &Settings<'_>) -> Result<Outcome, Trouble> {
    let network = Network::new(&plans(scenario, settings))?;
    let mut stage = Stage {
        scenario,
        settings,
        network: &network,
        crew: Crew::new(settings.program, settings.is_interrupted),
        spec: spec().to_string_with_authorizations(),
    };
    let seen = stage.play()?;
    Ok(Outcome::new(scenario, settings, &seen))
}

/// With a publish key, as every group should have whose streams must survive their publisher (spec MC-17).
fn spec() -> Groupspec {
    let unique = crate::since_boot().as_nanos().to_be_bytes();
    let mut tag = [50; 32];
    tag[..unique.len()].copy_from_slice(&unique);
    GroupSpecifier::new("lab")
        .expect("a valid name")
        .make_unique(tag)
        .publish_key_seed([7; 32])
        .capabilities(Capabilities::services())
        .build()
}

/// Bytes a second, of so many hundredths of the stream's wire rate.
pub(crate) fn upload(rate: u64, percent: u64) -> u64 {
    rate * WIRE_PER_MILLE / 1_000 * percent / 100
}

fn plans(scenario: &Scenario, settings: &Settings<'_>) -> Vec<HostPlan> {
    let link = |percent: Option<u64>| Some(upload(settings.rate, percent?) * 8 * LINK_PERCENT / 100);
    let plan = |upload| HostPlan { path: scenario.path, loss_per_mille: scenario.loss_per_mille, upload };
    let Uploads { publisher, viewers, .. } = scenario.uploads;
    let mut plans = vec![plan(None), plan(link(publisher))];
    plans.resize(VIEWERS + settings.viewers, plan(link(viewers)));
    plans
}

/// A run under way.
struct Stage<'a> {
    scenario: &'a Scenario,
    settings: &'a Settings<'a>,
    network: &'a Network,
    crew: Crew<'a>,
    spec: String,
}

impl Stage<'_> {
    fn play(&mut self) -> Result<Seen, Trouble> {
        self.start(SERVER, Role::Serve, 0)?;
        self.gather(1, "the server serves")?;
        let halves = if self.scenario.midway == Some(Midway::PublisherDies) { 2 } else { 1 };
        let messages = self.messages() / halves;
        let publisher = self.start(PUBLISHER, Role::Publish, self.messages())?;
        let first = publisher + 1;
        for viewer in 0..self.settings.viewers {
            self.start(VIEWERS + viewer, Role::View, messages)?;
        }
        self.gather(1 + self.settings.viewers, "all are in the group")?;
        std::thread::sleep(SETTLING);
        self.crew.tell(publisher, "go")?;
        let back_at = self.midway(publisher, messages)?;
        self.collect(first, back_at)
    }

    fn messages(&self) -> u64 {
        self.settings.rate * self.settings.length.as_secs() / MESSAGE_BYTES as u64
    }

    fn start(&mut self, host: usize, role: Role, messages: u64) -> Result<usize, Trouble> {
        let Uploads { publisher, viewers, capped } = self.scenario.uploads;
        let is_last = host + 1 == VIEWERS + self.settings.viewers;
        let percent = match role {
            Role::Serve => None,
            Role::Publish => publisher,
            Role::View => capped.filter(|_| is_last).or(viewers),
        };
        let orders = Orders {
            role,
            spec: self.spec.clone(),
            server: (self.network.host(SERVER).address(), PORT).into(),
            upload: percent.map(|percent| upload(self.settings.rate, percent)),
            rate: self.settings.rate,
            messages,
        };
        self.crew.start(self.network.host(host), &orders)
    }

    fn gather(&mut self, count: usize, what: &str) -> Result<(), Trouble> {
        let mut ready = 0;
        self.crew.listen(Instant::now() + GATHERING, what, |_, said| {
            ready += usize::from(matches!(said, Said::Ready { .. }));
            (ready == count).then_some(())
        })
    }

    /// Waits for the middle, and does what is to be done there. Returns when a new publisher was back.
    fn midway(&mut self, publisher: usize, messages: u64) -> Result<Option<Duration>, Trouble> {
        let Some(midway) = self.scenario.midway else { return Ok(None) };
        self.wait(self.settings.length / 2)?;
        match midway {
            Midway::PathShrinks => {
                for host in 0..VIEWERS + self.settings.viewers {
                    self.network.host(host).swallow_longer_than(LEAST_PACKET)?;
                }
                Ok(None)
            }
            Midway::PublisherDies => {
                self.crew.kill(publisher)?;
                self.wait(ABSENCE)?;
                let publisher = self.start(PUBLISHER, Role::Publish, messages)?;
                let back = |number, said| match said {
                    Said::Ready { at } if number == publisher => Some(at),
                    _ => None,
                };
                let at = self.crew.listen(Instant::now() + GATHERING, "the publisher is back", back)?;
                self.crew.tell(publisher, "go")?;
                Ok(Some(at))
            }
        }
    }

    /// Lets time pass; whoever ends early is noticed afterwards.
    fn wait(&mut self, time: Duration) -> Result<(), Trouble> {
        std::thread::sleep(time);
        Ok(())
    }

    fn collect(&mut self, first: usize, back_at: Option<Duration>) -> Result<Seen, Trouble> {
        let mut viewed: Vec<Option<Viewed>> = vec![None; self.settings.viewers];
        let mut published = None;
        for patience in [self.settings.length + ENDING, REPORTING] {
            let listened =
                self.crew.listen(Instant::now() + patience, "all have reported", |number, said| {
                    match said {
                        Said::Viewed(of) => viewed[number - first] = Some(*of),
                        Said::Published(of) => published = Some(of),
                        Said::Ready { .. } | Said::Publishing { .. } => {}
                    }
                    (published.is_some() && viewed.iter().all(Option::is_some)).then_some(())
                });
            if listened.is_ok() {
                break;
            }
            // Whoever did not come to the end says how far it came.
            for (number, _) in viewed.iter().enumerate().filter(|(_, viewed)| viewed.is_none()) {
                self.crew.tell(first + number, "report")?;
            }
        }
        if viewed.iter().any(Option::is_none) {
            return Err(Trouble::new("a viewer says nothing"));
        }
        let hosts = VIEWERS + self.settings.viewers;
        let counted = (0..hosts).map(|n| self.network.host(n).counted()).collect::<Result<_, _>>()?;
        let tallies: Vec<_> = (0..hosts).map(|n| self.network.tally(n)).collect();
        Ok(Seen {
            viewed: viewed.into_iter().flatten().collect(),
            published: published.unwrap_or(Published { messages: self.messages(), ..Published::default() }),
            back_at,
            counted,
            fullest_second: tallies[hosts - 1].fullest_second(),
            most_late: tallies.iter().map(|tally| tally.most_late).max().unwrap_or_default(),
            refused: tallies.iter().map(|tally| tally.refused).sum(),
            carried: tallies
                .iter()
                .fold((0, 0), |(all, lost), tally| (all + tally.packets, lost + tally.lost)),
        })
    }
}
