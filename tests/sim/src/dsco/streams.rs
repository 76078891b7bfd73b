//! Owns streams: create, list, change, delete, read, range, single, checkpoint, operations. Must not know how events come
//! into being.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::answers;
use super::dates;
use super::events::{Event, Position, What};
use super::orders::raw;
use super::query::Query;
use super::sandbox::Sandbox;
use crate::vendor::{Req, Resp};

const OBJECT_TYPES: [&str; 9] = [
    "order",
    "invoice",
    "inventory",
    "catalog",
    "catalogchangelog",
    "orderitemchange",
    "undeliverableshipment",
    "returns",
    "validation",
];

/// One partition's bookmark.
#[derive(Debug, Clone)]
struct Partition {
    position: String,
    updated: i64,
    owner: Option<String>,
}

/// One stream.
#[derive(Debug)]
pub(crate) struct Stream {
    id: String,
    description: Value,
    object_type: String,
    version: u64,
    object_count: usize,
    num_bytes: usize,
    duration_sec: u64,
    query_text: Value,
    query: Query,
    partitions: Vec<Partition>,
    created: i64,
    /// Index of the first event it may deliver: streams start empty, at "now".
    first: usize,
    /// How many events before its position the next read delivers again.
    pub(crate) replay: usize,
}

impl Stream {
    /// The stream object.
    pub(crate) fn value(&self) -> Value {
        let partitions: Vec<Value> = self
            .partitions
            .iter()
            .enumerate()
            .map(|(index, p)| {
                json!({"partitionId": index, "status": "active", "ownerId": p.owner,
                    "position": p.position, "maxPosition": null,
                    "lastUpdate": dates::iso(p.updated),
                    "lastActivatedDate": dates::iso(self.created), "lastDeactivatedDate": null})
            })
            .collect();
        json!({
            "id": self.id, "description": self.description, "objectType": self.object_type,
            "numPartitions": self.partitions.len(), "streamVersion": self.version,
            "maxEvents": {"objectCount": self.object_count, "numBytes": self.num_bytes,
                "durationSec": self.duration_sec},
            "query": self.query_text, "partitions": partitions,
        })
    }

    fn takes(&self, event: &Event, partition: usize) -> bool {
        let own = usize::try_from(event.snapshot.id).unwrap_or(0) % self.partitions.len();
        own == partition && self.query.matches(&self.object_type, event)
    }

    /// Puts the fields of a create or update body in.
    fn configure(&mut self, now: i64, body: &Value) -> Result<(), String> {
        if let Some(description) = body.get("description") {
            self.description = description.clone();
        }
        if let Some(query) = body.get("query").filter(|q| !q.is_null()) {
            self.query = Query::parse(&self.object_type, query)?;
            self.query_text = query.clone();
        }
        let max = &body["maxEvents"];
        let bounded = |name: &str, low: u64, high: u64, old: u64| match &max[name] {
            Value::Null => Ok(old),
            value => value
                .as_u64()
                .filter(|n| (low..=high).contains(n))
                .ok_or_else(|| format!("maxEvents.{name} must be between {low} and {high}")),
        };
        let count = bounded("objectCount", 1, 10_000, to_u64(self.object_count))?;
        let bytes = bounded("numBytes", 1024, 4_718_592, to_u64(self.num_bytes))?;
        self.duration_sec = bounded("durationSec", 1, 22, self.duration_sec)?;
        self.object_count = usize::try_from(count).unwrap_or(1);
        self.num_bytes = usize::try_from(bytes).unwrap_or(1024);
        if let Some(wanted) = body.get("numPartitions").filter(|n| !n.is_null()) {
            let wanted = wanted
                .as_u64()
                .filter(|n| (1..=20).contains(n))
                .ok_or("numPartitions must be between 1 and 20")?;
            let fresh = Partition {
                position: dates::iso_ms(now),
                updated: now,
                owner: None,
            };
            self.partitions
                .resize(usize::try_from(wanted).unwrap_or(1), fresh);
        }
        Ok(())
    }
}

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

impl Sandbox {
    /// `GET /stream`.
    pub(crate) fn list_streams(&self, _now: i64, req: &Req) -> Resp {
        if let Some(id) = req.param("id") {
            return match self.streams.get(id) {
                Some(stream) => Resp::json(200, &json!([self.stream_value(stream)])),
                None => answers::plain(404, "Stream not found"),
            };
        }
        let all: Vec<Value> = self
            .streams
            .values()
            .map(|s| self.stream_value(s))
            .collect();
        Resp::json(200, &Value::Array(all))
    }

