use zeroize::Zeroizing;

use crate::MOST_TEXT_BYTES;
use crate::error::{ParseError, Reason};

/// What every groupspec begins with.
pub(crate) const PREFIX: &str = "G:";

/// Where in the text the byte `index` of what it encodes stands.
pub(crate) fn position(index: usize) -> usize {
    PREFIX.len() + 2 * index
}

/// The bytes that `text` encodes, perhaps secrets among them. Source: spec GS-1, GS-2.
pub(crate) fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, ParseError> {
    if text.len() > MOST_TEXT_BYTES {
        return Err(Reason::TooLong.at(MOST_TEXT_BYTES));
    }
    let digits = text.strip_prefix(PREFIX).ok_or(Reason::NoPrefix.at(0))?.as_bytes();
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len() / 2));
    for (index, pair) in digits.chunks(2).enumerate() {
        let high = digit(pair[0]).map_err(|reason| reason.at(position(index)))?;
        let Some(low) = pair.get(1) else { return Err(Reason::CutShort.at(text.len())) };
        let low = digit(*low).map_err(|reason| reason.at(position(index) + 1))?;
        bytes.push(high << 4 | low);
    }
    Ok(bytes)
}

fn digit(character: u8) -> Result<u8, Reason> {
    match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        b'A'..=b'F' => Err(Reason::UpperCase),
        _ => Err(Reason::NotHex),
    }
}

/// `bytes` as lower-case hex, without the prefix.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
