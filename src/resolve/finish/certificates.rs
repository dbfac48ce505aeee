//! Certificates: which names each bears, and which services are handed it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::service::hosts;
use super::*;
use crate::platform::{Certificate, Endpoint, Flow, PUBLIC, Service};
use crate::terms::{Encryption, PublicTls, ServicesTls, Target};

/// The name by which a machine reaches itself: probes and tools inside a container use it.
const LOCAL: &str = "localhost";

impl Finish<'_, '_, '_> {
    /// Lists the certificates that services are handed, by name.
    pub(super) fn certificates(
        &self,
        services: &[Service],
        endpoints: &[Endpoint],
    ) -> Vec<Certificate> {
        let environment = &self.resolver.environment;
        let mut certificates: BTreeMap<&str, Certificate> = BTreeMap::new();
        for (at, service) in services.iter().enumerate() {
            let Some(used) = &service.certificate else {
                continue;
            };
            let public = used.name == PUBLIC;
            let certificate = certificates
                .entry(&used.name)
                .or_insert_with(|| Certificate {
                    name: used.name.clone(),
                    names: if public {
                        let hosts = endpoints
                            .iter()
                            .filter_map(|endpoint| endpoint.host.clone());
                        let all: BTreeSet<String> =
                            hosts.chain([environment.domain.clone()]).collect();
                        all.into_iter().collect()
                    } else {
                        self.own_names(at, services)
                    },
                    public,
                    given: public
                        && matches!(
                            environment.tls.public,
                            Some(PublicTls::Own | PublicTls::Acme)
                        ),
                    asked: public && environment.tls.public == Some(PublicTls::Acme),
                    keystore: used.keystore,
                    services: Vec::new(),
                    place: service.place.clone(),
                });
            certificate.services.push(at);
        }
        certificates.into_values().collect()
    }

    /// Finds the services that connect to others by TLS and verify whom they reach, and those whose clusters they run in.
    pub(super) fn trusting(&self, flows: &[Flow]) -> BTreeSet<usize> {
        let environment = &self.resolver.environment;
        if environment.tls.services != Some(ServicesTls::Internal) {
            return BTreeSet::new();
        }
        let encrypted = flows
            .iter()
            .filter(|flow| flow.encryption == Encryption::Tls);
        encrypted
            .flat_map(|flow| {
                let cluster = self.drafts[self.component_at(flow.from)].inside;
                [Some(flow.from), cluster.and_then(|at| self.host_of(at))]
            })
            .flatten()
            .collect()
    }

    /// Lists the names by which others reach a service and its replicas, its own first, and those of what passes connections
    /// on to it: they are what it is asked for.
    fn own_names(&self, at: usize, services: &[Service]) -> Vec<String> {
        let component = self.component_at(at);
        let spec = self.sized_of(at).1.workload.certificate.as_ref();
        let before = spec.into_iter().flat_map(|spec| &spec.names);
        let before = before.filter_map(|key| self.position(component, key));
        let mut names: Vec<String> = Vec::new();
        for service in [at].into_iter().chain(before) {
            names.extend(self.names_of_service(&services[service]));
        }
        names.push(LOCAL.to_owned());
        names
    }

    fn names_of_service(&self, service: &Service) -> Vec<String> {
        let target = self.resolver.environment.target;
        // Where load decides how many replicas there are, any of them must be able to show it.
        let replicas = match target {
            Target::Kubernetes => service.replicas.max,
            Target::Compose | Target::Swarm => service.replicas.min,
        };
        let own = service.host().to_owned();
        let mut names = vec![own.clone()];
        if target == Target::Swarm {
            // The addresses of all replicas, where the name alone is that of a load balancer.
            names.push(format!("tasks.{own}"));
        }
        let members = hosts(&service.name, service.members, replicas, target);
        names.extend(members.into_iter().filter(|name| *name != own));
        names
    }
}
