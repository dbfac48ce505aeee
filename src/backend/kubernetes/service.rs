//! Services: the names by which pods are found.

use k8s_openapi::api::core::v1::{Service as KubeService, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::Context;
use super::object::Object;
use super::pod::is_stateful;
use crate::names;
use crate::platform::{Port, Service, members_of};

/// Names the Service that gives each pod of a service a name of its own.
pub(super) fn members(service: &Service) -> String {
    members_of(&service.name)
}

/// Returns the name that a StatefulSet gives its pods' addresses under.
pub(super) fn governing(service: &Service) -> String {
    if service.members {
        members(service)
    } else {
        service.name.clone()
    }
}

/// Makes a port of a Service under its own number.
pub(super) fn port(name: &str, port: &Port) -> ServicePort {
    ServicePort {
        name: Some(names::port(name)),
        port: i32::from(port.number),
        protocol: Some("TCP".to_owned()),
        // Said, not guessed: the mesh waits for the first bytes of a connection whose protocol it must guess, and a server
        // that speaks first waits too.
        app_protocol: Some(port.protocol.word().to_owned()),
        ..ServicePort::default()
    }
}

/// Makes the Services of a service: one with an address, and one with a name for each pod where they are told apart.
pub(super) fn objects(context: &Context<'_>, service: &Service) -> Vec<Object> {
    if !service.is_ours() || service.ports.is_empty() || !service.kind.keeps_running() {
        return Vec::new();
    }
    let ports: Vec<ServicePort> = service
        .ports
        .iter()
        .map(|(name, port)| ServicePort {
            target_port: Some(IntOrString::String(names::port(name))),
            ..self::port(name, port)
        })
        .collect();
    let make = |name: String, headless: bool| {
        Object::new(&KubeService {
            metadata: context.meta(name, context.service_labels(service)),
            spec: Some(ServiceSpec {
                selector: Some(context.selector(service)),
                ports: Some(ports.clone()),
                cluster_ip: headless.then(|| "None".to_owned()),
                // Members find each other before they are ready: that is how they become ready.
                publish_not_ready_addresses: headless.then_some(true),
                ..ServiceSpec::default()
            }),
            ..KubeService::default()
        })
    };
    let mut objects = vec![make(service.name.clone(), false)];
    if service.members && is_stateful(service) {
        objects.push(make(members(service), true));
    }
    objects
}
