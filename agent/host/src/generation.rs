//! One loaded build, and that build bound to a connection: every call gets a store of its own, and what comes back is
//! checked before anybody relies on it. It knows no scheduling and keeps nothing between calls.

use crate::budget::Budgets;
use crate::caps;
use crate::connector::{Answer, Call, CallError, Connector, Received};
use crate::consent;
use crate::filled::Kept;
use crate::knock::{self, Knock};
use crate::levels;
use crate::limits::Limits;
use crate::passport::Passport;
use crate::setup::{Bound, ConnectionSetup, HostPorts};
use crate::state::{Access, CallState, Visitor};
use crate::trust::Signer;
use crate::v0_1::exports::{Exports, Live, Stop};
use crate::visit::Ready;
use async_trait::async_trait;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use waybill_model::contract::{
    ChoicePage, Context, Delivered, Delivery, Descriptor, Failure, Levels, Moment, Page, Pairs,
    Problem, Role, Scope, Settled, Verdict,
};
use waybill_model::document::{Document, Entity};
use waybill_model::ids::{self, Millis};

/// A loaded component: proven, described, and bound to nobody.
pub struct Generation {
    pub(crate) id: ids::Generation,
    pub(crate) hash: String,
    pub(crate) signer: Option<Signer>,
    pub(crate) descriptor: Arc<Descriptor>,
    pub(crate) passport: Passport,
    pub(crate) limits: Limits,
    pub(crate) ready: Ready,
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generation")
            .field("id", &self.id)
            .field("connector", &self.descriptor.id)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

impl Generation {
    /// Which build this is.
    pub fn id(&self) -> ids::Generation {
        self.id
    }
    /// SHA-256 of the file, in hexadecimal digits.
    pub fn hash(&self) -> &str {
        &self.hash
    }
    /// Who answers for the file; `None`: nobody, and the configuration allows that.
    pub fn signer(&self) -> Option<&Signer> {
        self.signer.as_ref()
    }
    /// What it says of itself.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
    /// Its roles, permissions and versions.
    pub fn passport(&self) -> &Passport {
        &self.passport
    }

    /// What a call of it may use.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether another build takes its place since it misbehaves: then its calls under way end as soon as they work for
    /// long without a request, so that a loop does not take the processor from the build that works now.
    pub fn set_left(&self, left: bool) {
        self.ready.left.store(left, Ordering::Relaxed);
    }

    /// Asks it that often who it is, all in one store: a connector whose answer depends on what it did before shows here.
    ///
    /// # Errors
    /// When it does not answer, as while loading.
    pub async fn describe_repeatedly(&self, times: usize) -> Result<Vec<Descriptor>, CallError> {
        let limit = Duration::from_millis(self.limits.describe_ms) * 10;
        let state = CallState::new(Access::Nothing, None, &self.limits, Instant::now() + limit);
        let (described, _) = self
            .ready
            .visit(state, |exports, live| {
                Box::pin(async move {
                    let mut all = Vec::new();
                    for _ in 0..times {
                        all.push(exports.describe(live).await?);
                    }
                    Ok(all)
                })
            })
            .await;
        described
    }

    /// Binds it to a connection. A connection whose settings change is bound anew; loading is shared.
    pub fn bind(
        self: &Arc<Self>,
        setup: ConnectionSetup,
        ports: HostPorts,
        budgets: Arc<Budgets>,
    ) -> Arc<dyn Connector> {
        let bound = Bound {
            descriptor: Arc::clone(&self.descriptor),
            setup,
            ports,
            budgets,
            limits: self.limits.clone(),
            filled: Kept::default(),
        };
        Arc::new(BoundGeneration {
            generation: Arc::clone(self),
            bound: Arc::new(bound),
        })
    }
}

struct BoundGeneration {
    generation: Arc<Generation>,
    bound: Arc<Bound>,
}

impl BoundGeneration {
    async fn call<T, F>(&self, mut call: Call, access: Access, work: F) -> Answer<T>
    where
        T: Checked,
        F: for<'a> FnOnce(&'a Exports, &'a mut Live, Context) -> BoxFuture<'a, Result<T, Stop>>
            + Send,
    {
        if call.connection != self.bound.setup.id {
            return Answer::refused(CallError::Host(format!(
                "a call for connection {} was given to connection {}",
                call.connection, self.bound.setup.id
            )));
        }
        let mut context = std::mem::take(&mut call.context);
        if let Err(error) = self.bound.recall().await {
            return Answer::refused(CallError::Host(error.to_string()));
        }
        context.settings.extend(self.bound.exposed());
        // Somebody always calls, so nothing stays for want of a call of its own connection.
        self.bound.ports.fetched.tidy(self.bound.now());
        let deadline = Instant::now() + Duration::from_millis(call.limit_ms);
        let visitor = Visitor {
            bound: Arc::clone(&self.bound),
            call: Arc::new(call),
        };
        let limits = &self.bound.limits;
        let state = CallState::new(access, Some(visitor), limits, deadline);
        let (result, mut state) = self
            .generation
            .ready
            .visit(state, |exports, live| work(exports, live, context))
            .await;
        let checked = result.and_then(|value| {
            value.check(limits)?;
            Ok(value)
        });
        let value = self.heeded(&mut state, checked);
        self.bound.budgets.tally.call(self.bound.setup.id, &value);
        let writes = if value.is_ok() {
            caps::kv::writes(&mut state)
        } else {
            Vec::new()
        };
        Answer {
            value,
            writes,
            exchanges: state.exchanges,
            hold_until: state.hold_until,
            excused: false,
        }
    }

