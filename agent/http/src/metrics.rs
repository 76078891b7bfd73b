//! The figures under their names, in the text form that Prometheus reads. Names and labels are a promise, written down
//! in `packaging/docs/metrics.md`. A label never holds what a person or a vendor wrote: connections by the merchant's
//! name, connectors by their id, hosts, kinds of their calls, and closed lists of words.

use crate::answer::{self, Answer, Failure};
use crate::machine::Machine;
use hyper::StatusCode;
use prometheus::TextEncoder;
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};
use waybill_engine::figures::{ConnectionFigures, Figures};
use waybill_engine::swap::HandOvers;
use waybill_engine::swap::view::ConnectorState;
use waybill_model::ids::Millis;

/// Families in the order they are written.
#[derive(Default)]
struct Families(Vec<MetricFamily>);

type Labels<'a> = &'a [(&'a str, &'a str)];

#[expect(
    clippy::cast_precision_loss,
    reason = "the format has floating point numbers only; counts stay far below 2^53"
)]
const fn number(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "as above")]
fn seconds(ms: Millis) -> f64 {
    ms as f64 / 1_000.0
}

fn labelled(labels: Labels<'_>) -> Metric {
    let pairs = labels.iter().map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    });
    Metric::from_label(pairs.collect())
}

impl Families {
    fn family(&mut self, name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) {
        if metrics.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(metrics);
        self.0.push(family);
    }

    fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Vec<(&'a str, &'a str)>, f64)>,
    ) {
        let metrics = rows.into_iter().map(|(labels, value)| {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            let mut metric = labelled(&labels);
            metric.set_gauge(gauge);
            metric
        });
        let metrics = metrics.collect();
        self.family(name, help, MetricType::GAUGE, metrics);
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.gauges(name, help, [(Vec::new(), value)]);
    }

    fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Vec<(&'a str, &'a str)>, f64)>,
    ) {
        let metrics = rows.into_iter().map(|(labels, value)| {
            let mut counter = Counter::default();
            counter.set_value(value);
            let mut metric = labelled(&labels);
            metric.set_counter(counter);
            metric
        });
        let metrics = metrics.collect();
        self.family(name, help, MetricType::COUNTER, metrics);
    }

    fn counter(&mut self, name: &str, help: &str, value: f64) {
        self.counters(name, help, [(Vec::new(), value)]);
    }

    /// `total`: how many, and their sum; `within`: bounds, and how many are at most that.
    fn histogram(
        &mut self,
        name: &str,
        help: &str,
        total: (u64, f64),
        within: impl Iterator<Item = (f64, u64)>,
    ) {
        let mut histogram = Histogram::default();
        histogram.set_sample_count(total.0);
        histogram.set_sample_sum(total.1);
        let buckets = within.map(|(bound, count)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(count);
            bucket
        });
        histogram.set_bucket(buckets.collect());
        let mut metric = labelled(&[]);
        metric.set_histogram(histogram);
        self.family(name, help, MetricType::HISTOGRAM, vec![metric]);
    }
}

/// The answer to a scraper.
pub(crate) fn answer(figures: &Figures, machine: &Machine) -> Result<Answer, Failure> {
    let text = TextEncoder::new()
        .encode_to_string(&families(figures, machine))
        .map_err(|error| {
            let text = format!("the figures cannot be written: {error}");
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "metrics", text)
        })?;
    Ok(answer::metrics(text))
}

fn families(figures: &Figures, machine: &Machine) -> Vec<MetricFamily> {
    let mut all = Families::default();
    let schema = figures.schema.to_string();
    all.gauges(
        "waybill_build_info",
        "Version of the agent and schema version of its database.",
        [(
            vec![("version", figures.version.as_str()), ("schema", &schema)],
            1.0,
        )],
    );
    orders(&mut all, figures);
    connections(&mut all, &figures.connections);
    connectors(&mut all, figures);
    requests(&mut all, figures);
    webhooks(&mut all, figures);
    store(&mut all, figures);
    process(&mut all, machine);
    all.0
}

