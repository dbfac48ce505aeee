//! Certificates: which names each bears, and which services are handed it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::service::hosts;
use super::*;
use crate::platform::{Certificate, Endpoint, PUBLIC, Service};
use crate::terms::{PublicTls, Target};

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
                        self.own_names(service)
                    },
                    public,
                    given: public && environment.tls.public == Some(PublicTls::Own),
                    services: Vec::new(),
                    place: service.place.clone(),
                });
            certificate.services.push(at);
        }
        certificates.into_values().collect()
    }

    /// Lists the names by which others reach a service and its replicas, its own first.
    fn own_names(&self, service: &Service) -> Vec<String> {
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
        names.push(LOCAL.to_owned());
        names
    }
}