    fn stream_value(&self, stream: &Stream) -> Value {
        let mut value = stream.value();
        let latest = self.events.all().last().map(|e| self.shown_id(&e.id()));
        for partition in value["partitions"].as_array_mut().into_iter().flatten() {
            partition["maxPosition"] = json!(latest);
        }
        value
    }

    /// `POST /stream`.
    pub(crate) fn create_stream(&mut self, now: i64, req: &Req) -> Resp {
        let Ok(body) = req.json() else {
            return answers::plain(400, "The body is not JSON");
        };
        let Some(object_type) = body["objectType"]
            .as_str()
            .filter(|t| OBJECT_TYPES.contains(t))
        else {
            return answers::plain(400, "objectType is not valid");
        };
        let id = match &body["id"] {
            Value::Null => self.dice.uuid(),
            Value::String(id) if !id.is_empty() && id.len() <= 100 => id.clone(),
            _ => return answers::plain(400, "id is not valid"),
        };
        if self.streams.contains_key(&id) {
            return answers::plain(400, "A stream with this id exists");
        }
        if body["query"].is_null() {
            return answers::plain(400, "query is required");
        }
        let start = Partition {
            position: dates::iso_ms(now),
            updated: now,
            owner: None,
        };
        let mut stream = Stream {
            id: id.clone(),
            description: Value::Null,
            object_type: object_type.to_owned(),
            version: 1,
            object_count: 1000,
            num_bytes: 4_194_304,
            duration_sec: 22,
            query_text: Value::Null,
            query: Query::default(),
            partitions: vec![start],
            created: now,
            first: self.events.len(),
            replay: 0,
        };
        if let Err(why) = stream.configure(now, &body) {
            return answers::plain(400, &why);
        }
        let answer = Resp::json(201, &self.stream_value(&stream));
        self.streams.insert(id, stream);
        answer
    }

    /// `PUT /stream/{id}`.
    pub(crate) fn update_stream(&mut self, now: i64, id: &str, req: &Req) -> Resp {
        let Ok(body) = req.json() else {
            return answers::plain(400, "The body is not JSON");
        };
        let Some(stream) = self.streams.get_mut(id) else {
            return answers::plain(404, "Stream not found");
        };
        if body["objectType"]
            .as_str()
            .is_some_and(|t| t != stream.object_type)
        {
            return answers::plain(400, "objectType can not be changed");
        }
        if let Err(why) = stream.configure(now, &body) {
            return answers::plain(400, &why);
        }
        if req.param("incrementVersionNumber") != Some("false") {
            stream.version += 1;
        }
        Resp::json(200, &stream.value())
    }

    /// `DELETE /stream/{id}`.
    pub(crate) fn delete_stream(&mut self, id: &str) -> Resp {
        match self.streams.remove(id) {
            Some(stream) => Resp::json(200, &stream.value()),
            None => answers::plain(404, "Stream not found"),
        }
    }

    /// `POST /stream/{id}`: operations.
    pub(crate) fn operate_stream(&mut self, id: &str, req: &Req) -> Resp {
        let body = req.json().unwrap_or(Value::Null);
        let uuid = self.dice.uuid();
        let Some(stream) = self.streams.get_mut(id) else {
            return answers::plain(404, "Stream not found");
        };
        let operation = body["operationType"].as_str().unwrap_or_default();
        match operation {
            "setpartitionowner" => {
                let index = body["partitionId"]
                    .as_u64()
                    .and_then(|n| usize::try_from(n).ok());
                let Some(partition) = index.and_then(|n| stream.partitions.get_mut(n)) else {
                    return answers::plain(400, "partitionId is not valid");
                };
                partition.owner = body["ownerId"].as_str().map(str::to_owned);
            }
            "repartition" => {}
            "sync" if matches!(stream.object_type.as_str(), "inventory" | "catalog") => {}
            _ => return answers::plain(400, "operationType is not valid for this stream"),
        }
        Resp::json(
            202,
            &json!({"operationType": operation, "operationUuid": uuid}),
        )
    }

