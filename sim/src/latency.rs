use std::time::Duration;

use stratus_core::Rng;

/// How long a packet travels between two members, once sent.
///
/// Constant for a pair, and computed rather than stored: a world of 100,000 has no table of pairs. Symmetric, but for what
/// is made for comparisons with real sockets.
#[derive(Clone, Debug)]
pub enum Latency {
    /// One way, evenly spread over a range, each pair on its own.
    Uniform {
        /// Shortest.
        low: Duration,
        /// Longest.
        high: Duration,
        /// Which draw of pairs.
        seed: u64,
    },
    /// Each member has a way in of its own, as long for whoever sends: as sockets do that delay what they receive.
    AtReceiver(Vec<Duration>),
    /// Members live in 40 metropolitan clusters on a globe, each behind an access line of its own.
    Coordinate(Globe),
}

impl Latency {
    /// Travel time from the member numbered `a` to `b`.
    pub fn one_way(&self, a: u32, b: u32) -> Duration {
        match self {
            Self::Uniform { low, high, seed } => {
                let span = high.saturating_sub(*low).as_micros() as u64;
                let draw = (u128::from(pair_hash(*seed, a, b)) * u128::from(span + 1)) >> 64;
                *low + Duration::from_micros(draw as u64)
            }
            Self::AtReceiver(ways) => ways.get(b as usize).copied().unwrap_or_default(),
            Self::Coordinate(globe) => globe.one_way(a, b),
        }
    }
}

/// Where members of a coordinate world are.
///
/// 200 km a millisecond, paths 1.5 times the great circle, and at each end an access delay, log-normal with a
/// median of 4 ms. Source of the figures: the latency map of the project's delay model.
#[derive(Clone, Debug)]
pub struct Globe {
    seed: u64,
    metros: Vec<[f64; 3]>,
}

/// Clusters on the globe.
const METROS: usize = 40;
const EARTH_RADIUS_KM: f64 = 6_371.0;
const KM_PER_MILLISECOND: f64 = 200.0;
const PATH_INFLATION: f64 = 1.5;
/// Members of one metro are within this many kilometres of its middle.
const METRO_RADIUS_KM: f64 = 50.0;
const ACCESS_MEDIAN_MICROS: f64 = 4_000.0;
const ACCESS_SIGMA: f64 = 0.5;

impl Globe {
    /// The globe of `seed`.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed).fork("globe");
        let metros = (0..METROS).map(|_| on_sphere(&mut rng)).collect();
        Self { seed, metros }
    }

    /// Which cluster a member lives in.
    pub fn metro(&self, member: u32) -> usize {
        (mix(mix(self.seed ^ mix(u64::from(member) + 1))) % METROS as u64) as usize
    }

    fn one_way(&self, a: u32, b: u32) -> Duration {
        let ((place_a, access_a), (place_b, access_b)) = (self.home(a), self.home(b));
        let gap: f64 = place_a.iter().zip(place_b).map(|(a, b)| (a - b) * (a - b)).sum();
        let km = arc(gap.sqrt()) * EARTH_RADIUS_KM * PATH_INFLATION;
        Duration::from_micros((km / KM_PER_MILLISECOND * 1_000.0 + access_a + access_b) as u64)
    }

    /// Place on the unit sphere and access delay in microseconds of a member: drawn from its number alone.
    fn home(&self, member: u32) -> ([f64; 3], f64) {
        let mut state = mix(self.seed ^ mix(u64::from(member) + 1));
        let mut next = || {
            state = mix(state);
            state
        };
        let mut place = self.metros[self.metro(member)];
        next();
        for axis in &mut place {
            *axis += (unit(next()) * 2.0 - 1.0) * METRO_RADIUS_KM / EARTH_RADIUS_KM;
        }
        // Twelve uniform draws minus six: normal enough, and only sums, so the same on every machine.
        let normal = (0..12).map(|_| unit(next())).sum::<f64>() - 6.0;
        (normalised(place), ACCESS_MEDIAN_MICROS * exponential(normal * ACCESS_SIGMA))
    }
}

