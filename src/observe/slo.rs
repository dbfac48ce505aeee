//! Service level objectives: how fast what may fail is used up, over a long and a short window at a time.
//!
//! The error budget of 30 days is what the objective leaves. An alert fires when a long window has used a good part of it and a
//! short one shows that it goes on: at 14.4 times the even speed, two hours use 4 % of it, which somebody gets up for; at
//! once the even speed, three days use a tenth, which is for working hours. (The Site Reliability Workbook, chapter 5.)

use std::collections::BTreeMap;

use crate::platform::rules::Case;
use crate::terms::AlertSeverity;

/// Windows over which the ratio of failures is recorded.
pub const WINDOWS: [&str; 7] = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"];

/// An alert about the speed at which the budget is used.
#[derive(Debug)]
pub struct Speed {
    /// What the alert's name ends with.
    pub suffix: &'static str,
    /// How bad it is.
    pub severity: AlertSeverity,
    /// How long it must last.
    pub hold: &'static str,
    /// Tenths of the even speed, long window, short window.
    pairs: [(u64, &'static str, &'static str); 2],
}

/// The alerts of an objective.
pub const SPEEDS: [Speed; 2] = [
    Speed {
        suffix: "BudgetBurnsFast",
        severity: AlertSeverity::Critical,
        hold: "2m",
        pairs: [(144, "1h", "5m"), (60, "6h", "30m")],
    },
    Speed {
        suffix: "BudgetBurnsSlowly",
        severity: AlertSeverity::Warning,
        hold: "15m",
        pairs: [(30, "1d", "2h"), (10, "3d", "6h")],
    },
];

/// What part of all may fail, in hundred-thousandths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget(u64);

/// All of it.
const WHOLE: u64 = 100_000;

impl Budget {
    /// Returns what an objective leaves: a percentage above 0 and below 100 with at most three digits behind the point.
    pub fn of(objective: &str) -> Option<Self> {
        let (whole, part) = objective.split_once('.').unwrap_or((objective, "0"));
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || whole.len() > 2 || !digits(part) || part.len() > 3 {
            return None;
        }
        let whole: u64 = whole.parse().ok()?;
        let part: u64 = format!("{part:0<3}").parse().ok()?;
        let budget = WHOLE.checked_sub(whole * 1000 + part)?;
        (budget > 0 && budget < WHOLE).then_some(Self(budget))
    }

    /// Writes it as part of one: `0.005`.
    pub fn ratio(self) -> String {
        decimal(self.0, 5)
    }

    /// Writes what must not fail as part of one: `0.995`.
    pub fn objective(self) -> String {
        decimal(WHOLE - self.0, 5)
    }

    /// The part that fails at a speed in tenths of the even one, in millionths.
    fn at(self, speed: u64) -> u64 {
        self.0 * speed
    }
}

/// Writes a number of units that are some digits behind the point.
fn decimal(units: u64, digits: u32) -> String {
    let one = 10_u64.pow(digits);
    let part = format!("{:0width$}", units % one, width = digits as usize);
    match part.trim_end_matches('0') {
        "" => (units / one).to_string(),
        part => format!("{}.{part}", units / one),
    }
}

/// Names the recorded ratio of failures over a window.
pub fn record(slo: &str, window: &str) -> String {
    format!(
        "component:slo_{}_errors:ratio_rate{window}",
        slo.replace('-', "_")
    )
}

/// Names the recorded objective.
pub fn objective_record(slo: &str) -> String {
    format!("component:slo_{}_objective:ratio", slo.replace('-', "_"))
}

impl Speed {
    /// Windows in which more can fail than everything are none.
    fn possible(&self, budget: Budget) -> impl Iterator<Item = &(u64, &'static str, &'static str)> {
        let pairs = self.pairs.iter();
        pairs.filter(move |(speed, _, _)| budget.at(*speed) < 10 * WHOLE)
    }

    /// Returns the condition; none where so much may fail that it can never hold.
    pub fn condition(&self, slo: &str, budget: Budget) -> Option<String> {
        let ratio = budget.ratio();
        let pairs = self.possible(budget).map(|(speed, long, short)| {
            let limit = format!("{} * {ratio}", decimal(*speed, 1));
            let (long, short) = (record(slo, long), record(slo, short));
            format!("({long} > {limit} and {short} > {limit})")
        });
        let all: Vec<String> = pairs.collect();
        (!all.is_empty()).then(|| all.join(" or "))
    }

    /// Returns cases that follow from the objective: for each pair of windows one a little above the limit, one a little
    /// below it, and one in which it is over again.
    pub fn cases(&self, slo: &str, component: &str, budget: Budget) -> Vec<Case> {
        let series = |window: &str, millionths: u64| {
            let name = format!("{}{{component=\"{component}\"}}", record(slo, window));
            (name, format!("{}x30", decimal(millionths, 6)))
        };
        let mut cases = Vec::new();
        for (speed, long, short) in self.possible(budget) {
            let limit = budget.at(*speed);
            // Not above everything.
            let above = (limit + limit / 10 + 1).min(10 * WHOLE);
            let below = limit - limit / 10;
            for (of_long, of_short, firing) in [
                (above, above, 1),
                (below, below, 0),
                (above, below, 0),
                (below, above, 0),
            ] {
                cases.push(Case {
                    series: BTreeMap::from([series(long, of_long), series(short, of_short)]),
                    interval: "1m".to_owned(),
                    at: "25m".to_owned(),
                    firing,
                });
            }
        }
        cases
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::promql::Query;

    #[test]
    fn budgets_are_exact() {
        for (objective, ratio) in [
            ("99.5", "0.005"),
            ("99", "0.01"),
            ("99.95", "0.0005"),
            ("99.999", "0.00001"),
            ("90", "0.1"),
            ("0.1", "0.999"),
        ] {
            let budget = Budget::of(objective).map(Budget::ratio);
            assert_eq!(budget.as_deref(), Some(ratio), "{objective}");
        }
        for bad in [
            "100", "0", "0.0", "-1", "99.", ".5", "99.9999", "1e1", "", "100.0", "99,5",
        ] {
            assert_eq!(Budget::of(bad), None, "{bad}");
        }
    }

    #[test]
    fn conditions_are_queries_that_can_hold() {
        for objective in ["99.9", "95", "50"] {
            let budget = Budget::of(objective).expect("an objective");
            for speed in &SPEEDS {
                let Some(condition) = speed.condition("queries", budget) else {
                    continue;
                };
                assert!(Query::parse(&condition).is_ok(), "{condition}");
                let cases = speed.cases("queries", "dremio", budget);
                assert!(cases.iter().any(|case| case.firing == 1));
                assert!(cases.iter().any(|case| case.firing == 0));
            }
        }
        let half = Budget::of("50").expect("an objective");
        // More than everything cannot fail.
        assert_eq!(SPEEDS[0].condition("queries", half), None);
        assert_eq!(
            SPEEDS[1].condition("queries", half).as_deref(),
            Some(
                "(component:slo_queries_errors:ratio_rate3d > 1 * 0.5 and component:slo_queries_errors:ratio_rate6h > 1 * 0.5)"
            )
        );
    }
}
