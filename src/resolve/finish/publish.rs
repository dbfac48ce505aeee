//! Publishing: addresses that people reach, and what the proxy forwards.

use std::collections::BTreeMap;

use super::super::service::hosts;
use super::super::trace::Explained;
use super::*;
use crate::blueprint::expression::Names;
use crate::platform::{Edge, Endpoint, Port, Service};
use crate::terms::{Protocol, Publish};
use crate::value::Value;

impl<'f> Finish<'f, '_, '_> {
    pub(super) fn the_edge(&mut self) -> Option<Edge> {
        if self.resolver.environment.has_gateway() {
            let published = self
                .sized
                .iter()
                .flat_map(|all| all.iter())
                .flat_map(|sized| sized.ports.values())
                .any(|port| matches!(port.publish, Some(Publish::Web | Publish::Tcp)));
            return published.then(|| Edge {
                service: None,
                scheme: "https".to_owned(),
                port: 443,
            });
        }
        let (component, provide) = self.edge.clone()?;
        let model = &self.drafts[component].blueprint.model.provides[&provide];
        let names = Names::new(&self.drafts[component].base);
        let scheme = model
            .values
            .get("scheme")
            .and_then(|scheme| scheme.parsed.fill_text(&names).ok())
            .unwrap_or_else(|| "http".to_owned());
        // The proxy is chosen before services have names; a text that needs them is reported below.
        let key = model.service.parsed.fill_text(&names).unwrap_or_default();
        let service = self.position(component, &key);
        let port = service.and_then(|_| {
            let sized = self.sized[component]
                .iter()
                .find(|sized| sized.key == key)?;
            sized.ports.get(&self.provided_port(component, &provide))
        });
        match (service, port) {
            (Some(service), Some(port)) => Some(Edge {
                service: Some(service),
                scheme,
                port: port.listen.unwrap_or(port.number),
            }),
            _ => {
                let place = self.drafts[component]
                    .blueprint
                    .place(["provides", &provide]);
                self.report(
                    place,
                    format!("`{provide}` names a service or port that does not run"),
                );
                None
            }
        }
    }

    /// Lists what is reached from outside, and each component's public addresses by service and port.
    pub(super) fn endpoints(&mut self, edge: Option<&Edge>) -> (Vec<Endpoint>, Vec<Urls>) {
        let mut endpoints = Vec::new();
        let mut urls = vec![BTreeMap::new(); self.drafts.len()];
        let mut findings = Vec::new();
        let locale = self.resolver.environment.locale;
        let domain = self.resolver.environment.domain.clone();
        let Some(edge) = edge else {
            return (endpoints, urls);
        };
        for (at, all) in self.sized.iter().enumerate() {
            let draft = &self.drafts[at];
            for (position, sized) in all.iter().enumerate() {
                for (name, port) in &sized.ports {
                    let spec = &sized.workload.ports[name];
                    let title = spec.title.as_ref().map_or_else(
                        || format!("{} {name}", draft.name),
                        |title| title.get(locale).to_owned(),
                    );
                    let (url, host) = match port.publish {
                        Some(Publish::Web) => {
                            let host =
                                format!("{}.{domain}", spec.host.as_deref().unwrap_or(&draft.name));
                            let standard = matches!(
                                (edge.scheme.as_str(), edge.port),
                                ("http", 80) | ("https", 443)
                            );
                            let port = if standard {
                                String::new()
                            } else {
                                format!(":{}", edge.port)
                            };
                            (format!("{}://{host}{port}", edge.scheme), Some(host))
                        }
                        Some(Publish::Tcp) => (
                            format!("{domain}:{}", port.listen.unwrap_or(port.number)),
                            None,
                        ),
                        _ => continue,
                    };
                    urls[at]
                        .entry(sized.key.to_owned())
                        .or_insert_with(BTreeMap::new)
                        .insert(name.clone(), url.clone());
                    let names = Names::new(&draft.base);
                    let mut of_port = |field: &str, written: Option<&String>| {
                        let place =
                            draft
                                .blueprint
                                .place([sized.table(), sized.key, "ports", name, field]);
                        quantity(written, &names, place, &mut findings)
                    };
                    let timeout = of_port("timeout", spec.timeout.as_ref());
                    let max_body = of_port("max_body", spec.max_body.as_ref());
                    let path = format!("{}.{}.url", draft.name, sized.key);
                    self.resolver.trace.record(
                        || path,
                        || {
                            Explained::one(
                                &url,
                                "from the domain and the proxy's port",
                                port.place.clone(),
                            )
                            .using(vec!["domain".to_owned()])
                        },
                    );
                    endpoints.push(Endpoint {
                        service: self.first[at] + position,
                        port: name.clone(),
                        title,
                        url,
                        host,
                        listen: port.listen,
                        timeout: timeout.map_or(ANSWER_TIME, Seconds),
                        max_body: max_body.map_or(LARGEST_BODY, Bytes),
                        sticky: spec.sticky,
                        place: draft.place.clone(),
                    });
                }
            }
        }
        self.resolver.findings.append(&mut findings);
        endpoints
            .sort_by(|left, right| (&left.url, left.service).cmp(&(&right.url, right.service)));
        (endpoints, urls)
    }

