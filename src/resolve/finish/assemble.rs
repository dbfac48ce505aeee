//! Components: volumes, images and everything else that is not a workload.

use std::collections::{BTreeMap, BTreeSet};

use super::super::trace::Explained;
use super::super::{render, service};
use super::*;
use crate::blueprint::FAULTY_BLUEPRINT;
use crate::blueprint::expression::Names;
use crate::blueprint::model::MountSpec;
use crate::platform::{
    Account, Build, ClusterObject, Component, Content, GoneImage, Image, Notice, Operator, Service,
    Volume,
};
use crate::schema::MISSING_KEY;
use crate::terms::{DiskClass, StorageKind};
use crate::topology::layer::Sourced;
use crate::units::Bytes;
use crate::value::Value;

impl<'f> Finish<'f, '_, '_> {
    pub(super) fn component(
        &mut self,
        at: usize,
        scope: &Scope<'f>,
        urls: &Urls,
    ) -> (Component, Vec<Service>) {
        let keeping = self.keeping(at, scope);
        let draft = &self.drafts[at];
        let blueprint = &draft.blueprint;
        let model = &blueprint.model;
        let locale = self.resolver.environment.locale;
        let base = Names::new(&draft.base);
        let names = base.with(&scope.names);
        let (images, builds) = self.images(at, &names);
        let own = BTreeMap::from([(
            "images".to_owned(),
            Value::table(
                images
                    .iter()
                    .map(|(key, image)| (*key, Value::from(image.reference.as_str()))),
            ),
        )]);
        let names = names.with(&own);
        let context = render::context(&names);
        let mut services = Vec::new();
        for position in 0..self.sized[at].len() {
            services.push(self.service(at, position, &names, &context, &scope.volumes, &images));
        }
        let mut findings = Vec::new();
        let mut notices = Vec::new();
        let mut accounts = Vec::new();
        let mut objects = Vec::new();
        if draft.unsupported.is_none() {
            for (key, notice) in &model.notices {
                let place = || blueprint.place(["notices", key, "when"]);
                if !draft.holds(notice.when.as_ref(), &names, place, &mut findings) {
                    continue;
                }
                notices.push(Notice {
                    name: key.clone(),
                    level: notice.severity,
                    message: fill(
                        draft,
                        &notice.message,
                        &names,
                        &["notices", key, "message"],
                        &mut findings,
                    ),
                    help: notice.help.clone(),
                    source: notice.source.clone(),
                });
            }
            for (key, account) in &model.accounts {
                let place = || blueprint.place(["accounts", key, "when"]);
                if draft.holds(account.when.as_ref(), &names, place, &mut findings) {
                    accounts.push(Account {
                        user: fill(
                            draft,
                            &account.user,
                            &names,
                            &["accounts", key, "user"],
                            &mut findings,
                        ),
                        secret: match (&account.secret, &account.secret_of) {
                            (Some(secret), _) => Some(own_secret(&draft.name, secret)),
                            (None, Some(need)) => self.secret_of(at, need),
                            (None, None) => None,
                        },
                        purpose: account.purpose.get(locale).to_owned(),
                        url: urls.get(&account.service).and_then(service::web_url),
                    });
                }
            }
            for (key, object) in &model.objects {
                let place = || blueprint.place(["objects", key, "when"]);
                if draft.holds(object.when.as_ref(), &names, place, &mut findings) {
                    let origin = blueprint.place(["objects", key, "data"]);
                    let value = render::data_value(
                        self.resolver.sources,
                        blueprint,
                        &object.data,
                        &origin,
                        &names,
                        &mut findings,
                    );
                    let Some(content) = value else { continue };
                    let group = api_group(&content);
                    if needs_operator(group) && !model.operators.contains_key(group) {
                        let fault = format!("no operator is declared for the API group `{group}`");
                        findings
                            .push(Finding::new(&FAULTY_BLUEPRINT, origin, fault).help(format!(
                            "Add `[operators.\"{group}\"]` with the operator's name and version."
                        )));
                    }
                    objects.push(ClusterObject {
                        name: key.clone(),
                        content,
                        ready: object.ready.clone(),
                    });
                }
            }
        }
        let people = self.people(at, &names, &mut findings);
        let scripts = self.scripts(at, &names, &context, &mut findings);
        self.resolver.findings.append(&mut findings);
        let record = &mut *self.resolver.trace;
        record.record(
            || format!("{}.size", draft.name),
            || match draft.layered.and_then(|layered| layered.size.as_ref()) {
                Some(set) => {
                    Explained::one(set.value, "set", set.place.clone()).over(&set.replaced)
                }
                None => Explained::one(draft.size, "the environment's", draft.place.clone())
                    .using(vec!["size".to_owned()]),
            },
        );
        let component = Component {
            name: draft.name.clone(),
            place: draft.place.clone(),
            added_for: draft.added_for.clone(),
            blueprint: blueprint.name.clone(),
            version: draft.version.0.clone(),
            version_place: draft.version.1.clone(),
            tested: model.blueprint.version.tested.clone(),
            summary: model.blueprint.summary.get(locale).to_owned(),
            layer: model.blueprint.layer,
            zone: model.blueprint.zone,
            license: draft.license.clone(),
            edition: draft.edition.clone(),
            lacking: draft.lacking.clone(),
            profile: draft.profile.clone(),
            unsupported: draft.unsupported.clone(),
            options: draft.options.clone(),
            notices,
            gone: model
                .gone
                .iter()
                .map(|gone| GoneImage {
                    image: gone.image.clone(),
                    reason: gone.reason.clone(),
                    instead: gone.instead.clone(),
                })
                .collect(),
            notes: model
                .blueprint
                .notes
                .iter()
                .map(|note| note.get(locale).to_owned())
                .collect(),
            no_traces: model
                .blueprint
                .traces
                .as_ref()
                .map(|why| why.get(locale).to_owned()),
            accounts,
            people,
            volumes: scope
                .volumes
                .iter()
                .map(|(_, volume)| volume.clone())
                .collect(),
            builds,
            scripts,
            operators: model
                .operators
                .iter()
                .filter(|(group, _)| {
                    let mut used = objects.iter().map(|object| api_group(&object.content));
                    used.any(|used| used == *group)
                })
                .map(|(group, operator)| {
                    let operator = Operator {
                        name: operator.name.clone(),
                        version: operator.version.clone(),
                        help: operator.help.clone(),
                        labels: operator.labels.clone(),
                    };
                    (group.clone(), operator)
                })
                .collect(),
            objects,
            rules: self.rules[at].clone(),
            dashboard: self.dashboards[at].clone(),
            keeping,
            backup: draft.backup.clone(),
        };
        (component, services)
    }

