/// BLAKE3 in a domain of its own over `parts`, one behind the other: lengths must be fixed or written before.
pub fn derived_hash(domain: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(domain);
    parts.iter().for_each(|part| {
        hasher.update(part);
    });
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_domain_or_another_text_is_another_hash() {
        let hash = derived_hash("stratus 1 a", &[b"seven", b"fifty"]);
        assert_eq!(hash, derived_hash("stratus 1 a", &[b"sevenfifty"]));
        assert_ne!(hash, derived_hash("stratus 1 b", &[b"sevenfifty"]));
        assert_ne!(hash, derived_hash("stratus 1 a", &[b"seven"]));
    }
}
