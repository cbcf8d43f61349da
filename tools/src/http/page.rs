//! From bytes to text that a person or a model reads.
//!
//! HTML is cut into tokens by html5gum, which follows the WHATWG rules; a tree is not needed to tell text from markup.
//! Scripts, styles and what else is not shown go; blocks become lines. Nothing is summarised or left out for taste.

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{Token, Tokenizer};

use super::body::BODY;

/// Characters of text in an answer. Control characters are taken out, so JSON at most doubles it.
pub(super) const TEXT: usize = 100_000;
/// Characters of a title.
const TITLE: usize = 300;

/// Elements whose content is not text for people.
const UNSEEN: &[&[u8]] = &[
    b"script",
    b"style",
    b"noscript",
    b"template",
    b"svg",
    b"math",
    b"iframe",
    b"object",
    b"canvas",
    b"audio",
    b"video",
    b"select",
    b"datalist",
    b"textarea",
];
/// Elements that stand on lines of their own.
const BLOCKS: &[&[u8]] = &[
    b"address",
    b"article",
    b"aside",
    b"blockquote",
    b"body",
    b"dd",
    b"details",
    b"div",
    b"dl",
    b"dt",
    b"fieldset",
    b"figcaption",
    b"figure",
    b"footer",
    b"form",
    b"h1",
    b"h2",
    b"h3",
    b"h4",
    b"h5",
    b"h6",
    b"header",
    b"hr",
    b"legend",
    b"li",
    b"main",
    b"nav",
    b"ol",
    b"option",
    b"p",
    b"pre",
    b"section",
    b"summary",
    b"table",
    b"tbody",
    b"tfoot",
    b"thead",
    b"tr",
    b"ul",
];

/// What a page says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) title: Option<String>,
    pub(super) text: String,
    /// Whether text was left out at the end.
    pub(super) cut: bool,
}

/// Turns bytes into text; `Err` names a charset that cannot be read.
pub(super) fn page(bytes: &[u8], kind: &str, charset: Option<&str>) -> Result<Page, String> {
    let html = matches!(kind, "text/html" | "application/xhtml+xml") || (kind.is_empty() && looks_like_html(bytes));
    let named = charset.map(str::to_owned).or_else(|| if html { named_in(bytes) } else { None });
    let text = decoded(bytes, named.as_deref())?;
    let (title, text) = if html { readable(&text) } else { (None, text) };
    let clean: String = text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect();
    let kept = clean.char_indices().nth(TEXT).map(|(end, _)| clean[..end].to_owned());
    let cut = kept.is_some();
    Ok(Page { title, text: kept.unwrap_or(clean), cut })
}

fn looks_like_html(bytes: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(512)]).to_ascii_lowercase();
    let head = head.trim_start();
    head.starts_with("<!doctype html") || head.starts_with("<html")
}

/// The charset that a page names in its first bytes.
fn named_in(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_ascii_lowercase();
    let after = head.split_once("charset=")?.1.trim_start_matches(['"', '\'', ' ']);
    let name: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    (!name.is_empty()).then_some(name)
}

/// The charsets of nearly all pages: UTF-8, UTF-16 and Western European.
fn decoded(bytes: &[u8], charset: Option<&str>) -> Result<String, String> {
    let western = || bytes.iter().map(|byte| windows_1252(*byte)).collect();
    match charset {
        _ if bytes.starts_with(b"\xef\xbb\xbf") => Ok(String::from_utf8_lossy(&bytes[3..]).into_owned()),
        _ if bytes.starts_with(b"\xff\xfe") => Ok(utf_16(&bytes[2..], u16::from_le_bytes)),
        _ if bytes.starts_with(b"\xfe\xff") => Ok(utf_16(&bytes[2..], u16::from_be_bytes)),
        Some("utf-8" | "utf8") => Ok(String::from_utf8_lossy(bytes).into_owned()),
        // Labels that the WHATWG encoding standard reads as windows-1252.
        Some("iso-8859-1" | "latin1" | "iso8859-1" | "windows-1252" | "cp1252" | "us-ascii" | "ascii") => Ok(western()),
        Some("utf-16" | "utf-16le") => Ok(utf_16(bytes, u16::from_le_bytes)),
        Some("utf-16be") => Ok(utf_16(bytes, u16::from_be_bytes)),
        Some(other) if str::from_utf8(bytes).is_err() => Err(other.to_owned()),
        Some(_) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        // None named: UTF-8 if it is, where a body that was cut may end inside a character.
        None => match str::from_utf8(bytes) {
            Err(error) if error.error_len().is_some() || bytes.len() < BODY => Ok(western()),
            _ => Ok(String::from_utf8_lossy(bytes).into_owned()),
        },
    }
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        other => char::from(other),
    }
}

/// Title and text of a page.
fn readable(html: &str) -> (Option<String>, String) {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let mut reading = Reading::default();
    for token in Tokenizer::new_with_emitter(html, emitter) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let alt = tag.attributes.get(&b"alt"[..]).map(|alt| alt.as_slice());
                reading.start(&tag.name, tag.self_closing, alt);
            }
            Token::EndTag(tag) => reading.end(&tag.name),
            Token::String(text) => reading.text(&String::from_utf8_lossy(&text)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    reading.done()
}

#[derive(Default)]
struct Reading {
    out: String,
    title: String,
    in_title: bool,
    /// The element that is not shown, and how deep in elements of its name.
    unseen: Option<(Vec<u8>, usize)>,
    /// How deep in preformatted text.
    exact: usize,
    space: bool,
}

