//! `system_temperatures`: what the sensors say.

use std::time::Duration;

use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier, kernel::Permit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sysinfo::Components;

use super::quantity::tenth;
use super::{System, blocking, unreadable};

/// Above it a sensor is worth a word even if it names no limit of its own.
const HOT: f64 = 80.0;
/// A machine with more sensors than this exists only in theory.
const MAX_SENSORS: usize = 100;

/// Temperatures of this machine: processor, disks, board, each in °C with its critical limit where the sensor names one.
/// A virtual machine or container usually shows none.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {}

/// One sensor.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Sensor {
    /// Chip and place.
    pub(super) sensor: String,
    /// Now, in °C.
    pub(super) celsius: f64,
    /// Where the chip protects itself, in °C.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) critical: Option<f64>,
}

/// What the sensors say.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// Hottest first; empty where the machine shows none.
    sensors: Vec<Sensor>,
    /// Whether there are more.
    cut: bool,
}

pub(super) struct SystemTemperatures(pub(super) System);

impl Tool for SystemTemperatures {
    const SPEC: Spec = Spec {
        name: "system_temperatures",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(10),
        trust: Trust::Trusted,
        secrets: &[],
        examples: &[
            "how hot is this machine?",
            "show the temperatures",
            "what is the CPU temperature?",
            "is the server too hot?",
            "are the disks getting warm?",
        ],
        lists: None,
    };
    type Args = Args;
    type Output = Output;

    async fn resolve(&self, _: &Args, _: &Look) -> Result<Target, ToolError> {
        Ok(self.0.target())
    }

    fn sentence(&self, _: &Args, target: &Target) -> String {
        format!("read the temperature sensors of {}", target.name)
    }

    async fn run(&self, _: Args, _: &RunContext, _: Permit<Self>) -> Result<Done<Output>, ToolError> {
        blocking(|| {
            let components = Components::new_with_refreshed_list().map_err(|error| unreadable("the sensors", error))?;
            Ok(Done::new(read(&components)))
        })
        .await
    }

    fn words(&self, output: &Output) -> String {
        words(output)
    }
}

fn words(output: &Output) -> String {
    if output.sensors.is_empty() {
        return "This machine shows no temperature sensors; a virtual machine or a container usually has none."
            .to_owned();
    }
    let shown: Vec<_> = output.sensors.iter().take(6).map(Sensor::words).collect();
    let more = output.sensors.len().saturating_sub(shown.len());
    let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
    let lead = if output.sensors.iter().any(Sensor::is_hot) { "It is hot: " } else { "" };
    format!("{lead}{}{rest}.", shown.join(", "))
}

/// Near the limit of the chip: for a processor the last 15 °C, for a disk that protects itself early the last 5. Where
/// the chip names no limit, [`HOT`] counts.
fn is_hot(celsius: f64, critical: Option<f64>) -> bool {
    celsius >= critical.map_or(HOT, |limit| (limit - 5.0).min(HOT.max(limit - 15.0)))
}

impl Sensor {
    fn is_hot(&self) -> bool {
        is_hot(self.celsius, self.critical)
    }

    /// Name, reading and limit.
    pub(super) fn words(&self) -> String {
        let limit = self.critical.map(|limit| format!(" (critical at {limit:.0} °C)")).unwrap_or_default();
        format!("{} {:.0} °C{limit}", self.sensor, self.celsius)
    }
}

fn read(components: &Components) -> Output {
    let mut sensors: Vec<_> = components
        .iter()
        .filter_map(|component| {
            Some(Sensor {
                sensor: shorten(&visible(component.label()), 80),
                celsius: plausible(component.temperature())?,
                critical: plausible(component.critical()),
            })
        })
        .collect();
    sensors.sort_by(|one, other| other.celsius.total_cmp(&one.celsius));
    let cut = sensors.len() > MAX_SENSORS;
    sensors.truncate(MAX_SENSORS);
    Output { sensors, cut }
}

/// What the hottest sensor says, and all sensors that are near their limit.
pub(super) fn heat(components: &Components) -> (Option<f64>, Vec<Sensor>) {
    let sensors = read(components).sensors;
    let hottest = sensors.first().map(|sensor| sensor.celsius);
    (hottest, sensors.into_iter().filter(Sensor::is_hot).collect())
}

/// Unconnected inputs of board chips read −128, 0, 127 or 255; such a number is no temperature.
fn plausible(celsius: Option<f32>) -> Option<f64> {
    let celsius = tenth(f64::from(celsius?));
    (celsius > 0.0 && celsius < 126.0).then_some(celsius)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sensor(name: &str, celsius: f64, critical: Option<f64>) -> Sensor {
        Sensor { sensor: name.to_owned(), celsius, critical }
    }

    #[test]
    fn a_machine_without_sensors_says_so() {
        let words = words(&Output { sensors: Vec::new(), cut: false });
        assert!(words.contains("no temperature sensors"), "{words}");
    }

    #[test]
    fn heat_comes_first() {
        let hot = Output { sensors: vec![sensor("coretemp Package id 0", 96.0, Some(100.0))], cut: false };
        assert_eq!(words(&hot), "It is hot: coretemp Package id 0 96 °C (critical at 100 °C).");
        let cool = Output { sensors: vec![sensor("nvme Composite", 41.0, Some(85.0))], cut: false };
        assert_eq!(words(&cool), "nvme Composite 41 °C (critical at 85 °C).");
    }

    #[test]
    fn readings_of_unconnected_inputs_are_left_out() {
        assert_eq!(plausible(Some(-128.0)), None);
        assert_eq!(plausible(Some(127.0)), None);
        assert_eq!(plausible(Some(f32::NAN)), None);
        assert_eq!(plausible(Some(41.23)), Some(41.2));
    }

    #[test]
    fn what_is_hot_depends_on_the_limit_of_the_chip() {
        assert!(!is_hot(79.0, None));
        assert!(is_hot(80.0, None));
        assert!(is_hot(66.0, Some(70.0)), "a disk that protects itself at 70 °C");
        assert!(!is_hot(60.0, Some(70.0)));
        assert!(!is_hot(84.0, Some(105.0)), "a processor that is built for it");
    }
}
