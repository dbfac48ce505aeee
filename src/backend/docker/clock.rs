//! The clock of a bundle for an engine, which has none: scheduled jobs, each run when cron or systemd says so.

use super::timers;
use crate::backend::Files;
use crate::platform::{Kind, Platform, Service};
use crate::template::header;
use crate::terms::Scheduler;
use crate::units::Seconds;

/// Adds what starts jobs at their times. The command that runs a job may be told how long a run may take.
pub(crate) fn add(
    platform: &Platform,
    project: &str,
    command: impl Fn(&Service, Option<Seconds>) -> String,
    files: &mut Files,
) {
    let place = &platform.environment.place;
    match platform.environment.scheduler {
        Scheduler::Cron => {
            if let Some(text) = render(platform, project, command) {
                files.add("crontab", text, false, place);
            }
        }
        Scheduler::Systemd => {
            for (name, text) in timers::render(platform, project, command) {
                files.add(&format!("{}/{name}", timers::FOLDER), text, false, place);
            }
        }
    }
}

/// Renders the crontab, if there is anything to run.
fn render(
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