    /// Lists what the proxy forwards.
    pub(super) fn routes(&self, endpoints: &[Endpoint]) -> Value {
        let mut routes = Vec::new();
        for endpoint in endpoints {
            let at = self.component_at(endpoint.service);
            let sized = &self.sized[at][endpoint.service - self.first[at]];
            let spec = &sized.workload.ports[&endpoint.port];
            let port = &sized.ports[&endpoint.port];
            let required = self.edge.as_ref().is_none_or(|(edge, _)| {
                let profile = &self.drafts[at].profile;
                let mut profiles = self.resolver.environment.profiles.iter();
                !profiles.any(|profile| profile.stops.contains(&at))
                    && (profile.is_none() || *profile == self.drafts[*edge].profile)
            });
            let members = sized.members;
            let (upstreams, replicas) = if self.drafts[at].guest {
                // The service that the cluster is in answers to its name.
                (vec![sized.name.clone()], 1)
            } else if members {
                let target = self.resolver.environment.target;
                (hosts(&sized.name, true, sized.replicas.min, target), 1)
            } else {
                (vec![sized.name.clone()], sized.replicas.max)
            };
            routes.push(Value::table([
                (
                    "kind",
                    Value::from(if endpoint.host.is_some() {
                        "web"
                    } else {
                        "tcp"
                    }),
                ),
                ("component", Value::from(self.drafts[at].name.as_str())),
                ("service", Value::from(sized.name.as_str())),
                ("host", Value::from(endpoint.host.clone())),
                ("listen", Value::from(endpoint.listen.map(u64::from))),
                ("upstream", Value::from(sized.name.as_str())),
                ("port", Value::from(u64::from(port.number))),
                ("protocol", Value::from(port.protocol.word())),
                ("tls", Value::Bool(port.tls)),
                ("upstreams", Value::from(upstreams)),
                ("replicas", Value::from(replicas)),
                ("websocket", Value::Bool(spec.websocket)),
                ("timeout", Value::from(endpoint.timeout.0)),
                ("max_body", Value::from(endpoint.max_body.0)),
                ("sticky", Value::Bool(endpoint.sticky)),
                ("check", Value::from(spec.check.clone())),
                ("buffering", Value::Bool(spec.buffering)),
                ("title", Value::from(endpoint.title.as_str())),
                ("url", Value::from(endpoint.url.as_str())),
                ("required", Value::Bool(required)),
            ]));
        }
        Value::List(routes)
    }
}

/// Adds the ports on which the proxy passes other protocols than the web's on.
pub(super) fn publish_streams(proxy: &mut Service, endpoints: &[Endpoint]) {
    for endpoint in endpoints {
        if let (None, Some(listen)) = (&endpoint.host, endpoint.listen) {
            proxy.ports.insert(
                format!("stream-{listen}"),
                Port {
                    number: listen,
                    protocol: Protocol::Tcp,
                    publish: Some(Publish::Host),
                    listen: Some(listen),
                    tls: proxy.certificate.is_some(),
                    mutual: false,
                    clear: None,
                    place: endpoint.place.clone(),
                },
            );
        }
    }
}
