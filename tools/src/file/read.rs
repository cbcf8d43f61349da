//! `file_read`: lines of a text file.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _};
use std::path::PathBuf;
use std::time::Duration;

use jarvis_safety::bounded::Bounded;
use jarvis_safety::kernel::Permit;
use jarvis_safety::plain::{visible, visible_block};
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::Files;
use super::bound::{TEXT_BUDGET, cost, size};
use super::fault::{failed, invalid, system};
use super::place::Purpose;
use super::seen::Facts;

/// Bytes of text in one answer.
const TEXT: usize = 256 * 1024;
/// Bytes that are read to get to the first line.
const SKIPPED: u64 = 256 * 1024 * 1024;
/// Lines in plain words.
const SHOWN_LINES: usize = 40;
/// Characters in plain words.
const SHOWN: usize = 4000;

pub(super) struct FileRead(pub(super) Files);

/// Reads a text file, from a line on. What is not UTF-8 text is not shown; its size and type are.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadArgs {
    /// File. Relative paths lie in Jarvis's own files.
    #[schemars(extend("x-entity" = "path"))]
    path: String,
    /// First line, counted from 1.
    #[serde(default = "first")]
    first_line: Bounded<1, 100_000_000>,
    /// Lines to read.
    #[serde(default = "lines")]
    lines: Bounded<1, 2000>,
}

const fn first() -> Bounded<1, 100_000_000> {
    Bounded::clamped(1)
}

const fn lines() -> Bounded<1, 2000> {
    Bounded::clamped(400)
}

/// A piece of a file.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct ReadOutput {
    /// The file.
    path: String,
    /// Bytes of the whole file.
    size: u64,
    /// Milliseconds since 1970.
    modified: i64,
    /// The lines, exactly as they stand there; empty for what is not text.
    text: String,
    /// Number of the first of them.
    first_line: u32,
    /// How many lines are here.
    lines: u32,
    /// Whether the last of them was cut because it is too long.
    cut: bool,
    /// Where to read on; absent at the end of the file.
    next_line: Option<u32>,
    /// What it seems to be, if it is not UTF-8 text.
    binary: Option<String>,
}

impl Tool for FileRead {
    const SPEC: Spec = Spec {
        name: "file_read",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(20),
        trust: Trust::Untrusted,
        secrets: &[],
        examples: &[
            "read {path}",
            "show me the file {path}",
            "open the file {path}",
            "what does {path} say",
            "print the first {lines} lines of the file {path}",
        ],
        lists: None,
    };
    type Args = ReadArgs;
    type Output = ReadOutput;

    async fn resolve(&self, args: &ReadArgs, _: &Look) -> Result<Target, ToolError> {
        let path = args.path.clone();
        let work = move |files: &Files| {
            let place = files.place(&path, Purpose::Read)?;
            place.open(&place.parent()?, place.name()?)?;
            Ok(place.read_target())
        };
        self.0.look(work).await
    }

    fn sentence(&self, args: &ReadArgs, target: &Target) -> String {
        format!("Read {} lines of {} from line {}", args.lines.get(), target.name, args.first_line.get())
    }

    async fn run(&self, args: ReadArgs, cx: &RunContext, permit: Permit<Self>) -> Result<Done<ReadOutput>, ToolError> {
        let (path, cancel) = (PathBuf::from(&permit.target().id), cx.cancelled().clone());
        let work = move |files: &Files| {
            let place = files.placed(&path, Purpose::Read)?;
            let (file, facts) = place.open(&place.parent()?, place.name()?)?;
            let mut output = ReadOutput { first_line: args.first_line.get(), ..about(&facts, &place.shown) };
            let read = window(file, args.lines.get(), &mut output, &cancel);
            read.map_err(|error| system(&error, &place.shown))??;
            Ok(output)
        };
        Ok(Done::new(self.0.look(work).await?))
    }

