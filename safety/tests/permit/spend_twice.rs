//! A permit used for two runs.

use jarvis_safety::kernel::Permit;

struct Mine;

fn run(_: Permit<Mine>) {}

fn twice(permit: Permit<Mine>) {
    run(permit);
    run(permit);
}

fn main() {
    let _ = twice;
}
