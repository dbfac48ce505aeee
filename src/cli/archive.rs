//! `lakewright archive`: an environment's bundle as one file, with what it is made of and how.
//!
//! Everything is made in memory from the topology, so that the same inputs give the same bytes on every machine. Signing is
//! left to programs that do nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Session, Status};
use crate::bundle::archive::pack;
use crate::bundle::inventory::Generator;
use crate::bundle::{Digest, Sealed};
use crate::host::HostError;
use crate::lock::reference::Reference;
use crate::platform::Platform;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The environment
    environment: String,
    /// The topology
    #[arg(default_value = "platform.toml")]
    topology: PathBuf,
    /// Folder that gets the files
    #[arg(long, short, value_name = "DIR", default_value = "archives")]
    output: PathBuf,
    /// Also write an OCI image layout, a folder that registry tools push as it is
    #[arg(long)]
    oci: bool,
}

/// Types of what is in an OCI layout.
const BUNDLE_TYPE: &str = "application/vnd.lakewright.bundle.v1";
const LAYER_TYPE: &str = "application/vnd.lakewright.bundle.v1.tar+zstd";
const SBOM_TYPE: &str = "application/vnd.cyclonedx+json";
const PROVENANCE_TYPE: &str = "application/vnd.in-toto+json";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

pub(super) fn run(session: &Session<'_>, arguments: &Arguments) -> Result<Status, HostError> {
    let (mut compiler, topology) = session.open(&arguments.topology)?;
    let name = arguments.environment.as_str();
    let mut made = None;
    if let Some(topology) = &topology {
        let compiled = compiler.environments(topology, &[name], false);
        made = compiled.into_iter().next().and_then(|compiled| {
            let sealed = compiler.bundle(topology, &compiled)?;
            Some((compiled.platform, sealed))
        });
    }
    let failed = session.report(&mut compiler.findings, &compiler.sources);
    let Some((platform, sealed)) = made.filter(|_| !failed) else {
        return Ok(Status::Failed);
    };
    let base = platform.environment.project(&platform.name);
    let archive = match pack(&sealed, &base) {
        Ok(archive) => archive,
        Err(words) => {
            session.host.warn(&format!("error: {words}\n"));
            return Ok(Status::Failed);
        }
    };
    let file = format!("{base}.tar.zst");
    let bundles = [(&platform.environment, sealed)];
    let images = super::lock::images(&compiler, &bundles);
    let [(_, sealed)] = bundles;
    let sbom = text(&bill_of_materials(&platform, &images));
    let provenance = text(&provenance(&platform, &sealed, &images, &file, &archive));
    session.host.create_folders(&arguments.output)?;
    let put = |name: &str, bytes: &[u8]| {
        session.host.replace(&arguments.output.join(name), bytes)?;
        let path = arguments.output.join(name);
        session.say(&format!(
            "`{}`: sha256:{}\n",
            crate::host::shown(path.as_os_str()),
            Digest::of(bytes)
        ))
    };
    put(&file, &archive)?;
    put(&format!("{base}.sbom.cdx.json"), sbom.as_bytes())?;
    put(&format!("{base}.provenance.json"), provenance.as_bytes())?;
    if arguments.oci {
        let folder = arguments.output.join(format!("{base}.oci"));
        let digest = write_layout(
            session,
            &folder,
            &platform,
            [&archive, sbom.as_bytes(), provenance.as_bytes()],
        )?;
        session.say(&format!(
            "`{}`: sha256:{digest}\n",
            crate::host::shown(folder.as_os_str())
        ))?;
    }
    Ok(Status::Done)
}

fn text(document: &Value) -> String {
    format!(
        "{}\n",
        serde_json::to_string_pretty(document).unwrap_or_default()
    )
}

/// Makes a list of everything that the bundle deploys: systems with their licences, images with their digests.
///
/// Source: CycloneDX 1.6; package-url, type `oci`. Neither number nor time: it says the same whenever it is made.
fn bill_of_materials(platform: &Platform, images: &BTreeMap<String, String>) -> Value {
    let generator = Generator::this();
    let mut components = Vec::new();
    for component in &platform.components {
        if component.unsupported.is_some() {
            continue;
        }
        components.push(json!({
            "type": "application",
            "bom-ref": format!("component:{}", component.name),
            "name": component.blueprint,
            "version": component.version,
            "description": component.summary,
            "licenses": [{ "expression": component.license }],
        }));
    }
    let pins = &platform.environment.pins;
    for (written, pulled) in images {
        let reference = Reference::parse(written);
        let name = reference.repository.rsplit('/').next().unwrap_or_default();
        let digest = pins.digests.get(written.as_str());
        let repository = format!("{}/{}", reference.registry, reference.repository);
        let mut purl = format!("pkg:oci/{name}");
        if let Some(digest) = digest {
            purl.push_str(&format!("@{}", digest.replace(':', "%3A")));
        }
        purl.push_str(&format!(
            "?repository_url={repository}&tag={}",
            reference.tag
        ));
        let mut entry = json!({
            "type": "container",
            "bom-ref": format!("image:{written}"),
            "name": repository,
            "version": reference.tag,
            "purl": purl,
        });
        if let Some(hex) = digest.and_then(|digest| digest.strip_prefix("sha256:")) {
            entry["hashes"] = json!([{ "alg": "SHA-256", "content": hex }]);
        }
        if pulled != written {
            entry["properties"] = json!([{ "name": "lakewright:pulled-from", "value": pulled }]);
        }
        components.push(entry);
    }
    let base = platform.environment.project(&platform.name);
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": { "components": [{ "type": "application", "name": generator.name, "version": generator.version }] },
            "component": { "type": "platform", "bom-ref": base, "name": base },
        },
        "components": components,
    })
}