impl Reading {
    fn start(&mut self, name: &[u8], closed: bool, alt: Option<&[u8]>) {
        if let Some((unseen, depth)) = &mut self.unseen {
            *depth += usize::from(unseen == name && !closed);
            return;
        }
        match name {
            b"title" => self.in_title = self.title.is_empty(),
            b"br" => self.out.push('\n'),
            b"td" | b"th" => self.gap('\t'),
            b"img" => {
                let alt = alt.map(String::from_utf8_lossy).unwrap_or_default();
                if !alt.trim().is_empty() {
                    self.text(&format!(" [{}] ", alt.trim()));
                }
            }
            _ if UNSEEN.contains(&name) && !closed => self.unseen = Some((name.to_vec(), 1)),
            _ if BLOCKS.contains(&name) => {
                self.line();
                self.exact += usize::from(name == b"pre");
                if name == b"li" {
                    self.out.push_str("- ");
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &[u8]) {
        if let Some((unseen, depth)) = &mut self.unseen {
            *depth -= usize::from(unseen == name);
            if *depth == 0 {
                self.unseen = None;
            }
            return;
        }
        if name == b"title" {
            self.in_title = false;
        } else if BLOCKS.contains(&name) {
            self.exact -= usize::from(name == b"pre" && self.exact > 0);
            self.line();
            if matches!(name, [b'h', b'1'..=b'6'] | b"p" | b"ul" | b"ol" | b"table" | b"pre" | b"blockquote") {
                self.out.push('\n');
            }
        }
    }

    fn text(&mut self, text: &str) {
        if self.unseen.is_some() {
            return;
        }
        if self.in_title {
            self.title.push_str(text);
            return;
        }
        if self.exact > 0 {
            self.out.push_str(text);
            return;
        }
        for character in text.chars() {
            if character.is_whitespace() {
                self.space = true;
                continue;
            }
            if std::mem::take(&mut self.space) {
                self.gap(' ');
            }
            self.out.push(character);
        }
    }

    /// A space, unless a line begins here.
    fn gap(&mut self, space: char) {
        if !self.out.is_empty() && !self.out.ends_with(['\n', '\t', ' ']) {
            self.out.push(space);
        }
    }

    fn line(&mut self) {
        self.space = false;
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    fn done(self) -> (Option<String>, String) {
        let title = self.title.split_whitespace().collect::<Vec<_>>().join(" ");
        let title: String = title.chars().filter(|c| !c.is_control()).take(TITLE).collect();
        let mut text = String::with_capacity(self.out.len());
        let mut blank = 0;
        for line in self.out.lines().map(str::trim_end) {
            blank = if line.is_empty() || line == "-" { blank + 1 } else { 0 };
            if line != "-" && blank <= 1 {
                text.push_str(line);
                text.push('\n');
            }
        }
        ((!title.is_empty()).then_some(title), text.trim_matches('\n').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(html: &str) -> String {
        page(html.as_bytes(), "text/html", None).unwrap().text
    }

    #[test]
    fn a_page_becomes_lines_of_what_it_shows() {
        let html = "<!doctype html><html><head><title>A &amp; B</title><style>p{color:red}</style>\
            <script>if (a<b) alert('</p>')</script></head><body><h1>Head</h1><p>One <b>two</b>\n   three<br>four</p>\
            <ul><li>first<li>second</ul><table><tr><td>a<td>b<tr><td>c<td>d</table>\
            <pre>  x\n    y</pre><img src=x alt='a cat'><!-- gone --></body>";
        let seen = page(html.as_bytes(), "text/html", None).unwrap();
        assert_eq!(seen.title.as_deref(), Some("A & B"));
        assert_eq!(
            seen.text,
            "Head\n\nOne two three\nfour\n\n- first\n- second\n\na\tb\nc\td\n\n  x\n    y\n\n[a cat]"
        );
    }

    #[test]
    fn markup_that_is_torn_or_hostile_yields_text_and_no_tags() {
        assert_eq!(text("<p>a<p>b</div></div></section>c"), "a\nb\nc");
        assert_eq!(text("x<script>y"), "x");
        assert_eq!(text("x<svg><svg>y</svg>z</svg>w"), "xw");
        assert_eq!(text("a<template>b</template>c<svg/>d"), "acd");
        assert_eq!(text("1 < 2 &lt;b&gt; &#x41;&eacute;&nosuch;"), "1 < 2 <b> Aé&nosuch;");
        assert_eq!(text("<a title='>'>link</a><img alt=\"x>y\">"), "link [x>y]");
        assert_eq!(text(""), "");
    }

    #[test]
    fn the_charset_is_the_one_that_is_named() {
        let latin = b"<meta charset=iso-8859-1><p>caf\xe9 \x80";
        assert_eq!(page(latin, "text/html", None).unwrap().text, "café €");
        assert_eq!(page(b"caf\xc3\xa9", "text/plain", Some("utf-8")).unwrap().text, "café");
        assert_eq!(page(b"\xff\xfeh\0i\0", "text/plain", None).unwrap().text, "hi");
        assert_eq!(page(b"caf\xe9", "text/plain", None).unwrap().text, "café");
        assert_eq!(page(b"\x83e", "text/plain", Some("shift_jis")), Err("shift_jis".to_owned()));
        assert_eq!(page(b"plain", "text/plain", Some("shift_jis")).unwrap().text, "plain");
    }

    #[test]
    fn long_text_is_cut_and_says_so_and_control_characters_go() {
        let long = page("é".repeat(TEXT + 5).as_bytes(), "text/plain", None).unwrap();
        assert!(long.cut && long.text.chars().count() == TEXT);
        let exact = page(&b"a".repeat(TEXT), "text/plain", None).unwrap();
        assert!(!exact.cut);
        assert_eq!(page(b"a\x1b[31m\x00\tb\r\nc", "text/plain", None).unwrap().text, "a[31m\tb\nc");
    }
}
