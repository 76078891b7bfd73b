//! Levels for a connector that takes documents only: one for each warehouse of an item, and the worst of its verdicts for
//! the item. It knows no calls of its own.

use crate::connector::{Answer, Call, CallError, Connector};
use waybill_model::contract::{Delivery, Failure, Levels, Outcome, Verdict};
use waybill_model::document::{Body, Document, InventoryLevel};

/// Pushes documents, one verdict per item comes back.
pub(crate) async fn as_documents(
    connector: &(impl Connector + ?Sized),
    call: Call,
    batch: Levels,
) -> Answer<Vec<Verdict>> {
    let items = batch.items.len();
    let (deliveries, of) = deliveries(batch);
    let answer = connector.push(call, deliveries).await;
    let value = answer.value.and_then(|verdicts| {
        if verdicts.len() == of.len() {
            return Ok(by_item(items, &of, verdicts));
        }
        let why = format!("{} verdicts for {} levels", verdicts.len(), of.len());
        Err(CallError::Contract(why))
    });
    Answer { value, ..answer }
}

/// One document per item and warehouse; which item each belongs to.
fn deliveries(batch: Levels) -> (Vec<Delivery>, Vec<usize>) {
    let count = batch.items.iter().map(|item| item.places.len()).sum();
    let mut all = Vec::with_capacity(count);
    let mut of = Vec::with_capacity(count);
    for (index, level) in batch.items.into_iter().enumerate() {
        for place in level.places {
            let document = Document {
                key: format!("{}@{}", level.item, place.warehouse),
                revision: batch.number.to_string(),
                occurred_at: batch.at,
                body: Body::InventoryLevel(InventoryLevel {
                    item: level.item.clone(),
                    warehouse: place.warehouse,
                    available: place.available,
                    expected_at: place.expected_at,
                }),
            };
            all.push(Delivery {
                document,
                origin: None,
                links: Vec::new(),
                settings: Vec::new(),
            });
            of.push(index);
        }
    }
    (all, of)
}

/// One verdict per item: the worst of its warehouses.
fn by_item(items: usize, of: &[usize], verdicts: Vec<Verdict>) -> Vec<Verdict> {
    let rank = |verdict: &Verdict| match verdict {
        Ok(Outcome::Pending(_)) => 1,
        Ok(_) => 0,
        Err(Failure::Retry(_) | Failure::Unauthorized(_) | Failure::InDoubt(_)) => 2,
        Err(_) => 3,
    };
    let mut worst: Vec<Option<Verdict>> = vec![None; items];
    for (index, verdict) in of.iter().zip(verdicts) {
        if let Some(place) = worst.get_mut(*index)
            && place
                .as_ref()
                .is_none_or(|known| rank(known) < rank(&verdict))
        {
            *place = Some(verdict);
        }
    }
    // One without a warehouse was told nothing.
    let told = |verdict: Option<Verdict>| verdict.unwrap_or(Err(Failure::Retry(None)));
    worst.into_iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use waybill_model::contract::{Level, Place, Problem, Receipt, Ticket};
    use waybill_model::decimal::Decimal;

    fn level(item: &str, warehouses: &[&str]) -> Level {
        let place = |warehouse: &&str| Place {
            warehouse: (*warehouse).to_owned(),
            available: Decimal::whole(7),
            expected_at: None,
        };
        Level {
            item: item.to_owned(),
            places: warehouses.iter().map(place).collect(),
        }
    }

    #[test]
    fn an_item_is_a_document_for_each_warehouse_and_has_the_worst_verdict() {
        let items = vec![level("A", &["E", "W"]), level("B", &[]), level("C", &["E"])];
        let (all, of) = deliveries(Levels {
            number: 4,
            at: 9,
            items,
        });
        let keys: Vec<&str> = all.iter().map(|d| d.document.key.as_str()).collect();
        assert_eq!(keys, ["A@E", "A@W", "C@E"]);
        assert_eq!(of, [0, 0, 2]);
        assert_eq!(all[0].document.revision, "4");

        let done: Verdict = Ok(Outcome::Done(Receipt {
            key: "A".to_owned(),
            number: None,
            duplicate: false,
            links: Vec::new(),
        }));
        let waits: Verdict = Ok(Outcome::Pending(Ticket {
            handle: "h".to_owned(),
            check_in_secs: 1,
        }));
        let refused: Verdict = Err(Failure::Rejected(Problem::new("no", "No.", "Look.")));
        let told = by_item(3, &of, vec![done.clone(), waits.clone(), refused.clone()]);
        assert_eq!(told, [waits, Err(Failure::Retry(None)), refused]);
    }
}
