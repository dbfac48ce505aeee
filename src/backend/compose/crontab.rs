//! The crontab of a Compose bundle: scheduled jobs, each run by the engine when cron says so.

use crate::platform::{Kind, Platform};

use crate::template::header;

/// Renders the crontab, if there is anything to run.
pub(super) fn render(platform: &Platform, project: &str) -> Option<String> {
    let mut lines = String::new();
    let services = platform.services.iter();
    for service in services.filter(|service| service.inside.is_none()) {
        let Kind::Scheduled {
            schedule, timeout, ..
        } = &service.kind
        else {
            continue;
        };
        let limit = timeout.map_or_else(String::new, |limit| format!("timeout {} ", limit.0));
        // A run that is not over yet is not joined by another.
        lines.push_str(&format!(
            "{schedule} cd \"$BUNDLE\" && flock -n \"/tmp/{project}-{name}.lock\" {limit}docker compose run --rm --no-deps {name} 2>&1 | logger -t {project}-{name}\n",
            name = service.name,
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
