//! The right that is missing when systemd says no, as the file to add.
//!
//! systemd asks polkit about the action `org.freedesktop.systemd1.manage-units` and tells it the unit and the verb, so a
//! rule can allow exactly one service (polkit(8), "Authorization Rules").

/// Whether an error name means that Jarvis lacks the right. Without polkit systemd denies flatly; with it, it asks for
/// a password that nobody is there to type.
pub(super) fn is_missing(error: &str) -> bool {
    matches!(
        error,
        "org.freedesktop.DBus.Error.AccessDenied"
            | "org.freedesktop.DBus.Error.AuthFailed"
            | "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
            | "org.freedesktop.PolicyKit1.Error.NotAuthorized"
    )
}

/// What to add, ready to paste.
pub(super) fn advice(verb: &str, unit: &str, user: &str) -> String {
    let (unit_text, user_text) = (quoted(unit), quoted(user));
    format!(
        "this machine does not let the user `{user}` {verb} {unit}. To allow it, add the file \
         /etc/polkit-1/rules.d/50-jarvis.rules with these lines (polkit must be installed):\n\
         polkit.addRule(function (action, subject) {{\n\
         \x20   if (action.id == \"org.freedesktop.systemd1.manage-units\" &&\n\
         \x20       action.lookup(\"unit\") == {unit_text} &&\n\
         \x20       [\"start\", \"stop\", \"restart\"].indexOf(action.lookup(\"verb\")) >= 0 &&\n\
         \x20       subject.user == {user_text}) {{\n\
         \x20       return polkit.Result.YES;\n\
         \x20   }}\n\
         }});\n"
    )
}

/// As a JavaScript string: names of units may hold backslashes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_ready_to_paste() {
        let advice = advice("stop", r"mnt-a\x2db.service", "jarvis");
        let rule = advice.split_once(":\n").unwrap().1;
        assert_eq!(
            rule,
            r#"polkit.addRule(function (action, subject) {
    if (action.id == "org.freedesktop.systemd1.manage-units" &&
        action.lookup("unit") == "mnt-a\\x2db.service" &&
        ["start", "stop", "restart"].indexOf(action.lookup("verb")) >= 0 &&
        subject.user == "jarvis") {
        return polkit.Result.YES;
    }
});
"#
        );
    }
}
