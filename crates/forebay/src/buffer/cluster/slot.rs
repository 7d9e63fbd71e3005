//! Which of a cluster's slots a key lies in.

/// How many slots there are.
pub const SLOTS: u16 = 16_384;

/// The slot of a key: CRC-16 (XMODEM) of what stands between its first braces, where something does, else of all of it.
pub fn of(key: &[u8]) -> u16 {
    let tag = memchr::memchr(b'{', key).and_then(|open| {
        let inner = &key[open + 1..];
        let close = memchr::memchr(b'}', inner)?;
        (close > 0).then(|| &inner[..close])
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

fn crc16(bytes: &[u8]) -> u16 {
    const POLYNOMIAL: u16 = 0x1021;
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ POLYNOMIAL }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the specification of Redis Cluster, and as `CLUSTER KEYSLOT` of a server answers.
    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        for (key, slot) in [
            ("foo", 12_182),
            ("{foo}bar", 12_182),
            ("a{foo}{bar}", 12_182),
            ("posts", 7_051),
            ("a:{likes}", 10_723),
        ] {
            assert_eq!(of(key.as_bytes()), slot, "{key}");
        }
        // Empty braces are no tag.
        assert_eq!(of(b"{}x"), crc16(b"{}x") % SLOTS);
        assert_eq!(of(b"{x"), crc16(b"{x") % SLOTS);
    }
}
