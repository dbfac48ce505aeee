//! Schedules that cannot meet the recovery point.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;

static RULE: Rule = Rule {
    code: "backup-too-rare",
    severity: Severity::Error,
    summary: "the schedule of backups cannot meet the recovery point",
    why: "What was written since the last copy is lost with the system. The longest time between two runs of the schedule is \
          the least that can be promised.",
    fix: "Let backups run more often, or promise less.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    for component in &platform.components {
        let Some(plan) = &component.backup else {
            continue;
        };
        let (point, place) = &plan.recovery_point;
        if plan.interval.0 <= point.0 {
            continue;
        }
        findings.push(
            Finding::new(
                &RULE,
                place.clone(),
                format!(
                    "`{}` may lose {point} at most, and up to {} pass between two copies",
                    component.name, plan.interval
                ),
            )
            .related(
                plan.schedule.1.clone(),
                format!("the schedule: {}", plan.schedule.0),
            )
            .help("let `schedule` run more often, or raise `recovery_point`")
            .component(component.name.clone()),
        );
    }
}