fn orders(all: &mut Families, figures: &Figures) {
    all.gauges(
        "waybill_orders",
        "Orders by state.",
        figures
            .orders
            .iter()
            .map(|(stage, n)| (vec![("stage", stage.word())], number(*n))),
    );
    all.gauges(
        "waybill_oldest_order_age_seconds",
        "How long ago the oldest order in this state came; 0 when there is none.",
        figures
            .oldest_ms
            .iter()
            .map(|(stage, ms)| (vec![("stage", stage.word())], seconds(*ms))),
    );
    all.gauges(
        "waybill_jobs",
        "Steps by state.",
        figures
            .jobs
            .iter()
            .map(|(state, n)| (vec![("state", *state)], number(*n))),
    );
    let cards = figures.cards;
    all.gauges(
        "waybill_cards",
        "Causes that wait for a person by kind, without those left alone; at most 5,000 are counted.",
        [
            ("gap", cards.gaps),
            ("problem", cards.problems),
            ("in-doubt", cards.in_doubt),
        ]
        .map(|(kind, n)| (vec![("kind", kind)], number(n))),
    );
    let until = |ms: Option<Millis>| ms.map_or(f64::INFINITY, seconds);
    all.gauge(
        "waybill_waiting_deadline_seconds",
        "Until the nearest deadline of an order that waits for a person; negative once it passed, +Inf when there is none.",
        until(figures.waiting_deadline_ms),
    );
    all.gauge(
        "waybill_next_deadline_seconds",
        "Until the nearest open deadline of any order; negative for a day once it passed, +Inf when there is none.",
        until(figures.next_deadline_ms),
    );
}

fn connections(all: &mut Families, connections: &[ConnectionFigures]) {
    let each = |value: fn(&ConnectionFigures) -> f64| {
        connections
            .iter()
            .map(move |c| (vec![("connection", c.name.as_str())], value(c)))
    };
    let generations: Vec<(&ConnectionFigures, [String; 3])> = connections
        .iter()
        .filter_map(|c| {
            let (id, version, generation) = c.connector.as_ref()?;
            Some((c, [id.clone(), version.clone(), generation.to_string()]))
        })
        .collect();
    all.gauges(
        "waybill_connection_info",
        "The connector of a connection: its id, version and generation, which goes up with each build that takes over.",
        generations.iter().map(|(c, [id, version, generation])| {
            let labels = vec![
                ("connection", c.name.as_str()),
                ("connector", id.as_str()),
                ("version", version.as_str()),
                ("generation", generation.as_str()),
            ];
            (labels, 1.0)
        }),
    );
    all.gauges(
        "waybill_connection_without_connector",
        "1 while no connector is loaded for the connection.",
        each(|c| f64::from(u8::from(c.connector.is_none()))),
    );
    all.gauges(
        "waybill_connection_paused",
        "1 while a person has paused the connection.",
        each(|c| f64::from(u8::from(c.paused))),
    );
    all.gauges(
        "waybill_connection_held",
        "1 while the vendor has asked to wait.",
        each(|c| f64::from(u8::from(c.held))),
    );
    all.gauges(
        "waybill_connection_unauthorized",
        "1 while the vendor refuses the credentials.",
        each(|c| f64::from(u8::from(c.unauthorized))),
    );
    all.gauges(
        "waybill_connection_last_contact_timestamp_seconds",
        "When the vendor last gave a good answer, in seconds since 1970; 0: never.",
        each(|c| c.last_ok.map_or(0.0, seconds)),
    );
}

/// Every state of a connector, with its word.
const STATES: [(ConnectorState, &str); 6] = [
    (ConnectorState::Running, "running"),
    (ConnectorState::Trial, "trial"),
    (ConnectorState::Waiting, "waiting"),
    (ConnectorState::Refused, "refused"),
    (ConnectorState::RolledBack, "rolled-back"),
    (ConnectorState::Missing, "missing"),
];

fn connectors(all: &mut Families, figures: &Figures) {
    let each = figures.connectors.iter();
    all.gauges(
        "waybill_connector_state",
        "1 for the state a connector is in, 0 for the others.",
        each.flat_map(|(id, state)| {
            STATES.iter().map(move |(one, word)| {
                let labels = vec![("connector", id.as_str()), ("state", *word)];
                (labels, f64::from(u8::from(one == state)))
            })
        }),
    );
    let mut times = |name: &str, help: &str, took: &HandOvers| {
        let total = (took.count, seconds(took.sum_ms));
        let within = took.within().map(|(ms, count)| (seconds(ms), count));
        all.histogram(name, help, total, within);
    };
    times(
        "waybill_connector_swap_seconds",
        "How long swaps of connectors took, from their commit until every connection was bound anew.",
        &figures.swaps,
    );
    times(
        "waybill_connector_undo_seconds",
        "How long bad builds stayed at work after their third bad batch.",
        &figures.undos,
    );
}

