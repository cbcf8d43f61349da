//! The dashboard: install, build, generate types.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::{Done, process, root};

/// Folder of the dashboard.
pub(crate) fn folder() -> PathBuf {
    root().join("web/ui")
}

/// Builds the dashboard if anything changed since it was last built. Without Node, Jarvis serves a page that says so.
pub(crate) fn build() -> Done {
    let folder = folder();
    if !process::exists("npm") {
        process::say(
            "The dashboard is not built: Node with npm is missing. Jarvis runs without it; chat over the CLI.",
        );
        return Ok(());
    }
    install(&folder)?;
    let built = newest(&folder.join("dist"));
    let sources = ["src", "public", "index.html", "vite.config.ts", "package-lock.json"];
    let changed = sources.iter().filter_map(|part| newest(&folder.join(part))).max();
    if built.is_some() && built >= changed {
        return Ok(());
    }
    process::run(&folder, "npm", &["run", "--silent", "build"])
}

/// Installs the dashboard's packages exactly as locked, if they are not there.
pub(crate) fn install(folder: &Path) -> Done {
    let installed = modified(&folder.join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= modified(&folder.join("package-lock.json")) {
        return Ok(());
    }
    process::run(folder, "npm", &["ci", "--no-audit", "--no-fund", "--loglevel=error"])
}

/// Writes the TypeScript types of the wire from the OpenAPI document.
pub(crate) fn wire() -> Done {
    let folder = folder();
    install(&folder)?;
    let made = process::cargo()
        .args(["run", "--quiet", "--package", "jarvis-mcp-server", "--bin", "jarvis", "--", "openapi"])
        .current_dir(root())
        .output()
        .map_err(|error| error.to_string())?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned());
    }
    let document = root().join("target/openapi.json");
    fs::write(&document, made.stdout).map_err(|error| error.to_string())?;
    let document = document.to_string_lossy().into_owned();
    process::run(
        &folder,
        "npx",
        &[
            "--no-install",
            "openapi-typescript",
            &document,
            "--root-types",
            "--root-types-no-schema-prefix",
            "--empty-objects-unknown",
            "-o",
            "src/wire.gen.ts",
        ],
    )
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}

/// The newest change of a file, or of any file in a folder.
fn newest(path: &Path) -> Option<SystemTime> {
    if path.is_file() {
        return modified(path);
    }
    let entries = fs::read_dir(path).ok()?;
    entries.filter_map(Result::ok).filter_map(|entry| newest(&entry.path())).max()
}
