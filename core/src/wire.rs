use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;

use crate::{GroupAddress, GroupId, PeerId, PublicKey, Signature};

/// Why bytes are not a message. Nothing was allocated beyond a small multiple of the input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecodeError {
    /// The input ends inside a field.
    Truncated,
    /// Bytes follow the end of the message.
    Trailing,
    /// A number was not written in its shortest form, or does not fit.
    Number,
    /// A kind, version or flag that this version does not know.
    Unknown,
    /// A count or length above its limit.
    TooLong,
    /// A field holds a value that is not allowed there.
    Invalid,
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the message is cut short",
            Self::Trailing => "bytes follow the message",
            Self::Number => "a number is not in its shortest form",
            Self::Unknown => "an unknown kind or version",
            Self::TooLong => "a count is over its limit",
            Self::Invalid => "a value is not allowed here",
        })
    }
}

impl std::error::Error for DecodeError {}

/// A value with one canonical form on the wire: decode∘encode and encode∘decode are both the identity.
pub trait Wire: Sized {
    /// Appends the canonical form.
    fn encode(&self, writer: &mut Writer);
    /// Reads one value; refuses every form but the canonical one.
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError>;

    /// The canonical form.
    fn to_bytes(&self) -> Bytes {
        let mut writer = Writer::new();
        self.encode(&mut writer);
        writer.finish()
    }

    /// Reads a value that fills `bytes` exactly. Payloads inside it share `bytes`.
    fn from_bytes(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let value = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    /// How many bytes the canonical form has. Copies nothing.
    fn wire_len(&self) -> usize {
        let mut writer = Writer::counting();
        self.encode(&mut writer);
        writer.len()
    }
}

/// Builds the canonical form. Numbers are big-endian or variable length (see [`Writer::varint`]).
#[derive(Debug)]
pub struct Writer {
    bytes: Option<Vec<u8>>,
    len: usize,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Self { bytes: Some(Vec::with_capacity(64)), len: 0 }
    }

    /// An empty writer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Some(Vec::with_capacity(capacity)), len: 0 }
    }

    /// A writer that only counts.
    pub fn counting() -> Self {
        Self { bytes: None, len: 0 }
    }

    /// Bytes written.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What was written.
    pub fn finish(self) -> Bytes {
        Bytes::from(self.bytes.unwrap_or_default())
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        if let Some(buffer) = &mut self.bytes {
            buffer.extend_from_slice(bytes);
        }
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.raw(&[value]);
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self, value: u16) {
        self.raw(&value.to_be_bytes());
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self, value: u32) {
        self.raw(&value.to_be_bytes());
    }

    /// Eight bytes, big-endian.
    pub fn u64(&mut self, value: u64) {
        self.raw(&value.to_be_bytes());
    }

    /// One to ten bytes: seven bits each, most significant group first, the high bit set on all but the
    /// last. The shortest form is the only form. This is RTMFP's VLU.
    pub fn varint(&mut self, value: u64) {
        let groups = (64 - value.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            let more = if group > 0 { 0x80 } else { 0 };
            self.u8((value >> (7 * group)) as u8 & 0x7f | more);
        }
    }

    /// A varint length, then the bytes.
    pub fn sized(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.raw(bytes);
    }

    /// A varint count, then each item.
    pub fn list<T: Wire>(&mut self, items: &[T]) {
        self.varint(items.len() as u64);
        for item in items {
            item.encode(self);
        }
    }
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads the canonical form, and never beyond the input.
#[derive(Clone, Debug)]
pub struct Reader {
    bytes: Bytes,
}

impl Reader {
    /// Reads from `bytes`.
    pub fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Says whether everything was read.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }

    /// The next `count` bytes, shared with the input.
    pub fn raw(&mut self, count: usize) -> Result<Bytes, DecodeError> {
        if count > self.bytes.len() {
            return Err(DecodeError::Truncated);
        }
        Ok(self.bytes.split_to(count))
    }

    /// All that is left, shared with the input.
    pub fn rest(&mut self) -> Bytes {
        self.bytes.split_to(self.bytes.len())
    }

    /// The next `N` bytes, copied.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, _) = self.bytes.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        let head = *head;
        bytes::Buf::advance(&mut self.bytes, N);
        Ok(head)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Eight bytes, big-endian.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// The counterpart of [`Writer::varint`]; anything but the shortest form is refused.
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for position in 0..10 {
            let byte = self.u8()?;
            if (position == 0 && byte == 0x80) || value >> 57 != 0 {
                return Err(DecodeError::Number);
            }
            value = value << 7 | u64::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Number)
    }

    /// A varint that must not be above `most`.
    pub fn varint_up_to(&mut self, most: u64) -> Result<u64, DecodeError> {
        let value = self.varint()?;
        if value > most { Err(DecodeError::TooLong) } else { Ok(value) }
    }

    /// A varint length of at most `most`, then that many bytes, shared with the input.
    pub fn sized(&mut self, most: usize) -> Result<Bytes, DecodeError> {
        let length = self.varint_up_to(most as u64)?;
        self.raw(length as usize)
    }

    /// A varint count of at most `most`, then the items. Allocates as items are read, not by the count.
    pub fn list<T: Wire>(&mut self, most: usize) -> Result<Vec<T>, DecodeError> {
        let count = self.varint_up_to(most as u64)?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(T::decode(self)?);
        }
        Ok(items)
    }
}