    /// Retries that name a time hold the connection; retries for want of a credential are no retries.
    fn heeded<T: Checked>(
        &self,
        state: &mut CallState,
        result: Result<T, CallError>,
    ) -> Result<T, CallError> {
        let mut waits: Option<u32> = None;
        let credential = state.credential.take();
        let heed = |failure: &mut Failure| {
            if let (Failure::Retry(_), Some(problem)) = (&*failure, &credential) {
                *failure = Failure::Unauthorized(problem.clone());
            }
        };
        let result = match result {
            Ok(mut value) => {
                // A member's waiting time is that member's own: a search that trails a write must not stop the others.
                value.failures().into_iter().for_each(heed);
                Ok(value)
            }
            Err(CallError::Failure(mut failure)) => {
                heed(&mut failure);
                if let Failure::Retry(secs) = &failure {
                    waits = *secs;
                }
                Err(CallError::Failure(failure))
            }
            Err(other) => Err(other),
        };
        if let Some(secs) = waits {
            state.hold(self.bound.now() + Millis::from(secs) * 1_000);
        }
        if let Some(until) = state.hold_until {
            self.bound.budgets.hold(self.bound.setup.id, until);
        }
        result
    }
}

/// An answer that is checked before anybody relies on it.
trait Checked: Send {
    fn check(&self, _limits: &Limits) -> Result<(), CallError> {
        Ok(())
    }
    /// Failures inside the answer.
    fn failures(&mut self) -> Vec<&mut Failure> {
        Vec::new()
    }
}

impl Checked for Vec<Problem> {}
impl Checked for Pairs {}
impl Checked for ChoicePage {}
impl Checked for Received {}
impl Checked for Vec<String> {}
impl Checked for () {}

impl Checked for Page {
    fn check(&self, limits: &Limits) -> Result<(), CallError> {
        if self.cursor.len() > limits.cursor_bytes {
            return Err(CallError::Contract(format!(
                "answered a cursor of {} bytes; at most {} are kept",
                self.cursor.len(),
                limits.cursor_bytes
            )));
        }
        self.documents.check(limits)
    }
}

impl Checked for Vec<Document> {
    fn check(&self, limits: &Limits) -> Result<(), CallError> {
        if self.len() > limits.documents {
            return Err(CallError::Contract(format!(
                "answered {} documents; at most {} are taken",
                self.len(),
                limits.documents
            )));
        }
        if self.iter().any(|d| d.key.is_empty()) {
            return Err(CallError::Contract(
                "answered a document without a key".to_owned(),
            ));
        }
        Ok(())
    }
}

impl Checked for Vec<Verdict> {
    fn failures(&mut self) -> Vec<&mut Failure> {
        self.iter_mut().filter_map(|v| v.as_mut().err()).collect()
    }
}

/// One verdict per member, in the same order: another number says nothing about anybody.
fn one_each(verdicts: Vec<Verdict>, members: usize) -> Result<Vec<Verdict>, Stop> {
    if verdicts.len() == members {
        return Ok(verdicts);
    }
    Err(Stop::Contract(format!(
        "answered {} verdicts for {members} members",
        verdicts.len()
    )))
}

#[async_trait]
impl Connector for BoundGeneration {
    fn generation(&self) -> ids::Generation {
        self.generation.id
    }

    fn descriptor(&self) -> &Descriptor {
        &self.generation.descriptor
    }

    fn roles(&self) -> &BTreeSet<Role> {
        &self.generation.passport.roles
    }

