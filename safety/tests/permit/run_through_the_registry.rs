//! A tool taken out of the registry and run.

use jarvis_safety::registry::Registry;

fn run(registry: &Registry) {
    let _ = registry.tool("docker_remove");
}

fn main() {
    let _ = run;
}
