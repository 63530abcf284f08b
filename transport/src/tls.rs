//! TLS 1.3 with raw public keys both ways (RFC 7250): who a peer is, and nothing else. Spec TR-1 to TR-5.

use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, CipherSuite, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
};
use stratus_core::{Identity, PeerId, PublicKey};

/// The exact protocol between peers; another version is another protocol. Spec TR-2.
pub(crate) const PEER_ALPN: &[u8] = b"stratus/1";
/// The exact protocol between a member and the rendezvous service. Spec TR-2.
pub(crate) const SERVICE_ALPN: &[u8] = b"stratus-rv/1";

/// DER around the 32 bytes of an Ed25519 private key (RFC 8410).
const PKCS8_PREFIX: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
/// DER around the 32 bytes of an Ed25519 public key (RFC 8410).
const SPKI_PREFIX: [u8; 12] = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// Every byte is sealed once and opened once at each hop, so the cheapest strong cipher goes first. Spec TR-4.
fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    // The sort is stable: the others keep the library's order.
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider
}

/// Makes the TLS side of each connection from one identity.
pub(crate) struct Tls {
    provider: Arc<CryptoProvider>,
    key: Arc<CertifiedKey>,
}

impl Tls {
    pub(crate) fn new(identity: &Identity) -> Self {
        let provider = Arc::new(provider());
        let private = [&PKCS8_PREFIX[..], &identity.seed()].concat();
        let signer = aws_lc_rs::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(private))
            .expect("every 32 bytes are an Ed25519 seed");
        let public = [&SPKI_PREFIX[..], &identity.public().0].concat();
        let key = Arc::new(CertifiedKey::new(vec![CertificateDer::from(public)], signer));
        Self { provider, key }
    }

    /// The dialling side; a fresh one per dial, because it knows whom it expects. Cost: about 0.5 µs.
    pub(crate) fn client(&self, alpn: &[u8], expected: Option<PeerId>) -> Arc<QuicClientConfig> {
        let mut tls = rustls::ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider has TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(self.checker(expected)))
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(self.key.clone())));
        tls.alpn_protocols = vec![alpn.to_vec()];
        // Early data can be replayed and session tickets link connections. Spec TR-4.
        tls.resumption = Resumption::disabled();
        tls.enable_early_data = false;
        tls.enable_sni = false;
        Arc::new(QuicClientConfig::try_from(tls).expect("the provider has the initial cipher suite"))
    }

    /// The listening side.
    pub(crate) fn server(&self, alpns: &[&[u8]]) -> Arc<QuicServerConfig> {
        let mut tls = rustls::ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider has TLS 1.3")
            .with_client_cert_verifier(Arc::new(self.checker(None)))
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(self.key.clone())));
        tls.alpn_protocols = alpns.iter().map(|alpn| alpn.to_vec()).collect();
        tls.send_tls13_tickets = 0;
        tls.session_storage = Arc::new(NoServerSessionStorage {});
        tls.max_early_data_size = 0;
        Arc::new(QuicServerConfig::try_from(tls).expect("the provider has the initial cipher suite"))
    }

    fn checker(&self, expected: Option<PeerId>) -> KeyChecker {
        KeyChecker { expected, algorithms: self.provider.signature_verification_algorithms }
    }
}

/// The key that the other side of a connection has shown to own.
pub(crate) fn peer_of(connection: &quinn::Connection) -> Option<PeerId> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    key_in(chain.first()?).map(|key| PeerId::of(&key))
}

/// The protocol that both sides agreed on.
pub(crate) fn alpn_of(connection: &quinn::Connection) -> Option<Vec<u8>> {
    connection.handshake_data()?.downcast::<quinn::crypto::rustls::HandshakeData>().ok()?.protocol
}

/// The key in exactly the 44 bytes that RFC 8410 gives an Ed25519 key, and in nothing else. Spec TR-1.
fn key_in(certificate: &[u8]) -> Option<PublicKey> {
    let key = certificate.strip_prefix(&SPKI_PREFIX)?;
    key.try_into().ok().map(PublicKey)
}

/// Checks keys of both directions. Its errors travel to the peer, so they say nothing. Spec TR-5.
#[derive(Debug)]
struct KeyChecker {
    /// Spec TR-3.
    expected: Option<PeerId>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl KeyChecker {
    fn check(&self, certificate: &[u8], intermediates: &[CertificateDer<'_>]) -> Result<(), Error> {
        let key = key_in(certificate).filter(|_| intermediates.is_empty());
        let key = key.ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        if self.expected.is_some_and(|expected| expected != PeerId::of(&key)) {
            return Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure));
        }
        Ok(())
    }

    fn check_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(certificate.as_ref());
        rustls::crypto::verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
    }
}

impl ServerCertVerifier for KeyChecker {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity, intermediates).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General(String::new()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for KeyChecker {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity, intermediates).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General(String::new()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_44_bytes_are_a_key() {
        let identity = Identity::from_seed([7; 32]);
        let spki = [&SPKI_PREFIX[..], &identity.public().0].concat();
        assert_eq!(key_in(&spki), Some(identity.public()));
        assert_eq!(key_in(&spki[..43]), None);
        assert_eq!(key_in(&[&spki[..], &[0]].concat()), None);
        let mut other = spki;
        other[8] ^= 1;
        assert_eq!(key_in(&other), None);
    }
}