fn requests(all: &mut Families, figures: &Figures) {
    let connections = &figures.connections;
    all.counters(
        "waybill_connector_calls_total",
        "Calls of a connection's connector by how they ended.",
        connections.iter().flat_map(|c| {
            let each = c.counts.calls.iter();
            each.map(|(how, n)| {
                let labels = vec![("connection", c.name.as_str()), ("outcome", *how)];
                (labels, number(*n))
            })
        }),
    );
    all.counters(
        "waybill_vendor_requests_total",
        "Requests to a connection's vendor by how they were answered.",
        connections.iter().flat_map(|c| {
            let each = c.counts.requests.iter();
            each.map(|(how, n)| {
                let labels = vec![("connection", c.name.as_str()), ("answer", *how)];
                (labels, number(*n))
            })
        }),
    );
    let budgets = || {
        connections.iter().flat_map(|c| {
            c.budgets.iter().map(move |b| {
                let (host, calls) = (b.host.as_str(), b.group.as_str());
                let connection = ("connection", c.name.as_str());
                (vec![connection, ("host", host), ("calls", calls)], b)
            })
        })
    };
    all.gauges(
        "waybill_budget_used_calls",
        "Calls of the last minute that count against a limit.",
        budgets().map(|(labels, b)| (labels, f64::from(b.used))),
    );
    all.gauges(
        "waybill_budget_limit_calls",
        "Calls allowed in a minute; +Inf without a limit.",
        budgets().map(|(labels, b)| (labels, b.per_minute.map_or(f64::INFINITY, f64::from))),
    );
    all.gauges(
        "waybill_budget_remaining_calls",
        "What the vendor itself says is left, while its word holds.",
        budgets().filter_map(|(labels, b)| Some((labels, f64::from(b.remaining?)))),
    );
}

fn webhooks(all: &mut Families, figures: &Figures) {
    let connections = &figures.connections;
    let hooks = || {
        let each = connections.iter();
        each.filter_map(|c| Some((c.name.as_str(), c.hooks.as_ref()?)))
    };
    let (stranger, strangers) = (
        vec![("connection", ""), ("status", "404")],
        number(figures.strangers),
    );
    let statuses: Vec<(&str, String, u64)> = hooks()
        .flat_map(|(name, h)| {
            h.answered
                .iter()
                .map(move |(s, n)| (name, s.to_string(), *n))
        })
        .collect();
    all.counters(
        "waybill_webhooks_total",
        "Webhook requests by the status they were answered with; no connection: to no address of ours.",
        statuses
            .iter()
            .map(|(name, status, n)| {
                let labels = vec![("connection", *name), ("status", status.as_str())];
                (labels, number(*n))
            })
            .chain([(stranger, strangers)]),
    );
    let named = |name| vec![("connection", name)];
    all.gauges(
        "waybill_webhooks_registered",
        "1 while the webhooks of the connection stand at the vendor as they should; none while they are off.",
        hooks().map(|(name, h)| (named(name), f64::from(u8::from(h.registered)))),
    );
    all.gauges(
        "waybill_webhooks_waiting",
        "Webhook requests that are kept and not read yet.",
        hooks().map(|(name, h)| (named(name), number(h.waiting))),
    );
    all.counters(
        "waybill_webhooks_refused_total",
        "Webhook requests that could not be understood, since the database was made.",
        hooks().map(|(name, h)| (named(name), number(h.refused))),
    );
}

fn store(all: &mut Families, figures: &Figures) {
    let stats = figures.store;
    all.counter(
        "waybill_store_commits_total",
        "Commits of the database.",
        number(stats.commits),
    );
    all.counter(
        "waybill_store_writes_total",
        "Writes; several may share a commit.",
        number(stats.writes),
    );
    all.counter(
        "waybill_store_syncs_total",
        "Times the disk was asked to make a write durable.",
        number(stats.syncs),
    );
    all.counter(
        "waybill_store_written_bytes_total",
        "Bytes written to the database file.",
        number(stats.bytes),
    );
    all.gauge(
        "waybill_store_file_bytes",
        "Length of the database file.",
        number(stats.file_bytes),
    );
    all.gauge(
        "waybill_store_failed",
        "1 once a disk failure has stopped all writes.",
        f64::from(u8::from(figures.poisoned)),
    );
    all.histogram(
        "waybill_store_commit_seconds",
        "How long commits took until they were durable.",
        (stats.commits, number(stats.commit_micros) / 1e6),
        figures
            .commits
            .iter()
            .map(|(ms, count)| (number(*ms) / 1e3, *count)),
    );
}

fn process(all: &mut Families, machine: &Machine) {
    if let Some(disk) = machine.disk {
        all.gauge(
            "waybill_disk_free_bytes",
            "Bytes that are free where the database lies.",
            number(disk.free),
        );
        all.gauge(
            "waybill_disk_size_bytes",
            "Size of the disk where the database lies.",
            number(disk.size),
        );
    }
    let Some(process) = machine.process else {
        return;
    };
    all.gauge(
        "process_resident_memory_bytes",
        "Memory of the agent.",
        number(process.resident),
    );
    all.counter(
        "process_cpu_seconds_total",
        "Processor time of the agent.",
        process.cpu_seconds,
    );
    all.gauge(
        "process_start_time_seconds",
        "When the agent was started, in seconds since 1970.",
        seconds(machine.started_at),
    );
    all.gauge(
        "process_open_fds",
        "Files and sockets that the agent has open.",
        number(process.open_files),
    );
}
