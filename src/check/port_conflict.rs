//! Two services that want the same port of a host.

use std::collections::BTreeMap;

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::source::Place;
use crate::terms::Publish;

static RULE: Rule = Rule {
    code: "port-conflict",
    severity: Severity::Error,
    summary: "two things want the same port",
    why: "A port of a host, and one of a container, belongs to one listener; the second does not start.",
    fix: "Change one of the ports in the component's options, or publish only one of them.",
    allowable: false,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    // Streams are listed by endpoint, so that each of two components that want one port is named.
    let mut seen: BTreeMap<u16, (String, Place)> = BTreeMap::new();
    let mut take = |port: u16, name: String, place: Place, findings: &mut Vec<Finding>| {
        if let Some((first, other)) = seen.insert(port, (name.clone(), place.clone())) {
            findings.push(
                Finding::new(
                    &RULE,
                    place,
                    format!("port {port} of the host is wanted by {first} and by {name}"),
                )
                .related(other, "the other one"),
            );
        }
    };
    for endpoint in &platform.endpoints {
        if let (None, Some(listen)) = (&endpoint.host, endpoint.listen) {
            take(
                listen,
                format!("`{}`", endpoint.title),
                endpoint.place.clone(),
                findings,
            );
        }
    }
    // What is reached across the border of a cluster inside a service has a port of that service to itself.
    let mut borders: BTreeMap<(usize, u16), Vec<usize>> = BTreeMap::new();
    for flow in &platform.flows {
        let to = &platform.services[flow.to];
        let (Some(host), Some(port)) = (to.inside, to.ports.get(&flow.port)) else {
            continue;
        };
        if platform.services[flow.from].inside == to.inside {
            continue;
        }
        let wanting = borders.entry((host, port.number)).or_default();
        if wanting.contains(&flow.to) {
            continue;
        }
        wanting.push(flow.to);
        if let [first, _, ..] = wanting.as_slice() {
            let component = platform.component_of(to);
            let first = &platform.services[*first];
            findings.push(
                Finding::new(
                    &RULE,
                    component.place.clone(),
                    format!(
                        "port {} of `{}` is wanted by `{}` and by `{}`, which run in it",
                        port.number, platform.services[host].name, first.name, to.name
                    ),
                )
                .related(platform.component_of(first).place.clone(), "the other one")
                .component(component.name.clone()),
            );
        }
    }
    for service in &platform.services {
        let component = platform.component_of(service);
        let mut hosts = service.placement.clone();
        hosts.sort_unstable();
        if let (true, Some(host)) = (
            service.has_host_ports(),
            hosts.windows(2).find(|pair| pair[0] == pair[1]),
        ) {
            findings.push(
                Finding::new(
                    &RULE,
                    component.place.clone(),
                    format!(
                        "two replicas of `{}` would have the ports of the host `{}`",
                        service.name, platform.environment.hosts[host[0]].name
                    ),
                )
                .related(service.replicas.place.clone(), "its number")
                .help("run at most one on each host, or declare more hosts")
                .component(component.name.clone()),
            );
        }
        let mut inside: BTreeMap<u16, &str> = BTreeMap::new();
        for (name, port) in &service.ports {
            if port.publish == Some(Publish::Host) && !name.starts_with("stream-") {
                let listen = port.listen.unwrap_or(port.number);
                take(
                    listen,
                    format!("`{}`", service.name),
                    component.place.clone(),
                    findings,
                );
            }
            if let Some(first) = inside.insert(port.number, name) {
                findings.push(
                    Finding::new(
                        &RULE,
                        component.place.clone(),
                        format!(
                            "`{}` listens twice on port {}: {first} and {name}",
                            service.name, port.number
                        ),
                    )
                    .component(component.name.clone()),
                );
            }
        }
    }
}
