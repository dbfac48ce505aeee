//! (stub until the real one is merged)
use crate::platform::Service;
pub(super) fn secret(service: &Service) -> String {
    format!("{}-certificate", service.name)
}