/// A point on the unit sphere, each as likely: one from the cube, drawn again until it lies in the ball.
fn on_sphere(rng: &mut Rng) -> [f64; 3] {
    loop {
        let point = [0; 3].map(|_: i32| unit(rng.next_u64()) * 2.0 - 1.0);
        let square: f64 = point.iter().map(|axis| axis * axis).sum();
        if (0.01..=1.0).contains(&square) {
            return normalised(point);
        }
    }
}

fn normalised(point: [f64; 3]) -> [f64; 3] {
    let length = point.iter().map(|axis| axis * axis).sum::<f64>().sqrt();
    point.map(|axis| axis / length)
}

/// The angle whose chord on the unit circle is `chord`. Halves the angle until chord and angle are one, using
/// nothing but square roots, which every machine rounds alike.
fn arc(chord: f64) -> f64 {
    let mut chord = chord.min(2.0);
    for _ in 0..12 {
        let half = (1.0 - chord * chord / 4.0).max(0.0).sqrt();
        chord /= (2.0 + 2.0 * half).sqrt();
    }
    chord * 4_096.0
}

/// e to the `power`, by repeated squaring.
fn exponential(power: f64) -> f64 {
    let mut value = 1.0 + power / 4_096.0;
    for _ in 0..12 {
        value *= value;
    }
    value
}

/// A number in 0 … 1 from 53 of the bits.
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

fn pair_hash(seed: u64, a: u32, b: u32) -> u64 {
    let pair = u64::from(a.min(b)) << 32 | u64::from(a.max(b));
    mix(mix(seed) ^ mix(pair ^ 0x9e37_79b9_7f4a_7c15))
}

/// A number drawn for one member's packets to another: not the same as back.
pub(crate) fn pair_draw(salt: u64, from: u32, to: u32) -> u64 {
    mix(mix(salt) ^ mix((u64::from(from) << 32 | u64::from(to)) ^ 0x2545_f491_4f6c_dd1d))
}

/// The finaliser of SplitMix64.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(latency: &Latency, a: u32, b: u32) -> f64 {
        latency.one_way(a, b).as_secs_f64() * 1_000.0
    }

    fn uniform(seed: u64) -> Latency {
        Latency::Uniform { low: Duration::from_millis(10), high: Duration::from_millis(50), seed }
    }

    #[test]
    fn latency_is_the_same_both_ways() {
        for latency in [uniform(3), Latency::Coordinate(Globe::new(3))] {
            for (a, b) in [(0, 1), (7, 50), (700, 3)] {
                assert_eq!(latency.one_way(a, b), latency.one_way(b, a));
            }
        }
    }

    #[test]
    fn uniform_latencies_fill_their_range_evenly() {
        let latency = uniform(8);
        let mut quarters = [0; 4];
        for a in 0..100 {
            for b in 100..200 {
                let ms = milliseconds(&latency, a, b);
                assert!((10.0..=50.0).contains(&ms), "{ms}");
                quarters[((ms - 10.0) / 10.01) as usize] += 1;
            }
        }
        assert!(quarters.iter().all(|count| (2_300..2_700).contains(count)), "skewed: {quarters:?}");
    }

    #[test]
    fn another_seed_is_another_draw() {
        assert_ne!(uniform(1).one_way(3, 50), uniform(2).one_way(3, 50));
    }

    #[test]
    fn a_coordinate_world_has_the_mean_of_the_model_it_is_taken_from() {
        let latency = Latency::Coordinate(Globe::new(1));
        let all: Vec<f64> = (0..100)
            .flat_map(|a| (100..200).map(move |b| (a, b)))
            .map(|(a, b)| milliseconds(&latency, a, b))
            .collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        // Direct unicast in the model: mean 92 ms, p99 153 ms.
        assert!((80.0..100.0).contains(&mean), "mean {mean}");
        assert!(all.iter().all(|ms| (1.0..200.0).contains(ms)), "out of range");
    }

    #[test]
    fn the_angle_of_a_chord_is_exact_enough_to_time_light() {
        for (chord, angle) in
            [(2.0, std::f64::consts::PI), (2f64.sqrt(), std::f64::consts::FRAC_PI_2), (1e-3, 1e-3)]
        {
            assert!((arc(chord) - angle).abs() < 1e-4, "{chord}: {}", arc(chord));
        }
        assert!((exponential(1.0) - std::f64::consts::E).abs() < 1e-3);
    }
}