    /// Reads events after a position, or of a range when `end` is given.
    pub(crate) fn read_stream(
        &mut self,
        id: &str,
        partition: &str,
        start: &str,
        end: Option<&str>,
    ) -> Resp {
        let (Some(from), Some(until)) = (
            Position::parse(start),
            end.map_or(Some(None), |e| Position::parse(e).map(Some)),
        ) else {
            return answers::plain(400, "Invalid stream position");
        };
        let Some((number, stream)) = self.partition(id, partition) else {
            return answers::plain(404, "Stream or partition not found");
        };
        let (mut first, last) = match until {
            None => (self.events.after(from), self.events.len()),
            Some(until) => (self.events.at(from), self.events.at(until)),
        };
        first = first.max(stream.first);
        if until.is_none() && stream.replay > 0 {
            first = first.saturating_sub(stream.replay).max(stream.first);
        }
        let mut bytes = 0;
        let mut events: Vec<String> = Vec::new();
        for event in self.events.all().get(first..last).unwrap_or_default() {
            if !stream.takes(event, number) {
                continue;
            }
            let text = self.event_text(event, number, stream.version);
            bytes += text.len();
            if !events.is_empty()
                && (events.len() >= stream.object_count || bytes > stream.num_bytes)
            {
                break;
            }
            events.push(text);
        }
        let owner = json!(stream.partitions[number].owner);
        let chance = self.settings.duplicate_chance;
        if let Some(stream) = self.streams.get_mut(id)
            && until.is_none()
        {
            stream.replay = 0;
        }
        if self.dice.chance(chance)
            && let Some(again) = events.first().cloned()
        {
            events.insert(0, again);
        }
        raw(format!(
            "{{\"events\":[{}],\"ownerId\":{owner},\"partitionId\":{number}}}",
            events.join(",")
        ))
    }

    /// `GET /stream/single/..`: the one event at a position.
    pub(crate) fn read_single(&mut self, id: &str, partition: &str, position: &str) -> Resp {
        let Some(Position::After(key)) = Position::parse(position) else {
            return answers::plain(400, "Invalid stream position");
        };
        let Some((number, stream)) = self.partition(id, partition) else {
            return answers::plain(404, "Stream or partition not found");
        };
        let at = self.events.at(Position::After(key));
        let event = self.events.all().get(at).filter(|e| e.key == key);
        match event.filter(|e| stream.takes(e, number)) {
            Some(event) => raw(self.event_text(event, number, stream.version)),
            None => answers::plain(404, "Event not found"),
        }
    }

    /// `PUT /stream/{id}/{partition}/{position}`.
    pub(crate) fn checkpoint(
        &mut self,
        now: i64,
        id: &str,
        partition: &str,
        position: &str,
    ) -> Resp {
        if Position::parse(position).is_none() {
            return Resp::json(400, &json!({"status": "failure"}));
        }
        let Some((number, _)) = self.partition(id, partition) else {
            return answers::plain(404, "Stream or partition not found");
        };
        if let Some(bookmark) = self
            .streams
            .get_mut(id)
            .and_then(|s| s.partitions.get_mut(number))
        {
            position.clone_into(&mut bookmark.position);
            bookmark.updated = now;
        }
        Resp::json(200, &json!({"status": "success"}))
    }

    fn partition(&self, id: &str, partition: &str) -> Option<(usize, &Stream)> {
        let stream = self.streams.get(id)?;
        let number: usize = partition.parse().ok()?;
        (number < stream.partitions.len()).then_some((number, stream))
    }

    fn shown_id(&self, id: &str) -> String {
        if self.settings.encoded_positions {
            utf8_percent_encode(id, NON_ALPHANUMERIC).to_string()
        } else {
            id.to_owned()
        }
    }

    fn event_text(&self, event: &Event, partition: usize, version: u64) -> String {
        let id = json!(self.shown_id(&event.id()));
        let (payload, reasons) = match &event.what {
            What::Order { reasons, .. } if self.settings.messy && reasons.len() == 1 => {
                (&event.snapshot.json, json!(reasons[0]))
            }
            What::Order { reasons, .. } => (&event.snapshot.json, json!(reasons)),
            What::Item { status, json } => (json, json!([status])),
        };
        format!(
            "{{\"id\":{id},\"payload\":{payload},\"source\":\"stream\",\
             \"eventReasons\":{reasons},\"partitionId\":{partition},\"streamVersion\":{version}}}"
        )
    }
}
