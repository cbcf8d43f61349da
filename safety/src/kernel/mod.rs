//! The gate: the only thing that can hand a tool the permit it needs to run.
//!
//! ```text
//! validate → resolve → classify → decide → [ask] → record intent → RUN → record outcome
//! ```
//!
//! [`decide`](decide::decide) is pure; the rest drives it through the ports. Nothing here is `unsafe`, nothing here
//! fails open: an error on the way to a decision is a refusal.

mod approve;
mod approver;
mod console;
mod decide;
mod execute;
mod gate;
mod grant;
mod permit;
mod policy;
mod prepare;

pub use crate::autonomy::{Autonomy, AutonomyRule, Level};
pub use crate::kill::KillSwitch;
pub use crate::outcome::answer_of;
pub use crate::plan::PlanAnswer;
pub use crate::registry::{Described, Registry, RegistryBuilder, RegistryError};
pub use crate::run::Watch;
pub(crate) use approve::YES_HOLDS_MS;
pub use console::Console;
pub use decide::{Facts, POLICY, Standing, UNASKED_REPEATS, Verdict, decide};
pub(crate) use gate::Inner;
pub use gate::{Gate, GateParts};
pub(crate) use grant::Compiled;
pub use permit::Permit;
pub(crate) use permit::RawPermit;
pub use policy::{Policy, PolicyError, Tightening};
pub use prepare::Prepared;
