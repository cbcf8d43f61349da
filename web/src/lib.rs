//! The HTTP face of Jarvis: API, event stream, metrics and the embedded dashboard.
//!
//! It translates and decides nothing. What a caller may do is decided by the gate; what this crate adds is the door:
//! who is there ([`auth`]), whether the request is one of our own page's ([`guard`]), and how it is written
//! ([`view`], [`problem`]). One file in `api/` holds the routes of one subject.

pub mod auth;
pub mod guard;
pub mod problem;
pub mod stream;
pub mod view;

mod api;
mod dashboard;
mod metric;
mod openapi;
mod parts;
mod straight;
mod web;

pub use api::mount::check::line as mounted_line;
pub use guard::door::Door;
pub use openapi::document as openapi;
pub use parts::{Doctor, SetupCode, Warnings, WebParts};
pub use web::{Web, router};
