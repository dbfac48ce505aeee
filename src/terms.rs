//! Words that all stages share: targets, sizes, layers, zones, protocols. A leaf.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Defines an enum whose variants are written as one lower-case word each.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
        #[schemars(inline)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Returns the word that stands for it.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// Returns what a word stands for.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(self.word())
            }
        }
    };
}

words! {
    /// What an environment compiles to.
    Target {
        /// Docker Compose on one machine.
        Compose = "compose",
        /// Docker Swarm on a few machines.
        Swarm = "swarm",
        /// Kubernetes with Istio.
        Kubernetes = "kubernetes",
    }
}

words! {
    /// Resources of services; what each is worth, the blueprint says.
    Size {
        /// For one machine of 8 GiB that runs everything.
        Small = "small",
        /// For two or three machines of 16 GiB.
        Medium = "medium",
        /// For clusters.
        Large = "large",
    }
}

words! {
    /// Whether an environment must survive losses.
    Availability {
        /// One of each is enough.
        Single = "single",
        /// The loss of one replica, host or zone must not stop it.
        High = "high",
    }
}

words! {
    /// Language of what bundles show to people.
    Locale {
        /// English.
        En = "en",
        /// French.
        Fr = "fr",
    }
}

words! {
    /// Where the values of secrets are kept, and how they reach services.
    SecretStore {
        /// Files in `secrets/` of the bundle's folder. Compose.
        Files = "files",
        /// Secrets of the Swarm, made by a script from files. Swarm.
        External = "external",
        /// Secrets of the cluster, made by a script from files. Kubernetes.
        Script = "script",
        /// A store outside, which the External Secrets Operator reads. Kubernetes.
        ExternalSecrets = "external-secrets",
        /// Sealed Secrets: files that only the cluster can open. Kubernetes.
        SealedSecrets = "sealed-secrets",
        /// Files that SOPS encrypts for recipients of age, beside the target's own way. All targets.
        Sops = "sops",
    }
}

words! {
    /// Kinds of objects that say how a store of secrets outside is reached.
    StoreKind {
        /// For all namespaces.
        Cluster = "ClusterSecretStore",
        /// For one namespace.
        Namespace = "SecretStore",
    }
}

words! {
    /// What runs jobs at their times where the target has no clock of its own.
    Scheduler {
        /// cron, by a crontab.
        Cron = "cron",
        /// systemd, by a timer for each job.
        Systemd = "systemd",
    }
}

words! {
    /// How people prove who they are.
    Login {
        /// Each system has accounts of its own.
        Local = "local",
        /// An LDAP directory, or an Active Directory, checks passwords.
        Ldap = "ldap",
        /// An OpenID Connect provider logs people in.
        Oidc = "oidc",
        /// A SAML identity provider logs people in.
        Saml = "saml",
    }
}

words! {
    /// What somebody may do on the platform (X03), from most to least.
    Role {
        /// Runs the platform.
        Admin = "admin",
        /// Brings data in and shapes it.
        Engineer = "engineer",
        /// Asks questions of data that are ready.
        Analyst = "analyst",
        /// Looks at what others made.
        Viewer = "viewer",
    }
}

words! {
    /// What a job does for the backups of its component.
    BackupRole {
        /// Makes a copy.
        Run = "backup",
        /// Puts one back into a scratch place.
        Drill = "drill",
        /// Puts one back.
        Restore = "restore",
    }
}

words! {
    /// Where volumes lie.
    StorageKind {
        /// On each machine itself.
        Local = "local",
        /// On an NFS server.
        Nfs = "nfs",
    }
}

words! {
    /// The layer of the platform that a system belongs to (P02).
    Layer {
        /// Brings data in.
        Ingestion = "ingestion",
        /// Keeps data.
        Storage = "storage",
        /// Turns raw data into models.
        Transformation = "transformation",
        /// Gives data one meaning and one query interface.
        Semantic = "semantic",
        /// Shows data to people.
        Presentation = "presentation",
        /// Lets the outside in.
        Edge = "edge",
        /// Watches over the rest.
        Operations = "operations",
    }
}

words! {
    /// What a component may collect from the whole platform, and others do things for.
    Collected {
        /// Numbers, by scraping.
        Metrics = "metrics",
        /// Lines that programs write.
        Logs = "logs",
        /// The ways of requests.
        Traces = "traces",
    }
}

words! {
    /// The network zone that a system stands in (X01).
    Zone {
        /// Reachable from outside.
        Dmz = "dmz",
        /// Behind the proxy.
        Application = "application",
        /// Behind the applications.
        Data = "data",
        /// For those who run the platform.
        Operations = "operations",
    }
}

