//! Docker: containers and images of one engine, through bollard.
//!
//! The engine may be missing, stopped, or closed to us when Jarvis starts, and may come and go while he runs. None of
//! that is an error at start: each call connects if it must, and says what is wrong and what to do.
//!
//! A name is only ever compared with what the engine lists; what goes into a request is the full id that was found, so
//! a name with slashes or question marks cannot become another request. Values of environment variables never leave
//! this module, and command lines and labels are shown without what looks like a secret.

mod card;
mod container;
mod engine;
mod events;
mod failure;
mod images;
mod inspect;
mod lines;
mod list;
mod logs;
mod moment;
mod own;
mod probe;
mod pull;
mod redact;
mod reference;
mod remove;
mod restart;
mod settle;
mod size;
mod start;
mod stats;
mod stop;

pub use engine::Docker;
use jarvis_safety::kernel::RegistryBuilder;

/// Adds the Docker tools, all working on this engine.
#[must_use]
pub fn register(builder: RegistryBuilder, docker: Docker) -> RegistryBuilder {
    builder
        .with(list::List(docker.clone()))
        .with(inspect::Inspect(docker.clone()))
        .with(logs::Logs(docker.clone()))
        .with(stats::Stats(docker.clone()))
        .with(events::Events(docker.clone()))
        .with(images::Images(docker.clone()))
        .with(start::Start(docker.clone()))
        .with(restart::Restart(docker.clone()))
        .with(stop::Stop(docker.clone()))
        .with(pull::Pull(docker.clone()))
        .with(remove::Remove(docker))
}

#[cfg(test)]
mod tests {
    use jarvis_safety::tool::Tool;
    use jarvis_safety::{Target, Tier};
    use serde_json::{Value, json};

    use super::*;

    fn tier<T: Tool>(tool: &T, args: Value, id: &str) -> Tier {
        tool.tier_of(&serde_json::from_value(args).unwrap(), &Target::new("container", id, "web"))
    }

    #[test]
    fn what_would_end_jarvis_himself_is_red() {
        let (own, other) = ("a".repeat(64), "b".repeat(64));
        let docker = Docker::inside(own::Own::of(&format!("0::/docker/{own}"), "", ""));
        let args = || json!({ "container": "web" });
        for (id, restart, stop) in [(&own, Tier::Red, Tier::Red), (&other, Tier::Yellow, Tier::Orange)] {
            assert_eq!(tier(&restart::Restart(docker.clone()), args(), id), restart);
            assert_eq!(tier(&stop::Stop(docker.clone()), args(), id), stop);
            assert_eq!(tier(&remove::Remove(docker.clone()), args(), id), Tier::Red);
        }
    }
}
