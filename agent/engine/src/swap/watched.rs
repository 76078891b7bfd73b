//! A bound connector whose calls are counted. A call that stops a build on trial is made once more by the build before,
//! so that an order which stops every build is not held against the new one. Must not know what is counted, or why.

use super::samples::Kind;
use super::watch::{Noted, Seen, Watch};
use async_trait::async_trait;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use std::collections::BTreeSet;
use std::sync::Arc;
use waybill_host::connector::{Answer, Call, CallError, Connector, Received};
use waybill_host::knock::Knock;
use waybill_model::contract::{
    ChoicePage, Delivered, Delivery, Descriptor, Exchange, Levels, Moment, Page, Pairs, Problem,
    Role, Scope, Settled, Verdict,
};
use waybill_model::document::{Document, Entity};
use waybill_model::ids::Generation;

/// Addresses up to this length are kept as a whole.
const WHOLE: usize = 4_000;

/// The build before, bound to the same connection.
pub(crate) struct Before {
    pub(crate) connector: Arc<dyn Connector>,
    /// Defaults of settings that the build on trial does not have.
    pub(crate) settings: Pairs,
}

/// The connector.
pub(crate) struct Watched {
    inner: Arc<dyn Connector>,
    before: Option<Before>,
    watch: Arc<Watch>,
}

/// How many members a value tells of (`None`: it does not count as a batch), and what is wrong with it.
type Judged = (Option<usize>, Result<(), String>);

/// A call, whoever makes it.
type Make<A, T> = fn(Arc<dyn Connector>, Call, A) -> BoxFuture<'static, Answer<T>>;

impl Watched {
    pub(crate) fn around(
        inner: Arc<dyn Connector>,
        before: Option<Before>,
        watch: &Arc<Watch>,
    ) -> Arc<dyn Connector> {
        Arc::new(Self {
            inner,
            before,
            watch: Arc::clone(watch),
        })
    }

    fn is_on_trial(&self) -> bool {
        let id = &self.inner.descriptor().id;
        self.watch.is_on_trial(id, self.inner.generation())
    }

    /// Makes a call and counts it. `judge` says what its value is worth.
    async fn call<A, T>(
        &self,
        kind: Kind,
        call: Call,
        arguments: A,
        make: Make<A, T>,
        judge: impl Fn(&T) -> Judged,
    ) -> Answer<T>
    where
        A: Clone + Send + 'static,
        T: Send + 'static,
    {
        let noted = Noted {
            connection: call.connection,
            began: self.watch.now(),
            attempt: call.context.attempt,
        };
        let before = self.before.as_ref().filter(|_| self.is_on_trial());
        let spare = before.map(|before| (before, call.clone(), arguments.clone()));
        let mut answer = make(Arc::clone(&self.inner), call, arguments).await;
        let (members, wrong) = worth(&answer, &judge);
        let mut seen = Seen {
            kind,
            members,
            first: noted.attempt <= 1,
            // Those that were answered from the journal as well: a build that asks for all it does twice asks twice.
            requests: answer.exchanges.len(),
            repeated: repeated(&answer.exchanges),
            bad: wrong.map(|why| format!("{kind}: {why}")),
            failed: answer.value.is_err(),
        };
        if let (Some(bad), Some((before, call, arguments))) = (&seen.bad, spare)
            && self.is_on_trial()
        {
            // What was begun is in the journal: the build before finds it there, as after a crash.
            let call = before.fitted(call);
            let second = make(Arc::clone(&before.connector), call, arguments).await;
            if worth(&second, &judge).1.is_some() {
                tracing::warn!(
                    connector = %self.inner.descriptor().id, generation = %self.inner.generation(), reason = %bad,
                    "A call stops the build on trial and the one before alike; it is not held against the build."
                );
                answer.excused = true;
                seen.bad = None;
                seen.failed = true;
            } else {
                answer = after(answer, second);
            }
        }
        let id = &self.inner.descriptor().id;
        self.watch.note(id, self.inner.generation(), &noted, seen);
        answer
    }
}

impl Before {
    /// The same call under this build's settings.
    fn fitted(&self, mut call: Call) -> Call {
        let settings = &mut call.context.settings;
        for (key, value) in &self.settings {
            if settings.iter().all(|(known, _)| known != key) {
                settings.push((key.clone(), value.clone()));
            }
        }
        call
    }
}

