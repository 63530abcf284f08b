//! What an application may do with a parcel at each hop: pass it on, change it, answer it, drop it.

use super::*;

/// Five members in a row on the ring, each linked with the next alone, so that a parcel passes all of them.
struct Row {
    net: Net<Routing>,
    order: Vec<u64>,
}

impl Row {
    fn new() -> Self {
        let mut order: Vec<u64> = (1..=40).collect();
        order.sort_unstable_by_key(|number| address(*number));
        order.truncate(5);
        let mut net = Net::new(1, NetConfig::with_latency(Duration::from_millis(10))).untraced();
        for number in &order {
            net.add(&format!("n{number}"), peer(*number), routing(*number));
            net.command(peer(*number), Command::SetReceiveMode(ReceiveMode::Nearest));
        }
        for pair in order.windows(2) {
            net.connect(peer(pair[0]), peer(pair[1]));
        }
        net.run_for(Duration::from_millis(100));
        Self { net, order }
    }

    /// Sends from the first to the last, and gives what came to the second.
    fn first_hop(&mut self) -> Arrived {
        let to = address(self.order[4]);
        send(&mut self.net, self.order[0], Way::Nearest(to), b"question");
        self.at(1).pop().expect("it came")
    }

    /// What came to the member at `position`.
    fn at(&mut self, position: usize) -> Vec<Arrived> {
        self.net.run_for(Duration::from_millis(15));
        happened(&mut self.net, self.order[position]).0
    }

    fn say(&mut self, position: usize, arrived: &Arrived, way: Way, payload: &'static [u8]) {
        let passing = Some((arrived.origin, arrived.hops));
        let send = Send { id: 9, way, payload: Bytes::from_static(payload), passing };
        self.net.command(peer(self.order[position]), Command::Send(Box::new(send)));
    }

    /// Passes on as it is from the member at `position` to the end; what arrives there.
    fn end_of(&mut self, from: usize) -> Vec<Arrived> {
        for position in from..5 {
            for arrived in self.at(position) {
                if arrived.is_local {
                    return vec![arrived];
                }
                pass_on(&mut self.net, self.order[position], arrived);
            }
        }
        self.at(4)
    }
}

#[test]
fn a_hop_may_pass_a_parcel_on() {
    // RG-25
    let mut row = Row::new();
    let arrived = row.first_hop();
    assert_eq!((arrived.hops, arrived.from, arrived.is_local), (1, address(row.order[0]), false));
    pass_on(&mut row.net, row.order[1], arrived);
    let end = row.end_of(2);
    assert_eq!(end.len(), 1);
    assert_eq!((end[0].hops, &end[0].payload[..], end[0].is_local), (4, &b"question"[..], true));
    assert_eq!(end[0].origin, address(row.order[0]));
}

#[test]
fn a_hop_may_change_a_parcel() {
    let mut row = Row::new();
    let arrived = row.first_hop();
    let way = Way::Nearest(arrived.to.expect("for a place"));
    row.say(1, &arrived, way, b"another question");
    let end = row.end_of(2);
    assert_eq!((end.len(), &end[0].payload[..]), (1, &b"another question"[..]));
}

#[test]
fn a_hop_may_answer_a_parcel() {
    let mut row = Row::new();
    let arrived = row.first_hop();
    row.say(1, &arrived, Way::Nearest(arrived.origin), b"answer");
    let back = row.at(0);
    assert_eq!((back.len(), &back[0].payload[..], back[0].from), (1, &b"answer"[..], address(row.order[1])));
    assert_eq!(row.end_of(2), [], "the question goes no further");
}

#[test]
fn a_hop_may_drop_a_parcel() {
    let mut row = Row::new();
    row.first_hop();
    assert_eq!(row.end_of(2), []);
    assert_eq!(row.at(0), []);
}
