//! Numbers of bytes in words.

/// `512 B`, `12.3 MiB`, `4.0 GiB`.
pub(super) fn told(bytes: u64) -> String {
    let mut amount = bytes as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if amount < 1024.0 {
            break;
        }
        amount /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{amount:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        assert_eq!([0, 1023, 1024, 12_900_000, 1 << 32].map(told), ["0 B", "1023 B", "1.0 KiB", "12.3 MiB", "4.0 GiB"]);
    }
}
