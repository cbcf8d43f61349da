//! Tools over what this room keeps, one file a family.

mod job;

pub use job::{JobDesk, register};
