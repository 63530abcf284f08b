//! Plain values in the canonical form: what settings are made of.

use std::time::Duration;

use crate::{DecodeError, Reader, RingKey, Wire, Writer};

impl Wire for bool {
    fn encode(&self, writer: &mut Writer) {
        writer.u8(u8::from(*self));
    }
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        match reader.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Invalid),
        }
    }
}

impl Wire for usize {
    fn encode(&self, writer: &mut Writer) {
        writer.varint(*self as u64);
    }
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Self::try_from(reader.varint()?).map_err(|_| DecodeError::Number)
    }
}

impl Wire for u32 {
    fn encode(&self, writer: &mut Writer) {
        writer.varint(u64::from(*self));
    }
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Self::try_from(reader.varint()?).map_err(|_| DecodeError::Number)
    }
}

/// Whole microseconds.
impl Wire for Duration {
    fn encode(&self, writer: &mut Writer) {
        writer.varint(u64::try_from(self.as_micros()).unwrap_or(u64::MAX));
    }
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        reader.varint().map(Self::from_micros)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn encode(&self, writer: &mut Writer) {
        self.is_some().encode(writer);
        if let Some(value) = self {
            value.encode(writer);
        }
    }
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(if bool::decode(reader)? { Some(T::decode(reader)?) } else { None })
    }
}

/// For journals alone: who holds it can tell where members of the group sit, and nothing else.
impl Wire for RingKey {
    fn encode(&self, writer: &mut Writer) {
        writer.raw(self.bytes());
    }
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self::new(reader.array()?))
    }
}

/// Writes and reads a struct of settings field by field, in the order given; each must be [`Wire`]. Every field is
/// to be named, so a new one cannot be forgotten. What cannot travel stands behind `but`, with what it is read as.
#[macro_export]
macro_rules! wire_settings {
    ($name:ident { $($field:ident),* $(,)? } $(but { $($other:ident: $value:expr),* $(,)? })?) => {
        impl $crate::Wire for $name {
            fn encode(&self, writer: &mut $crate::Writer) {
                let Self { $($field,)* $($($other: _,)*)? } = self;
                $($crate::Wire::encode($field, writer);)*
            }
            fn decode(reader: &mut $crate::Reader) -> Result<Self, $crate::DecodeError> {
                $(let $field = $crate::Wire::decode(reader)?;)*
                Ok(Self { $($field,)* $($($other: $value,)*)? })
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Settings {
        limit: usize,
        period: Duration,
        upload: Option<u64>,
        is_on: bool,
        hook: fn() -> u8,
    }
    wire_settings!(Settings { limit, period, upload, is_on } but { hook: u8::default });

    #[test]
    fn settings_read_back_field_by_field() {
        for upload in [None, Some(700)] {
            let period = Duration::from_micros(50_003);
            let settings = Settings { limit: 3, period, upload, is_on: true, hook: u8::default };
            let back = Settings::from_bytes(settings.to_bytes()).expect("reads back");
            assert_eq!((back.limit, back.period, back.upload, back.is_on), (3, period, upload, true));
            assert_eq!((back.hook)(), (settings.hook)());
        }
    }

    #[test]
    fn what_is_no_boolean_and_no_number_of_its_width_is_refused() {
        assert_eq!(bool::from_bytes(vec![2].into()), Err(DecodeError::Invalid));
        let mut writer = Writer::new();
        writer.varint(u64::from(u32::MAX) + 1);
        assert_eq!(u32::from_bytes(writer.finish()), Err(DecodeError::Number));
    }
}
