use std::net::{IpAddr, Ipv6Addr};

/// The network that an address belongs to, as far as limits care: one owner, probably.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Network {
    /// The first 24 bits of an IPv4 address.
    V4([u8; 3]),
    /// The first bits of an IPv6 address, the rest zero.
    V6(u64),
}

impl Network {
    /// The /24 or /56 of `ip`: what one customer is given.
    pub(super) fn of_customer(ip: IpAddr) -> Self {
        Self::of(ip, 56)
    }

    /// The /24 or /48 of `ip`: what one site is given.
    pub(super) fn of_site(ip: IpAddr) -> Self {
        Self::of(ip, 48)
    }

    fn of(ip: IpAddr, v6_bits: u32) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(ip) => Self::V6(high_half(ip) & (u64::MAX << (64 - v6_bits))),
        }
    }
}

fn high_half(ip: Ipv6Addr) -> u64 {
    (ip.to_bits() >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_24_bits_of_v4_and_48_or_56_of_v6() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(Network::of_site(ip("203.0.113.7")), Network::of_customer(ip("::ffff:203.0.113.200")));
        assert_ne!(Network::of_site(ip("203.0.113.7")), Network::of_site(ip("203.0.114.7")));
        let (a, b) = (ip("2001:db8:3:50::1"), ip("2001:db8:3:750::1"));
        assert_eq!(Network::of_site(a), Network::of_site(b));
        assert_ne!(Network::of_customer(a), Network::of_customer(b));
        assert_eq!(Network::of_customer(a), Network::of_customer(ip("2001:db8:3:5f::9")));
    }
}
