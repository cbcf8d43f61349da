//! How a server is reached, inwards: every field is checked, and what is wrong is said in a sentence that names it.

use std::path::{Component, Path, PathBuf};

use jarvis_client::wire::MountBody;
use jarvis_safety::mount::{Http, Line, Program};
use jarvis_safety::secret::SecretName;
use url::Url;

use crate::problem::quote;

/// Most arguments.
const ARGS: usize = 100;
/// Most variables, and most folders of a kind.
const FEW: usize = 50;
/// Most bytes of all texts together.
const BYTES: usize = 32 * 1024;
/// Longest time of a call, in seconds.
const SECONDS: u64 = 540;

/// How a server is reached, where that makes sense.
///
/// # Errors
/// A sentence that names the field.
pub fn line(body: MountBody) -> Result<Line, String> {
    if !(1..=SECONDS).contains(&body.seconds) {
        return Err(format!("seconds is {}; use 1 to {SECONDS}", body.seconds));
    }
    if serde_json::to_string(&body).map_or(0, |text| text.len()) > BYTES {
        return Err(format!("all of it together is more than {BYTES} bytes"));
    }
    let of_a_program = !body.args.is_empty()
        || !body.environment.is_empty()
        || !body.reads.is_empty()
        || !body.writes.is_empty()
        || body.network;
    match (&body.program, &body.url) {
        (Some(_), None) if body.key.is_some() => {
            Err("key is for an address; give a program its token in environment".to_owned())
        }
        (Some(_), None) => program(body).map(Line::Program),
        (None, Some(_)) if of_a_program => {
            Err("args, environment, reads, writes and network are for a program, and this is an address".to_owned())
        }
        (None, Some(_)) => http(body).map(Line::Http),
        _ => Err("a server is reached by `program` or by `url`: give one of them".to_owned()),
    }
}

fn program(body: MountBody) -> Result<Program, String> {
    let MountBody { program, args, environment, reads, writes, network, seconds, .. } = body;
    let program = program.unwrap_or_default();
    if program.is_empty() || program.chars().any(char::is_control) {
        return Err("program must be the name of a program or its whole path".to_owned());
    }
    if program.contains(char::is_whitespace) && !program.starts_with('/') {
        return Err("program is one program, without arguments: they go into args, one by one".to_owned());
    }
    if args.len() > ARGS || args.iter().any(|arg| arg.contains('\0')) {
        return Err(format!("args takes at most {ARGS}, without NUL"));
    }
    if environment.len() > FEW || reads.len() > FEW || writes.len() > FEW {
        return Err(format!("environment, reads and writes take at most {FEW} each"));
    }
    for (name, value) in &environment {
        let good = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && !name.is_empty();
        if !good || value.contains('\0') {
            return Err(format!("environment: {} is no variable; use letters, digits and _", quote(name)));
        }
        // Never repeats the value: it may be the secret itself.
        if value.starts_with("secret://") && SecretName::referred(value).is_none() {
            return Err(format!("environment: {name} is no reference to a secret; write secret://NAME"));
        }
    }
    Ok(Program {
        program,
        args,
        environment,
        reads: folders("reads", reads)?,
        writes: folders("writes", writes)?,
        network,
        seconds,
    })
}

fn folders(field: &str, given: Vec<String>) -> Result<Vec<PathBuf>, String> {
    let plain = |path: &String| {
        let path = Path::new(path);
        let straight = path.components().all(|part| !matches!(part, Component::ParentDir | Component::CurDir));
        path.is_absolute() && straight && !path.to_string_lossy().chars().any(char::is_control)
    };
    match given.iter().find(|path| !plain(path)) {
        Some(odd) => Err(format!("{field}: {} is not an absolute path without `.` and `..`", quote(odd))),
        None => Ok(given.into_iter().map(PathBuf::from).collect()),
    }
}

fn http(body: MountBody) -> Result<Http, String> {
    let url = Url::parse(body.url.unwrap_or_default().trim())
        .map_err(|error| format!("url is no address ({error}); one looks like http://192.168.1.20:8000/mcp"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("url must begin with http:// or https:// and name a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("url must not hold a name or password; use key with a secret".to_owned());
    }
    if url.fragment().is_some() {
        return Err("url must end without #".to_owned());
    }
    let key = body.key.filter(|key| !key.is_empty());
    if key.as_deref().is_some_and(|key| SecretName::referred(key).is_none()) {
        return Err("key must be a reference, `secret://NAME`, and never the token itself".to_owned());
    }
    Ok(Http { url: url.into(), key, seconds: body.seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named_and_no_value_repeated() {
        let program = |program: &str| MountBody { program: Some(program.into()), seconds: 60, ..MountBody::default() };
        let address = |url: &str| MountBody { url: Some(url.into()), seconds: 60, ..MountBody::default() };
        assert!(line(program("node")).is_ok() && line(address("http://lab:8000/mcp")).is_ok());
        let set = |name: &str, value: &str| {
            let environment = [(name.to_owned(), value.to_owned())].into();
            MountBody { environment, ..program("node") }
        };
        assert!(line(set("TOKEN", "secret://lab")).is_ok());
        for (bad, part) in [
            (MountBody { seconds: 60, ..MountBody::default() }, "`program` or by `url`"),
            (MountBody { url: Some("http://lab".into()), ..program("node") }, "`program` or by `url`"),
            (program("npx -y server"), "without arguments"),
            (program(""), "name of a program"),
            (MountBody { seconds: 0, ..program("node") }, "seconds is 0"),
            (MountBody { reads: vec!["srv".into()], ..program("node") }, "reads: `srv`"),
            (MountBody { writes: vec!["/srv/../etc".into()], ..program("node") }, "writes"),
            (MountBody { key: Some("secret://a".into()), ..program("node") }, "for an address"),
            (MountBody { network: true, ..address("http://lab") }, "for a program"),
            (address("ftp://lab"), "http://"),
            (address("http://u:p@lab"), "name or password"),
            (MountBody { key: Some("sk-12345".into()), ..address("http://lab") }, "never the token"),
            (set("1A", "x"), "no variable"),
            (set("A", "secret://a b"), "no reference"),
        ] {
            let said = line(bad.clone()).unwrap_err();
            assert!(said.contains(part) && !said.contains("sk-12345"), "{bad:?}: {said}");
        }
    }
}
