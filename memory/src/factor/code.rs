//! One-time codes by the clock: RFC 6238 with SHA-1, 30 seconds and six digits, which every authenticator app knows.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use zeroize::Zeroizing;

/// Length of a step, in milliseconds.
const STEP_MS: i64 = 30_000;
/// Bytes of a key, as RFC 4226 recommends for SHA-1.
pub(super) const KEY: usize = 20;
/// Characters of base32 (RFC 4648), without padding.
const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The time step of a moment.
pub(super) const fn step(now_ms: i64) -> i64 {
    now_ms.div_euclid(STEP_MS)
}

/// The step whose code this is: the one of now, the one before or the one after, so that clocks may differ.
pub(super) fn fitting(key: &[u8], code: &str, now_ms: i64) -> Option<i64> {
    let now = step(now_ms);
    let given = code.as_bytes();
    // Each is compared to its end, so that the time it takes tells nothing.
    let same = |step: i64| {
        let wanted = at(key, step);
        given.len() == wanted.len()
            && given.iter().zip(wanted.as_bytes()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
    };
    [now - 1, now, now + 1].into_iter().rfind(|step| same(*step))
}

fn at(key: &[u8], step: i64) -> String {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key) else { return String::new() };
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let from = usize::from(hash[19] & 15);
    let number = u32::from_be_bytes([hash[from] & 127, hash[from + 1], hash[from + 2], hash[from + 3]]);
    format!("{:06}", number % 1_000_000)
}

/// A key as people and apps read it.
pub(super) fn base32(key: &[u8; KEY]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(KEY * 8 / 5));
    for five in key.chunks(5) {
        let number = five.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        for place in (0..8).rev() {
            text.push(char::from(LETTERS[(number >> (place * 5) & 31) as usize]));
        }
    }
    text
}

/// The key behind its text; spaces and small letters are forgiven.
pub(super) fn key(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bits = Zeroizing::new(Vec::with_capacity(KEY));
    let (mut number, mut count) = (0_u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b' ') {
        let value = LETTERS.iter().position(|letter| *letter == byte.to_ascii_uppercase())?;
        number = number << 5 | u32::try_from(value).ok()?;
        count += 5;
        if count >= 8 {
            count -= 8;
            bits.push((number >> count & 255) as u8);
            number &= (1 << count) - 1;
        }
    }
    (bits.len() == KEY).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RFC: &[u8; KEY] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238, appendix B, SHA-1; the last six of its eight digits.
        let cases = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (seconds, code) in cases {
            assert_eq!(fitting(RFC, code, seconds * 1000), Some(step(seconds * 1000)), "{seconds}");
        }
    }

    #[test]
    fn a_code_fits_one_step_early_or_late_and_no_more() {
        let now = 1_234_567_890_000;
        assert_eq!(fitting(RFC, "005924", now + STEP_MS), Some(step(now)));
        assert_eq!(fitting(RFC, "005924", now - STEP_MS), Some(step(now)));
        assert_eq!(fitting(RFC, "005924", now + 2 * STEP_MS), None);
        assert_eq!(fitting(RFC, "005924", now - 2 * STEP_MS), None);
        for wrong in ["", "00592", "0059240", "005925", "００５９２４"] {
            assert_eq!(fitting(RFC, wrong, now), None, "{wrong}");
        }
    }

    #[test]
    fn a_key_comes_back_from_its_text_and_nothing_else_is_one() {
        assert_eq!(base32(RFC).as_str(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(key("gezd gnbv gy3t qojq gezd gnbv gy3t qojq").unwrap().as_slice(), RFC);
        for wrong in ["", "GEZDGNBV", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1", "ü"] {
            assert!(key(wrong).is_none(), "{wrong}");
        }
    }
}
