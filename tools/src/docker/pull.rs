//! `docker_pull`: fetches an image from its registry.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::models::CreateImageInfo;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::{StreamExt as _, pin_mut};
use jarvis_safety::kernel::Permit;
use jarvis_safety::tool::{Done, Look, Preview, Probe, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::engine::Docker;
use super::failure;
use super::reference::Reference;
use super::size;
use crate::doubt::in_doubt;

/// Most layers whose progress is followed.
const LAYERS: usize = 500;

pub(super) struct Pull(pub(super) Docker);

/// Fetches an image from its registry, or the newest one of its tag. Containers keep the image that they were made
/// from.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Reference such as `nginx:1.29` or `ghcr.io/owner/app:2`; without a tag, `latest`.
    #[schemars(extend("x-entity" = "image"))]
    image: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// What was fetched.
    image: String,
    /// Id of the image that the reference means now.
    id: String,
    size_bytes: u64,
    /// Whether that image was not here before.
    changed: bool,
}

impl Tool for Pull {
    const SPEC: Spec = Spec {
        name: "docker_pull",
        revision: 1,
        tier: Tier::Orange,
        effects: Effects { network: true, ..Effects::WRITES },
        deadline: Duration::from_secs(1800),
        trust: Trust::Trusted,
        secrets: &[],
        examples: &[
            "pull {image}",
            "pull the image {image}",
            "fetch the image {image}",
            "download the image {image}",
            "docker pull {image}",
        ],
        lists: None,
    };
    type Args = Args;
    type Output = Output;

    async fn resolve(&self, args: &Args, _: &Look) -> Result<Target, ToolError> {
        let reference = parsed(&args.image)?.to_string();
        // Nobody should be asked to approve what no engine is there to do.
        self.0.target().await?;
        Ok(Target::new("image", reference.clone(), reference))
    }

    fn sentence(&self, _: &Args, target: &Target) -> String {
        let registry = Reference::parse(&target.id).map(|reference| reference.registry().to_owned());
        format!("Pull image {} from {}.", target.name, registry.as_deref().unwrap_or("its registry"))
    }

    async fn preview(&self, _: &Args, target: &Target, _: &Look) -> Result<Preview, ToolError> {
        let here = match self.id_of(&target.id).await? {
            Some(_) => "An image of this name is here already; if the registry has another, the name moves to it.",
            None => "It is not here yet.",
        };
        let effects = vec![
            here.to_owned(),
            "It brings in code that others wrote. Nothing runs it until a container is made from it.".to_owned(),
            "Running containers keep the image that they have.".to_owned(),
        ];
        Ok(Preview { effects, ..Preview::default() })
    }

    async fn run(&self, _: Args, cx: &RunContext, permit: Permit<Self>) -> Result<Done<Output>, ToolError> {
        let target = permit.target();
        let reference = parsed(&target.id)?;
        let before = self.id_of(&target.id).await?.map(|(id, _)| id);
        let options =
            CreateImageOptionsBuilder::default().from_image(reference.name()).tag(reference.version()).build();
        let told = self.0.client().await?.create_image(Some(options), None, None);
        pin_mut!(told);
        let mut layers = Layers::default();
        while let Some(step) = told.next().await {
            let step = match step {
                Ok(step) => step,
                Err(error) => return Err(self.not_pulled(&reference, &target.id, before, &error).await),
            };
            layers.take(&step);
            let (done, total) = layers.sum();
            cx.progress(done, (total > 0.0).then_some(total), layers.told(&target.name));
        }
        let Some((id, size_bytes)) = self.id_of(&target.id).await.map_err(in_doubt)? else {
            return Err(ToolError::new(
                ToolErrorKind::Failed,
                format!("the engine ended the pull of {reference} without an error, but the image is not here"),
            ));
        };
        let changed = before.as_ref() != Some(&id);
        Ok(Done::new(Output { image: target.name.clone(), id, size_bytes, changed }))
    }

    /// What a digest names is always the same; a tag may have been here before. An engine ends a pull whose asker is gone.
    async fn probe(&self, _: &Args, target: &Target) -> Probe {
        let fixed = Reference::parse(&target.id).is_ok_and(|reference| reference.is_fixed());
        match self.id_of(&target.id).await {
            Ok(None) => Probe::NotDone,
            Ok(Some(_)) if fixed => Probe::Done,
            _ => Probe::Unknown,
        }
    }

    fn words(&self, output: &Output) -> String {
        let bytes = size::told(output.size_bytes);
        if output.changed {
            format!("{} was pulled ({bytes}). Containers use it once they are made anew.", output.image)
        } else {
            format!("{} was up to date ({bytes}).", output.image)
        }
    }
}

impl Pull {
    /// What a failed pull means. An engine that has answered is done with it: where the reference means what it meant
    /// before, nothing came of it.
    async fn not_pulled(
        &self,
        reference: &Reference,
        id: &str,
        before: Option<String>,
        error: &bollard::errors::Error,
    ) -> ToolError {
        let told = self.0.change_failed(error);
        if told.kind != ToolErrorKind::Interrupted {
            return explained(reference, told);
        }
        let now = self.id_of(id).await.map(|now| now.map(|(id, _)| id));
        if failure::is_fault(error) && now == Ok(before) { explained(reference, told) } else { told }
    }

