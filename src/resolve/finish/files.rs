//! Files of containers: templates, static files, data, and tables that become a file for each entry.

use std::collections::BTreeMap;

use super::super::component::Draft;
use super::super::render;
use super::super::service::Sized;
use super::*;
use crate::blueprint::FAULTY_BLUEPRINT;
use crate::blueprint::expression::Names;
use crate::blueprint::model::{DataFormat, Expr, FileSpec, FileTable};
use crate::diagnostic::Finding;
use crate::platform::File;
use crate::source::Place;
use crate::value::Value;

/// What stands for the key in the path of files that are made of a table's entries.
const KEY: char = '*';

/// Returns the ending of files in a format.
fn ending(format: DataFormat) -> &'static str {
    match format {
        DataFormat::Yaml => "yaml",
        DataFormat::Json => "json",
        DataFormat::Toml => "toml",
        DataFormat::Properties => "properties",
    }
}

impl Finish<'_, '_, '_> {
    /// Renders the files of a service, by their path in the container.
    pub(super) fn files(
        &mut self,
        draft: &Draft<'_>,
        sized: &Sized<'_>,
        names: &Names<'_>,
        context: &tera::Context,
        own: &BTreeMap<String, Value>,
        findings: &mut Vec<Finding>,
    ) -> BTreeMap<String, File> {
        let mut files = BTreeMap::new();
        if sized.workload.files.is_empty() {
            return files;
        }
        // What all services of the component see was converted once.
        let mut context = context.clone();
        render::extend(&mut context, own);
        let blueprint = &draft.blueprint;
        for (path, spec) in &sized.workload.files {
            let origin = blueprint.place([sized.table(), sized.key, "files", path]);
            if !is_container_path(path) {
                findings.push(
                    Finding::new(
                        &FAULTY_BLUEPRINT,
                        origin.clone(),
                        format!("`{path}` is not an absolute path without `..`"),
                    )
                    .help("files in a container are named by their full path there"),
                );
                continue;
            }
            let table = match spec {
                FileSpec::Name(name) => &FileTable {
                    template: Some(name.clone()),
                    data: None,
                    each: None,
                    format: None,
                    executable: false,
                    when: None,
                },
                FileSpec::Table(table) => table,
            };
            if !draft.holds(table.when.as_ref(), names, || origin.clone(), findings) {
                continue;
            }
            let (source, content) = match (&table.template, &table.data, &table.each, table.format)
            {
                (Some(name), None, None, None) => {
                    let content = self.resolver.cache.engine.file(
                        self.resolver.sources,
                        blueprint,
                        name,
                        &origin,
                        &context,
                        findings,
                    );
                    let source = name.strip_suffix(".tera").unwrap_or(name);
                    (source.to_owned(), content)
                }
                (None, Some(name), None, Some(format)) => {
                    let content = render::data(
                        self.resolver.sources,
                        blueprint,
                        name,
                        format,
                        &origin,
                        names,
                        findings,
                    );
                    // A data file is known by what it becomes.
                    let source = name.strip_suffix(".toml").unwrap_or(name);
                    (format!("{source}.{}", ending(format)), content)
                }
                (None, None, Some(each), Some(format)) => {
                    files.extend(each_file(
                        draft,
                        (path, &origin),
                        (each, format),
                        names,
                        findings,
                    ));
                    continue;
                }
                _ => {
                    findings.push(
                        Finding::new(
                            &FAULTY_BLUEPRINT,
                            origin,
                            format!("`{path}` is not one file"),
                        )
                        .help("give `template`, or `data` or `each` with `as`"),
                    );
                    continue;
                }
            };
            let Some(content) = content else { continue };
            let file = File {
                source,
                content,
                executable: table.executable,
            };
            files.insert(path.clone(), file);
        }
        files
    }
}

/// Makes a file of each entry of a table. In bundles they lie in the folder that they have in the container.
fn each_file(
    draft: &Draft<'_>,
    (path, origin): (&str, &Place),
    (each, format): (&Expr, DataFormat),
    names: &Names<'_>,
    findings: &mut Vec<Finding>,
) -> Vec<(String, File)> {
    let mut fault = |message: String, help: &str| {
        findings.push(Finding::new(&FAULTY_BLUEPRINT, origin.clone(), message).help(help));
    };
    if path.matches(KEY).count() != 1 {
        fault(
            format!("`{path}` is the path of several files, and tells them apart by nothing"),
            "write one `*` where the key of the entry goes: \"/etc/rules/*.yaml\"",
        );
        return Vec::new();
    }
    let entries = match each.parsed.evaluate(names) {
        Ok(Value::Table(entries)) => entries,
        Ok(other) => {
            let found = other.kind();
            fault(
                format!("`{}` is {found}, expected a table", each.written),
                "each entry of a table becomes a file",
            );
            return Vec::new();
        }
        Err(error) => {
            fault(
                format!("cannot compute `{}`: {error}", each.written),
                "each entry of a table becomes a file",
            );
            return Vec::new();
        }
    };
    let mut files = Vec::new();
    for (key, value) in entries {
        let path = path.replacen(KEY, &key, 1);
        if key.contains('/') || !is_container_path(&path) {
            findings.push(Finding::new(
                &FAULTY_BLUEPRINT,
                origin.clone(),
                format!("`{key}` cannot be part of a file's name"),
            ));
            continue;
        }
        let mut parts = path.rsplitn(3, '/');
        let file = parts.next().unwrap_or_default();
        let source = match parts.next() {
            Some(folder) => format!("{folder}/{file}"),
            None => file.to_owned(),
        };
        let blueprint = &draft.blueprint;
        let content = render::serialise(&value, blueprint, &each.written, format, origin, findings);
        files.extend(content.map(|content| {
            let file = File {
                source,
                content,
                executable: false,
            };
            (path, file)
        }));
    }
    files
}
