//! Backups of an environment: defaults, and what the jobs see.
//!
//! In comes what the user said, for the platform and for single components; out comes a [`Plan`] for each component whose
//! blueprint says how copies are made. What expressions see of it as `backup` is known before any component is made,
//! since conditions of services depend on it.

use croner::errors::CronError;
use croner::{CivilDate, CivilDateTime, CivilTime, Cron, CronDateTime, Resolution, Weekday};
use std::cmp::Ordering;

use crate::names;
use crate::platform::backup::{Backup, IDENTITY_SECRET, Offsite, Plan, STORE_SECRET};
use crate::platform::versioned;
use crate::source::Place;
use crate::topology::Layered;
use crate::topology::backup::LayeredPlan;
use crate::topology::layer::Sourced;
use crate::units::Seconds;
use crate::value::Value;

/// When copies are made unless the topology says otherwise.
const SCHEDULE: &str = "0 2 * * *";

/// When one is tried.
const DRILL: &str = "0 5 * * 0";

/// Days, weeks and months of which a copy is kept.
const KEPT: (u64, u64, u64) = (7, 5, 6);

/// How long a restore may take.
const RECOVERY_TIME: Seconds = Seconds(4 * 3600);

/// The region of stores that know none.
const REGION: &str = "us-east-1";

/// How late a drill may be before it counts as overdue.
const GRACE: u64 = 24 * 3600;

/// The folder of secrets in a container.
const SECRETS: &str = "/run/secrets";

/// Resolves what holds for the whole platform; none where no backups are made.
pub(super) fn of_platform(layered: &Layered) -> Option<Backup> {
    let given = &layered.backup;
    let place = given.place.clone()?;
    if given.enabled.as_ref().is_some_and(|enabled| !enabled.value) {
        return None;
    }
    let offsite = given.offsite.as_ref().and_then(|offsite| {
        let (_, host, port) = names::parse_url(&offsite.endpoint.value)?;
        let text = |given: &Option<Sourced<String>>, default: String| {
            given.as_ref().map_or(default, |text| text.value.clone())
        };
        Some(Offsite {
            place: offsite.endpoint.place.clone(),
            endpoint: offsite.endpoint.value.trim_end_matches('/').to_owned(),
            host: host.to_owned(),
            port,
            bucket: offsite.bucket.value.clone(),
            folder: text(
                &offsite.folder,
                format!("{}/{}", layered.platform.value, layered.name),
            ),
            region: text(&offsite.region, REGION.to_owned()),
            access_key: offsite.access_key.value.clone(),
        })
    });
    let version = layered.secret_versions.get(STORE_SECRET);
    Some(Backup {
        store_object: versioned(STORE_SECRET, version.map_or(1, |version| version.value)),
        place,
        recipients: given
            .recipients
            .iter()
            .map(|recipient| recipient.value.clone())
            .collect(),
        offsite,
    })
}

/// Resolves when copies of a component are made; none where the user wants none.
pub(super) fn plan(backup: &Backup, all: &LayeredPlan, own: Option<&LayeredPlan>) -> Option<Plan> {
    let nothing = LayeredPlan::default();
    let own = own.unwrap_or(&nothing);
    if own.enabled.as_ref().is_some_and(|enabled| !enabled.value) {
        return None;
    }
    let of = |place: Option<&Place>| place.unwrap_or(&backup.place).clone();
    let schedule = own.schedule.as_ref().or(all.schedule.as_ref());
    let schedule = (
        schedule.map_or(SCHEDULE, |given| &given.value).to_owned(),
        of(schedule.map(|given| &given.place)),
    );
    let interval = widest_gap(&schedule.0);
    let drill = own.drill.as_ref().or(all.drill.as_ref());
    let drill_place = of(drill.map(|given| &given.place));
    let drill = match drill {
        None => Some(DRILL.to_owned()),
        Some(given) => given.value.clone(),
    };
    let number = |own: &Option<Sourced<u64>>, all: &Option<Sourced<u64>>, default| {
        own.as_ref()
            .or(all.as_ref())
            .map_or(default, |given| given.value)
    };
    let retention = [
        &own.days,
        &own.weeks,
        &own.months,
        &all.days,
        &all.weeks,
        &all.months,
    ];
    let retention = retention.into_iter().flatten().next();
    let point = own.recovery_point.as_ref().or(all.recovery_point.as_ref());
    let time = own.recovery_time.as_ref().or(all.recovery_time.as_ref());
    let size = own.copy_size.as_ref().or(all.copy_size.as_ref());
    Some(Plan {
        recovery_point: (
            point.map_or(interval, |given| given.value),
            of(point.map(|given| &given.place)),
        ),
        recovery_time: time.map_or(RECOVERY_TIME, |given| given.value),
        interval,
        collides: drill
            .as_deref()
            .is_some_and(|drill| meet(drill, &schedule.0)),
        drill: drill.map(|drill| {
            let gap = widest_gap(&drill);
            (drill, gap, drill_place)
        }),
        days: number(&own.days, &all.days, KEPT.0),
        weeks: number(&own.weeks, &all.weeks, KEPT.1),
        months: number(&own.months, &all.months, KEPT.2),
        retention_place: of(retention.map(|given| &given.place)),
        copy_size: size.map(|size| size.value),
        schedule,
    })
}

