//! JSON that means one thing: strict reading, canonical writing.
//!
//! Two parsers that disagree about the same bytes are an attack (one shows the card, the other runs the call), so
//! duplicate keys and integers that a double cannot hold are refused, and what is hashed is RFC 8785.

use std::{fmt, io};

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Largest integer that every JSON reader agrees on: 2^53 − 1.
pub const MAX_INTEGER: i64 = 9_007_199_254_740_991;

/// Most values, names among them, of a text that comes from outside.
pub const MOST_VALUES: usize = 20_000;

/// Whether a text holds at most [`MOST_VALUES`]. To be asked before it is read: a value takes at least 16 times the memory of
/// the two bytes that it can be written in. Text that is no JSON is answered for as far as it is.
#[must_use]
pub fn is_modest(text: &[u8]) -> bool {
    if text.len() <= MOST_VALUES {
        return true;
    }
    let (mut values, mut within, mut escaped) = (1_usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if within => escaped = true,
            b'"' => within = !within,
            b',' | b':' | b'[' | b'{' if !within => values += 1,
            _ => {}
        }
    }
    values <= MOST_VALUES
}

/// Why text is not strict JSON.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct JsonError(String);

/// Reads JSON, refusing duplicate keys, integers beyond ±(2^53−1) and trailing text.
///
/// # Errors
/// Says what is wrong and where.
pub fn parse(text: &str) -> Result<Value, JsonError> {
    serde_json::from_str::<Strict>(text).map(|strict| strict.0).map_err(|error| JsonError(error.to_string()))
}

/// RFC 8785 bytes of a value.
///
/// # Errors
/// Fails for numbers that have no canonical form; [`parse`] lets none through.
pub fn canonical(value: &Value) -> Result<String, JsonError> {
    if is_plain(value) {
        return Ok(value.to_string());
    }
    serde_json_canonicalizer::to_string(value).map_err(|error| JsonError(error.to_string()))
}

/// Whether a value's ordinary form is its canonical one: names of ASCII, which sort the same by byte and by UTF-16 unit,
/// in their order, and no fractions. Most are, and it is many times faster.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => {
            number.as_i64().is_some_and(|number| number.unsigned_abs() <= MAX_INTEGER.unsigned_abs())
        }
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(members) => {
            members.keys().is_sorted() && members.iter().all(|(name, value)| name.is_ascii() && is_plain(value))
        }
    }
}

/// How many bytes a value is, written without spaces.
#[must_use]
pub fn size(value: &Value) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Neither a value nor a counter can fail.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        if value.unsigned_abs() > MAX_INTEGER.unsigned_abs() {
            return Err(E::custom(format!("integer {value} is beyond ±(2^53−1); send it as a string")));
        }
        Ok(Value::from(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        match i64::try_from(value) {
            Ok(small) => self.visit_i64(small),
            Err(_) => Err(E::custom(format!("integer {value} is beyond ±(2^53−1); send it as a string"))),
        }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        // Integers too large for 64 bits arrive here; they have already lost digits.
        if value.fract() == 0.0 && value.abs() > MAX_INTEGER as f64 {
            return Err(E::custom("a number beyond ±(2^53−1); send it as a string"));
        }
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let Strict(value) = access.next_value()?;
            if map.contains_key(&key) {
                return Err(de::Error::custom(format!("the key `{key}` stands there twice")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_keys_are_refused_at_any_depth() {
        assert!(parse(r#"{"a":{"b":1,"b":2}}"#).unwrap_err().to_string().contains("twice"));
        assert!(parse(r#"{"a":1,"\u0061":2}"#).unwrap_err().to_string().contains("twice"));
    }

    #[test]
    fn many_values_are_found_and_long_texts_are_not_taken_for_them() {
        let list = |items: usize| format!("[{}0]", "0,".repeat(items));
        // The list itself and its first item are values, too.
        assert!(is_modest(list(MOST_VALUES - 2).as_bytes()));
        assert!(!is_modest(list(MOST_VALUES).as_bytes()));
        assert!(!is_modest(format!("{{{}}}", "\"a\":{},".repeat(MOST_VALUES / 2)).as_bytes()), "names count");
        let text = "[{,:\"\\".repeat(MOST_VALUES);
        assert!(is_modest(Value::from(text).to_string().as_bytes()), "what stands in a text does not");
        assert!(
            !is_modest(format!("[\"\\\\\",{}]", list(MOST_VALUES)).as_bytes()),
            "an escaped backslash escapes nothing"
        );
    }

    #[test]
    fn integers_that_a_double_cannot_hold_are_refused() {
        assert!(parse("9007199254740991").is_ok());
        for text in ["9007199254740992", "-9007199254740992", "18446744073709551616", "1e300"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_quick_way_to_the_canonical_form_is_the_long_one() {
        let values = [
            serde_json::json!({ "z": [1, -1, 0, null, true, "\u{0}\u{8}\u{1f}\u{7f}\u{2028}\"\\/é🦀"], "": {}, "Z": [], "a b": "\t\n\u{c}\r" }),
            serde_json::json!({ "é": 1, "\u{fffd}": 2, "🦀": 3 }),
            serde_json::json!([1.0, -0.0, 1e21, 0.1, 9_007_199_254_740_991_i64, -9_007_199_254_740_991_i64]),
            serde_json::json!("\u{1}\u{b}\u{e}\u{10}\u{19}\u{1a}"),
        ];
        for value in values {
            assert_eq!(canonical(&value).unwrap(), serde_json_canonicalizer::to_string(&value).unwrap());
        }
        // What sorts differently by byte and by UTF-16 unit is left to the long way.
        let astral = canonical(&serde_json::json!({ "\u{fffd}": 2, "🦀": 3 })).unwrap();
        assert_eq!(astral, "{\"🦀\":3,\"\u{fffd}\":2}");
    }

    #[test]
    fn the_order_of_keys_does_not_change_the_canonical_form() {
        let one = canonical(&parse(r#"{"b":1.0,"a":"é"}"#).unwrap()).unwrap();
        let other = canonical(&parse(r#"{"a":"\u00e9","b":1}"#).unwrap()).unwrap();
        assert_eq!(one, other);
        assert_eq!(one, r#"{"a":"é","b":1}"#);
    }
}
