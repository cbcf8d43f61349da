//! The list of tool families: the one place beside a family's own file that a new tool touches.

use std::path::PathBuf;
use std::sync::Arc;

use jarvis_memory::JobDesk;
use jarvis_safety::foreign::Annex;
use jarvis_safety::kernel::Registry;
use jarvis_safety::port::{Clock, Ids};
use jarvis_safety::setting::Settings;
use jarvis_tools::{command, docker, file, http, log, service, system};
use tokio::sync::watch;

use crate::fixture;
use crate::mcp::{Changes, Inquiries};

/// What the families need from outside.
#[derive(Clone)]
pub(crate) struct Hands {
    pub(crate) docker: docker::Docker,
    pub(crate) bus: service::Bus,
    pub(crate) commands: command::Commands,
    pub(crate) jobs: JobDesk,
    pub(crate) data: PathBuf,
    pub(crate) config: Vec<PathBuf>,
    pub(crate) settings: watch::Receiver<Settings>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    /// Where the tools of mounted servers stand.
    pub(crate) annex: Annex,
    pub(crate) changes: Changes,
    /// Where a fixture asks the client that holds its task.
    pub(crate) inquiries: Inquiries,
    /// Whether the fixtures are added, which are never part of a default start.
    pub(crate) fixtures: bool,
}

/// All tools.
pub(crate) fn registry(hands: Hands) -> anyhow::Result<Registry> {
    let files = file::Files::new(file::FilesOptions {
        data: hands.data,
        settings: hands.settings.clone(),
        config: hands.config,
        clock: hands.clock,
        ids: hands.ids,
    })?;
    let mut tools = Registry::builder().with_annex(hands.annex);
    tools = system::register(tools, system::System::new());
    tools = service::register(tools, hands.bus);
    tools = log::register(tools, log::LogOptions::default());
    tools = file::register(tools, &files);
    tools = http::register(tools, http::HttpOptions::new(hands.settings));
    tools = docker::register(tools, hands.docker);
    tools = command::register(tools, &hands.commands);
    tools = jarvis_memory::register_tools(tools, &hands.jobs);
    if hands.fixtures {
        tools = fixture::register(tools, &hands.changes, &hands.inquiries);
    }
    Ok(tools.build()?)
}
