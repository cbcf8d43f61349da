//! libFuzzer over one of the targets: `JARVIS_FUZZ_TARGET` names it, `JARVIS_FUZZ_SABOTAGE` how it is broken on purpose.
//!
//! Built with coverage by `cargo xtask proof --suite fuzz`; without, it only says so. All targets are one program: what
//! they share is linked once.
#![cfg_attr(jarvis_fuzz, no_main)]

#[cfg(jarvis_fuzz)]
mod search {
    use std::sync::OnceLock;

    use jarvis_fuzz::{Sabotage, TARGETS, Target};

    static CHOSEN: OnceLock<(Target, Sabotage)> = OnceLock::new();

    fn chosen() -> (Target, Sabotage) {
        let name = std::env::var("JARVIS_FUZZ_TARGET").unwrap_or_default();
        let target = TARGETS.into_iter().find(|target| target.name == name);
        let sabotage = match std::env::var("JARVIS_FUZZ_SABOTAGE") {
            Ok(name) => Sabotage::named(&name),
            Err(_) => Some(Sabotage::None),
        };
        target.zip(sabotage).unwrap_or_else(|| {
            let names = TARGETS.map(|target| target.name).join(", ");
            panic!("JARVIS_FUZZ_TARGET is one of {names}, and JARVIS_FUZZ_SABOTAGE a known one or absent")
        })
    }

    libfuzzer_sys::fuzz_target!(|data: &[u8]| {
        let (target, sabotage) = CHOSEN.get_or_init(chosen);
        (target.holds)(data, *sabotage);
    });
}

#[cfg(not(jarvis_fuzz))]
#[expect(clippy::print_stderr, reason = "it has nothing else to say")]
fn main() -> std::process::ExitCode {
    eprintln!("this is built without coverage; use `cargo xtask proof --suite fuzz`");
    std::process::ExitCode::FAILURE
}
