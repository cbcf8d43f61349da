//! The proof that a call passed the gate.

use std::marker::PhantomData;

use crate::digest::Digest;
use crate::target::Target;

/// What a tool needs to run: typed to the tool, bound to one call, consumed by value.
///
/// It has no public constructor and no public field, so skipping the gate does not compile:
///
/// ```compile_fail
/// # use jarvis_safety::{kernel::Permit, tool::Tool, Target, Digest};
/// fn forge<T: Tool>(target: Target) -> Permit<T> {
///     Permit { target, digest: Digest::of(b""), _tool: std::marker::PhantomData }
/// }
/// ```
#[derive(Debug)]
pub struct Permit<T> {
    target: Target,
    digest: Digest,
    _tool: PhantomData<fn() -> T>,
}

impl<T> Permit<T> {
    /// The thing to act on.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Digest of the call that was decided.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// A permit before the registry knows which tool it is for. Only the gate makes one.
#[derive(Debug)]
pub(crate) struct RawPermit {
    pub(super) target: Target,
    pub(super) digest: Digest,
    pub(super) tool: &'static str,
}

impl RawPermit {
    /// Types the permit to the tool of this name, which it was made for; a permit for another tool yields none.
    pub(crate) fn typed<T>(self, name: &str) -> Option<Permit<T>> {
        (self.tool == name).then_some(Permit { target: self.target, digest: self.digest, _tool: PhantomData })
    }
}
