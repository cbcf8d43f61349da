//! Mounted MCP servers, outwards. The way in is guarded: see `api/mount`.

use jarvis_client::wire::{MountBody, MountInfo, MountedToolInfo};
use jarvis_safety::mount::{Line, MountState, MountView, MountedTool, ToolStanding};

/// A mounted server.
#[must_use]
pub fn mount(view: MountView) -> MountInfo {
    let (state, why) = match view.state {
        MountState::Connecting => ("connecting", None),
        MountState::Up => ("up", None),
        MountState::Down(why) => ("down", Some(why)),
    };
    MountInfo {
        name: view.name,
        line: line(&view.line),
        configured: view.configured,
        state: state.to_owned(),
        why,
        server: view.server,
        tools: view.tools.into_iter().map(tool).collect(),
    }
}

/// How a server is reached.
#[must_use]
pub fn line(line: &Line) -> MountBody {
    let paths = |paths: &[std::path::PathBuf]| paths.iter().map(|path| path.display().to_string()).collect();
    match line.clone() {
        Line::Program(program) => MountBody {
            program: Some(program.program),
            args: program.args,
            environment: program.environment,
            reads: paths(&program.reads),
            writes: paths(&program.writes),
            network: program.network,
            seconds: program.seconds,
            ..MountBody::default()
        },
        Line::Http(http) => {
            MountBody { url: Some(http.url), key: http.key, seconds: http.seconds, ..MountBody::default() }
        }
    }
}

fn tool(tool: MountedTool) -> MountedToolInfo {
    let (standing, tier, why, before) = match tool.standing {
        ToolStanding::New => ("new", None, None, None),
        ToolStanding::Reviewed(tier) => ("reviewed", Some(tier), None, None),
        ToolStanding::Changed(review) => ("changed", Some(review.tier), None, Some(review.description)),
        ToolStanding::Refused(why) => ("refused", None, Some(why), None),
    };
    MountedToolInfo {
        name: tool.name,
        call: tool.call,
        description: tool.description,
        input: (*tool.input).clone(),
        digest: tool.digest.as_str().to_owned(),
        standing: standing.to_owned(),
        tier: tier.map(|tier| tier.as_str().to_owned()),
        why,
        before,
    }
}
