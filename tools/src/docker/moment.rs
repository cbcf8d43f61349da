//! The engine's times (RFC 3339 texts) as milliseconds, and spans of time in words.

/// Milliseconds since 1970 of a text such as `2026-11-21T02:07:10.429529142Z` or `…+01:00`. Go's zero time, by which
/// the engine means *never*, yields none.
pub(super) fn parse(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let mut fields = date.split('-');
    let year: i64 = fields.next()?.parse().ok()?;
    let month: i64 = fields.next()?.parse().ok()?;
    let day: i64 = fields.next()?.parse().ok()?;
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let zone = time.find(['Z', '+', '-'])?;
    let (clock, offset) = time.split_at(zone);
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = whole.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - shift(offset)?;
    Some(seconds * 1000 + millis)
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar; years begin in March here, so that a leap day comes last.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Seconds east of Greenwich.
fn shift(offset: &str) -> Option<i64> {
    if offset == "Z" {
        return Some(0);
    }
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let seconds = hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60;
    Some(if offset.starts_with('-') { -seconds } else { seconds })
}

/// A span in words: `12 s`, `5 min`, `3 h`, `2 days`.
pub(super) fn span(millis: i64) -> String {
    let seconds = millis.max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_times_are_read_to_the_millisecond() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse("2026-11-21T02:07:10.429529142Z"), Some(1_795_226_830_429));
        assert_eq!(parse("2024-02-29T23:59:59.5+01:30"), Some(1_709_245_799_500));
        assert_eq!(parse("2024-03-01T00:00:00-00:30"), Some(1_709_253_000_000));
        for never in ["0001-01-01T00:00:00Z", "", "yesterday", "2026-13-01T00:00:00Z", "2026-01-01T00:00Z"] {
            assert_eq!(parse(never), None, "{never}");
        }
    }

    #[test]
    fn spans_are_told_in_one_unit() {
        let told: Vec<_> = [0, 59_999, 60_000, 7_200_000, 172_800_000].map(span).into();
        assert_eq!(told, ["0 s", "59 s", "1 min", "2 h", "2 days"]);
        assert_eq!(span(-5), "0 s");
    }
}
