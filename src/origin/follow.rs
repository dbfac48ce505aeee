//! The ways of `rules.toml`, followed: from the name of a thing to the place where it is said.

use std::collections::BTreeMap;

use super::{Origin, Origins, Precision, Subject};
use crate::platform::rules::Alert;
use crate::platform::{FlowReason, Volume};
use crate::source::{FileId, KeyPath, Place};

impl Origins<'_> {
    /// Follows one way to an origin, if there is one.
    pub(super) fn follow(
        &self,
        from: &str,
        names: &BTreeMap<String, String>,
        subject: Subject<'_>,
        listed: Option<&str>,
    ) -> Option<Origin> {
        let (how, rest) = from.split_once(':').unwrap_or((from, ""));
        let mut what = rest.to_owned();
        let own = [
            (
                "component",
                subject.component.map(|component| component.name.as_str()),
            ),
            ("key", subject.service.map(|service| service.key.as_str())),
            (
                "volume_key",
                names
                    .get("volume")
                    .and_then(|name| Some(self.volume_named(name)?.key.as_str())),
            ),
        ];
        let named = names
            .iter()
            .map(|(name, value)| (name.as_str(), Some(value.as_str())));
        for (name, value) in own.into_iter().chain(named) {
            what = what.replace(&format!("{{{name}}}"), value.unwrap_or_default());
        }
        let part = |place: &Place| Some(Origin::new(Precision::Part, place.clone()));
        let exact = |place: &Place| Some(Origin::new(Precision::Exact, place.clone()));
        match how {
            "value" => {
                let explained = self.trace.get(&what)?;
                let places = explained.steps.iter().map(|step| step.place.clone());
                Some(Origin {
                    precision: Precision::Exact,
                    places: places.collect(),
                    value: Some(what),
                })
            }
            "workload" => {
                let (service, component) = (subject.service?, subject.component?);
                let blueprint = self.blueprints.get(&component.blueprint)?;
                ["services", "jobs"].into_iter().find_map(|table| {
                    let start = [table, &service.key].into_iter().map(str::to_owned);
                    let path = KeyPath::of(start.chain(what.split('.').map(str::to_owned)));
                    self.within(blueprint.file, path)
                })
            }
            "blueprint" => {
                let blueprint = self.blueprints.get(&subject.component?.blueprint)?;
                self.within(blueprint.file, KeyPath::of(what.split('.')))
            }
            "environment" => {
                let name = &self.platform.environment.name;
                let start = ["environments", name].into_iter();
                self.within(self.topology, KeyPath::of(start.chain(what.split('.'))))
            }
            "topology" => self.within(self.topology, KeyPath::of(what.split('.'))),
            "image" => exact(&subject.service?.image.place),
            "replicas" => exact(&subject.service?.replicas.place),
            "service" => subject
                .service
                .map(|service| Origin::new(Precision::Whole, service.place.clone())),
            "component" => part(&subject.component?.place),
            "volume" => {
                let volume = self.volume_named(names.get("volume")?)?;
                part(&volume.place)
            }
            "volumes" => part(&subject.component?.volumes.first()?.place),
            "secret" => self.by_secret(names.get("secret")?),
            "host" => {
                let name = names.get("host")?;
                let mut hosts = self.platform.environment.hosts.iter();
                part(&hosts.find(|host| host.name == *name)?.place)
            }
            "endpoint" => {
                let (service, port) = names.get("endpoint")?.split_once('/')?;
                let mut endpoints = self.platform.endpoints.iter();
                let endpoint = endpoints.find(|endpoint| {
                    self.platform.services[endpoint.service].name == service
                        && endpoint.port == port
                });
                part(&endpoint?.place)
            }
            "certificate" => {
                let name = names.get("certificate")?;
                let mut certificates = self.platform.certificates.iter();
                part(&certificates.find(|own| own.name == *name)?.place)
            }
            "operator" => {
                let name = names.get("operator")?;
                let mut components = self.platform.components.iter();
                let user = components.find(|one| one.operators.contains_key(name))?;
                part(&user.place)
            }
            "flow" => {
                let (from, rest) = names.get("flow")?.split_once(" to ")?;
                let (to, port) = rest.rsplit_once('/')?;
                self.by_flow(from, to, Some(port))
            }
            "connection" => self.by_flow(names.get("from")?, names.get("to")?, None),
            "alert" => {
                let (_, name) = names.get("alert")?.rsplit_once('/')?;
                let key = names.get("key").map_or("", String::as_str);
                self.alert_part(self.alert_named(name)?, key)
            }
            "input" => match names.get("name")?.split_once(' ') {
                Some(("blueprint", name)) => {
                    let file = self.blueprints.get(name)?.file;
                    exact(&Place::File { file })
                }
                _ => exact(&Place::File {
                    file: self.topology,
                }),
            },
            "file" => self.by_listed(names.get("path")?),
            "config" => {
                let name = names.get("config")?;
                let owner = self.platform.services.iter().find_map(|service| {
                    let mut files = service.files.values();
                    files
                        .find(|file| {
                            name.contains(&file.source.replace('/', "_"))
                                && name.starts_with(&self.platform.component_of(service).name)
                        })
                        .map(|_| service)
                });
                let subject = self.of_service(owner?);
                self.follow("workload:files", names, subject, listed)
            }
            "network" => self.by_network(
                names.get("network").map(String::as_str).or(listed)?,
                subject,
            ),
            _ => None,
        }
    }

    /// Finds the volume of this name, or one whose copies are numbered.
    fn volume_named(&self, name: &str) -> Option<&Volume> {
        let mut volumes = self.platform.components.iter().flat_map(|one| &one.volumes);
        volumes.find(|volume| {
            name.strip_prefix(&volume.name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    }

    /// Finds what a network is there for: `a-to-b`, `a-internal`, `a-egress`.
    fn by_network(&self, name: &str, subject: Subject<'_>) -> Option<Origin> {
        let component = |name: &str| {
            let mut all = self.platform.components.iter();
            all.find(|component| component.name == name)
        };
        let service = |name: &str| {
            let mut all = self.platform.services.iter();
            all.find(|service| service.name == name)
        };
        if let Some((from, to)) = name.split_once("-to-")
            && let Some(origin) = self.by_flow(from, to, None)
        {
            return Some(origin);
        }
        let owner = name.rsplit_once('-').and_then(|(owner, _)| {
            Some(component(owner)?.place.clone()).or_else(|| Some(service(owner)?.place.clone()))
        });
        let place = owner.or_else(|| Some(subject.service?.place.clone()))?;
        Some(Origin::new(Precision::Part, place))
    }

    /// Finds why one service or component connects to another: the need, or else the port.
    fn by_flow(&self, from: &str, to: &str, port: Option<&str>) -> Option<Origin> {
        let is = |at: usize, name: &str| {
            let service = &self.platform.services[at];
            service.name == name || self.platform.component_of(service).name == name
        };
        let mut flows = self.platform.flows.iter();
        let flow = flows.find(|flow| {
            is(flow.from, from) && is(flow.to, to) && port.is_none_or(|port| flow.port == port)
        })?;
        if let FlowReason::Need(need) = &flow.reason {
            let from = self.of_service(&self.platform.services[flow.from]);
            let names = BTreeMap::from([("need".to_owned(), need.clone())]);
            let ways = ["value:{component}.needs.{need}", "blueprint:needs.{need}"];
            return ways
                .iter()
                .find_map(|way| self.follow(way, &names, from, None));
        }
        let to = &self.platform.services[flow.to];
        let port = to.ports.get(&flow.port)?;
        Some(Origin::new(Precision::Part, port.place.clone()))
    }

    /// Finds the alert of this name.
    pub(super) fn alert_named(&self, name: &str) -> Option<&Alert> {
        let components = self.platform.components.iter();
        let mut alerts = components
            .flat_map(|component| &component.rules.alerts)
            .chain(&self.platform.own_alerts);
        alerts.find(|alert| alert.name == name)
    }

    /// Returns the place of an alert's key, or that of the alert.
    pub(super) fn alert_part(&self, alert: &Alert, key: &str) -> Option<Origin> {
        let Place::Path { file, path, .. } = &alert.place else {
            return Some(Origin::new(Precision::Part, alert.place.clone()));
        };
        let whole = path.clone().key(key);
        let known = self.depth(*file, &whole) == whole.segments().len();
        let precision = if known {
            Precision::Exact
        } else {
            Precision::Part
        };
        Some(Origin::new(precision, Place::value(*file, whole)))
    }

    /// Says what a file of the bundle was made from: a blueprint's file, or the component that its folder belongs to.
    fn by_listed(&self, path: &str) -> Option<Origin> {
        let text = self.bundle.get(path);
        let text = text.and_then(|file| std::str::from_utf8(&file.bytes).ok());
        if let Some((blueprint, name)) = text.and_then(|text| self.source(path, text)) {
            let file = blueprint.files.get(&name).copied();
            let file = file.unwrap_or(blueprint.file);
            return Some(Origin::new(Precision::Part, Place::File { file }));
        }
        let component = self.component_of_path(path)?;
        Some(Origin::new(Precision::Part, component.place.clone()))
    }

    /// Finds who reads a secret first.
    fn by_secret(&self, name: &str) -> Option<Origin> {
        let secret = self.platform.secrets.iter().find(|secret| {
            name.strip_prefix(&secret.name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("-v"))
        })?;
        let reader = self
            .platform
            .services
            .iter()
            .find(|service| service.secrets.contains(&secret.name))?;
        Some(Origin::new(Precision::Part, reader.place.clone()))
    }

    /// Returns the place of a path that a file has.
    fn within(&self, file: FileId, path: KeyPath) -> Option<Origin> {
        let known = self.depth(file, &path) == path.segments().len();
        known.then(|| Origin::new(Precision::Part, Place::value(file, path)))
    }
}
