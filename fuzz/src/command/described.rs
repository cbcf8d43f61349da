//! What the text of a form describes, as sentences that its rules can make: an independent reading of `commands.toml`.

use std::net::{Ipv4Addr, Ipv6Addr};

use toml::{Table, Value};

/// The text of a form.
pub(super) fn form<'a>(file: &'a Table, name: &str) -> Option<&'a Table> {
    let mut forms = file.get("command")?.as_array()?.iter().filter_map(Value::as_table);
    forms.find(|form| form.get("name").and_then(Value::as_str) == Some(name))
}

/// Whether the arguments are a sentence of the form.
pub(super) fn describes(form: &Table, args: &[String]) -> bool {
    let words = form.get("words").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let begins = words.len() <= args.len() && words.iter().zip(args).all(|(word, arg)| word.as_str() == Some(arg));
    begins && rest(form, &args[words.len()..], 0)
}

/// One argument or two at a time: an option with its value, an operand, or `--` and operands to the end.
fn rest(form: &Table, args: &[String], operands: usize) -> bool {
    let Some((first, after)) = args.split_first() else { return enough(form, operands) };
    if first == "--" {
        return after.iter().all(|arg| is_operand(form, arg)) && enough(form, operands + after.len());
    }
    if !first.starts_with('-') {
        return is_operand(form, first) && rest(form, after, operands + 1);
    }
    let options = form.get("options").and_then(Value::as_table);
    for (name, kind) in options.into_iter().flatten() {
        let flag = kind.as_str() == Some("flag");
        let long = name.starts_with("--");
        if flag && name == first && (!long || !name.contains('=')) {
            return rest(form, after, operands);
        }
        if !flag && long && first.strip_prefix(name.as_str()).and_then(|value| value.strip_prefix('=')).is_some() {
            return is(kind, &first[name.len() + 1..]) && rest(form, after, operands);
        }
        if !flag && !long && name == first {
            return after.split_first().is_some_and(|(value, after)| is(kind, value) && rest(form, after, operands));
        }
    }
    false
}

fn is_operand(form: &Table, arg: &str) -> bool {
    form.get("operands").and_then(|operands| operands.get("value")).is_some_and(|kind| is(kind, arg))
}

fn enough(form: &Table, count: usize) -> bool {
    let Some(operands) = form.get("operands") else { return count == 0 };
    let bound = |name: &str| operands.get(name).and_then(Value::as_integer).unwrap_or(0);
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    count >= bound("least") && count <= bound("most")
}

/// Whether a value is of a kind.
fn is(kind: &Value, value: &str) -> bool {
    if let Some(choices) = kind.as_array() {
        return choices.iter().any(|choice| choice.as_str() == Some(value));
    }
    if !(1..=1000).contains(&value.len()) || value.starts_with(['-', '+', '@']) {
        return false;
    }
    if let Some(range) = kind.as_table() {
        let bound = |name: &str| range.get(name).and_then(Value::as_integer).unwrap_or(0);
        let digits = value.bytes().all(|digit| digit.is_ascii_digit());
        let number = value.trim_start_matches('0');
        // No bound has more digits.
        let number =
            if number.is_empty() { Some(0) } else { number.parse::<i128>().ok().filter(|_| number.len() < 20) };
        let within = |number: i128| number >= bound("from").into() && number <= bound("to").into();
        return digits && number.is_some_and(within);
    }
    match kind.as_str().unwrap_or_default() {
        "word" => value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._@:+-".contains(&byte)),
        "text" => is_seen(value),
        "path" => is_path(value),
        "host" => is_host(value),
        _ => false,
    }
}

/// Every letter of it can be seen and stands where it is read.
fn is_seen(value: &str) -> bool {
    const UNSEEN: [(u32, u32); 18] = [
        (0x0, 0x1f),
        (0x7f, 0x9f),
        (0xad, 0xad),
        (0x34f, 0x34f),
        (0x61c, 0x61c),
        (0x115f, 0x1160),
        (0x17b4, 0x17b5),
        (0x180b, 0x180f),
        (0x200b, 0x200f),
        (0x2028, 0x202e),
        (0x2060, 0x206f),
        (0x3164, 0x3164),
        (0xfeff, 0xfeff),
        (0xffa0, 0xffa0),
        (0xfe00, 0xfe0f),
        (0xfff0, 0xfffb),
        (0xe0000, 0xe0fff),
        (0x11_0000, 0x11_0000),
    ];
    value.chars().map(u32::from).all(|letter| !UNSEEN.iter().any(|(from, to)| (*from..=*to).contains(&letter)))
}

/// Begins at the root, and each step is a name.
fn is_path(value: &str) -> bool {
    let Some(steps) = value.strip_prefix('/') else { return false };
    let steps = steps.strip_suffix('/').unwrap_or(steps);
    let names = steps.split('/').all(|step| !step.is_empty() && step != "." && step != "..");
    (value == "/" || names) && is_seen(value)
}

fn is_host(value: &str) -> bool {
    let address = value.parse::<Ipv4Addr>().is_ok() || value.parse::<Ipv6Addr>().is_ok();
    let name = value.len() <= 253
        && value.split('.').all(|label| {
            let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
            letters && (1..=63).contains(&label.len()) && !label.starts_with('-')
        });
    address || name
}
