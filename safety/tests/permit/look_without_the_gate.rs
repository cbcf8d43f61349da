//! A look at the world that no gate allowed.

use jarvis_safety::Actor;
use jarvis_safety::tool::Look;

fn main() {
    let _ = Look::new(Actor::operator(), None);
}
