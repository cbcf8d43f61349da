//! Spans of time as they are typed: `30m`, `8h`, `7d`.

/// Its minutes, if it is no longer than so many days.
pub(super) fn minutes(text: &str, days: u32) -> Result<u32, String> {
    let wrong = || format!("`{text}` is no time; use minutes, hours or days: 30m, 8h, 7d, at most {days}d");
    let unit = match text.chars().last() {
        Some('m') => 1,
        Some('h') => 60,
        Some('d') => 24 * 60,
        _ => return Err(wrong()),
    };
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number.checked_mul(unit).filter(|minutes| (1..=days * 24 * 60).contains(minutes)).ok_or_else(wrong)
}