    /// Returns the secret that a component's need is given, if it is bound.
    fn secret_of(&self, at: usize, need: &str) -> Option<String> {
        let mut bindings = self.by_consumer[at].iter().map(|at| &self.bindings[*at]);
        bindings
            .find(|binding| binding.need == need)
            .and_then(|binding| binding.secret.clone())
    }

    /// Renders a component's scripts for people.
    fn scripts(
        &mut self,
        at: usize,
        names: &Names<'_>,
        context: &tera::Context,
        findings: &mut Vec<Finding>,
    ) -> BTreeMap<String, Content> {
        let draft = &self.drafts[at];
        let blueprint = &draft.blueprint;
        let mut scripts = BTreeMap::new();
        for (name, script) in &blueprint.model.scripts {
            let place = || blueprint.place(["scripts", name, "when"]);
            if draft.unsupported.is_some()
                || !draft.holds(script.when.as_ref(), names, place, findings)
            {
                continue;
            }
            let origin = blueprint.place(["scripts", name, "template"]);
            let text = self.resolver.cache.engine.file(
                self.resolver.sources,
                blueprint,
                &script.template,
                &origin,
                context,
                findings,
            );
            scripts.extend(text.map(|text| (name.clone(), text)));
        }
        scripts
    }

    /// Returns what expressions see of a component's volumes.
    pub(super) fn volume_names(&self, volumes: &[(&'f str, Volume)]) -> Value {
        let classes = self.resolver.environment.cluster.as_ref();
        Value::table(volumes.iter().map(|(key, volume)| {
            let class = classes.and_then(|cluster| cluster.storage_class(volume.class));
            let names = [
                ("size", Value::from(volume.size.0)),
                ("class", Value::from(class)),
            ];
            (*key, Value::table(names))
        }))
    }

    pub(super) fn volumes(&mut self, at: usize) -> Vec<(&'f str, Volume)> {
        let draft = &self.drafts[at];
        let mut volumes = Vec::new();
        let mounted: BTreeSet<&str> = self.sized[at]
            .iter()
            .flat_map(|sized| sized.workload.volumes.values())
            .map(|mount| match mount {
                MountSpec::Name(name) => name.as_str(),
                MountSpec::Table(table) => table.volume.as_str(),
            })
            .collect();
        for (key, spec) in &draft.blueprint.model.volumes {
            let names = Names::new(&draft.base);
            let place = || draft.blueprint.place(["volumes", key, "when"]);
            let findings = &mut self.resolver.findings;
            if !mounted.contains(key.as_str())
                || !draft.holds(spec.when.as_ref(), &names, place, findings)
            {
                continue;
            }
            let place = || {
                draft
                    .blueprint
                    .place(["volumes", key.as_str(), "encryption", "when"])
            };
            let encryption = spec
                .encryption
                .as_ref()
                .filter(|spec| draft.holds(spec.when.as_ref(), &names, place, findings))
                .map(|spec| spec.by.get(self.resolver.environment.locale).to_owned());
            let place = draft.blueprint.place(["volumes", key, "size"]);
            let tier = draft.size.nearest(&spec.size);
            let default = tier.and_then(|(tier, size)| Some((tier, Bytes::parse(size)?)));
            let Some((tier, default)) = default else {
                self.report(
                    place,
                    format!("volume `{key}` has no size with a known unit"),
                );
                continue;
            };
            let settings = draft.layered.and_then(|layered| layered.volumes.get(key));
            let storage = settings.and_then(|settings| settings.storage.as_ref());
            let storage = self.storage_of(storage);
            let set = settings.and_then(|settings| settings.size.as_ref());
            let name = format!("{}-{}", draft.name, key.replace('_', "-"));
            self.resolver.trace.record(
                || format!("{}.volumes.{key}.size", draft.name),
                || match set {
                    Some(set) => Explained::one(set.value, "set", set.place.clone())
                        .over(&set.replaced)
                        .then(default, format!("blueprint, size {tier}"), place.clone()),
                    None => {
                        Explained::one(default, format!("blueprint, size {tier}"), place.clone())
                    }
                },
            );
            volumes.push((
                key.as_str(),
                Volume {
                    name,
                    key: key.clone(),
                    size: set.map_or(default, |set| set.value),
                    class: spec.class.unwrap_or(DiskClass::Ssd),
                    shared: spec.shared,
                    storage,
                    unsafe_on: spec.unsafe_on.clone(),
                    encryption,
                    place: draft.place.clone(),
                },
            ));
        }
        volumes
    }

    /// Says where a volume lies, and where that is said.
    fn storage_of(&mut self, set: Option<&Sourced<StorageKind>>) -> (StorageKind, Place) {
        let storage = &self.resolver.environment.storage;
        let Some(set) = set else {
            return (storage.kind, storage.place.clone());
        };
        if set.value == StorageKind::Nfs && storage.nfs.is_none() {
            self.resolver.findings.push(
                Finding::new(
                    &MISSING_KEY,
                    set.place.clone(),
                    "a volume lies on NFS, and no server is named",
                )
                .help(
                    "name it in the environment: storage = { kind = \"local\", server = \"10.0.0.5\", path = \"/export/lake\" }",
                ),
            );
        }
        (set.value, set.place.clone())
    }

    /// Returns where an image is pulled from, with its digest where that is known.
    fn pulled(&mut self, reference: String) -> String {
        let pulled = self.resolver.environment.pins.apply(&reference);
        self.resolver.cache.images.insert(reference);
        pulled
    }

    /// Resolves a component's images; those that are built come with their folder.
    pub(super) fn images(
        &mut self,
        at: usize,
        names: &Names<'_>,
    ) -> (BTreeMap<&'f str, Image>, Vec<Build>) {
        let draft = &self.drafts[at];
        let blueprint = &draft.blueprint;
        let mut images = BTreeMap::new();
        let mut builds = Vec::new();
        if draft.unsupported.is_some() {
            return (images, builds);
        }
        let mut findings = Vec::new();
        for (key, spec) in &blueprint.model.images {
            // What nothing uses here is not built.
            let mut used = self.sized[at].iter();
            if spec.build.is_some() && !used.any(|sized| sized.workload.image == *key) {
                continue;
            }
            let tag = match &spec.tag {
                Some(tag) => fill(draft, tag, names, &["images", key, "tag"], &mut findings),
                None => draft.version.0.clone(),
            };
            let from = self.pulled(format!("{}:{tag}", spec.from));
            let set = draft.layered.and_then(|layered| layered.images.get(key));
            let place = set.map_or_else(
                || blueprint.place(["images", key, "from"]),
                |set| set.place.clone(),
            );
            let mut image = Image {
                reference: set.map_or_else(|| from.clone(), |set| self.pulled(set.value.clone())),
                build: None,
                place: place.clone(),
            };
            self.resolver.trace.record(
                || format!("{}.images.{key}", draft.name),
                || match set {
                    Some(set) => Explained::one(&set.value, "set", set.place.clone())
                        .over(&set.replaced)
                        .then(&from, "blueprint", blueprint.place(["images", key, "from"])),
                    None => Explained::one(&from, "blueprint", place.clone())
                        .using(vec![format!("{}.version", draft.name)]),
                },
            );
            // A user's own image is used as it is, not as a base.
            if let (Some(dockerfile), None) = (&spec.build, set) {
                let own = BTreeMap::from([("image".to_owned(), Value::from(from.as_str()))]);
                let names = names.with(&own);
                let context = render::context(&names);
                let mut files = BTreeMap::new();
                let inputs = std::iter::once((dockerfile, "build"))
                    .chain(spec.context.iter().map(|name| (name, "context")));
                for (name, field) in inputs {
                    let origin = blueprint.place(["images", key, field]);
                    let content = self.resolver.cache.engine.file(
                        self.resolver.sources,
                        blueprint,
                        name,
                        &origin,
                        &context,
                        &mut findings,
                    );
                    let result = name.strip_suffix(".tera").unwrap_or(name).to_owned();
                    files.extend(content.map(|content| (result, content)));
                }
                // The tag follows the content, so that a changed Dockerfile is a new image and an unchanged one is not.
                let mut digest = <sha2::Sha256 as sha2::Digest>::new();
                for (name, content) in &files {
                    sha2::Digest::update(&mut digest, format!("{name}\0{}\0", content.len()));
                    sha2::Digest::update(&mut digest, content.as_bytes());
                }
                let digest = sha2::Digest::finalize(digest);
                let short: String = digest
                    .iter()
                    .take(6)
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                let registry = self
                    .resolver
                    .layered
                    .registry
                    .as_ref()
                    .map_or(&self.resolver.layered.platform.value, |registry| {
                        &registry.value
                    });
                image.reference = format!(
                    "{registry}/{}-{}:{}-{short}",
                    draft.name,
                    key.replace('_', "-"),
                    draft.version.0
                );
                image.build = Some(builds.len());
                builds.push(Build {
                    image: key.clone(),
                    reference: image.reference.clone(),
                    files,
                });
            }
            images.insert(key.as_str(), image);
        }
        self.resolver.findings.append(&mut findings);
        (images, builds)
    }
}

/// Returns the API group of a Kubernetes object; the core one is empty.
fn api_group(object: &Value) -> &str {
    let version = object.get("apiVersion").and_then(Value::as_text);
    version
        .and_then(|version| version.split_once('/'))
        .map_or("", |(group, _)| group)
}

/// Says whether an API group is none of Kubernetes' own, which have one word or end in its domain.
fn needs_operator(group: &str) -> bool {
    group.contains('.') && !group.ends_with(".k8s.io")
}
