//! Receivers of alerts where nothing sends any.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;

static RULE: Rule = Rule {
    code: "unsent-alerts",
    severity: Severity::Warning,
    summary: "alerts have receivers, but nothing sends them",
    why: "One component finds out that something is wrong, another tells people. Without that one, alerts are only seen by \
          those who look.",
    fix: "Add a component that provides `alerts`, or take the receivers out of this environment.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let alerting = &platform.alerting;
    // Where nothing is watched there are no alerts, and a table of the whole platform does no harm.
    let (Some(watcher), None, Some(place)) = (&alerting.watcher, &alerting.sender, &alerting.place)
    else {
        return;
    };
    if alerting.receivers.is_empty() {
        return;
    }
    findings.push(
        Finding::new(
            &RULE,
            place.clone(),
            "no component sends alerts to these receivers",
        )
        .cause(format!(
            "`{watcher}` makes alerts, and nothing here provides `alerts`"
        ))
        .help(
            "add a component that provides `alerts`, or take the receivers out of this environment",
        ),
    );
}
