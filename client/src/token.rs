//! What a token may look like.
//!
//! It is checked before anything is sent: a header that cannot be written would else be taken for a server that is away.

/// Why a text is no token. It never shows the text, which may be nearly a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// Often from a file that was read with its last line break.
    #[error("it holds a line break")]
    LineBreak,
    /// A blank at an end, or two words.
    #[error("it holds a space")]
    Space,
    /// Another character that is not shown.
    #[error("it holds a control character")]
    Control,
    /// Often a dash or a quotation mark that a text program made prettier.
    #[error("it holds a character that is not ASCII")]
    NotAscii,
    /// Probably not the token but a whole file.
    #[error("it is longer than {MAX} characters")]
    TooLong,
}

/// Longest token that is sent, in bytes.
const MAX: usize = 512;

/// Checks that a text can be sent as a token. Whether it is one, only the server knows.
///
/// # Errors
/// Says what is wrong; see [`TokenFault`].
pub fn check_token(text: &str) -> Result<(), TokenFault> {
    let fault = text.chars().find_map(|character| match character {
        '\n' | '\r' => Some(TokenFault::LineBreak),
        ' ' => Some(TokenFault::Space),
        _ if character.is_control() => Some(TokenFault::Control),
        _ if !character.is_ascii() => Some(TokenFault::NotAscii),
        _ => None,
    });
    match fault {
        Some(fault) => Err(fault),
        None if text.len() > MAX => Err(TokenFault::TooLong),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word_of_printable_ascii() {
        assert_eq!(check_token("jrv_flqyprJjKO2sPlf-XmH9QF7dvKxibSCu6hRBxFI90S_U"), Ok(()));
        assert_eq!(check_token("jrv_a\n"), Err(TokenFault::LineBreak));
        assert_eq!(check_token("jrv_a\r\n"), Err(TokenFault::LineBreak));
        assert_eq!(check_token(" jrv_a"), Err(TokenFault::Space));
        assert_eq!(check_token("jrv_a\u{7f}"), Err(TokenFault::Control));
        assert_eq!(check_token("jrv_a\t"), Err(TokenFault::Control));
        assert_eq!(check_token("jrv\u{2013}a"), Err(TokenFault::NotAscii));
        assert_eq!(check_token(&"a".repeat(MAX + 1)), Err(TokenFault::TooLong));
    }
}
