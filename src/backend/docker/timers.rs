//! Timers of a bundle for an engine, where systemd is its clock: a service and a timer for each scheduled job.

use crate::cron::Schedule;
use crate::platform::{Kind, Platform, Service};
use crate::template::header;
use crate::units::Seconds;

/// The folder of the units.
pub(crate) const FOLDER: &str = "systemd";

/// How long a job may take to end once its own time is over.
const GRACE: u64 = 600;

/// Renders the units, by their names. The command that runs a job ends it itself where it can.
pub(super) fn render(
    platform: &Platform,
    project: &str,
    command: impl Fn(&Service, Option<Seconds>) -> String,
) -> Vec<(String, String)> {
    let mut units = Vec::new();
    let services = platform.services.iter();
    for service in services.filter(|service| service.inside.is_none()) {
        let Kind::Scheduled {
            schedule, timeout, ..
        } = &service.kind
        else {
            continue;
        };
        // What is no schedule was a finding before.
        let Some(events) = Schedule::parse(schedule).map(|schedule| schedule.calendar()) else {
            continue;
        };
        let head = format!("# {}", header("the topology"));
        let what = format!("{}: {}", platform.name, service.name);
        let limit = timeout.map_or_else(
            || "infinity".to_owned(),
            |limit| (limit.0 + GRACE).to_string(),
        );
        let name = format!("{project}-{}", service.name);
        let command = command(service, *timeout);
        units.push((
            format!("{name}.service"),
            // systemd itself starts no run while another is under way.
            format!(
                "{head}\n[Unit]\nDescription={what}\nAfter=docker.service\n\n[Service]\nType=oneshot\n\
                 WorkingDirectory=/opt/{project}\nExecStart=/usr/bin/env {command}\nTimeoutStartSec={limit}\n"
            ),
        ));
        let events: String = events
            .iter()
            .map(|event| format!("OnCalendar={event}\n"))
            .collect();
        // A copy that was missed while the machine was off is made when it is on again.
        let missed = service.backup.map_or("", |_| "Persistent=true\n");
        units.push((
            format!("{name}.timer"),
            format!(
                "{head}\n[Unit]\nDescription={what}\n\n[Timer]\n{events}{missed}\n[Install]\nWantedBy=timers.target\n"
            ),
        ));
    }
    units
}
