//! `jarvis mcp`: a pipe between a client's standard streams and the server's socket.

use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, copy, stderr, stdin, stdout};
use tokio::net::UnixStream;

use crate::mcp::STDIO_SOCKET;

use super::connect::Connection;
use super::exit::{Exit, Result, Stop};

/// How long a server that was started here may take until it answers.
const START: Duration = Duration::from_secs(15);

pub(super) async fn run(connection: &Connection) -> Result {
    connection.must_be_local(
        "`jarvis mcp` speaks to the server of this machine (another one is reached by its own address with /mcp and a bearer \
         token)",
    )?;
    let data = connection.data();
    let socket = data.join(STDIO_SOCKET);
    let stream = match UnixStream::connect(&socket).await {
        Ok(stream) => stream,
        Err(_) => start(connection, &data, &socket).await?,
    };
    let (mut from_server, mut to_server) = stream.into_split();
    let up = async {
        copy(&mut stdin(), &mut to_server).await?;
        to_server.shutdown().await
    };
    let mut out = stdout();
    let down = async {
        copy(&mut from_server, &mut out).await?;
        out.flush().await
    };
    tokio::pin!(down);
    tokio::select! {
        // The client closed its end: what the server still answers is passed on before the end.
        sent = up => {
            sent.map_err(|error| broken(&error))?;
            let _ = tokio::time::timeout(Duration::from_secs(60), down).await;
        }
        received = &mut down => received.map_err(|error| broken(&error))?,
    }
    Ok(Exit::Done)
}

fn broken(error: &std::io::Error) -> Stop {
    Stop::new(Exit::Failed, format!("the connection to the server broke: {error}"))
}

/// Starts a server that outlives this process, and says so where people see it.
async fn start(connection: &Connection, data: &Path, socket: &Path) -> Result<UnixStream> {
    let failed = |error: std::io::Error| {
        let told = format!("no server runs on {}, and none could be started: {error}", data.display());
        Stop::new(Exit::NoServer, told)
    };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(failed)?;
    let log = data.join("serve.log");
    let file = std::fs::File::create(&log).map_err(failed)?;
    let mut command = std::process::Command::new(std::env::current_exe().map_err(failed)?);
    command.arg("serve").arg("--data").arg(data).stdin(Stdio::null());
    command.stdout(file.try_clone().map_err(failed)?).stderr(file).process_group(0);
    let mut child = command.envs(&connection.environment).spawn().map_err(failed)?;
    let told = format!("jarvis: no server ran, so one was started (process {}, log {})\n", child.id(), log.display());
    let _ = stderr().write_all(told.as_bytes()).await;
    let until = tokio::time::Instant::now() + START;
    loop {
        if let Ok(stream) = UnixStream::connect(socket).await {
            return Ok(stream);
        }
        let ended = child.try_wait().map_err(failed)?;
        if ended.is_some() || tokio::time::Instant::now() > until {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(Stop::new(Exit::NoServer, format!("the server did not start; it said:\n{said}")));
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
