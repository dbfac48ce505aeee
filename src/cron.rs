//! Cron expressions as every cron reads them: five fields of numbers, names, lists, ranges and steps.
//!
//! Topologies and blueprints are checked with it, and bundles whose clock is systemd have its calendar events. Extensions that
//! only some programs know (`L`, `#`, `@daily`) are none.

use std::collections::BTreeSet;

const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The days of each month, at most.
const LENGTHS: &[u32] = &[31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Values of one field.
struct Field {
    values: BTreeSet<u32>,
    /// Whether it begins with `*`: then it does not count as a day that was asked for.
    star: bool,
    /// Whether it leaves nothing out.
    whole: bool,
}

/// A cron expression.
pub(crate) struct Schedule {
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

impl Schedule {
    /// Reads an expression; none if it is no expression, or one that no day ever fits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else {
            return None;
        };
        let mut weekdays = field(weekdays, 0, 7, DAYS, 0)?;
        // Sunday has two numbers.
        if weekdays.values.remove(&7) {
            weekdays.values.insert(0);
        }
        weekdays.whole = weekdays.values.len() == DAYS.len();
        let schedule = Self {
            minutes: field(minutes, 0, 59, &[], 0)?,
            hours: field(hours, 0, 23, &[], 0)?,
            days: field(days, 1, 31, &[], 0)?,
            months: field(months, 1, 12, MONTHS, 1)?,
            weekdays,
        };
        let comes = |month: &u32| {
            let length = LENGTHS[*month as usize - 1];
            schedule.days.values.iter().any(|day| *day <= length)
        };
        let ever = schedule.either() || schedule.months.values.iter().any(comes);
        ever.then_some(schedule)
    }

    /// Whether a day fits as soon as one of its two fields does, which is so where both ask for some.
    fn either(&self) -> bool {
        !self.days.star && !self.weekdays.star
    }

    /// Returns systemd's calendar events that come at the same times.
    pub(crate) fn calendar(&self) -> Vec<String> {
        let time = format!(
            "{}:{}:00",
            numbers(&self.hours, 2),
            numbers(&self.minutes, 2)
        );
        let names: Vec<String> = self
            .weekdays
            .values
            .iter()
            .map(|day| {
                let name = DAYS[*day as usize];
                format!("{}{}", name[..1].to_uppercase(), &name[1..])
            })
            .collect();
        let weekdays = format!("{} ", names.join(","));
        let months = numbers(&self.months, 2);
        let days = numbers(&self.days, 2);
        if self.either() {
            return vec![
                format!("*-{months}-{days} {time}"),
                format!("{weekdays}*-{months}-* {time}"),
            ];
        }
        let weekdays = if self.weekdays.whole { "" } else { &weekdays };
        vec![format!("{weekdays}*-{months}-{days} {time}")]
    }
}

fn numbers(field: &Field, width: usize) -> String {
    if field.whole {
        return "*".to_owned();
    }
    let values: Vec<String> = field
        .values
        .iter()
        .map(|value| format!("{value:0width$}"))
        .collect();
    values.join(",")
}

fn field(text: &str, least: u32, most: u32, names: &[&str], first: u32) -> Option<Field> {
    let number = |text: &str| {
        let lower = text.to_ascii_lowercase();
        let named = names.iter().position(|name| *name == lower);
        let value = match named {
            Some(at) => u32::try_from(at).ok()? + first,
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok()?,
            None => return None,
        };
        (least..=most).contains(&value).then_some(value)
    };
    let mut values = BTreeSet::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, number_of(step)?),
            None => (part, 1),
        };
        let (from, to) = if range == "*" {
            (least, most)
        } else if let Some((from, to)) = range.split_once('-') {
            (number(from)?, number(to)?)
        } else {
            // What a step after a single number means differs from cron to cron.
            let value = number(range).filter(|_| step == 1)?;
            (value, value)
        };
        if from > to || step == 0 {
            return None;
        }
        values.extend((from..=to).step_by(step));
    }
    Some(Field {
        star: text.starts_with('*'),
        whole: values.len() == (most - least + 1) as usize,
        values,
    })
}

fn number_of(text: &str) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn calendar_events_come_at_the_same_times() {
        for (schedule, events) in [
            ("0 2 * * *", &["*-*-* 02:00:00"][..]),
            ("0 */6 * * *", &["*-*-* 00,06,12,18:00:00"]),
            ("*/20 8-10 * * *", &["*-*-* 08,09,10:00,20,40:00"]),
            ("0 5 * * 0", &["Sun *-*-* 05:00:00"]),
            ("0 5 * * 7", &["Sun *-*-* 05:00:00"]),
            ("30 1 * * mon-fri", &["Mon,Tue,Wed,Thu,Fri *-*-* 01:30:00"]),
            ("0 0 29 2 *", &["*-02-29 00:00:00"]),
            ("0 3 1 jan,JUL *", &["*-01,07-01 03:00:00"]),
            ("0 3 * * 0-7", &["*-*-* 03:00:00"]),
            // Either the first of the month or a Monday.
            ("0 3 1 * 1", &["*-*-01 03:00:00", "Mon *-*-* 03:00:00"]),
            // A field that begins with a star asks for no day.
            (
                "0 3 */2 * 1",
                &["Mon *-*-01,03,05,07,09,11,13,15,17,19,21,23,25,27,29,31 03:00:00"],
            ),
        ] {
            let read = Schedule::parse(schedule).expect(schedule);
            assert_eq!(read.calendar(), events, "{schedule}");
        }
    }

    #[test]
    fn what_no_cron_runs_is_none() {
        for text in [
            "",
            "0 2 * *",
            "0 2 * * * *",
            "61 2 * * *",
            "0 24 * * *",
            "0 2 0 * *",
            "0 2 30 2 *",
            "0 2 31 4,6 *",
            "0 2 * 13 *",
            "0 2 * * 8",
            "0 2 L * *",
            "0 2 * * 5#2",
            "@daily",
            "5-1 2 * * *",
            "*/0 2 * * *",
            "5/10 2 * * *",
            "+1 2 * * *",
            "-1 2 * * *",
            "0,,1 2 * * *",
        ] {
            assert!(Schedule::parse(text).is_none(), "{text}");
        }
        // The 30th of February, or a Monday.
        assert!(Schedule::parse("0 2 30 2 1").is_some());
    }
}