words! {
    /// What is spoken on a port.
    Protocol {
        /// HTTP/1.1, perhaps with WebSockets.
        Http = "http",
        /// HTTP/2 with gRPC (Arrow Flight).
        Grpc = "grpc",
        /// Anything else over TCP.
        Tcp = "tcp",
    }
}

words! {
    /// How a port is published.
    Publish {
        /// Through the proxy, under a host name of its own.
        Web = "web",
        /// Through the proxy, on a port of its own.
        Tcp = "tcp",
        /// On the host itself: the proxy's own ports.
        Host = "host",
    }
}

words! {
    /// The class of a volume's disk.
    DiskClass {
        /// Fast, for databases.
        Ssd = "ssd",
        /// Whatever is cheap.
        Standard = "standard",
    }
}

words! {
    /// How a secret's value is made.
    SecretKind {
        /// Random letters and digits, or characters of `alphabet`; `length` counts characters.
        Alphanumeric = "alphanumeric",
        /// Random bytes in base64; `length` counts bytes.
        Base64 = "base64",
        /// Random bytes in hexadecimal; `length` counts bytes.
        Hex = "hex",
        /// Comes from elsewhere; the user puts it there.
        Given = "given",
        /// A token that is signed with another secret (JSON Web Token, HS512): who has it proves to know that one.
        Jwt = "jwt",
    }
}

words! {
    /// What it takes to change a secret.
    RotationWay {
        /// Those who read it are started anew.
        Restart = "restart",
        /// The same: a job of the system tells it the new value before the others start.
        Job = "job",
        /// People tell the system, by the steps that are described.
        Steps = "steps",
        /// It must stay as it is: what it protects could not be read any more.
        Never = "never",
    }
}

/// The fewest characters that secrets are made of: with less they would have to be very long.
const SMALLEST_ALPHABET: usize = 10;

/// Says whether a secret can consist of these characters: enough of them, printable ones of ASCII, each once.
pub fn is_alphabet(text: &str) -> bool {
    let different: BTreeSet<u8> = text.bytes().collect();
    different.len() == text.len()
        && text.len() >= SMALLEST_ALPHABET
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// How often a secret is changed, and what that takes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Rotation {
    /// After what time a value is old: `90d`. Never by itself, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// What it takes.
    pub how: RotationWay,
    /// The steps, or why it must stay, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
}

/// What a token says, and what it is signed with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The secret that it is signed with.
    pub key: String,
    /// What it says, by name.
    pub claims: BTreeMap<String, String>,
}

impl Size {
    /// Finds what stands for this size; where a blueprint describes fewer sizes, the next smaller one serves, or else
    /// the next larger one.
    pub fn nearest<T>(self, by_size: &BTreeMap<Self, T>) -> Option<(Self, &T)> {
        let smaller = Self::ALL.iter().rev().filter(|size| **size <= self);
        let larger = Self::ALL.iter().filter(|size| **size > self);
        smaller
            .chain(larger)
            .find_map(|size| Some((*size, by_size.get(size)?)))
    }
}

words! {
    /// How a panel of a dashboard shows its series.
    PanelKind {
        /// Lines over time.
        TimeSeries = "timeseries",
        /// The last value, large.
        Stat = "stat",
        /// The last value between a least and a most.
        Gauge = "gauge",
        /// Last values as bars.
        BarGauge = "bargauge",
        /// Last values as rows.
        Table = "table",
        /// States over time.
        StateTimeline = "state-timeline",
        /// Buckets of a histogram over time.
        Heatmap = "heatmap",
    }
}

words! {
    /// The part of the platform's overview that a panel also appears in.
    OverviewPart {
        /// Whether what users ask for is done.
        Services = "services",
        /// How much room is left: memory, processors, disks.
        Capacity = "capacity",
        /// Whether data arrives and is transformed.
        Pipelines = "pipelines",
    }
}

words! {
    /// How much a notice of a blueprint matters.
    NoticeLevel {
        /// Something to know.
        Note = "note",
        /// Something most users would want to change.
        Warning = "warning",
        /// Cannot work.
        Error = "error",
    }
}

words! {
    /// What scaling measures.
    ScaleMetric {
        /// Use of processors.
        Cpu = "cpu",
        /// Use of memory.
        Memory = "memory",
    }
}

words! {
    /// Whose disks a cluster's storage classes are made of.
    Cloud {
        /// Amazon EBS.
        Aws = "aws",
        /// Google Persistent Disk.
        Gcp = "gcp",
        /// Azure Disk.
        Azure = "azure",
    }
}

