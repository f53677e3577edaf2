//! A day.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A day of the Gregorian calendar. Later days are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// The year.
    pub year: i32,
    /// From 1 to 12.
    pub month: u32,
    /// From 1 to 31.
    pub day: u32,
}

impl Date {
    /// Reads `2027-03-31`; none when there is no such day.
    pub fn parse(text: &str) -> Option<Date> {
        let mut words = text.split('-');
        let (year, month, day) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() || (year.len(), month.len(), day.len()) != (4, 2, 2) {
            return None;
        }
        let date = Date { year: year.parse().ok()?, month: month.parse().ok()?, day: day.parse().ok()? };
        let is_leap = date.year % 4 == 0 && date.year % 100 != 0 || date.year % 400 == 0;
        let days = match date.month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (1..=days).contains(&date.day).then_some(date)
    }

    /// Today's, in Greenwich.
    pub fn today() -> Date {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Date::of_day((since.as_secs() / 86_400) as i64)
    }

    /// That of a day counted from 1 January 1970.
    ///
    /// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, so that the leap day
    /// is the last of one.
    fn of_day(day: i64) -> Date {
        let from_march = day + 719_468;
        let era = from_march.div_euclid(146_097);
        let day_of_era = from_march.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Date {
            year: (year_of_era + era * 400 + i64::from(month <= 2)) as i32,
            month: month as u32,
            day: (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32,
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_follows_the_one_before_and_reads_as_it_is_written() {
        let mut before = Date::of_day(-1);
        assert_eq!(before.to_string(), "1969-12-31");
        for day in 0..60_000 {
            let date = Date::of_day(day);
            assert!(date > before, "{date}");
            assert_eq!(Date::parse(&date.to_string()), Some(date));
            before = date;
        }
        assert_eq!(before.to_string(), "2134-04-10");
        for text in ["2027-02-29", "2027-13-01", "2027-1-1", "2027-01", "soon", "2027-01-01-01"] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
    }
}
