//! Images that a bundle builds where its target pulls them from a registry: their folders, and the script that builds and
//! pushes what the registry lacks.

use serde::Serialize;

use super::Files;
use crate::platform::Platform;
use crate::template::header;

/// The script that builds and pushes.
pub(crate) const SCRIPT: &str = "images.sh";

/// An image that is built.
#[derive(Serialize)]
pub(crate) struct Image {
    /// What it is called in its registry.
    pub(crate) reference: String,
    /// The folder that it is built from, in the bundle's folder.
    pub(crate) folder: String,
}

/// Lists the images that are built, by component.
pub(crate) fn list(platform: &Platform) -> Vec<Image> {
    let components = platform.components.iter();
    components
        .flat_map(|component| {
            component.builds.iter().map(|build| Image {
                reference: build.reference.clone(),
                folder: folder(&component.name, &build.image),
            })
        })
        .collect()
}

fn folder(component: &str, image: &str) -> String {
    format!("images/{component}-{image}")
}

/// Adds the folders and the script to a bundle, if an image is built.
pub(crate) fn add(platform: &Platform, files: &mut Files) {
    for component in &platform.components {
        for build in &component.builds {
            let folder = folder(&component.name, &build.image);
            for (name, content) in &build.files {
                let path = format!("{folder}/{name}");
                files.add(&path, content.as_bytes(), false, &component.place);
            }
        }
    }
    let images = list(platform);
    if !images.is_empty() {
        let data = serde_json::json!({ "header": header("the topology"), "images": images });
        let place = &platform.environment.place;
        files.add_script(SCRIPT, include_str!("images.sh.tera"), &data, place);
    }
}
