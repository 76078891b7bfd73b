//! What is told when: new things once, quiet hours, what is over, what does not arrive.

use super::facts::Fact;
use super::message::Message;
use super::state::{By, State};
use super::wishes::{HookWish, Wishes};
use jiff::tz::TimeZone;
use waybill_model::ids::Millis;

const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;
/// A Monday, 12:00 UTC.
const NOON: Millis = 1_795_392_000_000 + 12 * HOUR;

fn wishes(quiet: &str) -> Wishes {
    let mut wishes = Wishes::nobody(TimeZone::UTC, quiet, Some(18));
    wishes.hook = Some(HookWish {
        form: "json".to_owned(),
        url: None,
    });
    wishes
}

fn fact(key: &str, by: Option<Millis>) -> Fact {
    Fact {
        key: key.to_owned(),
        text: format!("About {key}."),
        hint: None,
        by,
        over: key
            .starts_with("side")
            .then(|| "It answers again.".to_owned()),
    }
}

/// Texts on their way.
fn lines(state: &State) -> Vec<String> {
    let messages = state.waiting.iter().map(|w| &w.message.lines);
    messages.flatten().cloned().collect()
}

#[test]
fn what_is_new_is_told_once_and_together() {
    let (mut state, wishes) = (State::default(), wishes(""));
    let facts = [fact("card:1", None), fact("card:2", None)];
    state.take(&facts, &wishes, NOON);
    state.take(&facts, &wishes, NOON + 10 * MINUTE);
    assert_eq!(state.waiting.len(), 1, "one message");
    assert_eq!(lines(&state), ["About card:1.", "About card:2."]);
    let more = [facts[0].clone(), fact("card:3", None)];
    state.take(&more, &wishes, NOON + 20 * MINUTE);
    assert_eq!(lines(&state)[2..], ["About card:3."]);
}

#[test]
fn messages_rest_between_each_other_but_not_where_time_runs_out() {
    let (mut state, wishes) = (State::default(), wishes(""));
    state.take(&[fact("card:1", None)], &wishes, NOON);
    let later = [fact("card:1", None), fact("card:2", None)];
    state.take(&later, &wishes, NOON + MINUTE);
    assert_eq!(state.waiting.len(), 1, "it can wait four minutes");
    let urgent = [
        fact("due:ship:7", Some(NOON + 4 * MINUTE)),
        fact("card:2", None),
    ];
    state.take(&urgent, &wishes, NOON + 2 * MINUTE);
    assert_eq!(lines(&state)[1..], ["About due:ship:7."]);
    state.take(&urgent, &wishes, NOON + 8 * MINUTE);
    assert_eq!(lines(&state)[2..], ["About card:2."], "and then it is told");
}

#[test]
fn in_quiet_hours_only_what_ends_within_them_is_told() {
    let (mut state, wishes) = (State::default(), wishes("08:00-14:00"));
    assert_eq!(wishes.quiet_until(NOON), Some(NOON + 2 * HOUR));
    let facts = [
        fact("card:1", None),
        fact("due:ship:7", Some(NOON + HOUR)),
        fact("due:ship:8", Some(NOON + 3 * HOUR)),
    ];
    state.take(&facts, &wishes, NOON);
    assert_eq!(lines(&state), ["About due:ship:7."]);
    state.take(&facts, &wishes, NOON + 2 * HOUR);
    assert_eq!(lines(&state)[1..], ["About card:1.", "About due:ship:8."]);
    assert_eq!(wishes.quiet_until(NOON + 2 * HOUR), None);
}

#[test]
fn a_side_that_answers_again_is_said_so_and_one_that_flaps_is_not() {
    let (mut state, wishes) = (State::default(), wishes(""));
    let down = [fact("side:2", None)];
    state.take(&down, &wishes, NOON);
    state.take(&[], &wishes, NOON + MINUTE);
    state.take(&down, &wishes, NOON + 3 * MINUTE);
    assert_eq!(state.waiting.len(), 1, "it only flapped");
    state.take(&[], &wishes, NOON + 10 * MINUTE);
    state.take(&[], &wishes, NOON + 16 * MINUTE);
    assert_eq!(lines(&state)[1..], ["It answers again."]);
    state.take(&down, &wishes, NOON + 30 * MINUTE);
    assert_eq!(state.waiting.len(), 3, "down anew is told anew");
}

#[test]
fn a_cause_that_comes_back_within_an_hour_is_not_told_again() {
    let (mut state, wishes) = (State::default(), wishes(""));
    let card = [fact("card:1", None)];
    for (minute, told) in [(0, 1), (30, 1), (200, 1), (300, 2)] {
        state.take(&card, &wishes, NOON + minute * MINUTE);
        assert_eq!(state.waiting.len(), told, "minute {minute}");
        state.take(&[], &wishes, NOON + (minute + 10) * MINUTE);
        // Only after the third time nobody looks for longer than an hour.
        let gone = if minute == 200 { 80 } else { 11 };
        state.take(&[], &wishes, NOON + (minute + gone) * MINUTE);
    }
}

#[test]
fn what_does_not_arrive_is_sent_again_ever_less_often_and_dropped_after_a_day() {
    let (mut state, wishes) = (State::default(), wishes(""));
    state.take(&[fact("card:1", None)], &wishes, NOON);
    let (mut now, mut tries) = (NOON, 0);
    while let Some(waiting) = state.waiting.first() {
        assert!(waiting.due >= now && waiting.due <= now + HOUR);
        now = waiting.due;
        let id = waiting.id;
        state.settle(id, Err("It is down.".to_owned()), now);
        tries += 1;
    }
    assert!((25..40).contains(&tries), "{tries}");
    let way = &state.ways[&By::Webhook];
    assert_eq!(
        (way.dropped, way.error.as_deref()),
        (1, Some("It is down."))
    );
    state.take(&[fact("card:2", None)], &wishes, now);
    let id = state.waiting[0].id;
    state.settle(id, Ok(()), now);
    assert_eq!(state.ways[&By::Webhook].dropped, 0);
    assert_eq!(state.ways[&By::Webhook].last_ok, Some(now));
}

#[test]
fn the_digest_is_made_once_a_day_at_its_hour() {
    let (mut state, wishes) = (State::default(), wishes(""));
    assert_eq!(wishes.digest_day(NOON), None);
    let day = wishes.digest_day(NOON + 6 * HOUR).unwrap();
    assert!(state.begins_digest(&day));
    assert!(!state.begins_digest(&day));
    let next = wishes.digest_day(NOON + 30 * HOUR).unwrap();
    assert!(state.begins_digest(&next));
}

#[test]
fn each_form_is_what_its_receiver_takes() {
    let message = Message {
        at: NOON,
        subject: "Shop: one <thing>".to_owned(),
        lines: vec!["PO 7 & more".to_owned()],
    };
    let json =
        |form: &str| -> serde_json::Value { serde_json::from_slice(&message.json(form)).unwrap() };
    assert_eq!(
        json("slack")["text"],
        "*Shop: one &lt;thing&gt;*\n• PO 7 &amp; more"
    );
    let card = &json("teams")["attachments"][0]["content"];
    assert_eq!(card["type"], "AdaptiveCard");
    assert_eq!(card["body"][1]["text"], "PO 7 & more");
    assert_eq!(json("json")["lines"][0], "PO 7 & more");
}
