//! Validate, resolve, classify: everything that is found out before the decision.

use std::sync::Arc;

use serde_json::Value;

use crate::call::Request;
use crate::digest::Digest;
use crate::json;
use crate::look::{guarded, redact, refuse_secret, refused_look, struck};
use crate::plain::{shorten, visible};
use crate::refusal::{Refusal, store_refusal};
use crate::registry::Erased;
use crate::target::Target;
use crate::tier::{Effects, Tier};
use crate::tool::{Look, Preview};

use super::decide::{Facts, Standing, Verdict, decide, refused_outright};
use super::gate::Inner;

/// Largest canonical arguments, in bytes.
const MAX_ARGS: usize = 1_500_000;
/// How far back identical calls count.
pub(super) const REPEAT_WINDOW_MS: i64 = 10 * 60 * 1000;

/// A call that was validated, resolved and classified.
pub struct Prepared {
    pub(crate) tool: Arc<dyn Erased>,
    /// Canonical arguments.
    pub args: Value,
    /// What it acts on.
    pub target: Target,
    /// Tier of exactly this call.
    pub tier: Tier,
    /// Digest over tool, revision, schema, arguments, target and tier.
    pub digest: Digest,
    /// What will happen, control characters shown.
    pub sentence: String,
    /// What the gate would do with it now.
    pub verdict: Verdict,
}

impl Prepared {
    /// Name of the tool.
    #[must_use]
    pub fn tool(&self) -> &'static str {
        self.tool.described().spec.name
    }

    /// The arguments without the value of any secret: the form that is stored and shown.
    #[must_use]
    pub fn shown_args(&self) -> Value {
        redact(&self.args, self.tool.described().spec.secrets)
    }

    pub(super) fn holds_secret(&self) -> bool {
        let secrets = self.tool.described().spec.secrets;
        secrets.iter().any(|field| self.args.get(field).is_some_and(|value| !value.is_null()))
    }
}

impl Inner {
    /// Validates, resolves and classifies a request, and decides with what it has in its favour.
    pub(crate) async fn prepare(&self, request: &Request, standing: Standing) -> Result<Prepared, Refusal> {
        let tool = self.registry.find(&request.tool)?;
        let spec = tool.described().spec;
        // What the declared tier alone forbids is not even looked at.
        if let Some(refusal) = refused_outright(spec.tier, &request.actor, self.kill()) {
            return Err(refusal);
        }
        let args = self.canonical(&*tool, given(spec.name, request)?)?;
        refuse_secret(&self.secrets.redactor, spec.name, &args)?;
        let refused = |error| refused_look(&self.secrets.redactor, spec.name, &error);
        let look = Look::new(request.actor.clone(), request.words());
        let found = guarded(tool.resolve(&args, &look)).await;
        let target = request.actor.reach.narrow(found)?.map_err(refused)?;
        let (tier, sentence) = tool.judge(&args, &target).map_err(refused)?;
        let digest = call_digest(&*tool, &args, &target, tier)?;
        let verdict = decide(&self.facts(request, standing, spec.effects, tier, &args, &target).await?);
        let sentence = shorten(&visible(&self.secrets.redactor.text(&sentence)), 400);
        Ok(Prepared { tool, args, target, tier, digest, sentence, verdict })
    }

    /// What a person should see before saying yes.
    pub(super) async fn look_ahead(&self, request: &Request, prepared: &Prepared) -> Result<Preview, Refusal> {
        let look = Look::new(request.actor.clone(), request.words());
        let preview = guarded(prepared.tool.preview(&prepared.args, &prepared.target, &look)).await;
        struck(&self.secrets.redactor, prepared.tool(), preview)
    }

    async fn facts<'a>(
        &self,
        request: &'a Request,
        standing: Standing,
        effects: Effects,
        tier: Tier,
        args: &Value,
        target: &Target,
    ) -> Result<Facts<'a>, Refusal> {
        let repeats = if tier == Tier::Yellow {
            let since = self.clock.now() - REPEAT_WINDOW_MS;
            let count = self.ledger.repeats(&request.actor.id, &request.tool, args, target, since).await;
            count.map_err(|error| store_refusal(&error))?
        } else {
            0
        };
        let approvable = self.identities.operator_exists().await.map_err(|error| store_refusal(&error))?;
        let rules = self.rules();
        let actor = request.actor.id.as_str();
        let policy = rules.policy.as_ref().map_err(|_| ());
        Ok(Facts {
            tier,
            effects,
            level: rules.levels.level(&request.tool, target),
            actor: &request.actor,
            kill: self.kill(),
            policy: policy.map(|policy| policy.tightening(&request.tool, args, target, actor)),
            vouching: request.chosen_by(),
            repeats,
            approvable,
            grant: (tier > Tier::Green).then(|| self.granted(request, args, target)).flatten(),
            standing,
        })
    }
}

/// The arguments of a request, if they are an object of a size that is taken.
fn given(name: &str, request: &Request) -> Result<Value, Refusal> {
    let given = match &request.args {
        Value::Null => Value::Object(serde_json::Map::new()),
        Value::Object(_) => request.args.clone(),
        _ => return Err(Refusal::invalid(format!("the arguments of `{name}` must be a JSON object"))),
    };
    let size = json::size(&given);
    if size > MAX_ARGS {
        return Err(Refusal::invalid(format!(
            "the arguments of `{name}` are {size} bytes; at most {MAX_ARGS} are taken. Nothing was done"
        )));
    }
    Ok(given)
}

fn call_digest(tool: &dyn Erased, args: &Value, target: &Target, tier: Tier) -> Result<Digest, Refusal> {
    let described = tool.described();
    let bound = serde_json::json!({
        "tool": described.spec.name,
        "revision": described.spec.revision,
        "catalogue": described.catalogue,
        "args": args,
        "target": { "kind": target.kind, "id": target.id },
        "tier": tier,
    });
    let bytes = json::canonical(&bound).map_err(|error| Refusal::invalid(error.to_string()))?;
    Ok(Digest::of(bytes.as_bytes()))
}