    fn words(&self, output: &ReadOutput) -> String {
        let path = visible(&output.path);
        if let Some(kind) = &output.binary {
            return format!("`{path}` is no text but {kind}, {}.", size(output.size));
        }
        if output.size == 0 {
            return format!("`{path}` is empty.");
        }
        if output.lines == 0 {
            return format!("`{path}` ends before line {}.", output.first_line);
        }
        let shown: Vec<_> = output.text.lines().take(SHOWN_LINES).collect();
        let mut text = visible_block(&shown.join("\n"));
        let all = shown.len() == output.text.lines().count() && text.chars().count() <= SHOWN;
        text = jarvis_safety::plain::shorten(&text, SHOWN);
        let last = output.first_line + output.lines - 1;
        let mut words = format!("`{path}`, lines {} to {last}:\n{text}", output.first_line);
        if !all {
            words.push_str("\n(the rest of these lines stands in the details)");
        }
        if output.cut {
            words.push_str("\n(the last line is too long and was cut)");
        }
        if let Some(next) = output.next_line {
            words.push_str(&format!("\nIt goes on at line {next}."));
        }
        words
    }
}

fn about(facts: &Facts, shown: &str) -> ReadOutput {
    ReadOutput { path: shown.to_owned(), size: facts.size, modified: facts.modified(), ..ReadOutput::default() }
}

type Read = std::io::Result<Result<(), ToolError>>;

/// Reads the lines of the window. Lines are bytes until the end, so that no character is torn.
fn window(mut file: File, lines: u32, output: &mut ReadOutput, cancel: &CancellationToken) -> Read {
    let mut head = Vec::new();
    (&file).take(8192).read_to_end(&mut head)?;
    if let Some(kind) = binary(&head) {
        output.binary = Some(kind.to_owned());
        return Ok(Ok(()));
    }
    file.rewind()?;
    let mut reader = BufReader::new(file);
    if let Err(error) = skip(&mut reader, output.first_line - 1, cancel)? {
        return Ok(Err(error));
    }
    let mut bytes = Vec::new();
    while output.lines < lines && bytes.len() < TEXT && !output.cut {
        let before = bytes.len();
        let room = (TEXT - before) as u64;
        let got = (&mut reader).take(room).read_until(b'\n', &mut bytes)?;
        if got == 0 {
            break;
        }
        let whole = bytes.ends_with(b"\n") || (got as u64) < room || reader.fill_buf()?.is_empty();
        // A line that does not fit is left for the next answer, unless it is the only one.
        if !whole && before > 0 {
            bytes.truncate(before);
            output.next_line = Some(output.first_line + output.lines);
            return Ok(finish(bytes, output));
        }
        output.cut = !whole;
        output.lines += 1;
    }
    if output.cut || !reader.fill_buf()?.is_empty() {
        output.next_line = Some(output.first_line + output.lines);
    }
    Ok(finish(bytes, output))
}

fn skip(reader: &mut BufReader<File>, lines: u32, cancel: &CancellationToken) -> Read {
    let mut skipped = 0_u64;
    let mut left = lines;
    while left > 0 {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(Ok(()));
        }
        let (used, ended) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, 1),
            None => (buffer.len(), 0),
        };
        reader.consume(used);
        left -= ended;
        skipped += used as u64;
        if skipped > SKIPPED {
            return Ok(Err(invalid(format!(
                "line {} lies more than {} into the file; Jarvis does not count that far. Search for its text instead",
                lines + 1,
                size(SKIPPED)
            ))));
        }
        if cancel.is_cancelled() {
            return Ok(Err(failed("it was cancelled while looking for that line")));
        }
    }
    Ok(Ok(()))
}

/// Turns the bytes into text without changing one of them, or says that they are no text.
fn finish(bytes: Vec<u8>, output: &mut ReadOutput) -> Result<(), ToolError> {
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        // The one long line may have been cut inside a character.
        Err(error) if output.cut && error.utf8_error().error_len().is_none() => {
            let end = error.utf8_error().valid_up_to();
            String::from_utf8_lossy(&error.into_bytes()[..end]).into_owned()
        }
        Err(_) => {
            output.binary = Some("text in another encoding than UTF-8, or data".to_owned());
            (output.lines, output.next_line, output.cut) = (0, None, false);
            return Ok(());
        }
    };
    output.text = afford(text, output);
    Ok(())
}

/// Cuts text that grows too much when it is escaped, at a line if there is one.
fn afford(mut text: String, output: &mut ReadOutput) -> String {
    let mut spent = 0;
    let over = text.char_indices().find_map(|(at, character)| {
        spent += cost(character);
        (spent > TEXT_BUDGET).then_some(at)
    });
    let Some(at) = over else { return text };
    let line = text[..at].rfind('\n').map(|end| end + 1);
    output.cut = line.is_none();
    text.truncate(line.unwrap_or(at));
    output.lines = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
    output.next_line = Some(output.first_line + output.lines);
    text
}

