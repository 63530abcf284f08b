//! The QUIC library's settings, each one stated. Spec TR-6.

use std::sync::Arc;
use std::time::Duration;

use quinn::{
    AckFrequencyConfig, EndpointConfig, IdleTimeout, MtuDiscoveryConfig, ServerConfig, TransportConfig,
    VarInt,
};

use crate::config::{Config, Congestion};
use crate::congestion::{LiveFactory, Rate};
use crate::tls::{PEER_ALPN, SERVICE_ALPN, Tls};

/// UDP payload that every path carries. One fragment crosses many paths, so none may use more. Spec TR-7.
const MTU: u16 = 1_200;
/// Largest datagram that fits into one packet at that size, whatever the packet number. Spec TR-7.
pub(crate) const MAX_DATAGRAM: usize = 1_162;

pub(crate) fn endpoint(config: &Config) -> EndpointConfig {
    let mut settings = EndpointConfig::default();
    if config.largest_packet > MTU {
        // It fails only below 1,200.
        let _ = settings.max_udp_payload_size(config.largest_packet);
    }
    // spec TR-6: packets of other protocols on the same socket are told apart by this bit.
    settings.grease_quic_bit(false);
    settings
}

pub(crate) fn server(tls: &Tls, is_serving: bool, transport: Arc<TransportConfig>) -> ServerConfig {
    let alpns: &[&[u8]] = if is_serving { &[PEER_ALPN, SERVICE_ALPN] } else { &[PEER_ALPN] };
    let mut settings = ServerConfig::with_crypto(tls.server(alpns));
    settings.transport_config(transport);
    settings.max_incoming(1_024).incoming_buffer_size(64 << 10).incoming_buffer_size_total(8 << 20);
    // Tokens for later visits would let a server link them; a retry token is all we use.
    settings.validation_token.sent(0);
    settings
}

/// One acknowledgement for a train of datagrams rather than one for every other packet. It is safe because the
/// window never shrinks to a few packets (spec TR-30), and nothing waits for the delivery of a datagram.
fn ack_frequency() -> AckFrequencyConfig {
    let mut settings = AckFrequencyConfig::default();
    settings.ack_eliciting_threshold(VarInt::from_u32(10)).max_ack_delay(Some(Duration::from_millis(60)));
    settings
}

/// Larger packets would carry no larger fragment, and equal packets leave in trains; bulk may want them. Spec TR-63.
fn discovery(config: &Config) -> Option<MtuDiscoveryConfig> {
    (config.largest_packet > MTU).then(|| {
        let mut settings = MtuDiscoveryConfig::default();
        settings.upper_bound(config.largest_packet);
        settings
    })
}

pub(crate) fn transport(config: &Config, rate: &Rate) -> TransportConfig {
    let mut settings = TransportConfig::default();
    let idle = IdleTimeout::try_from(config.idle_timeout).unwrap_or(VarInt::from_u32(20_000).into());
    settings
        .max_concurrent_bidi_streams(VarInt::from_u32(4))
        .max_concurrent_uni_streams(VarInt::from_u32(4))
        .stream_receive_window(VarInt::from_u32(config.stream_window))
        .receive_window(VarInt::from_u32(config.receive_window))
        .send_window(config.send_window)
        .datagram_receive_buffer_size(Some(config.datagram_receive_bytes))
        .datagram_send_buffer_size(config.datagram_buffer_bytes)
        .crypto_buffer_size(16 << 10)
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(config.keep_alive))
        .initial_rtt(config.initial_rtt)
        .initial_mtu(MTU)
        .min_mtu(MTU)
        .mtu_discovery_config(discovery(config))
        .allow_spin(false)
        .ack_frequency_config(Some(ack_frequency()));
    match config.congestion {
        Congestion::Live => settings.congestion_controller_factory(Arc::new(LiveFactory(rate.clone()))),
        Congestion::Cubic => {
            settings.congestion_controller_factory(Arc::new(quinn::congestion::CubicConfig::default()))
        }
        Congestion::Bbr => {
            settings.congestion_controller_factory(Arc::new(quinn::congestion::BbrConfig::default()))
        }
    };
    settings
}
