//! A permit of one tool used for another.

use jarvis_safety::kernel::Permit;

struct Restart;
struct Remove;

fn remove(_: Permit<Remove>) {}

fn misuse(permit: Permit<Restart>) {
    remove(permit);
}

fn main() {
    let _ = misuse;
}
