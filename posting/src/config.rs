use std::time::Duration;

use stratus_core::Rate;

use crate::post::MAX_BODY;

/// Settings of posting. `Default` is what the project recommends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// How long posts are kept for those who come late, by the clocks of their senders. Longer shows newcomers more and
    /// costs memory until `max_history_bytes` ends it. Default 24 h.
    pub history_duration: Duration,
    /// Most bytes of posts kept, each counted as [`Post::len`](crate::Post::len) says; beyond, the oldest go. Default 8 MiB:
    /// some 40,000 lines of chat. In memory a short post takes about twice its bytes.
    pub max_history_bytes: usize,
    /// Most posts kept. Default 32,768.
    pub max_posts: usize,
    /// The time in which `max_posts_per_interval` counts, by the sequence numbers of a sender. Has to be the same at all
    /// members, as the next one. Default 10 s.
    pub rate_interval: Duration,
    /// Most posts of one sender in each `rate_interval` since 1970. More lets one member fill everybody's history sooner.
    /// Default 40: a drawing on a whiteboard.
    pub max_posts_per_interval: usize,
    /// A body of more bytes makes a post long. Default 1,024.
    pub long_body_bytes: usize,
    /// Most long posts of one sender in each `rate_interval`. With the other two it says how many bytes one member may post:
    /// 96 KiB in 10 s, so that it takes a quarter of an hour to push everybody else's out of a history of 8 MiB. Default 8.
    pub max_long_posts_per_interval: usize,
    /// How far ahead of our own clock a post may be. More lets wrong clocks through and spammers post ahead of time; less
    /// keeps members with wrong clocks from being heard. Default 5 min, as Kerberos.
    pub future_tolerance: Duration,
    /// Neighbors that are told at once of a post that is news. Fewer leave more to `exchange_interval`, more cost some
    /// 80 bytes each for every post. Default 8: in a random graph all but one in 10,000 then hear of it, and they a second later.
    pub announce_neighbors: usize,
    /// Shortest time between two announcements to one neighbor; what comes meanwhile goes together. Default 50 ms.
    pub announce_interval: Duration,
    /// How long a neighbor may take to give a post that it announced, before another is asked. Default 700 ms.
    pub pull_timeout: Duration,
    /// The same for posts that are no news, of which many are asked for at once. Default 3 s.
    pub history_timeout: Duration,
    /// How often one neighbor, by chance, is compared with while posts come. Default 1 s.
    pub exchange_interval: Duration,
    /// The longest time between two such comparisons when none come; it doubles until then. Default 30 s.
    pub idle_exchange_interval: Duration,
    /// Neighbors that are listened to. Default 256.
    pub max_neighbors: usize,
    /// Posts that are known and not held. Default 32,768, as many as may be held.
    pub max_wanted: usize,
    /// Those of them that one neighbor announced first. Default 16,384.
    pub max_wanted_per_neighbor: usize,
    /// Posts asked of one neighbor and not answered. Default 512.
    pub max_asked: usize,
    /// Refused posts that are remembered, so that they are not pulled again. Default 4,096.
    pub max_refused: usize,
    /// Messages taken from one neighbor, those that bring posts aside. Default 512 at once, then 64 a second: a newcomer
    /// that is told of a whole history, and three announcements in each `announce_interval`.
    pub messages: Rate,
    /// Comparisons taken from one neighbor; each may cost a look at the whole history. Default 128 at once, then 16 a second.
    pub comparisons: Rate,
    /// KiB of posts given to one neighbor. Default 24 MiB at once, three times a whole history, then 512 KiB a second.
    pub given: Rate,
    /// What one neighbor may send that is of no use (posts that are held or that nobody asked for, announcements that are not
    /// kept; what is over the rates above counts eight times) before it is dropped and kept out. Default 8,192 at once,
    /// then 128 a second.
    pub useless: Rate,
}

stratus_core::wire_settings!(Config {
    history_duration,
    max_history_bytes,
    max_posts,
    rate_interval,
    max_posts_per_interval,
    long_body_bytes,
    max_long_posts_per_interval,
    future_tolerance,
    announce_neighbors,
    announce_interval,
    pull_timeout,
    history_timeout,
    exchange_interval,
    idle_exchange_interval,
    max_neighbors,
    max_wanted,
    max_wanted_per_neighbor,
    max_asked,
    max_refused,
    messages,
    comparisons,
    given,
    useless,
});