words! {
    /// The API that a cluster's gateway is described in.
    GatewayApi {
        /// gateway.networking.k8s.io.
        Standard = "gateway-api",
        /// Istio's Gateway and VirtualService.
        Istio = "istio",
    }
}

words! {
    /// Where the certificate of the public host names comes from, outside Kubernetes.
    PublicTls {
        /// The platform's own authority issues it.
        Internal = "internal",
        /// The user has one, and puts it beside the secrets.
        Own = "own",
        /// A public authority issues it, asked by ACME.
        Acme = "acme",
        /// There is none: what is public is not encrypted.
        Off = "off",
    }
}

words! {
    /// What keys of the platform's own certificates are.
    KeyKind {
        /// On the curve P-256.
        EcdsaP256 = "ecdsa-p256",
        /// On the curve P-384.
        EcdsaP384 = "ecdsa-p384",
        /// RSA of 3072 bits.
        Rsa3072 = "rsa-3072",
        /// RSA of 4096 bits.
        Rsa4096 = "rsa-4096",
    }
}

words! {
    /// Whether services speak TLS among themselves, outside Kubernetes.
    ServicesTls {
        /// They do, with certificates of the platform's own authority.
        Internal = "internal",
        /// They do only where a system insists on it.
        Off = "off",
    }
}

words! {
    /// What encrypts a connection within the platform, best first.
    Encryption {
        /// Both ends, by TLS.
        Tls = "tls",
        /// The mesh, with the identities of both ends.
        Mesh = "mesh",
        /// The network between machines: whoever is on one of them sees it.
        Overlay = "overlay",
        /// Nothing.
        Clear = "clear",
    }
}

words! {
    /// A Pod Security Standard, strictest first.
    PodSecurity {
        /// Nothing that is not needed to run.
        Restricted = "restricted",
        /// No known way out of the container.
        Baseline = "baseline",
        /// Anything.
        Privileged = "privileged",
    }
}

words! {
    /// A tool that applies bundles from a git repository.
    GitOps {
        /// Argo CD: sync waves.
        ArgoCd = "argocd",
    }
}

words! {
    /// How bad it is what an alert reports.
    AlertSeverity {
        /// Somebody gets up for it.
        Critical = "critical",
        /// Somebody looks at it in working hours.
        Warning = "warning",
        /// Good to know beside another alert.
        Info = "info",
    }
}

words! {
    /// What a metric is.
    MetricKind {
        /// A number that only grows, but for restarts.
        Counter = "counter",
        /// A number that goes up and down.
        Gauge = "gauge",
        /// How often values were below limits.
        Histogram = "histogram",
        /// Quantiles of values.
        Summary = "summary",
        /// Always 1: its labels tell.
        Info = "info",
    }
}

words! {
    /// A day of the week.
    Weekday {
        /// The first of a week.
        Monday = "monday",
        /// The second.
        Tuesday = "tuesday",
        /// The third.
        Wednesday = "wednesday",
        /// The fourth.
        Thursday = "thursday",
        /// The fifth.
        Friday = "friday",
        /// The sixth.
        Saturday = "saturday",
        /// The last.
        Sunday = "sunday",
    }
}

words! {
    /// A tool inside an image that can ask over the network.
    ProbeTool {
        /// curl.
        Curl = "curl",
        /// wget, also BusyBox's.
        Wget = "wget",
        /// bash with /dev/tcp.
        Bash = "bash",
        /// Python 3.
        Python = "python",
        /// There is none: nobody asks where the target has no probes of its own.
        Nothing = "nothing",
    }
}

words! {
    /// What a line of a log is about.
    LogKind {
        /// What a program does.
        Application = "application",
        /// Who asked for what, and what they got.
        Access = "access",
        /// Who did what to whose data or rights.
        Audit = "audit",
        /// What went wrong.
        Error = "error",
    }
}

words! {
    /// How bad it is what a line of a log says.
    LogLevel {
        /// Steps of a program.
        Trace = "trace",
        /// For those who look for a fault.
        Debug = "debug",
        /// All is as it should be.
        Info = "info",
        /// Unusual, and no fault.
        Notice = "notice",
        /// It may become a fault.
        Warning = "warning",
        /// Something did not work.
        Error = "error",
        /// Nothing works.
        Critical = "critical",
    }
}

impl LogLevel {
    /// Says whether something did not work.
    pub fn is_error(self) -> bool {
        self >= Self::Error
    }
}
