//! The services of this machine, by systemd's own D-Bus interface (org.freedesktop.systemd1(5)).
//!
//! No `systemctl` is run: the bus answers in types, tells when a job has ended and how, and refuses with a name that can
//! be turned into the rule that is missing. A service is always acted on under its canonical name: an alias can be moved.

mod bus;
mod change;
mod guard;
mod job;
mod list;
mod restart;
mod right;
mod start;
mod state;
mod status;
mod stop;
pub(crate) mod unit;

use jarvis_safety::kernel::RegistryBuilder;

use self::change::Changing;
pub use bus::{Bus, Systemd};

/// Adds the tools of this family.
#[must_use]
pub fn register(builder: RegistryBuilder, bus: Bus) -> RegistryBuilder {
    builder
        .with(list::ServiceList(bus.clone()))
        .with(status::ServiceStatus(bus.clone()))
        .with(Changing::<start::Start>::new(bus.clone()))
        .with(Changing::<stop::Stop>::new(bus.clone()))
        .with(Changing::<restart::Restart>::new(bus))
}
