//! Receivers that are never told anything.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::platform::alerting::{DEFAULT_RECEIVER, Pulse};

static RULE: Rule = Rule {
    code: "idle-receiver",
    severity: Severity::Warning,
    summary: "a receiver of alerts is told nothing",
    why: "Who is named as a receiver believes that alerts arrive. Without a route that names it, none ever does, and that \
          nothing is wrong cannot be told from that nobody was told.",
    fix: "Name it in a route, call it `default` so that it is told what no route takes, or remove it.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let alerting = &platform.alerting;
    for (at, receiver) in alerting.receivers.iter().enumerate() {
        let routed = alerting
            .routes
            .iter()
            .any(|route| route.receivers.contains(&at));
        let watches = alerting
            .heartbeat
            .as_ref()
            .is_some_and(|heartbeat| heartbeat.to == Pulse::Receiver(at));
        if routed || watches || alerting.fallback == Some(at) {
            continue;
        }
        findings.push(
            Finding::new(
                &RULE,
                receiver.place.clone(),
                format!("no route leads to the receiver `{}`", receiver.name),
            )
            .help(format!(
                "add a route: [[alerting.routes]] receivers = [\"{}\"]; or call the receiver `{DEFAULT_RECEIVER}`",
                receiver.name
            )),
        );
    }
}
