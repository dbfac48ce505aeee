//! Services that wait for each other.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;

static RULE: Rule = Rule {
    code: "start-cycle",
    severity: Severity::Error,
    summary: "services wait for each other and none can start",
    why: "A service starts when what it needs is healthy. In a circle of such waits nothing ever is.",
    fix: "Let one of them start without waiting (`start = \"none\"` of a need in its blueprint), or bind one of the needs \
          to another provider.",
    allowable: false,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Open,
    Done,
}

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let mut state = vec![State::New; platform.services.len()];
    for start in 0..platform.services.len() {
        if state[start] != State::New {
            continue;
        }
        // Depth first, with the path kept by hand: a long chain must not exhaust the stack.
        let mut path = vec![(start, 0)];
        state[start] = State::Open;
        while let Some((at, next)) = path.last_mut() {
            let Some(after) = platform.services[*at].start_after.get(*next) else {
                state[*at] = State::Done;
                path.pop();
                continue;
            };
            *next += 1;
            match state[after.service] {
                State::New => {
                    state[after.service] = State::Open;
                    path.push((after.service, 0));
                }
                State::Open => {
                    let from = path
                        .iter()
                        .position(|(service, _)| *service == after.service)
                        .unwrap_or(0);
                    let circle: Vec<usize> =
                        path[from..].iter().map(|(service, _)| *service).collect();
                    findings.push(report(platform, &circle));
                }
                State::Done => {}
            }
        }
    }
}

fn report(platform: &Platform, circle: &[usize]) -> Finding {
    let names: Vec<String> = circle
        .iter()
        .chain(circle.first())
        .map(|service| format!("`{}`", platform.services[*service].name))
        .collect();
    let first = platform.component_of(&platform.services[circle[0]]);
    Finding::new(
        &RULE,
        first.place.clone(),
        format!(
            "services wait for each other: {}",
            names.join(" waits for ")
        ),
    )
    .component(first.name.clone())
}
