//! What a blueprint says of backups: `backup.toml` beside its `blueprint.toml`, read into types and made into jobs.
//!
//! A blueprint says what a copy holds and brings three scripts. Everything else is the same for all systems: the program
//! that calls the scripts, three jobs around it, and what they are told. So the jobs are added to the blueprint's own here,
//! and later stages see nothing special in them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Deserialize;

use super::FAULTY_BLUEPRINT;
use super::expression::{Expression, Text};
use super::model::{
    Blueprint, EgressSpec, EgressTable, EnvSpec, EnvTable, Expr, FileSpec, FileTable, Filled,
    Image, Job, MountSpec, Need, NeedStart, Volume, Words, Workload,
};
use super::monitoring::FilledWords;
use crate::diagnostic::Finding;
use crate::schema::Schema;
use crate::source::{FileId, KeyPath, Place};
use crate::terms::{BackupRole, DiskClass, Size};

/// The file that says how a system is backed up.
pub const FILE_NAME: &str = "backup.toml";

/// The program that makes copies, as a file of every blueprint that has some.
pub const PROGRAM: &str = "backup.sh";

/// Its text.
pub const PROGRAM_TEXT: &str = include_str!("backup.sh");

/// What the scripts of systems share that keep a mirror, as a file of their blueprints.
pub const MIRROR: &str = "mirror.sh";

/// Its text.
pub const MIRROR_TEXT: &str = include_str!("mirror.sh");

/// The schema of `backup.toml`.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::of::<Backup>);

/// What the image, the volume and the need are called that are added to a blueprint.
const NAME: &str = "backup";
const METRICS_NEED: &str = "backup_metrics";

/// The folder of the program and its scripts in a container.
const FOLDER: &str = "/opt/lakewright/backup";

/// How a system is backed up and restored.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Lakewright blueprint: backup")]
pub struct Backup {
    /// How copies are made; none where the system keeps nothing of its own that is worth one.
    pub copies: Option<Copies>,
    /// Volumes that no copy holds, each with the reason.
    #[serde(default)]
    pub leave: BTreeMap<String, Words>,
    /// What the system keeps in others, by the need through which it does.
    #[serde(default)]
    pub elsewhere: BTreeMap<String, Words>,
    /// What may be lost without a copy being needed, and what people do then.
    #[serde(default)]
    pub losses: BTreeMap<String, Loss>,
}

/// A loss that others make good: a replica, a disk, a machine.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// It can happen only when this is true.
    pub when: Option<Expr>,
    /// What is lost, as a heading.
    pub what: FilledWords,
    /// What happens by itself and what people do, step by step, in Markdown.
    pub steps: FilledWords,
}

/// How copies are made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Copies {
    /// What a copy holds.
    pub contents: Words,
    /// What must be quiet while one is made or put back.
    pub quiet: Words,
    /// What is not in it and must be kept elsewhere.
    pub without: Option<Words>,
    /// Volumes whose data it holds.
    #[serde(default)]
    pub covers: Vec<String>,
    /// How large a copy is at most, in percent of these volumes.
    #[schemars(range(min = 1, max = 200))]
    pub share: u64,
    /// Whether what it copies is in a mirror that all copies share, off site where there is such a place.
    #[serde(default)]
    pub mirror: bool,
    /// Script that makes one.
    pub dump: String,
    /// Script that puts one back.
    pub restore: String,
    /// Script that puts one back into a scratch place, and compares.
    pub drill: String,
    /// More files beside the scripts.
    #[serde(default)]
    pub files: Vec<String>,
    /// Own services that must not run while one is put back.
    #[serde(default)]
    pub stops: Vec<String>,
    /// Volumes that it is put back into, as the job `restore` sees them: folder, name of the volume.
    #[serde(default)]
    pub mounts: BTreeMap<String, String>,
    /// Own jobs that must run after one was put back, once its services run again.
    #[serde(default)]
    pub then: Vec<String>,
    /// Image that it is done with.
    pub image: Image,
    /// Room for copies.
    pub room: BTreeMap<Size, String>,
    /// After what time a run is given up.
    #[schemars(extend("format" = "duration"))]
    pub timeout: String,
    /// What the jobs may do: keys of a job, with the image `backup`. The commands are added.
    pub job: Workload,
}

impl Backup {
    /// Returns the names and texts of the files that all systems share.
    pub(super) fn shared(&self) -> Vec<(&'static str, &'static str)> {
        let mut files = vec![(PROGRAM, PROGRAM_TEXT)];
        if self.copies.as_ref().is_some_and(|copies| copies.mirror) {
            files.push((MIRROR, MIRROR_TEXT));
        }
        files
    }
}

fn filled(written: &str) -> Filled {
    Filled {
        written: written.to_owned(),
        parsed: Text::parse(written).expect("its texts are parsed in every test"),
    }
}

fn expr(written: &str) -> Expr {
    Expr {
        written: written.to_owned(),
        parsed: Expression::parse(written).expect("its conditions are parsed in every test"),
    }
}