impl Default for Config {
    fn default() -> Self {
        Self {
            history_duration: Duration::from_secs(24 * 3_600),
            max_history_bytes: 8 << 20,
            max_posts: 32_768,
            rate_interval: Duration::from_secs(10),
            max_posts_per_interval: 40,
            long_body_bytes: 1_024,
            max_long_posts_per_interval: 8,
            future_tolerance: Duration::from_secs(300),
            announce_neighbors: 8,
            announce_interval: Duration::from_millis(50),
            pull_timeout: Duration::from_millis(700),
            history_timeout: Duration::from_secs(3),
            exchange_interval: Duration::from_secs(1),
            idle_exchange_interval: Duration::from_secs(30),
            max_neighbors: 256,
            max_wanted: 32_768,
            max_wanted_per_neighbor: 16_384,
            max_asked: 512,
            max_refused: 4_096,
            messages: Rate { burst: 512, per_second: 64 },
            comparisons: Rate { burst: 128, per_second: 16 },
            given: Rate { burst: 24 << 10, per_second: 512 },
            useless: Rate { burst: 8_192, per_second: 128 },
        }
    }
}

impl Config {
    /// Names the first setting that cannot work.
    pub fn validate(&self) -> Result<(), String> {
        let fault = self.checks().into_iter().find(|(_, is_good, _)| !is_good);
        fault.map_or(Ok(()), |(field, _, must)| Err(format!("{field} must be {must}")))
    }

    fn checks(&self) -> Vec<(&'static str, bool, &'static str)> {
        const RATE: &str = "at least 1 at once and 1 to 1,000,000 a second";
        let within = |time: Duration, least: u64, most: u64| {
            (Duration::from_millis(least)..=Duration::from_millis(most)).contains(&time)
        };
        let count = |count: usize, most: usize| (1..=most).contains(&count);
        const DAY: u64 = 24 * 3_600_000;
        vec![
            ("history_duration", within(self.history_duration, 1_000, 366 * DAY), "1 s to 366 days"),
            ("max_history_bytes", (16 << 10..=1 << 32).contains(&self.max_history_bytes), "16 KiB to 4 GiB"),
            ("max_posts", count(self.max_posts, 1 << 24), "1 to 16,777,216"),
            ("rate_interval", within(self.rate_interval, 100, DAY), "100 ms to a day"),
            ("max_posts_per_interval", count(self.max_posts_per_interval, 1 << 20), "1 to 1,048,576"),
            ("long_body_bytes", self.long_body_bytes <= MAX_BODY, "at most 8,192"),
            (
                "max_long_posts_per_interval",
                count(self.max_long_posts_per_interval, 1 << 20),
                "1 to 1,048,576",
            ),
            ("future_tolerance", within(self.future_tolerance, 1, DAY), "1 ms to a day"),
            ("announce_neighbors", count(self.announce_neighbors, 256), "1 to 256"),
            ("announce_interval", within(self.announce_interval, 1, 10_000), "1 ms to 10 s"),
            ("pull_timeout", within(self.pull_timeout, 10, 60_000), "10 ms to a minute"),
            ("history_timeout", within(self.history_timeout, 10, 60_000), "10 ms to a minute"),
            ("exchange_interval", within(self.exchange_interval, 10, 3_600_000), "10 ms to an hour"),
            (
                "idle_exchange_interval",
                within(self.idle_exchange_interval, 10, 3_600_000)
                    && self.idle_exchange_interval >= self.exchange_interval,
                "at least exchange_interval, at most an hour",
            ),
            ("max_neighbors", count(self.max_neighbors, 1 << 16), "1 to 65,536"),
            ("max_wanted", count(self.max_wanted, 1 << 24), "1 to 16,777,216"),
            ("max_wanted_per_neighbor", count(self.max_wanted_per_neighbor, 1 << 24), "1 to 16,777,216"),
            ("max_asked", count(self.max_asked, 1 << 16), "1 to 65,536"),
            ("max_refused", count(self.max_refused, 1 << 20), "1 to 1,048,576"),
            ("messages", self.messages.is_valid(), RATE),
            ("comparisons", self.comparisons.is_valid(), RATE),
            ("given", self.given.is_valid(), RATE),
            ("useless", self.useless.is_valid(), RATE),
        ]
    }
}