/// The second answer, with what the first call did.
fn after<T>(first: Answer<T>, second: Answer<T>) -> Answer<T> {
    let mut exchanges = first.exchanges;
    exchanges.extend(second.exchanges);
    Answer {
        exchanges,
        hold_until: first.hold_until.max(second.hold_until),
        ..second
    }
}

/// How many members an answer tells of, and what makes its batch a bad one: the connector's own fault, never the vendor's.
fn worth<T>(answer: &Answer<T>, judge: impl Fn(&T) -> Judged) -> (Option<usize>, Option<String>) {
    match &answer.value {
        Ok(value) => {
            let (members, fits) = judge(value);
            (members, fits.err())
        }
        Err(error) => (Some(0), bad(error)),
    }
}

fn bad(error: &CallError) -> Option<String> {
    match error {
        CallError::Trapped(_)
        | CallError::TimedOut
        | CallError::OutOfMemory
        | CallError::Contract(_) => Some(crate::calls::sentence(error)),
        CallError::Failure(_) | CallError::Host(_) => None,
    }
}

fn found(documents: usize) -> (Option<usize>, Result<(), String>) {
    (Some(documents).filter(|n| *n > 0), Ok(()))
}

fn one_each<T>(members: usize) -> impl Fn(&Vec<T>) -> Judged {
    move |verdicts| {
        let fits = if verdicts.len() == members {
            Ok(())
        } else {
            Err(format!("{} answers for {members} members", verdicts.len()))
        };
        (Some(members), fits)
    }
}

/// Requests of a call that an earlier one of it made as well, and that was answered well: the same is read again, or a
/// step is taken again.
fn repeated(exchanges: &[Exchange]) -> usize {
    let mut told = BTreeSet::new();
    let mut count = 0;
    for exchange in exchanges {
        let reads = exchange.method == "GET" && exchange.url.len() < WHOLE;
        let words = match &exchange.step {
            Some(step) => (step, &exchange.url),
            None if reads => (&exchange.method, &exchange.url),
            None => continue,
        };
        if told.contains(&words) && (reads || exchange.replayed) {
            count += 1;
        } else if (200..300).contains(&exchange.status) {
            told.insert(words);
        }
    }
    count
}