/// What the program is told: variable, condition, value.
const TOLD: &[(&str, &str, &str)] = &[
    ("BACKUP_COMPONENT", "true", "${component}"),
    ("BACKUP_KEEP_DAYS", "true", "${backup.days}"),
    ("BACKUP_KEEP_WEEKS", "true", "${backup.weeks}"),
    ("BACKUP_KEEP_MONTHS", "true", "${backup.months}"),
    (
        "BACKUP_RECIPIENTS",
        "len(backup.recipients) > 0",
        "${join(backup.recipients, ' ')}",
    ),
    (
        "BACKUP_RECOVERY_POINT",
        "true",
        "${backup.recovery_point + 2h}",
    ),
    (
        "BACKUP_RECOVERY_TIME",
        "backup.drill != null",
        "${backup.recovery_time}",
    ),
    (
        "BACKUP_DRILL_WITHIN",
        "backup.drill != null",
        "${backup.drill_within}",
    ),
    (
        "BACKUP_PUSH",
        "needs.backup_metrics != null",
        "${needs.backup_metrics.tls ? 'https' : 'http'}://${needs.backup_metrics.host}:${needs.backup_metrics.port}/metrics/job/backup/component/${component}",
    ),
    // Whose certificate it must show; curl reads this by itself.
    (
        "CURL_CA_BUNDLE",
        "needs.backup_metrics != null && needs.backup_metrics.authority != null",
        "${needs.backup_metrics.authority}",
    ),
    // Where copies are sent to: rclone's own variables, for a store that it calls `offsite`.
    (
        "BACKUP_OFFSITE",
        "backup.offsite != null",
        "offsite:${backup.offsite.bucket}/${backup.offsite.folder}/${component}",
    ),
    (
        "BACKUP_STORE_SECRET",
        "backup.offsite != null",
        "${backup.secrets.store}",
    ),
    ("RCLONE_CONFIG_OFFSITE_TYPE", "backup.offsite != null", "s3"),
    (
        "RCLONE_CONFIG_OFFSITE_PROVIDER",
        "backup.offsite != null",
        "Other",
    ),
    (
        "RCLONE_CONFIG_OFFSITE_ENDPOINT",
        "backup.offsite != null",
        "${backup.offsite.endpoint}",
    ),
    (
        "RCLONE_CONFIG_OFFSITE_REGION",
        "backup.offsite != null",
        "${backup.offsite.region}",
    ),
    (
        "RCLONE_CONFIG_OFFSITE_ACCESS_KEY_ID",
        "backup.offsite != null",
        "${backup.offsite.access_key}",
    ),
    // The bucket is there: an account that only writes copies need not be allowed to make one.
    (
        "RCLONE_CONFIG_OFFSITE_NO_CHECK_BUCKET",
        "backup.offsite != null",
        "true",
    ),
];

/// Finds out what a blueprint says of backups that does not hold together with the rest of it.
pub(super) fn faults(backup: &Backup, model: &Blueprint, file: FileId) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut report = |keys: &[&str], message: String| {
        let place = Place::value(file, KeyPath::of(keys.iter().copied()));
        findings.push(Finding::new(&FAULTY_BLUEPRINT, place, message));
    };
    for volume in backup.leave.keys() {
        if !model.volumes.contains_key(volume) {
            report(&["leave", volume], format!("there is no volume `{volume}`"));
        }
    }
    for need in backup.elsewhere.keys() {
        if !model.needs.contains_key(need) {
            report(&["elsewhere", need], format!("there is no need `{need}`"));
        }
    }
    let Some(copies) = &backup.copies else {
        return findings;
    };
    for volume in &copies.covers {
        if !model.volumes.contains_key(volume) {
            let message = format!("there is no volume `{volume}`");
            report(&["copies", "covers"], message);
        }
    }
    for (folder, volume) in &copies.mounts {
        if !model.volumes.contains_key(volume) {
            let message = format!("there is no volume `{volume}`");
            report(&["copies", "mounts", folder], message);
        }
    }
    for service in &copies.stops {
        if !model.services.contains_key(service) {
            report(
                &["copies", "stops"],
                format!("there is no service `{service}`"),
            );
        }
    }
    for job in &copies.then {
        if !model.jobs.contains_key(job) {
            report(&["copies", "then"], format!("there is no job `{job}`"));
        }
    }
    if copies.job.image != NAME {
        let message = format!("the jobs of backups use the image `{NAME}`, which stands above");
        report(&["copies", "job", "image"], message);
    }
    let taken = [
        (model.images.contains_key(NAME), "image", NAME),
        (model.volumes.contains_key(NAME), "volume", NAME),
    ];
    let jobs = BackupRole::ALL.iter().map(|role| {
        let name = role.word();
        let taken = model.workload_names().any(|known| known == name);
        (taken, "service or job", name)
    });
    for (_, kind, name) in taken.into_iter().chain(jobs).filter(|(taken, ..)| *taken) {
        report(
            &["copies"],
            format!("the blueprint has a {kind} `{name}` of its own"),
        );
    }
    findings
}

