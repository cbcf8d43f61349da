//! Settings, outwards. The way in is guarded: see `api/setting`.

use jarvis_client::wire::{AutonomyInfo, AutonomyRuleInfo, ModelInfo, RootInfo, SettingsInfo};
use jarvis_safety::setting::{AuditReads, Settings};

/// All settings.
#[must_use]
pub fn settings(settings: &Settings) -> SettingsInfo {
    let rules = settings.autonomy.rules.iter().map(|rule| AutonomyRuleInfo {
        capability: rule.capability.clone(),
        target: rule.target.clone(),
        level: rule.level.into(),
    });
    SettingsInfo {
        autonomy: AutonomyInfo { default: settings.autonomy.default.into(), rules: rules.collect() },
        model: settings.model.as_ref().map(|model| ModelInfo {
            url: model.url.clone(),
            name: model.name.clone(),
            key: model.key.clone(),
            context: model.context,
            cloud_accepted: model.cloud_accepted,
        }),
        roots: settings.roots.iter().map(|root| RootInfo { path: root.path.clone(), write: root.write }).collect(),
        hosts: settings.hosts.clone(),
        approval_minutes: settings.approval_minutes,
        mcp_hold_seconds: settings.mcp_hold_seconds,
        audit_reads: match settings.audit_reads {
            AuditReads::Wal => "wal".to_owned(),
            AuditReads::Fsync => "fsync".to_owned(),
        },
    }
}
