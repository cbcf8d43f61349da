//! What every request passes before it reaches a handler, whatever it asks for.

pub mod body;
pub mod csrf;
pub mod door;
pub mod header;
pub mod locate;
pub mod prefer;
pub(crate) mod record;
pub mod strike;
pub mod trace;