#[async_trait]
impl Connector for Watched {
    fn generation(&self) -> Generation {
        self.inner.generation()
    }
    fn descriptor(&self) -> &Descriptor {
        self.inner.descriptor()
    }
    fn roles(&self) -> &BTreeSet<Role> {
        self.inner.roles()
    }
    async fn validate(&self, call: Call) -> Answer<Vec<Problem>> {
        self.inner.validate(call).await
    }
    async fn probe(&self, call: Call) -> Answer<Pairs> {
        self.inner.probe(call).await
    }
    async fn knock(&self) -> Vec<Knock> {
        self.inner.knock().await
    }
    async fn knock_at(&self, url: &str, shown: String) -> Option<Knock> {
        self.inner.knock_at(url, shown).await
    }
    fn consent(&self, slot: &str, redirect: &str, state: &str) -> Result<String, Problem> {
        self.inner.consent(slot, redirect, state)
    }
    async fn approved(
        &self,
        slot: &str,
        code: SecretString,
        redirect: &str,
    ) -> Result<(), Problem> {
        self.inner.approved(slot, code, redirect).await
    }
    async fn choices(&self, call: Call, key: String, cursor: Option<String>) -> Answer<ChoicePage> {
        self.inner.choices(call, key, cursor).await
    }
    async fn pull(&self, call: Call, entity: Entity, cursor: Option<Vec<u8>>) -> Answer<Page> {
        let make: Make<_, _> = |to, call, (entity, cursor)| {
            Box::pin(async move { to.pull(call, entity, cursor).await })
        };
        let kind = Kind::Pull(entity);
        self.call(kind, call, (entity, cursor), make, |page: &Page| {
            found(page.documents.len())
        })
        .await
    }
    async fn fetch(&self, call: Call, entity: Entity, keys: Vec<String>) -> Answer<Vec<Document>> {
        let make: Make<_, _> =
            |to, call, (entity, keys)| Box::pin(async move { to.fetch(call, entity, keys).await });
        let (kind, asked) = (Kind::Fetch(entity), keys.len());
        self.call(kind, call, (entity, keys), make, |_| found(asked))
            .await
    }
    async fn settle(
        &self,
        call: Call,
        moment: Moment,
        batch: Vec<Settled>,
    ) -> Answer<Vec<Verdict>> {
        let make: Make<_, _> = |to, call, (moment, batch)| {
            Box::pin(async move { to.settle(call, moment, batch).await })
        };
        let (kind, members) = (Kind::Settle(moment), batch.len());
        self.call(kind, call, (moment, batch), make, one_each(members))
            .await
    }
    async fn read(
        &self,
        call: Call,
        entity: Entity,
        scope: Scope,
        cursor: Option<Vec<u8>>,
    ) -> Answer<Page> {
        let make: Make<_, _> = |to, call, (entity, scope, cursor)| {
            Box::pin(async move { to.read(call, entity, scope, cursor).await })
        };
        let kind = Kind::List(entity);
        self.call(kind, call, (entity, scope, cursor), make, |page: &Page| {
            found(page.documents.len())
        })
        .await
    }
    async fn push(&self, call: Call, batch: Vec<Delivery>) -> Answer<Vec<Verdict>> {
        let make: Make<_, _> =
            |to, call, batch| Box::pin(async move { to.push(call, batch).await });
        let entity = batch.first().map(|d| d.document.body.entity());
        let (kind, members) = (entity.map_or(Kind::Other, Kind::Push), batch.len());
        self.call(kind, call, batch, make, one_each(members)).await
    }
    async fn push_levels(&self, call: Call, batch: Levels) -> Answer<Vec<Verdict>> {
        let make: Make<_, _> =
            |to, call, batch| Box::pin(async move { to.push_levels(call, batch).await });
        let (kind, members) = (Kind::Push(Entity::InventoryLevel), batch.items.len());
        self.call(kind, call, batch, make, one_each(members)).await
    }
    async fn confirm(&self, call: Call, handles: Vec<String>) -> Answer<Vec<Verdict>> {
        let make: Make<_, _> =
            |to, call, handles| Box::pin(async move { to.confirm(call, handles).await });
        let members = handles.len();
        self.call(Kind::Confirm, call, handles, make, one_each(members))
            .await
    }
    async fn receive(&self, call: Call, batch: Vec<Delivered>) -> Answer<Received> {
        let make: Make<_, _> =
            |to, call, batch| Box::pin(async move { to.receive(call, batch).await });
        let members = batch.len();
        self.call(Kind::Receive, call, batch, make, one_each(members))
            .await
    }
    async fn ensure(&self, call: Call, callback: String) -> Answer<Vec<String>> {
        let make: Make<_, _> =
            |to, call, callback| Box::pin(async move { to.ensure(call, callback).await });
        self.call(Kind::Other, call, callback, make, |_| (None, Ok(())))
            .await
    }
    async fn remove(&self, call: Call, callback: String) -> Answer<()> {
        self.inner.remove(call, callback).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_again_though_it_was_answered_is_counted() {
        let asked = |method: &str, url: &str, status, step: Option<&str>, replayed| Exchange {
            at: 0,
            took_ms: 1,
            method: method.to_owned(),
            url: url.to_owned(),
            status,
            step: step.map(str::to_owned),
            replayed,
            request: String::new(),
            answer: String::new(),
        };
        let read = |url: &str, status| asked("GET", url, status, None, false);
        let sold = |replayed| asked("POST", "/sales", 200, Some("create"), replayed);
        assert_eq!(repeated(&[read("/a", 200), read("/b", 200)]), 0);
        assert_eq!(
            repeated(&[read("/a", 503), read("/a", 200)]),
            0,
            "tried again"
        );
        assert_eq!(repeated(&[read("/a", 200), read("/a", 200)]), 1);
        assert_eq!(repeated(&[sold(true)]), 0, "of an attempt before");
        assert_eq!(repeated(&[sold(false), sold(true)]), 1);
        let search = asked("POST", "/search", 200, None, false);
        assert_eq!(repeated(&[search.clone(), search]), 0, "bodies may differ");
    }
}
