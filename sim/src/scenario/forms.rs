//! How fields of a scenario are written where serde's own form would not do: `"10ms"`, `"2.5Mbit/s"`, `"none"`.

use std::fmt;

use serde::de::{self, Deserializer, Visitor};

/// A number or a text, as a file may have either.
enum Value {
    Number(f64),
    Text(String),
}

struct NumberOrText;

impl Visitor<'_> for NumberOrText {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a text")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    /// As JSON has it where there is none.
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Text("none".into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }
}

/// `"10ms"`.
pub(super) mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::parse::{duration_text, parse_duration};

    pub(in crate::scenario) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&duration_text(*duration))
    }

    pub(in crate::scenario) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        parse_duration(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// `"2.5Mbit/s"`, or bits a second.
pub(super) fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = match deserializer.deserialize_any(NumberOrText)? {
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text,
    };
    crate::parse::parse_rate(&text).map_err(de::Error::custom)
}

/// A multiple, or `"none"`.
pub(super) fn multiple<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    match deserializer.deserialize_any(NumberOrText)? {
        Value::Number(number) => Ok(Some(number)),
        Value::Text(text) if text == "none" => Ok(None),
        Value::Text(text) => Err(de::Error::custom(format!("not a multiple, nor none: {text}"))),
    }
}