    /// Id and size of the image that a reference means now, if it is here.
    async fn id_of(&self, reference: &str) -> Result<Option<(String, u64)>, ToolError> {
        match self.0.client().await?.inspect_image(reference).await {
            Ok(image) => {
                let size = image.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
                Ok(image.id.map(|id| (id, size)))
            }
            Err(error) => {
                let told = self.0.failed(&error);
                if told.kind == ToolErrorKind::NotFound { Ok(None) } else { Err(told) }
            }
        }
    }
}

fn parsed(image: &str) -> Result<Reference, ToolError> {
    Reference::parse(image).map_err(|why| ToolError::new(ToolErrorKind::Invalid, why))
}

/// What a registry's refusal, or its silence, means.
fn explained(reference: &Reference, error: ToolError) -> ToolError {
    let said = error.message.to_lowercase();
    let any = |marks: &[&str]| marks.iter().any(|mark| said.contains(mark));
    let (kind, hint) = if any(&["denied", "unauthorized", "authentication required"]) {
        (
            ToolErrorKind::NotPermitted,
            "it does not exist there, or needs a login that Jarvis does not have: pull it with `docker pull` on the host",
        )
    } else if any(&["manifest unknown", "not found", "manifest for"]) {
        (ToolErrorKind::NotFound, "there is no such image or tag there; check the reference")
    } else if any(&["lookup ", "dial ", "timeout", "refused", "unreachable", "connection", "deadline"]) {
        (
            ToolErrorKind::Unavailable,
            "the engine cannot reach the registry: check the network, the name server and the proxy of its host",
        )
    } else {
        (ToolErrorKind::Failed, "the pull did not succeed")
    };
    let registry = reference.registry();
    ToolError::new(kind, format!("{reference} was not pulled from {registry}; {hint} ({})", error.message))
}

/// How far each layer is: bytes done and in all.
#[derive(Default)]
struct Layers(BTreeMap<String, (i64, i64, bool)>);

impl Layers {
    fn take(&mut self, step: &CreateImageInfo) {
        let (Some(id), Some(status)) = (&step.id, step.status.as_deref()) else { return };
        // The first step names the tag, not a layer.
        if status.starts_with("Pulling from") || (self.0.len() >= LAYERS && !self.0.contains_key(id)) {
            return;
        }
        let layer = self.0.entry(id.chars().take(20).collect()).or_default();
        let detail = step.progress_detail.as_ref();
        let number = |number: Option<i64>| number.filter(|number| *number > 0);
        match status {
            "Downloading" => {
                layer.0 = detail.and_then(|detail| number(detail.current)).unwrap_or(layer.0);
                layer.1 = detail.and_then(|detail| number(detail.total)).unwrap_or(layer.1);
            }
            "Download complete" | "Extracting" => layer.0 = layer.1,
            "Pull complete" | "Already exists" => *layer = (layer.1, layer.1, true),
            _ => {}
        }
    }

    fn sum(&self) -> (f64, f64) {
        let sum = self.0.values().fold((0, 0), |sum, layer| (sum.0 + layer.0, sum.1 + layer.1));
        (sum.0 as f64, sum.1 as f64)
    }

    fn told(&self, image: &str) -> String {
        let done = self.0.values().filter(|layer| layer.2).count();
        match self.0.len() {
            0 => format!("asking for {image}"),
            all => format!("{image}: {done} of {all} layers"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(id: &str, status: &str, current: i64, total: i64) -> CreateImageInfo {
        serde_json::from_value(serde_json::json!({
            "id": id, "status": status, "progressDetail": { "current": current, "total": total }
        }))
        .unwrap()
    }

    #[test]
    fn progress_counts_bytes_and_layers() {
        let mut layers = Layers::default();
        assert_eq!(layers.told("x:1"), "asking for x:1");
        layers.take(&step("1", "Pulling from library/x", 0, 0));
        layers.take(&step("aa", "Downloading", 50, 200));
        layers.take(&step("bb", "Already exists", 0, 0));
        assert_eq!((layers.sum(), layers.told("x:1")), ((50.0, 200.0), "x:1: 1 of 2 layers".to_owned()));
        layers.take(&step("aa", "Download complete", 0, 0));
        layers.take(&step("aa", "Pull complete", 0, 0));
        assert_eq!((layers.sum(), layers.told("x:1")), ((200.0, 200.0), "x:1: 2 of 2 layers".to_owned()));
    }

    #[test]
    fn what_a_registry_says_is_explained() {
        let reference = Reference::parse("ghcr.io/a/b:1").unwrap();
        let of = |said: &str| explained(&reference, ToolError::new(ToolErrorKind::Failed, said));
        assert_eq!(of("pull access denied for a/b").kind, ToolErrorKind::NotPermitted);
        assert_eq!(of("manifest for a/b:1 not found").kind, ToolErrorKind::NotFound);
        let unreachable = of("Get \"https://ghcr.io/v2/\": dial tcp: lookup ghcr.io: no such host");
        assert_eq!(unreachable.kind, ToolErrorKind::Unavailable);
        assert!(unreachable.message.starts_with("ghcr.io/a/b:1 was not pulled from ghcr.io; the engine cannot"));
    }
}
