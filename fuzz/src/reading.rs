//! JSON, read by other means: RFC 8259 letter by letter, with the bounds that Jarvis sets, and written as RFC 8785 says.

use std::fmt::Write as _;

/// Deepest nesting that is read.
const DEPTH: usize = 127;
const LARGEST: f64 = 9_007_199_254_740_991.0;

/// A value, its members in the order of the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

/// Reads a text that means one thing; `None` if it does not.
pub(crate) fn read(text: &str) -> Option<Tree> {
    let mut reader = Reader { rest: text };
    let tree = reader.value(0)?;
    reader.space();
    reader.rest.is_empty().then_some(tree)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, word: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<Tree> {
        self.space();
        match self.rest.as_bytes().first()? {
            b'n' => self.take("null").map(|()| Tree::Null),
            b't' => self.take("true").map(|()| Tree::Bool(true)),
            b'f' => self.take("false").map(|()| Tree::Bool(false)),
            b'"' => self.text().map(Tree::Text),
            b'[' => self.list(depth + 1),
            b'{' => self.object(depth + 1),
            _ => self.number(),
        }
    }

    fn list(&mut self, depth: usize) -> Option<Tree> {
        let mut items = Vec::new();
        self.take("[").filter(|()| depth <= DEPTH)?;
        self.space();
        if self.take("]").is_some() {
            return Some(Tree::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.space();
            if self.take("]").is_some() {
                return Some(Tree::List(items));
            }
            self.take(",")?;
        }
    }

    fn object(&mut self, depth: usize) -> Option<Tree> {
        let mut members: Vec<(String, Tree)> = Vec::new();
        self.take("{").filter(|()| depth <= DEPTH)?;
        self.space();
        if self.take("}").is_some() {
            return Some(Tree::Object(members));
        }
        loop {
            self.space();
            let name = self.text().filter(|name| members.iter().all(|(known, _)| known != name))?;
            self.space();
            self.take(":")?;
            members.push((name, self.value(depth)?));
            self.space();
            if self.take("}").is_some() {
                return Some(Tree::Object(members));
            }
            self.take(",")?;
        }
    }

    fn text(&mut self) -> Option<String> {
        self.take("\"")?;
        let mut units: Vec<u16> = Vec::new();
        loop {
            let letter = self.rest.chars().next().filter(|letter| *letter >= ' ')?;
            self.rest = &self.rest[letter.len_utf8()..];
            match letter {
                '"' => break,
                '\\' => units.push(self.escape()?),
                other => units.extend(other.encode_utf16(&mut [0; 2]).iter()),
            }
        }
        // A half of a pair alone is no text.
        String::from_utf16(&units).ok()
    }

    fn escape(&mut self) -> Option<u16> {
        let letter = *self.rest.as_bytes().first().filter(|letter| letter.is_ascii())?;
        self.rest = &self.rest[1..];
        Some(match letter {
            b'"' | b'\\' | b'/' => u16::from(letter),
            b'b' => 8,
            b'f' => 12,
            b'n' => 10,
            b'r' => 13,
            b't' => 9,
            b'u' => {
                let digits =
                    self.rest.get(..4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
                self.rest = &self.rest[4..];
                u16::from_str_radix(digits, 16).ok()?
            }
            _ => return None,
        })
    }

    fn number(&mut self) -> Option<Tree> {
        let end = self.rest.find(|letter: char| !"+-.eE0123456789".contains(letter)).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        let number: f64 = text.parse().ok().filter(|_| is_number(text))?;
        let whole = number.fract() == 0.0;
        (number.is_finite() && !(whole && number.abs() > LARGEST)).then_some(Tree::Number(number))
    }
}

/// `-? (0 | [1-9] [0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
fn is_number(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(a, b)| (a, Some(b)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(a, b)| (a, Some(b)));
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

impl Tree {
    /// Whether it is what the program read.
    pub(crate) fn is(&self, value: &serde_json::Value) -> bool {
        use serde_json::Value;
        match (self, value) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(one), Value::Bool(other)) => one == other,
            (Self::Number(one), Value::Number(other)) => other.as_f64().is_some_and(|other| *one == other),
            (Self::Text(one), Value::String(other)) => one == other,
            (Self::List(one), Value::Array(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.is(other))
            }
            (Self::Object(one), Value::Object(other)) => {
                one.len() == other.len()
                    && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| one.is(other)))
            }
            _ => false,
        }
    }

    /// RFC 8785.
    pub(crate) fn write(&self, to: &mut String) {
        match self {
            Self::Null => to.push_str("null"),
            Self::Bool(value) => to.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => write_number(*number, to),
            Self::Text(text) => write_text(text, to),
            Self::List(items) => {
                to.push('[');
                for (at, item) in items.iter().enumerate() {
                    to.push_str(if at == 0 { "" } else { "," });
                    item.write(to);
                }
                to.push(']');
            }
            Self::Object(members) => {
                let mut sorted: Vec<_> = members.iter().collect();
                sorted.sort_by_cached_key(|(name, _)| name.encode_utf16().collect::<Vec<_>>());
                to.push('{');
                for (at, (name, value)) in sorted.into_iter().enumerate() {
                    to.push_str(if at == 0 { "" } else { "," });
                    write_text(name, to);
                    to.push(':');
                    value.write(to);
                }
                to.push('}');
            }
        }
    }
}

/// ECMA-262, `QuoteJSONString`.
fn write_text(text: &str, to: &mut String) {
    to.push('"');
    for letter in text.chars() {
        match letter {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\u{8}' => to.push_str("\\b"),
            '\t' => to.push_str("\\t"),
            '\n' => to.push_str("\\n"),
            '\u{c}' => to.push_str("\\f"),
            '\r' => to.push_str("\\r"),
            low if low < ' ' => to.extend(format!("\\u{:04x}", u32::from(low)).chars()),
            other => to.push(other),
        }
    }
    to.push('"');
}

/// Of two equally close numbers with the fewest digits, the even one; Rust takes the greater.
fn closest(number: f64, mut digits: String) -> String {
    let odd = digits.bytes().last().is_some_and(|digit| digit % 2 == 1);
    if odd && digits.len() > 15 {
        let exact = format!("{number:.40e}").replace('.', "");
        let (begun, rest) = exact.split_at(digits.len());
        let half = rest.split('e').next().unwrap_or_default().trim_end_matches('0') == "5";
        if half && begun.bytes().last().is_some_and(|digit| digit % 2 == 0) {
            begun.clone_into(&mut digits);
        }
    }
    digits
}

/// ECMA-262, `Number::toString`: the fewest digits that read back as this number, and where the point goes.
fn write_number(number: f64, to: &mut String) {
    if number == 0.0 {
        return to.push('0');
    }
    let shown = format!("{:e}", number.abs());
    let (mantissa, exponent) = shown.split_once('e').unwrap_or((&shown, "0"));
    let digits = closest(number.abs(), mantissa.replace('.', ""));
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let zeros = |many: i32| "0".repeat(usize::try_from(many).unwrap_or(0));
    if number < 0.0 {
        to.push('-');
    }
    let place = usize::try_from(point).unwrap_or(0);
    let _ = match point {
        _ if count <= point && point <= 21 => write!(to, "{digits}{}", zeros(point - count)),
        1..=21 => write!(to, "{}.{}", &digits[..place], &digits[place..]),
        -5..=0 => write!(to, "0.{}{digits}", zeros(-point)),
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            write!(to, "{first}{dot}{rest}e{}{}", if point > 0 { "+" } else { "-" }, (point - 1).abs())
        }
    };
}
