//! A backup and a drill that begin at the same minute.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;

static RULE: Rule = Rule {
    code: "backup-collision",
    severity: Severity::Warning,
    summary: "a backup and its drill begin at the same time",
    why: "Only one of them can have the copies of a component at a time: the other gives up, and whether there is a new copy \
          that day is left to chance.",
    fix: "Let the drill begin when the backup is surely over, and end before the next one.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    for component in &platform.components {
        let Some(plan) = component.backup.as_ref().filter(|plan| plan.collides) else {
            continue;
        };
        let Some((drill, _, place)) = &plan.drill else {
            continue;
        };
        findings.push(
            Finding::new(
                &RULE,
                place.clone(),
                format!(
                    "the drill of `{}` (`{drill}`) begins together with its backup (`{}`)",
                    component.name, plan.schedule.0
                ),
            )
            .related(plan.schedule.1.clone(), "the backup")
            .help("set `drill` to another hour")
            .component(component.name.clone()),
        );
    }
}
