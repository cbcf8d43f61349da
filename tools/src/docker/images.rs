//! `docker_images`: which images the engine has and who uses them.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bollard::models::ImageSummary;
use bollard::query_parameters::ListImagesOptions;
use jarvis_safety::kernel::Permit;
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::tool::{Done, Listing, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::container::name_of;
use super::engine::Docker;
use super::size;

/// Most images in one answer, and most tags or containers of each.
const MOST: usize = 300;
const MOST_EACH: usize = 20;

pub(super) struct Images(pub(super) Docker);

/// Lists the images of the Docker engine with their size and the containers that use them.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The images, the largest first.
    images: Vec<Image>,
    /// How many smaller ones were left out.
    cut: usize,
    /// Size of all of them. Layers that images share are counted for each, so the disk holds less.
    total_bytes: i64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Image {
    /// Full id.
    id: String,
    /// First tag, or the beginning of the id where there is none.
    name: String,
    tags: Vec<String>,
    size_bytes: i64,
    /// When it was made, in milliseconds since 1970.
    created: i64,
    /// Containers that were made from it, running or not.
    used_by: Vec<String>,
}

impl Tool for Images {
    const SPEC: Spec = Spec {
        name: "docker_images",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(20),
        trust: Trust::Named,
        secrets: &[],
        examples: &[
            "which images are there?",
            "list docker images",
            "how large are the images?",
            "which images are not used?",
            "docker images",
        ],
        lists: Some(Listing { entity: "image", items: "images", name: "name", state: "" }),
    };
    type Args = Args;
    type Output = Output;

    async fn resolve(&self, _: &Args, _: &Look) -> Result<Target, ToolError> {
        self.0.target().await
    }

    fn sentence(&self, _: &Args, target: &Target) -> String {
        format!("List the images of the Docker engine {}.", target.name)
    }

    async fn run(&self, _: Args, _: &RunContext, _: Permit<Self>) -> Result<Done<Output>, ToolError> {
        let listed = self.0.client().await?.list_images(None::<ListImagesOptions>).await;
        let listed = listed.map_err(|error| self.0.failed(&error))?;
        let mut users: HashMap<String, BTreeSet<String>> = HashMap::new();
        for container in self.0.containers().await? {
            let name = name_of(&container);
            users.entry(container.image_id.unwrap_or_default()).or_default().insert(name);
        }
        let total_bytes = listed.iter().map(|image| image.size).sum();
        let mut images: Vec<_> = listed
            .into_iter()
            .map(|image| {
                let used_by = users.remove(&image.id).unwrap_or_default();
                Image::of(image, used_by)
            })
            .collect();
        images.sort_by(|a, b| b.size_bytes.cmp(&a.size_bytes).then_with(|| a.name.cmp(&b.name)));
        let cut = images.len().saturating_sub(MOST);
        images.truncate(MOST);
        Ok(Done::new(Output { images, cut, total_bytes }))
    }

    fn words(&self, output: &Output) -> String {
        if output.images.is_empty() {
            return "There is no image on this engine.".to_owned();
        }
        let told = |image: &Image| {
            let bytes = size::told(u64::try_from(image.size_bytes).unwrap_or(0));
            let unused = if image.used_by.is_empty() { ", not used" } else { "" };
            format!("{} ({bytes}{unused})", image.name)
        };
        let count = output.images.len() + output.cut;
        let noun = if count == 1 { "image" } else { "images" };
        let names: Vec<_> = output.images.iter().take(12).map(told).collect();
        let more = count - names.len();
        let more = if more > 0 { format!(" and {more} smaller ones") } else { String::new() };
        let total = size::told(u64::try_from(output.total_bytes).unwrap_or(0));
        format!("{count} {noun}, {total}: {}{more}.", names.join(", "))
    }
}

impl Image {
    fn of(image: ImageSummary, used_by: BTreeSet<String>) -> Self {
        let tags = image.repo_tags.iter().filter(|tag| *tag != "<none>:<none>");
        let tags: Vec<_> = tags.take(MOST_EACH).map(|tag| shorten(&visible(tag), 200)).collect();
        let short = image.id.strip_prefix("sha256:").unwrap_or(&image.id).chars().take(12).collect();
        Self {
            name: tags.first().cloned().unwrap_or(short),
            id: image.id,
            tags,
            size_bytes: image.size,
            created: image.created.saturating_mul(1000),
            used_by: used_by.into_iter().take(MOST_EACH).collect(),
        }
    }
}