/// What a file seems to be, judged by its beginning; none for text.
pub(super) fn binary(head: &[u8]) -> Option<&'static str> {
    const KINDS: &[(&[u8], &str)] = &[
        (b"\x89PNG\r\n", "a PNG image"),
        (b"\xff\xd8\xff", "a JPEG image"),
        (b"GIF8", "a GIF image"),
        (b"%PDF-", "a PDF document"),
        (b"PK\x03\x04", "a ZIP archive or an office document"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive"),
        (b"\xfd7zXZ", "an xz archive"),
        (b"BZh", "a bzip2 archive"),
        (b"7z\xbc\xaf", "a 7z archive"),
        (b"\x7fELF", "a program"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"OggS", "an Ogg recording"),
        (b"ID3", "an MP3 recording"),
        (b"fLaC", "a FLAC recording"),
        (b"RIFF", "a RIFF recording or image"),
        (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    ];
    let known = KINDS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, kind)| *kind);
    let broken = match str::from_utf8(head) {
        Ok(_) => false,
        // The head may end inside a character.
        Err(error) => error.error_len().is_some(),
    };
    if head.get(4..8) == Some(b"ftyp") {
        return Some("an MP4 video");
    }
    if head.starts_with(b"%PDF-") || head.contains(&0) || broken {
        return Some(known.unwrap_or("data of a kind that Jarvis does not know"));
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(content: &[u8], first_line: u32, lines: u32) -> ReadOutput {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file.rewind().unwrap();
        let mut output = ReadOutput { first_line, ..ReadOutput::default() };
        window(file, lines, &mut output, &CancellationToken::new()).unwrap().unwrap();
        output
    }

    fn seen(output: &ReadOutput) -> (&str, u32, Option<u32>) {
        (&output.text, output.lines, output.next_line)
    }

    #[test]
    fn a_window_says_where_to_read_on_and_loses_nothing() {
        let text = "one\r\ntwo\n\nfour";
        assert_eq!(seen(&read(text.as_bytes(), 1, 2)), ("one\r\ntwo\n", 2, Some(3)));
        assert_eq!(seen(&read(text.as_bytes(), 3, 9)), ("\nfour", 2, None));
        assert_eq!(seen(&read(text.as_bytes(), 5, 9)), ("", 0, None));
        assert_eq!(seen(&read(b"a\n", 1, 1)), ("a\n", 1, None));
        assert_eq!(seen(&read(b"", 1, 1)), ("", 0, None));
    }

    #[test]
    fn a_long_line_is_left_for_the_next_answer_or_cut_between_characters() {
        let long = "é".repeat(TEXT);
        let second = read(format!("first\n{long}").as_bytes(), 1, 10);
        assert_eq!(seen(&second), ("first\n", 1, Some(2)));
        let odd = read(format!("x{long}").as_bytes(), 1, 10);
        assert!(odd.cut && odd.next_line == Some(2));
        assert_eq!(odd.text.len(), TEXT - 1, "a character of two bytes did not fit and was not torn");
    }

    #[test]
    fn text_that_grows_in_json_still_fits_the_answer() {
        let output = read(&b"\x01\x02\x03\x04\x05\x06\x07\n".repeat(30_000), 1, 2000);
        assert!(output.binary.is_none());
        let whole = read(&[b'\x01'; TEXT], 1, 1);
        assert!(whole.cut && serde_json::to_string(&whole.text).unwrap().len() <= TEXT_BUDGET + 2);
    }

    #[test]
    fn what_is_not_utf8_is_named_and_never_mangled() {
        assert_eq!(read(b"\x89PNG\r\n\x1a\n\0\0", 1, 5).binary.as_deref(), Some("a PNG image"));
        assert!(read(b"caf\xe9\n", 1, 5).binary.is_some());
        let late = [b"a\n".repeat(5000), b"\xff\n".to_vec()].concat();
        let output = read(&late, 4999, 10);
        assert!(output.binary.is_some() && output.text.is_empty());
    }
}
