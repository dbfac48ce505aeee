//! The crontab of a bundle for an engine: scheduled jobs, each run when cron says so.

use crate::platform::{Kind, Platform, Service};
use crate::template::header;
use crate::units::Seconds;

/// Renders the crontab, if there is anything to run. The command that runs a job may be told how long a run may take.
pub(crate) fn render(
    platform: &Platform,
    project: &str,
    command: impl Fn(&Service, Option<Seconds>) -> String,
) -> Option<String> {
    let mut lines = String::new();
    let services = platform.services.iter();
    for service in services.filter(|service| service.inside.is_none()) {
        let Kind::Scheduled {
            schedule, timeout, ..
        } = &service.kind
        else {
            continue;
        };
        // A run that is not over yet is not joined by another.
        lines.push_str(&format!(
            "{schedule} cd \"$BUNDLE\" && flock -n \"/tmp/{project}-{name}.lock\" {command} 2>&1 | logger -t {project}-{name}\n",
            name = service.name,
            command = command(service, *timeout),
        ));
    }
    (!lines.is_empty()).then(|| {
        format!(
            "# {}\n# Set BUNDLE to this folder, then install it for a user who may use Docker: crontab crontab\n\
             SHELL=/bin/sh\nPATH=/usr/local/bin:/usr/bin:/bin\nBUNDLE=/opt/{project}\n{lines}",
            header("the topology")
        )
    })
}
