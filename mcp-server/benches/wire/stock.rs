//! The servers that others would start: rmcp, the TypeScript SDK and the Python SDK, each with one tool and nothing
//! around it; and a bare handler that keeps a row. The packages come from the registries; those of npm are put below
//! `target`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::contestant::{Server, work};
use super::{chained, leash, reference};

/// As they stood when this was written; a newer one may be faster or slower.
const PACKAGES: [&str; 3] = ["@modelcontextprotocol/server@2.4.0", "@modelcontextprotocol/node@2.1.2", "zod@4"];

/// rmcp, built as our program is: as it comes, or answering in one piece.
pub(crate) fn rmcp(whole: bool) -> Server {
    let own = std::env::current_exe().unwrap();
    let mut command = leash::command(own.to_str().unwrap());
    Server::start(command.arg(reference::FLAG).args(whole.then_some(reference::WHOLE)))
}

/// A handler that keeps a chained row of each call in a folder of its own.
pub(crate) fn chained_row(folder: &Path) -> Server {
    let own = std::env::current_exe().unwrap();
    Server::start(leash::command(own.to_str().unwrap()).arg(chained::FLAG).arg(folder))
}

/// The TypeScript SDK, or why it cannot be measured.
pub(crate) fn typescript() -> Result<Server, String> {
    let folder = work().join("node");
    let script = written(&folder, "echo.mjs", include_str!("echo.mjs"));
    if !folder.join("node_modules/@modelcontextprotocol/node").exists() {
        std::fs::write(folder.join("package.json"), "{ \"private\": true }\n").unwrap();
        let mut install = Command::new("npm");
        install.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]).args(PACKAGES);
        let done = install.current_dir(&folder).stdout(Stdio::null()).status();
        if !done.is_ok_and(|status| status.success()) {
            return Err(format!("needs Node and npm, and {} from the registry", PACKAGES.join(", ")));
        }
    }
    Ok(Server::start(leash::command("node").env("NODE_ENV", "production").arg(script)))
}

/// The Python SDK, or why it cannot be measured.
pub(crate) fn python() -> Result<Server, String> {
    let python = std::env::var("JARVIS_TEST_PYTHON")
        .map_err(|_| "needs JARVIS_TEST_PYTHON, a Python with the packages `mcp` and `uvicorn`".to_owned())?;
    let script = written(&work(), "echo.py", include_str!("echo.py"));
    Ok(Server::start(leash::command(&python).arg(script)))
}

fn written(folder: &PathBuf, name: &str, text: &str) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}
