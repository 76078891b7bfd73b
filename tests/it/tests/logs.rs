//! What the log says of a call: its lines name the build that makes it, also across a swap.

use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};
use waybill_it::bench::{Bench, Start, held, order};
use waybill_it::swapped::{Folder, Script, Way};

/// The number of one field.
struct Number(&'static str, Option<u64>);

impl Visit for Number {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == self.0 {
            self.1 = Some(value);
        }
    }
    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// The generation that the span around a build's line names, beside the build's own.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(u64, u64)>>>);

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut named = Number("generation", None);
        attributes.record(&mut named);
        if let (Some(generation), Some(span)) = (named.1, context.span(id)) {
            span.extensions_mut().insert(generation);
        }
    }
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut own = Number("build", None);
        event.record(&mut own);
        let named = context
            .event_scope(event)
            .into_iter()
            .flatten()
            .find_map(|span| span.extensions().get::<u64>().copied());
        if let (Some(build), Some(named)) = (own.1, named) {
            held(&self.0).push((named, build));
        }
    }
}

#[test]
fn lines_of_a_lane_name_the_build_at_work_after_a_swap() {
    let lines = Lines::default();
    let _heard = tracing::subscriber::set_default(Registry::default().with(lines.clone()));
    waybill_it::bench::in_simulated_time(async {
        let folder = Folder::new();
        let bench = Bench::with_folder(Start::default(), &folder, None).await;
        let swap = async |version, way| {
            folder.put("erp.wasm", Script::new(version, way));
            bench.handle.look_at_folder();
            bench.pass(2).await;
        };
        swap("1.1", Way::Loops).await;
        bench.send(order("O1", 1, |_| {}));
        bench.pass(10).await;
        // The lane is busy for a minute; the next order is ready when it ends.
        swap("1.2", Way::Good).await;
        bench.send(order("O2", 1, |_| {}));
        bench.pass(120).await;
        bench.end().await;
    });
    let lines = held(&lines.0).clone();
    for build in [2, 3] {
        assert!(lines.iter().any(|(_, own)| *own == build), "{lines:?}");
    }
    assert!(lines.iter().all(|(named, own)| named == own), "{lines:?}");
}
