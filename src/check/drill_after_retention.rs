//! Copies that are deleted before any drill could have proved them.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;

static RULE: Rule = Rule {
    code: "drill-after-retention",
    severity: Severity::Warning,
    summary: "copies are deleted sooner than drills look at them",
    why: "A drill tells since when copies are no good. If none from before it is left by then, nothing can be restored.",
    fix: "Keep copies for longer than the time from one drill to the next, or let drills run more often.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

const DAY: u64 = 24 * 3600;

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    for component in &platform.components {
        let Some(plan) = &component.backup else {
            continue;
        };
        let Some((drill, gap, place)) = &plan.drill else {
            continue;
        };
        // Of a month that is over one copy is kept: it may be of its last day.
        let kept = plan
            .days
            .max(plan.weeks.saturating_sub(1) * 7)
            .max(plan.months.saturating_sub(1) * 28);
        if kept * DAY >= gap.0 {
            continue;
        }
        findings.push(
            Finding::new(
                &RULE,
                plan.retention_place.clone(),
                format!(
                    "copies of `{}` are kept for {kept} days, and up to {gap} pass between two drills",
                    component.name
                ),
            )
            .related(place.clone(), format!("the drill: {drill}"))
            .help("raise `retention`, or let `drill` run more often")
            .component(component.name.clone()),
        );
    }
}
