//! When a schedule runs: five fields of cron in a time zone.
//!
//! Where the clocks change the rules of Vixie cron hold: a fixed time that is skipped runs at the first moment after the
//! gap, one that comes twice runs the first time; a wildcard (`*/10 * * * *`) goes by the time that passes. The zones are
//! those of the IANA database, compiled in.

use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};

use crate::plain::{shorten, visible};

/// Five fields and a zone, checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Timetable {
    written: Written,
    cron: Cron,
    zone: TimeZone,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    cron: String,
    zone: String,
}

/// Why a timetable makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimetableError {
    /// The five fields.
    #[error(
        "cron: `{cron}` is no timetable: {why}. It has five fields: minute, hour, day of the month, month, day of the week; \
         `30 4 * * 1-5` is half past four from Monday to Friday"
    )]
    Cron {
        /// As it was given.
        cron: String,
        /// What is wrong.
        why: String,
    },
    /// The zone.
    #[error("zone: `{0}` is no time zone; one looks like `Europe/Berlin` or `UTC`")]
    Zone(String),
    /// It never comes.
    #[error("cron: `{0}` never comes: no such day is in the calendar")]
    Never(String),
}

impl TryFrom<Written> for Timetable {
    type Error = TimetableError;

    fn try_from(written: Written) -> Result<Self, TimetableError> {
        Self::new(&written.cron, &written.zone)
    }
}

impl From<Timetable> for Written {
    fn from(timetable: Timetable) -> Self {
        timetable.written
    }
}

impl Timetable {
    /// A timetable of five fields in a zone.
    ///
    /// # Errors
    /// Says which of the two makes no sense.
    pub fn new(cron: &str, zone: &str) -> Result<Self, TimetableError> {
        let shown = |text: &str| shorten(&visible(text), 80);
        let written = Written { cron: cron.trim().to_owned(), zone: zone.trim().to_owned() };
        let found = TimeZoneDatabase::bundled().get(&written.zone);
        let zone = found.map_err(|_| TimetableError::Zone(shown(zone)))?;
        let fault = |why: String| TimetableError::Cron { cron: shown(cron), why };
        if written.cron.len() > 200 {
            return Err(fault("it is longer than 200 characters".to_owned()));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(&written.cron).map_err(|error| fault(reason(&error)))?;
        let timetable = Self { written, cron, zone };
        match timetable.after(0) {
            Some(_) => Ok(timetable),
            None => Err(TimetableError::Never(shown(&timetable.written.cron))),
        }
    }

    /// The five fields.
    #[must_use]
    pub fn cron(&self) -> &str {
        &self.written.cron
    }

    /// The zone.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.written.zone
    }

    /// The timetable in words.
    #[must_use]
    pub fn words(&self) -> String {
        self.cron.describe()
    }

    /// The first run after a time.
    #[must_use]
    pub fn after(&self, at: i64) -> Option<i64> {
        self.cron.find_next_occurrence(&self.zoned(at)?, false).ok().map(|run| millis(&run))
    }

    /// The last run at or before a time.
    #[must_use]
    pub fn until(&self, at: i64) -> Option<i64> {
        self.cron.find_previous_occurrence(&self.zoned(at)?, true).ok().map(|run| millis(&run))
    }

    fn zoned(&self, at: i64) -> Option<Zoned> {
        Some(Timestamp::from_millisecond(at).ok()?.to_zoned(self.zone.clone()))
    }
}

fn millis(at: &Zoned) -> i64 {
    at.timestamp().as_millisecond()
}

fn reason(error: &CronError) -> String {
    match error {
        CronError::EmptyPattern => "it is empty".to_owned(),
        CronError::InvalidPattern(why) | CronError::IllegalCharacters(why) | CronError::ComponentError(why) => {
            shorten(&visible(why.trim_end_matches('.')), 200)
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn shown(millis: i64) -> String {
        Timestamp::from_millisecond(millis).unwrap().to_string()
    }

    fn runs(cron: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let timetable = Timetable::new(cron, zone).unwrap();
        let mut last = at(from);
        let mut found = Vec::new();
        for _ in 0..count {
            last = timetable.after(last).unwrap();
            found.push(shown(last));
        }
        found
    }

    #[test]
    fn a_time_that_the_change_to_summer_time_skips_runs_right_after_the_gap() {
        let found = runs("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3);
        // 02:30 is 01:30Z in winter and 00:30Z in summer; on the 29th it does not exist, and the gap ends at 01:00Z.
        assert_eq!(found, ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    }

    #[test]
    fn a_time_that_the_change_to_winter_time_repeats_runs_once() {
        let found = runs("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
        assert_eq!(found, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    }

    #[test]
    fn a_wildcard_goes_by_the_time_that_passes_over_both_changes() {
        let spring = runs("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:29:00Z", 4);
        assert_eq!(
            spring,
            ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:00:00Z"]
        );
        let autumn = runs("0 * * * *", "America/New_York", "2026-11-01T04:30:00Z", 4);
        assert_eq!(
            autumn,
            ["2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z", "2026-11-01T08:00:00Z"]
        );
    }

    #[test]
    fn the_last_run_until_a_time_includes_that_time() {
        let timetable = Timetable::new("0 4 * * *", "UTC").unwrap();
        assert_eq!(timetable.until(at("2026-05-05T04:00:00Z")), Some(at("2026-05-05T04:00:00Z")));
        assert_eq!(timetable.until(at("2026-05-05T03:59:59Z")), Some(at("2026-05-04T04:00:00Z")));
        assert_eq!(timetable.after(at("2026-05-05T04:00:00Z")), Some(at("2026-05-06T04:00:00Z")));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_sentence() {
        let said = |cron: &str, zone: &str| Timetable::new(cron, zone).unwrap_err().to_string();
        assert!(said("61 * * * *", "UTC").contains("five fields"));
        assert!(said("* * * * * *", "UTC").contains("five fields"), "seconds are not for schedules");
        assert!(said("", "UTC").contains("it is empty"));
        assert!(said("0 4 * * *", "Mars/Olympus").contains("Europe/Berlin"));
        assert!(said("0 0 30 2 *", "UTC").contains("never comes"));
        assert!(said(&"1,".repeat(500), "UTC").contains("longer"));
    }

    #[test]
    fn it_is_kept_as_it_was_written() {
        let timetable = Timetable::new(" 30 4 * * MON-FRI ", "Europe/Berlin").unwrap();
        let kept = serde_json::to_value(&timetable).unwrap();
        assert_eq!(kept, serde_json::json!({ "cron": "30 4 * * MON-FRI", "zone": "Europe/Berlin" }));
        assert_eq!(serde_json::from_value::<Timetable>(kept).unwrap(), timetable);
        assert!(serde_json::from_value::<Timetable>(serde_json::json!({ "cron": "x", "zone": "UTC" })).is_err());
    }
}
