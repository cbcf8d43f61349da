//! A permit made by hand.

use jarvis_safety::kernel::Permit;
use jarvis_safety::{Digest, Target};

struct Mine;

fn main() {
    let _ = Permit::<Mine> { target: Target::new("a", "b", "c"), digest: Digest::of(b""), _tool: std::marker::PhantomData };
}
