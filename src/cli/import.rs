//! `lakewright import`: what others have, as a topology.

use std::path::{Path, PathBuf};

use super::{Session, Status};
use crate::blueprint::Library;
use crate::compile::Compiler;
use crate::host::{HostError, OPEN_TO_ALL, PLAIN_FILE};
use crate::import::{Known, import, repository};
use crate::names;
use crate::source::Sources;

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
    let imported = match import(&host.read_text(file)?, name, &known) {
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
    let blueprints = names
        .iter()
        .filter_map(|name| library.load(sources, name)?.ok());
    blueprints
        .map(|blueprint| {
            let model = &blueprint.model;
            let main = model.services.iter().find(|(_, service)| service.main);
            let only = model
                .services
                .iter()
                .next()
                .filter(|_| model.services.len() == 1);
            // An image of one of its services stands for the blueprint; those of its helpers do not.
            let image = main
                .or(only)
                .map(|(_, service)| service.workload.image.as_str());
            Known {
                name: blueprint.name.clone(),
                repositories: model
                    .images
                    .iter()
                    .filter(|(key, _)| image.is_none_or(|image| image == key.as_str()))
                    .map(|(_, image)| repository(&image.from))
                    .collect(),
                version: model.blueprint.version.default.clone(),
                service: main.or(only).map(|(name, _)| name.clone()),
            }
        })
        .collect()
}
