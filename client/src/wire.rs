//! The JSON that crosses the door, both ways.
//!
//! The server fills these types, every client reads them, and the OpenAPI document is made from them, so that the
//! three cannot drift apart. Times are milliseconds since 1970 (UTC); tiers, states and kinds are lower-case words.

mod approval;
mod call;
mod conversation;
mod event;
mod grant;
mod identity;
mod job;
mod mount;
mod problem;
mod secret;
mod setting;
mod status;

pub use approval::*;
pub use call::*;
pub use conversation::*;
pub use event::*;
pub use grant::*;
pub use identity::*;
pub use job::*;
pub use mount::*;
pub use problem::*;
pub use secret::*;
pub use setting::*;
pub use status::*;