/// Says what the archive was made from.
///
/// Source: in-toto Attestation Framework, Statement v1; SLSA Provenance v1.
fn provenance(
    platform: &Platform,
    sealed: &Sealed,
    images: &BTreeMap<String, String>,
    file: &str,
    archive: &[u8],
) -> Value {
    let generator = Generator::this();
    let inputs = sealed.inventory().inputs.iter().map(
        |input| json!({ "name": input.name, "digest": { "sha256": input.sha256.to_string() } }),
    );
    let digests = &platform.environment.pins.digests;
    let images = images.keys().filter_map(|image| {
        let hex = digests.get(image)?.strip_prefix("sha256:")?;
        Some(json!({ "name": format!("image {image}"), "digest": { "sha256": hex } }))
    });
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": file, "digest": { "sha256": Digest::of(archive).to_string() } }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:lakewright:archive:v1",
                "externalParameters": {
                    "platform": platform.name,
                    "environment": platform.environment.name,
                    "target": platform.environment.target.word(),
                },
                "resolvedDependencies": inputs.chain(images).collect::<Vec<_>>(),
            },
            "runDetails": {
                "builder": {
                    "id": format!("urn:lakewright:{}", generator.version),
                    "version": { generator.name: generator.version },
                },
            },
        },
    })
}

/// Writes an OCI image layout: the bundle as an artifact, and what is known of it as others that refer to it.
///
/// Source: OCI Image Specification 1.1, "Image Layout" and "Guidelines for Artifact Usage".
fn write_layout(
    session: &Session<'_>,
    folder: &Path,
    platform: &Platform,
    [archive, sbom, provenance]: [&[u8]; 3],
) -> Result<Digest, HostError> {
    let host = session.host;
    let blobs = folder.join("blobs/sha256");
    host.create_folders(&blobs)?;
    let blob = |bytes: &[u8], media_type: &str| -> Result<Value, HostError> {
        let digest = Digest::of(bytes);
        let path = blobs.join(digest.to_string());
        // Also in the place of one that was left half written.
        host.replace(&path, bytes)?;
        Ok(
            json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": bytes.len() }),
        )
    };
    let empty = blob(b"{}", "application/vnd.oci.empty.v1+json")?;
    let manifest = |bytes: &[u8],
                    kind: &str,
                    layer: &str,
                    subject: Option<&Value>|
     -> Result<(Value, Digest), HostError> {
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": kind,
            "config": empty,
            "layers": [blob(bytes, layer)?],
        });
        if let Some(subject) = subject {
            manifest["subject"] = subject.clone();
        }
        let bytes = serde_json::to_vec(&manifest).unwrap_or_default();
        let digest = Digest::of(&bytes);
        let mut descriptor = blob(&bytes, MANIFEST_TYPE)?;
        descriptor["artifactType"] = Value::from(kind);
        Ok((descriptor, digest))
    };
    let (mut bundle, digest) = manifest(archive, BUNDLE_TYPE, LAYER_TYPE, None)?;
    let subject = json!({ "mediaType": bundle["mediaType"], "digest": bundle["digest"], "size": bundle["size"] });
    let (sbom, _) = manifest(sbom, SBOM_TYPE, SBOM_TYPE, Some(&subject))?;
    let (provenance, _) = manifest(provenance, PROVENANCE_TYPE, PROVENANCE_TYPE, Some(&subject))?;
    bundle["annotations"] =
        json!({ "org.opencontainers.image.ref.name": platform.environment.name });
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [bundle, sbom, provenance],
    });
    host.replace(&folder.join("index.json"), text(&index).as_bytes())?;
    let layout = json!({ "imageLayoutVersion": "1.0.0" });
    host.replace(&folder.join("oci-layout"), text(&layout).as_bytes())?;
    Ok(digest)
}