macro_rules! wire_as_bytes {
    ($type:ty, $make:expr, $bytes:expr) => {
        impl Wire for $type {
            fn encode(&self, writer: &mut Writer) {
                let bytes: fn(&$type) -> &[u8] = $bytes;
                writer.raw(bytes(self));
            }
            fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
                Ok($make(reader.array()?))
            }
        }
    };
}
wire_as_bytes!(PeerId, PeerId::from_bytes, |v| v.as_bytes());
wire_as_bytes!(GroupId, GroupId::from_bytes, |v| v.as_bytes());
wire_as_bytes!(GroupAddress, GroupAddress::from_bytes, |v| v.as_bytes());
wire_as_bytes!(PublicKey, PublicKey, |v| &v.0);
wire_as_bytes!(Signature, Signature, |v| &v.0);

impl Wire for u64 {
    fn encode(&self, writer: &mut Writer) {
        writer.varint(*self);
    }
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        reader.varint()
    }
}

/// A family byte (4 or 6), the address, the port. IPv4 never travels inside IPv6 form.
impl Wire for SocketAddr {
    fn encode(&self, writer: &mut Writer) {
        match self.ip().to_canonical() {
            IpAddr::V4(ip) => {
                writer.u8(4);
                writer.raw(&ip.octets());
            }
            IpAddr::V6(ip) => {
                writer.u8(6);
                writer.raw(&ip.octets());
            }
        }
        writer.u16(self.port());
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let ip = match reader.u8()? {
            4 => IpAddr::V4(Ipv4Addr::from(reader.array::<4>()?)),
            6 => {
                let ip = Ipv6Addr::from(reader.array::<16>()?);
                if ip.to_ipv4_mapped().is_some() {
                    return Err(DecodeError::Invalid);
                }
                IpAddr::V6(ip)
            }
            _ => return Err(DecodeError::Unknown),
        };
        Ok(SocketAddr::new(ip, reader.u16()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(value: u64) -> Bytes {
        let mut writer = Writer::new();
        writer.varint(value);
        writer.finish()
    }

    #[test]
    fn numbers_have_their_committed_forms() {
        assert_eq!(varint(0)[..], [0x00]);
        assert_eq!(varint(0x7f)[..], [0x7f]);
        assert_eq!(varint(0x80)[..], [0x81, 0x00]);
        assert_eq!(varint(u64::MAX)[..], [0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
    }

    #[test]
    fn numbers_read_back_and_longer_forms_are_refused() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::MAX >> 1, u64::MAX] {
            assert_eq!(Reader::new(varint(value)).varint(), Ok(value));
        }
        let read = |bytes: &'static [u8]| Reader::new(Bytes::from_static(bytes)).varint();
        assert_eq!(read(&[0x80, 0x01]), Err(DecodeError::Number));
        assert_eq!(read(&[0x81]), Err(DecodeError::Truncated));
        assert_eq!(read(&[0xff; 11]), Err(DecodeError::Number));
        assert_eq!(
            read(&[0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]),
            Err(DecodeError::Number)
        );
    }

    #[test]
    fn an_address_reads_back_and_a_mapped_one_is_refused() {
        for text in ["203.0.113.7:1935", "[2001:db8::7]:50"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(SocketAddr::from_bytes(address.to_bytes()), Ok(address));
        }
        let mut mapped = vec![6];
        mapped.extend([0; 10]);
        mapped.extend([0xff, 0xff, 203, 0, 113, 7, 7, 143]);
        assert_eq!(SocketAddr::from_bytes(mapped.into()), Err(DecodeError::Invalid));
    }

    #[test]
    fn a_count_above_the_limit_or_the_input_is_refused() {
        let bytes = Bytes::from_static(&[3, 1, 2]);
        assert_eq!(Reader::new(bytes.clone()).list::<u64>(2), Err(DecodeError::TooLong));
        assert_eq!(Reader::new(bytes.clone()).list::<u64>(3), Err(DecodeError::Truncated));
        assert_eq!(Reader::new(bytes).sized(3), Err(DecodeError::Truncated));
    }

    #[test]
    fn trailing_bytes_are_refused() {
        assert_eq!(u64::from_bytes(Bytes::from_static(&[1, 2])), Err(DecodeError::Trailing));
    }

    #[test]
    fn a_counting_writer_counts_what_a_real_one_writes() {
        let address: SocketAddr = "203.0.113.7:1935".parse().unwrap();
        assert_eq!(address.wire_len(), address.to_bytes().len());
    }
}