    async fn validate(&self, call: Call) -> Answer<Vec<Problem>> {
        self.call(call, Access::Local, |exports, live, context| {
            Box::pin(exports.validate(live, context))
        })
        .await
    }

    async fn probe(&self, call: Call) -> Answer<Pairs> {
        self.call(call, Access::Network, |exports, live, context| {
            Box::pin(exports.probe(live, context))
        })
        .await
    }

    async fn knock(&self) -> Vec<Knock> {
        knock::at_reach(&self.bound).await
    }

    async fn knock_at(&self, url: &str, shown: String) -> Option<Knock> {
        Some(knock::at_own(&self.bound, url, shown).await)
    }

    fn consent(&self, slot: &str, redirect: &str, state: &str) -> Result<String, Problem> {
        consent::address(&self.bound, slot, redirect, state)
    }

    async fn approved(
        &self,
        slot: &str,
        code: SecretString,
        redirect: &str,
    ) -> Result<(), Problem> {
        consent::take(&self.bound, slot, &code, redirect).await
    }

    async fn choices(&self, call: Call, key: String, cursor: Option<String>) -> Answer<ChoicePage> {
        self.call(call, Access::Network, |exports, live, context| {
            Box::pin(exports.choices(live, context, key, cursor))
        })
        .await
    }

    async fn pull(&self, call: Call, entity: Entity, cursor: Option<Vec<u8>>) -> Answer<Page> {
        self.call(call, Access::Network, move |exports, live, context| {
            Box::pin(exports.pull(live, context, entity, cursor))
        })
        .await
    }

    async fn fetch(&self, call: Call, entity: Entity, keys: Vec<String>) -> Answer<Vec<Document>> {
        self.call(call, Access::Network, move |exports, live, context| {
            Box::pin(exports.fetch(live, context, entity, keys))
        })
        .await
    }

    async fn settle(
        &self,
        call: Call,
        moment: Moment,
        batch: Vec<Settled>,
    ) -> Answer<Vec<Verdict>> {
        let members = batch.len();
        self.call(call, Access::Network, move |exports, live, context| {
            Box::pin(async move {
                one_each(exports.settle(live, context, moment, batch).await?, members)
            })
        })
        .await
    }

    async fn read(
        &self,
        call: Call,
        entity: Entity,
        scope: Scope,
        cursor: Option<Vec<u8>>,
    ) -> Answer<Page> {
        self.call(call, Access::Network, move |exports, live, context| {
            Box::pin(exports.read(live, context, entity, scope, cursor))
        })
        .await
    }

    async fn push(&self, call: Call, batch: Vec<Delivery>) -> Answer<Vec<Verdict>> {
        let members = batch.len();
        self.call(call, Access::Network, move |exports, live, context| {
            Box::pin(async move { one_each(exports.push(live, context, batch).await?, members) })
        })
        .await
    }

    async fn push_levels(&self, call: Call, batch: Levels) -> Answer<Vec<Verdict>> {
        if !self.roles().contains(&Role::Levels) {
            return levels::as_documents(self, call, batch).await;
        }
        let members = batch.items.len();
        self.call(call, Access::Network, move |exports, live, context| {
            Box::pin(async move {
                one_each(
                    exports.push_levels(live, context, batch.items).await?,
                    members,
                )
            })
        })
        .await
    }

    async fn confirm(&self, call: Call, handles: Vec<String>) -> Answer<Vec<Verdict>> {
        let members = handles.len();
        self.call(call, Access::Network, move |exports, live, context| {
            Box::pin(
                async move { one_each(exports.confirm(live, context, handles).await?, members) },
            )
        })
        .await
    }

    async fn receive(&self, call: Call, batch: Vec<Delivered>) -> Answer<Received> {
        let members = batch.len();
        self.call(call, Access::Local, move |exports, live, context| {
            Box::pin(async move {
                let results = exports.receive(live, context, batch).await?;
                if results.len() == members {
                    return Ok(results);
                }
                Err(Stop::Contract(format!(
                    "answered {} results for {members} deliveries",
                    results.len()
                )))
            })
        })
        .await
    }

    async fn ensure(&self, call: Call, callback: String) -> Answer<Vec<String>> {
        self.call(call, Access::Network, move |exports, live, context| {
            Box::pin(exports.ensure(live, context, callback))
        })
        .await
    }

    async fn remove(&self, call: Call, callback: String) -> Answer<()> {
        self.call(call, Access::Network, move |exports, live, context| {
            Box::pin(exports.remove(live, context, callback))
        })
        .await
    }
}