/// Adds the jobs of a backup to a blueprint.
pub(super) fn expand(backup: &Backup, model: &mut Blueprint) {
    let Some(copies) = &backup.copies else {
        return;
    };
    model.images.insert(NAME.to_owned(), copies.image.clone());
    model.volumes.insert(
        NAME.to_owned(),
        Volume {
            size: copies.room.clone(),
            class: Some(DiskClass::Standard),
            shared: false,
            unsafe_on: BTreeMap::new(),
            encryption: None,
            when: Some(expr("backup.active")),
        },
    );
    model.needs.insert(
        METRICS_NEED.to_owned(),
        Need {
            capability: "job.metrics".to_owned(),
            params: BTreeMap::new(),
            optional: false,
            start: NeedStart::None,
            when: Some(expr("backup.active && monitoring.metrics")),
        },
    );
    // Services list what they use, or else would be bound to what only the jobs do.
    let own: Vec<String> = model.needs.keys().cloned().collect();
    let listed: Vec<String> = own
        .into_iter()
        .filter(|need| need != METRICS_NEED)
        .collect();
    let services = model
        .services
        .values_mut()
        .map(|service| &mut service.workload);
    let jobs = model.jobs.values_mut().map(|job| &mut job.workload);
    for workload in services.chain(jobs) {
        workload.needs.get_or_insert_with(|| listed.clone());
    }
    for (name, role, schedule, command) in [
        ("backup", BackupRole::Run, Some("${backup.schedule}"), "run"),
        ("drill", BackupRole::Drill, Some("${backup.drill}"), "drill"),
        ("restore", BackupRole::Restore, None, "list"),
    ] {
        let job = Job {
            before: Vec::new(),
            schedule: schedule.map(filled),
            on_demand: schedule.is_none(),
            timeout: Some(copies.timeout.clone()),
            deadline: None,
            workload: workload(copies, role, command),
        };
        model.jobs.insert(name.to_owned(), job);
    }
}

fn workload(copies: &Copies, role: BackupRole, command: &str) -> Workload {
    let mut workload = copies.job.clone();
    workload.backup = Some(role);
    workload.when = Some(expr(match role {
        BackupRole::Run | BackupRole::Restore => "backup.active",
        BackupRole::Drill => "backup.active && backup.drill != null",
    }));
    workload.entrypoint = Some(vec![
        filled("/bin/sh"),
        filled(&format!("{FOLDER}/{PROGRAM}")),
    ]);
    workload.command = Some(vec![filled(command)]);
    for (name, when, value) in TOLD {
        let table = EnvTable {
            value: Some(filled(value)),
            secret: None,
            secret_of: None,
            made: None,
            zone: false,
            when: Some(expr(when)),
        };
        workload
            .env
            .insert((*name).to_owned(), EnvSpec::Table(table));
    }
    if role != BackupRole::Run {
        let identity = EnvSpec::Plain(filled("${backup.secrets.identity}"));
        workload.env.insert("BACKUP_IDENTITY".to_owned(), identity);
    }
    if role == BackupRole::Restore {
        let mounts = copies.mounts.iter();
        workload.volumes.extend(
            mounts.map(|(folder, volume)| (folder.clone(), MountSpec::Name(volume.clone()))),
        );
    }
    let scripts = [
        ("dump.sh", &copies.dump),
        ("restore.sh", &copies.restore),
        ("drill.sh", &copies.drill),
    ];
    let program = (PROGRAM.to_owned(), PROGRAM.to_owned());
    let mirror = copies
        .mirror
        .then(|| (MIRROR.to_owned(), MIRROR.to_owned()));
    let scripts = scripts
        .into_iter()
        .map(|(name, source)| (name.to_owned(), source.clone()));
    let more = copies.files.iter().map(|source| {
        let name = source.rsplit('/').next().unwrap_or(source);
        let name = name.strip_suffix(".tera").unwrap_or(name);
        (name.to_owned(), source.clone())
    });
    for (name, source) in std::iter::once(program)
        .chain(mirror)
        .chain(scripts)
        .chain(more)
    {
        let table = FileTable {
            executable: source.ends_with(".sh") || source.ends_with(".sh.tera"),
            template: Some(source),
            data: None,
            each: None,
            format: None,
            when: None,
        };
        workload
            .files
            .insert(format!("{FOLDER}/{name}"), FileSpec::Table(table));
    }
    let volume = MountSpec::Name(NAME.to_owned());
    workload.volumes.insert("/backup".to_owned(), volume);
    workload
        .needs
        .get_or_insert_default()
        .push(METRICS_NEED.to_owned());
    workload.egress = Some(EgressSpec::Table(EgressTable {
        why: "copies are kept off site".to_owned(),
        when: Some(expr("backup.offsite != null")),
        hosts: vec![filled("${backup.offsite.host}:${backup.offsite.port}")],
    }));
    workload
}
