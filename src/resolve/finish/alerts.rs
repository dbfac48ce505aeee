//! What tells people of alerts: its configuration as names in scope, and the secrets that messages are sent with.
//!
//! Who is told is the topology's business, so these secrets are in no blueprint: there is one for each receiver that needs
//! one. The service that the capability `alerts` is provided by reads them.

use super::*;
use crate::observe::alertmanager;

impl Finish<'_, '_, '_> {
    /// Adds what the component that tells people sees in `monitoring`.
    pub(super) fn alerting_names(&self, at: usize, names: &mut BTreeMap<String, Value>) {
        let component = &self.drafts[at].name;
        let secret = |end: &str| Self::secret_path(&own_secret(component, end));
        names.insert(
            "alertmanager".to_owned(),
            alertmanager::configuration(&self.alerting, &secret),
        );
        let hosts = alertmanager::destinations(&self.alerting);
        names.insert(
            "destinations".to_owned(),
            Value::from(hosts.unwrap_or_default()),
        );
    }

    /// Returns the names of the secrets that a service sends messages with.
    pub(super) fn alerting_secrets(&self, at: usize, sized: &Sized<'_>) -> Vec<String> {
        if self.teller.is_none() || self.teller != self.position(at, sized.key) {
            return Vec::new();
        }
        let locale = self.resolver.environment.locale;
        alertmanager::secrets(&self.alerting, locale)
            .iter()
            .map(|(end, _)| own_secret(&self.drafts[at].name, end))
            .collect()
    }

    /// Declares the secrets that messages are sent with.
    pub(super) fn declare_alerting_secrets(&self, secrets: &mut BTreeMap<String, Secret>) {
        let Some(teller) = self.teller else {
            return;
        };
        let component = &self.drafts[self.component_at(teller)].name;
        let locale = self.resolver.environment.locale;
        for (end, purpose) in alertmanager::secrets(&self.alerting, locale) {
            let name = own_secret(component, &end);
            let secret = self.given_secret(&name, purpose, None);
            secrets.insert(name, secret);
        }
    }
}