/// Returns what expressions of a component see as `backup`.
pub(super) fn names_of(backup: Option<&Backup>, plan: Option<&Plan>) -> Value {
    let text = |text: &str| Value::from(text);
    let (Some(backup), Some(plan)) = (backup, plan) else {
        return Value::table([
            ("active", Value::Bool(false)),
            ("drill", Value::Null),
            ("offsite", Value::Null),
        ]);
    };
    let drill = plan.drill.as_ref();
    Value::table([
        ("active", Value::Bool(true)),
        ("schedule", text(&plan.schedule.0)),
        (
            "drill",
            drill.map_or(Value::Null, |(schedule, ..)| text(schedule)),
        ),
        (
            "drill_within",
            drill.map_or(Value::Null, |(_, gap, _)| Value::from(gap.0 + GRACE)),
        ),
        ("days", Value::from(plan.days)),
        ("weeks", Value::from(plan.weeks)),
        ("months", Value::from(plan.months)),
        ("recovery_point", Value::from(plan.recovery_point.0.0)),
        ("recovery_time", Value::from(plan.recovery_time.0)),
        ("recipients", Value::from(backup.recipients.clone())),
        (
            "secrets",
            Value::table([
                (
                    "identity",
                    Value::from(format!("{SECRETS}/{IDENTITY_SECRET}")),
                ),
                ("store", Value::from(format!("{SECRETS}/{STORE_SECRET}"))),
                ("store_object", text(&backup.store_object)),
            ]),
        ),
        (
            "offsite",
            backup.offsite.as_ref().map_or(Value::Null, |offsite| {
                Value::table([
                    ("endpoint", text(&offsite.endpoint)),
                    ("host", text(&offsite.host)),
                    ("port", Value::from(u64::from(offsite.port))),
                    ("bucket", text(&offsite.bucket)),
                    ("folder", text(&offsite.folder)),
                    ("region", text(&offsite.region)),
                    ("access_key", text(&offsite.access_key)),
                ])
            }),
        ),
    ])
}

/// A point in time without a time zone, in seconds since the epoch.
#[derive(Clone, Copy)]
struct Moment(i64);

const DAY: i64 = 24 * 3600;

impl CronDateTime for Moment {
    fn to_civil(&self) -> CivilDateTime {
        // Days of the Gregorian calendar, counted from March, so that leap days are at the end.
        let days = self.0.div_euclid(DAY) + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        let year = year + era * 400 + i64::from(month <= 2);
        let second = self.0.rem_euclid(DAY);
        let small = |number: i64| u32::try_from(number).unwrap_or_default();
        let date = CivilDate::from_ymd_opt(
            i32::try_from(year).unwrap_or_default(),
            small(month),
            small(day),
        );
        let time = CivilTime::from_hms_opt(
            small(second / 3600),
            small(second / 60 % 60),
            small(second % 60),
        );
        CivilDateTime::new(
            date.expect("a date that was counted; a test holds it"),
            time.expect("a time of day"),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        // 1970-01-01 was a Thursday.
        let days = self.0.div_euclid(DAY);
        Weekday::Thursday.shift(i32::try_from(days.rem_euclid(7)).unwrap_or_default())
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let date = civil.date();
        let (year, month, day) = (
            i64::from(date.year()),
            i64::from(date.month()),
            i64::from(date.day()),
        );
        let year = year - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let from_march = (month + 9) % 12;
        let of_year = (153 * from_march + 2) / 5 + day - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        let time = civil.time();
        let seconds = i64::from(time.hour()) * 3600
            + i64::from(time.minute()) * 60
            + i64::from(time.second());
        Ok(Resolution::Single(Self(days * DAY + seconds)))
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(seconds).map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

/// The first of January 2026: where schedules are looked at, for long enough to see the 29th of February twice.
const BEGIN: Moment = Moment(1_767_225_600);
const YEARS: i64 = 9 * 366 * DAY;

/// Returns the longest time from one run of a schedule to the next. One that runs hardly ever has a gap of years.
pub(super) fn widest_gap(schedule: &str) -> Seconds {
    let Ok(cron) = schedule.parse::<Cron>() else {
        return Seconds(0);
    };
    let mut widest = 0;
    let mut last: Option<i64> = None;
    // A year of daily runs shows every pattern of days; what runs often repeats sooner.
    for run in cron.iter_after(BEGIN).take(800) {
        if run.0 - BEGIN.0 > YEARS {
            break;
        }
        if let Some(last) = last {
            widest = widest.max(run.0 - last);
        }
        last = Some(run.0);
    }
    let seen = last.map_or(0, |last| last - BEGIN.0);
    if widest == 0 {
        widest = YEARS - seen;
    }
    Seconds(u64::try_from(widest).unwrap_or_default())
}

/// Says whether a schedule begins at the same minute as another, in the first hundred of its runs.
fn meet(one: &str, other: &str) -> bool {
    let (Ok(one), Ok(other)) = (one.parse::<Cron>(), other.parse::<Cron>()) else {
        return false;
    };
    one.iter_after(BEGIN)
        .take(100)
        .any(|run| other.is_time_matching(&run).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::{meet, widest_gap};

    #[test]
    fn schedules_meet_at_a_minute() {
        assert!(meet("0 2 * * 0", "0 2 * * *"));
        assert!(meet("0 6 1 * *", "0 */6 * * *"));
        assert!(!meet("0 5 * * 0", "0 2 * * *"));
        assert!(!meet("30 2 * * *", "0 * * * *"));
    }

    #[test]
    fn the_widest_gap_is_what_may_be_lost() {
        for (schedule, hours) in [
            ("0 2 * * *", 24),
            ("0 */6 * * *", 6),
            ("0 8,12,18 * * *", 14),
            ("0 2 * * 1-5", 72),
            ("0 5 * * 0", 168),
            ("0 3 1 * *", 31 * 24),
            ("0 0 29 2 *", 24 * 1461),
        ] {
            assert_eq!(widest_gap(schedule).0, hours * 3600, "{schedule}");
        }
    }
}
