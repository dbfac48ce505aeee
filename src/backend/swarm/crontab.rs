//! The crontab of a Swarm bundle, for one of its managers: a Swarm has no clock of its own.

use super::Plan;
use crate::backend::docker::crontab;

/// Renders the crontab, if there is anything to run.
pub(super) fn render(plan: &Plan<'_>) -> Option<String> {
    // `run.sh` itself ends a run that takes too long.
    crontab::render(plan.platform, &plan.project, |service, _| {
        format!("./run.sh {}", service.name)
    })
}
