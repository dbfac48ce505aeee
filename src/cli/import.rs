//! `lakewright import`: what others have, as a topology.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Session, Status};
use crate::backend;
use crate::blueprint::Library;
use crate::compile::Compiler;
use crate::host::{HostError, Kind, OPEN_TO_ALL, PLAIN_FILE};
use crate::import::{Known, import, repository};
use crate::names;
use crate::source::Sources;
use crate::terms::Target;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a topology of a Compose file, and blueprints for what no built-in one knows
    Compose {
        /// The Compose file
        file: PathBuf,
        /// Folder that gets the files; it is made if it is missing
        #[arg(long, short, value_name = "DIR", default_value = ".")]
        output: PathBuf,
        /// Name of the platform
        #[arg(long, default_value = "imported")]
        name: String,
    },
}

pub(super) fn run(session: &Session<'_>, command: &Command) -> Result<Status, HostError> {
    let Command::Compose { file, output, name } = command;
    let host = session.host;
    if !names::is_name(name) {
        host.warn(&super::illegal_name(name));
        return Ok(Status::Failed);
    }
    let own = match &session.blueprints {
        Some(folder) => session.read_blueprints(folder)?,
        None => Default::default(),
    };
    let mut compiler = Compiler::new(Sources::default(), Library::new(own));
    let known = known(&mut compiler);
    let shown = crate::host::shown(file.as_os_str());
    // The engine reads the variables beside the file too.
    let beside = file.with_file_name(".env");
    let variables = match host.look(&beside)? {
        Some(look) if look.kind == Kind::File => host.read_text(&beside)?,
        _ => String::new(),
    };
    let imported = match import(&host.read_text(file)?, &variables, name, &known) {
        Ok(imported) => imported,
        Err(words) => {
            let words = crate::host::shown(words.as_ref());
            host.warn(&format!("error: `{shown}` is no Compose file: {words}\n"));
            return Ok(Status::Failed);
        }
    };
    let mut files = vec![(PathBuf::from("platform.toml"), imported.topology)];
    files.extend(imported.blueprints.into_iter().map(|(name, text)| {
        let path = Path::new("blueprints")
            .join(name)
            .join(crate::blueprint::FILE_NAME);
        (path, text)
    }));
    for (path, _) in &files {
        let path = output.join(path);
        if host.look(&path)?.is_some() {
            let path = crate::host::shown(path.as_os_str());
            host.warn(&format!("error: there is a `{path}` already\nhelp: nothing is overwritten; choose another folder\n"));
            return Ok(Status::Failed);
        }
    }
    host.create_folders(output)?;
    for (path, text) in &files {
        let path = output.join(path);
        if let Some(folder) = path.parent().filter(|folder| *folder != output) {
            for folder in [folder.parent(), Some(folder)].into_iter().flatten() {
                if host.look(folder)?.is_none() {
                    host.create_folder(folder, OPEN_TO_ALL)?;
                }
            }
        }
        host.write_new(&path, text.as_bytes(), PLAIN_FILE)?;
        session.say(&format!(
            "made `{}`\n",
            crate::host::shown(path.as_os_str())
        ))?;
    }
    if !imported.left.is_empty() {
        session.say("not carried over:\n")?;
        for left in &imported.left {
            let words = format!("{shown}:{}: {} {}", left.line, left.path, left.why);
            session.say(&format!("  {}\n", crate::host::shown(words.as_ref())))?;
        }
    }
    Ok(Status::Done)
}

/// Lists what the images of blueprints tell about them.
fn known(compiler: &mut Compiler) -> Vec<Known> {
    let (library, sources) = compiler.library();
    let names = library.names();
    let blueprints: Vec<_> = names
        .iter()
        .filter_map(|name| library.load(sources, name)?.ok())
        .collect();
    // What is added by itself need not be written down.
    let by_itself: BTreeSet<String> = blueprints
        .iter()
        .flat_map(|blueprint| blueprint.model.blueprint.default_for.iter().cloned())
        .collect();
    let mut known: Vec<Known> = blueprints
        .into_iter()
        .map(|blueprint| {
            let model = &blueprint.model;
            let main = model.services.iter().find(|(_, service)| service.main);
            let only = model
                .services
                .iter()
                .next()
                .filter(|_| model.services.len() == 1);
            // The image of its main service stands for the system; those of others only beside it.
            let image = main
                .or(only)
                .map(|(_, service)| service.workload.image.as_str());
            let is_main = |key: &str| image.is_none_or(|image| image == key);
            let (own, others): (Vec<_>, Vec<_>) =
                model.images.iter().partition(|(key, _)| is_main(key));
            let own: BTreeSet<String> = own
                .into_iter()
                .map(|(_, image)| repository(&image.from))
                .collect();
            let others = others.into_iter().map(|(_, image)| image.from.as_str());
            let gone = model.gone.iter().map(|gone| gone.image.as_str());
            let alike = model.blueprint.imports.iter().map(String::as_str);
            // What its makers publish beside the main image are parts of it; what others publish may be anything.
            let maker = |name: &str| name.rsplit_once('/').map(|(maker, _)| maker.to_owned());
            let makers: BTreeSet<_> = own.iter().map(|name| maker(name)).collect();
            let is_part = |name: &String| {
                maker(name).as_deref() != Some("library") && makers.contains(&maker(name))
            };
            let (helpers, gone): (Vec<_>, Vec<_>) = gone.map(repository).partition(is_part);
            let alike = gone.into_iter().chain(alike.map(repository));
            let others = others.map(repository).filter(is_part);
            Known {
                name: blueprint.name.clone(),
                repositories: own.iter().cloned().chain(alike).collect(),
                helpers: helpers.into_iter().chain(others).collect(),
                version: model.blueprint.version.default.clone(),
                tested: model.blueprint.version.tested.clone(),
                service: main.or(only).map(|(name, _)| name.clone()),
                needs: model
                    .needs
                    .values()
                    .filter(|need| !need.optional && need.when.is_none())
                    .map(|need| need.capability.clone())
                    .filter(|capability| !by_itself.contains(capability))
                    .collect(),
                provides: model
                    .provides
                    .values()
                    .map(|provide| provide.capability.clone())
                    .collect(),
            }
        })
        .collect();
    // An image that several use tells nothing.
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let own = backend::own_images(Target::Compose).iter();
    let own = own.map(|image| repository(image));
    let all = known.iter().flat_map(|known| known.repositories.clone());
    for name in all.chain(own) {
        *times.entry(name).or_default() += 1;
    }
    for known in &mut known {
        known.repositories.retain(|name| times[name] == 1);
    }
    known
}
