//! The dangers that a review knows: what each means, how bad it is, and what to do.
//!
//! Which change is which danger is found by `hazard` (fields of objects) and `meaning` (the platform itself).

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::diagnostic::{Rule, Severity};

/// What a risk is about.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// More can be reached, or with less protection.
    Exposure,
    /// What was lost comes back less well, or not at all.
    Recovery,
    /// Somebody learns of it later, or not at all.
    Observability,
    /// It stops, or survives less.
    Availability,
    /// It fits less well.
    Capacity,
    /// Somebody may do more.
    Identity,
    /// Other programs run.
    SupplyChain,
}

impl Category {
    /// All categories.
    pub const ALL: &[Self] = &[
        Self::Exposure,
        Self::Recovery,
        Self::Observability,
        Self::Availability,
        Self::Capacity,
        Self::Identity,
        Self::SupplyChain,
    ];

    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Exposure => "exposure",
            Self::Recovery => "recovery",
            Self::Observability => "observability",
            Self::Availability => "availability",
            Self::Capacity => "capacity",
            Self::Identity => "identity",
            Self::SupplyChain => "supply chain",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// How bad a risk is.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Worth a look.
    Low,
    /// Worth a question.
    Medium,
    /// Worth a second pair of eyes.
    High,
}

impl Level {
    /// All levels, the worst first.
    pub const ALL: &[Self] = &[Self::High, Self::Medium, Self::Low];

    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// Returns the severity that code review tools know for it.
    pub fn severity(self) -> Severity {
        match self {
            Self::Low => Severity::Note,
            Self::Medium => Severity::Warning,
            Self::High => Severity::Error,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// A danger that is known.
#[derive(Debug)]
pub struct Danger {
    /// What it is about.
    pub category: Category,
    /// How bad it is, unless the case says otherwise.
    pub level: Level,
    /// Its code, and what to know of it.
    pub rule: Rule,
}

/// A danger that a change brings.
#[derive(Clone, Debug)]
pub struct Risk {
    /// The danger.
    pub danger: &'static Danger,
    /// How bad it is here.
    pub level: Level,
    /// What is so; a lower-case phrase that can be understood alone.
    pub message: String,
}

impl Danger {
    /// Makes a risk of this danger, as bad as it is by itself.
    pub fn risk(&'static self, message: impl Into<String>) -> Risk {
        Risk {
            danger: self,
            level: self.level,
            message: message.into(),
        }
    }
}

impl Risk {
    /// Sets how bad it is here.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Returns the danger's code.
    pub fn code(&self) -> &'static str {
        self.danger.rule.code
    }

    /// Returns what it is about.
    pub fn category(&self) -> Category {
        self.danger.category
    }
}

macro_rules! dangers {
    ($($name:ident = $code:literal, $category:ident, $level:ident: $summary:literal, $why:literal, $fix:literal;)+) => {
        $(
            #[doc = $summary]
            pub static $name: Danger = Danger {
                category: Category::$category,
                level: Level::$level,
                rule: Rule {
                    code: $code,
                    severity: match Level::$level {
                        Level::Low => Severity::Note,
                        Level::Medium => Severity::Warning,
                        Level::High => Severity::Error,
                    },
                    summary: $summary,
                    why: $why,
                    fix: $fix,
                    allowable: false,
                },
            };
        )+

        /// All dangers, sorted by code.
        pub static DANGERS: &[&Danger] = &[$(&$name,)+];
    };
}

dangers! {
    ALERT_LOOSENED = "alert-loosened", Observability, Medium:
        "an alert fires later or less often",
        "Its threshold, its query or the time for which it must hold changed, so that what was told of before may pass unseen.",
        "Check against the alert's history that what matters still fires.";
    ALERT_REMOVED = "alert-removed", Observability, High:
        "an alert is gone",
        "Nobody is told any more when this state comes.",
        "Keep it, or name the alert that covers the same state.";
    ALERT_SILENCED = "alert-silenced", Observability, Medium:
        "an alert reaches fewer people, or with less weight",
        "A lower severity, a route or a receiver less, or more quiet hours keep people from hearing of it.",
        "Make sure that somebody who can act is still told.";
    AUTHENTICATION_REMOVED = "authentication-removed", Exposure, High:
        "something is reached without a proof of identity",
        "Who can reach it on the network can use it.",
        "Keep the password, token or certificate, or the policy that asks for it.";
    AUTOSCALER_REMOVED = "autoscaler-removed", Availability, Medium:
        "replicas no longer follow the load",
        "At a peak nothing is added.",
        "Keep the range of replicas, or set a number that carries the peak.";
    BACKUP_RARER = "backup-rarer", Recovery, Medium:
        "copies are made less often, or more may be lost",
        "What was written since the last copy is lost with the original.",
        "Make sure that those who own the data agree with the new recovery point.";
    BACKUP_REMOVED = "backup-removed", Recovery, High:
        "something is no longer backed up",
        "What is lost after this change cannot be brought back.",
        "Keep the backup until the data itself is gone.";
    BIND_WIDENED = "bind-widened", Exposure, High:
        "published ports are bound to more addresses",
        "What was for this machine alone can be reached from its networks, past most host firewalls.",
        "Bind to 127.0.0.1, or to the address of the network that is meant.";
    BUDGET_LOOSENED = "budget-loosened", Availability, Medium:
        "more replicas may be taken away at once",
        "A drained node may take a service below what it needs to work.",
        "Keep a disruption budget that leaves the quorum.";
    CAPACITY_GROWN = "capacity-grown", Capacity, Medium:
        "the platform takes much more than before",
        "What does not fit stays pending, or costs more.",
        "Make room first: hosts, node pools, quotas.";
    CUSTOM_KIND_REMOVED = "custom-kind-removed", Recovery, High:
        "the definition of a kind of objects is removed",
        "With the definition go all objects of the kind, in every namespace, and what their operator made of them.",
        "Remove the objects first, one by one.";
    DISK_IN_CLEAR = "disk-in-clear", Exposure, High:
        "nobody says any more that disks are encrypted",
        "Who gets hold of a disk, or of a copy of it, reads what is on it.",
        "Keep the disks encrypted, or say why what is on them may be read.";
    EGRESS_WIDENED = "egress-widened", Exposure, Medium:
        "a service may reach more outside",
        "A way out for data, and a way in for what it loads.",
        "Name the host and port that is needed, and nothing more.";
    FINDING_ACCEPTED = "finding-accepted", Exposure, Medium:
        "a finding is accepted that was not",
        "What it warns of is there, and no build says so any more.",
        "Read the reason, and make sure that it holds.";
    FLOW_ADDED = "flow-added", Exposure, Medium:
        "a connection is allowed that was not",
        "Who takes over the one end can now try the other.",
        "Make sure that the need is real.";
    HOST_ACCESS = "host-access", Identity, High:
        "a service sees more of its machine",
        "Folders, networks or processes of the machine, and the engine's socket above all, lead out of the container.",
        "Use a volume, or a read-only mount of just the file that is needed.";
    HOST_NEARLY_FULL = "host-nearly-full", Capacity, Medium:
        "a host has hardly any room left",
        "The next service, or the next larger version, does not fit; after the loss of another host nothing moves here.",
        "Add a host or memory, or place something elsewhere.";
    HOST_PUBLISHED = "host-published", Exposure, Medium:
        "a host name or address is newly public",
        "It can be reached from outside as soon as this is applied.",
        "Make sure that it asks for a login, and is meant to be found.";
    IDENTITY_MOVED = "identity-moved", Identity, High:
        "somebody else says who people are",
        "Whoever runs the directory or the provider decides who logs in, and who is in which group.",
        "Make sure who runs it, and that its groups mean the same.";
    IMAGE_CHANGED = "image-changed", SupplyChain, Low:
        "another image runs",
        "Other programs, with other faults.",
        "Read what changed between the versions.";
    IMAGE_DOWNGRADED = "image-downgraded", SupplyChain, High:
        "an older version runs on newer data",
        "Few systems read what a later version of theirs has written.",
        "Read the system's notes on downgrades; restore a backup of the old version if they rule it out.";
    IMAGE_MAJOR = "image-major", SupplyChain, Medium:
        "the major version of an image changes",
        "A major version may change formats, options and interfaces.",
        "Read its upgrade notes, and try it on a copy of the data.";
    IMAGE_UNPINNED = "image-unpinned", SupplyChain, Medium:
        "an image is no longer pinned",
        "What runs depends on when it was pulled.",
        "Name a version, better a digest.";
    IMMUTABLE_FIELD = "immutable-field", Availability, High:
        "a field changes that cannot be changed",
        "The API, or the engine, refuses it or passes over it: a deployment stops half-way, or the old value stays.",
        "Follow the reason that the change gives: mostly delete the object, keep its data, and apply again.";
    KIND_CHANGED = "kind-changed", Availability, Medium:
        "a service becomes another kind of workload",
        "It is a new object beside the old one, which must go by hand; data does not move along.",
        "Plan the change as a migration.";
    LEFT_RUNNING = "left-running", Availability, Low:
        "what is removed here keeps running",
        "Nothing in the bundle deletes it: it stays, unwatched, until somebody does.",
        "Delete it by hand after the deployment, or let the tool that applies the bundle prune.";
    LICENCE_CHANGED = "licence-changed", SupplyChain, Medium:
        "a component has another licence",
        "What may be done with it may have changed.",
        "Read the licence; `licenses` in the topology can refuse it.";
    LIMIT_REMOVED = "limit-removed", Capacity, Medium:
        "a service may take all of its machine",
        "Without a limit one fault takes everything beside it along.",
        "Keep a limit of memory at least.";
    LOGIN_LOCAL = "login-local", Identity, High:
        "a system asks neither directory nor provider any more who people are",
        "It keeps accounts of its own: they stay when people leave, and their passwords are nobody's to forbid.",
        "Keep the login, or say who removes accounts from the system.";
    LOGIN_REMOVED = "login-removed", Exposure, High:
        "an account is gone while what it was for stays",
        "Who used it comes in another way, or anybody does.",
        "Make sure which login people use from now on.";
    MEMORY_LOWERED = "memory-lowered", Capacity, Low:
        "a service gets less memory",
        "Above its limit it is killed.",
        "Compare with what it used at its peak.";
    NAMESPACE_REMOVED = "namespace-removed", Recovery, High:
        "a namespace is removed, or becomes another",
        "With a namespace goes everything in it, claims and their volumes included.",
        "Copy what is stored first.";
    POLICY_REMOVED = "policy-removed", Exposure, High:
        "a policy that kept connections out is gone or weaker",
        "What it refused is let through.",
        "Keep a policy for every workload, and the one that refuses by default.";
    PORT_PUBLISHED = "port-published", Exposure, High:
        "a port is newly published",
        "It can be reached from outside as soon as this is applied.",
        "Publish through the proxy or gateway, or bind to 127.0.0.1.";
    PRIVILEGE_ADDED = "privilege-added", Identity, High:
        "a container has more rights",
        "Who takes over the program is nearer to taking over the machine.",
        "Give the one capability that is needed, to a service that does nothing else.";
    PROBE_REMOVED = "probe-removed", Availability, Medium:
        "nobody asks any more whether a service is well",
        "One that hangs gets requests, and is not restarted.",
        "Keep a probe.";
    QUIET_HOURS_ADDED = "quiet-hours-added", Observability, Medium:
        "there are more hours in which nobody is told",
        "What happens then is seen when they are over.",
        "Leave critical alerts out of quiet hours.";
    QUORUM_LOST = "quorum-lost", Availability, High:
        "fewer replicas than a service needs to work",
        "It does not come up, or stops with the next loss.",
        "Keep as many as its quorum, and one more.";
    RECLAIM_DELETES = "reclaim-deletes", Recovery, High:
        "volumes are deleted with their claims",
        "A claim deleted by mistake takes the data along.",
        "Use `Retain`.";
    REGISTRY_CHANGED = "registry-changed", SupplyChain, Medium:
        "an image comes from elsewhere",
        "Another registry or another owner decides what runs.",
        "Make sure who publishes there; compare digests.";
    REPLICAS_REDUCED = "replicas-reduced", Availability, Medium:
        "fewer replicas run",
        "Less load is carried, and fewer losses.",
        "Make sure that what is left carries the peak without one of them.";
    REPLICAS_ZERO = "replicas-zero", Availability, High:
        "nothing of a service runs any more",
        "It stops answering as soon as this is applied.",
        "If it is meant to go, remove it with its connections.";
    RESTORE_UNTESTED = "restore-untested", Recovery, Medium:
        "copies are no longer tried, or not by whom they were",
        "Whether a copy can be put back is known only of those that were.",
        "Keep the drill, and the secret key of everybody who must be able to restore.";
    RESUMED = "resumed", Availability, Medium:
        "something that was suspended goes on",
        "All that was changed meanwhile is applied at once; missed runs may start.",
        "Look at what has gathered.";
    RETENTION_SHORTENED = "retention-shortened", Recovery, High:
        "what is kept is kept for a shorter time",
        "Older copies are deleted at the next run.",
        "Make sure that nobody needs them.";
    ROLE_GRANTED = "role-granted", Identity, Medium:
        "the members of a group are given a role",
        "They may do in every system what the role may there.",
        "Make sure who is in the group, and who puts people into it.";
    ROLE_WIDENED = "role-widened", Identity, High:
        "somebody may do more with the cluster's API",
        "Rights add up: to read Secrets, or to make pods, is often enough for everything.",
        "Name the verbs, kinds and objects that are needed.";
    SCRAPE_REMOVED = "scrape-removed", Observability, Medium:
        "a service is no longer measured",
        "Alerts about it do not fire: without series there is nothing to compare.",
        "Take out its alerts as well, or keep measuring.";
    SECRET_READ = "secret-read", Identity, Low:
        "a service may read one more secret",
        "Who takes it over can go where the secret leads.",
        "Make sure that it needs it.";
    SECRETS_MOVED = "secrets-moved", Recovery, Medium:
        "secrets are kept elsewhere",
        "What is not in the new store is missing, or made anew: a new password opens no database, a new key none of what the old \
         one encrypted.",
        "Put the values that are in use into the new store first.";
    SPREAD_REMOVED = "spread-removed", Availability, Medium:
        "replicas may stand on the same host or in the same zone",
        "One loss can take all of them.",
        "Keep the constraint.";
    STORE_REMOVED = "store-removed", Recovery, High:
        "something that stores data is removed",
        "Its data is no longer used nor backed up, and is deleted by whoever cleans up.",
        "Back it up, and check the copy, first.";
    SUSPENDED = "suspended", Availability, Medium:
        "something is suspended",
        "It does not run, or is no longer applied, until somebody resumes it.",
        "Say until when, and watch for it.";
    TLS_WEAKENED = "tls-weakened", Exposure, High:
        "connections are less protected",
        "Who is on the way can read or change what passes.",
        "Keep TLS, its version, and mutual authentication.";
    TRACES_REDUCED = "traces-reduced", Observability, Low:
        "fewer requests are traced",
        "Rare faults may have no trace.",
        "Keep enough to see them.";
    TRUST_WIDENED = "trust-widened", SupplyChain, Medium:
        "licences are accepted that were refused",
        "The next component may come under terms that nobody agreed to.",
        "Ask who decides on licences.";
    UPDATE_AT_ONCE = "update-at-once", Availability, Medium:
        "replicas are exchanged all at once",
        "During an update nothing answers.",
        "Exchange them one after the other, unless the system rules it out.";
    VERSION_MAJOR = "version-major", SupplyChain, Medium:
        "the major version of a component, an operator or a chart changes",
        "A major version may change formats, options and interfaces.",
        "Read its upgrade notes, and try it on a copy of the data.";
    VOLUME_EMPTIED = "volume-emptied", Recovery, High:
        "a service begins with an empty volume",
        "Under another name, class or storage it finds none of its data; that stays where it was.",
        "Copy the data, or restore a backup into the new volume.";
    VOLUME_SHRUNK = "volume-shrunk", Recovery, High:
        "a volume is to get smaller",
        "No volume can: the change is refused, and a new one begins empty.",
        "Make a new volume and copy the data.";
    WIDE_CHANGE = "wide-change", Availability, Low:
        "a large part of the platform restarts",
        "What goes wrong is harder to find among many changes.",
        "Deploy in parts, or when few people work.";
    ZONE_LOST = "zone-lost", Availability, Medium:
        "there are fewer zones or hosts",
        "What was spread over them stands closer together.",
        "Check what one more loss would take along.";
}
