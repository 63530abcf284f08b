use std::time::Duration;

use bytes::Bytes;
use stratus::{Connection, Groupspec, Kind, Outgoing, Publication};

/// Bytes in front: the number of the message.
const NUMBER: usize = 8;

/// A stream whose every byte can be checked: numbered messages, the rest of each derived from its number.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Bytes of one message.
    pub size: usize,
    /// Time between two.
    pub every: Duration,
}

impl Load {
    /// 2 Mbit/s: a message of ten fragments each 45 ms.
    pub const TWO_MBIT: Self = Self { size: 11_280, every: Duration::from_millis(45) };

    /// The message with this number.
    pub fn payload(&self, number: u64) -> Bytes {
        let mut payload = vec![0; self.size.max(NUMBER)];
        let (head, body) = payload.split_at_mut(NUMBER);
        head.copy_from_slice(&number.to_be_bytes());
        blake3::Hasher::new().update(head).finalize_xof().fill(body);
        payload.into()
    }

    /// Writes messages until `duration` has passed; says how many.
    pub async fn write(&self, publication: &mut Publication, duration: Duration) -> u64 {
        self.write_from(publication, 0, duration).await
    }

    /// The same, going on with message `first`; says which one is next.
    pub async fn write_from(&self, publication: &mut Publication, first: u64, duration: Duration) -> u64 {
        let mut ticks = tokio::time::interval(self.every);
        let end = first + (duration.as_micros() / self.every.as_micros()) as u64;
        for number in first..end {
            ticks.tick().await;
            let payload = self.payload(number);
            let message = Outgoing { payload, kind: Kind::Data, is_key: number % 20 == 0 };
            publication.send(message).await.expect("the group is there");
        }
        end
    }
}

/// What a viewer got, judged message by message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Judge {
    /// Messages that were as the publisher wrote them.
    pub good: u64,
    /// Messages of which a byte was wrong.
    pub bad: u64,
    /// Numbers that were passed over between the first and the last.
    pub missing: u64,
    next: Option<u64>,
}

impl Judge {
    /// As a witness told it.
    pub(crate) fn of(good: u64, bad: u64, missing: u64, last: u64) -> Self {
        Self { good, bad, missing, next: Some(last + 1) }
    }

    /// Takes what a player was given next.
    pub fn take(&mut self, load: &Load, payload: &Bytes) {
        let number = payload.first_chunk::<NUMBER>().map(|number| u64::from_be_bytes(*number));
        match number.filter(|number| load.payload(*number) == *payload) {
            None => self.bad += 1,
            Some(number) => {
                self.good += 1;
                self.missing += number.saturating_sub(self.next.unwrap_or(number));
                self.next = Some(number + 1);
            }
        }
    }

    /// The number of the last good message.
    pub fn last(&self) -> Option<u64> {
        self.next.map(|next| next - 1)
    }
}

/// A member of the group on loopback.
pub(crate) async fn member(spec: &Groupspec) -> (Connection, stratus::Group) {
    let connection =
        Connection::builder().listen(([127, 0, 0, 1], 0).into()).start().await.expect("a socket");
    let group = connection.join(spec).await.expect("the group is not joined yet");
    (connection, group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_byte_and_a_passed_over_message_are_seen() {
        let load = Load { size: 50, every: Duration::from_millis(7) };
        let mut judge = Judge::default();
        let mut spoilt = load.payload(9).to_vec();
        spoilt[30] ^= 1;
        for payload in [load.payload(3), load.payload(4), load.payload(7), spoilt.into(), Bytes::new()] {
            judge.take(&load, &payload);
        }
        assert_eq!((judge.good, judge.bad, judge.missing, judge.last()), (3, 2, 2, Some(7)));
    }
}
