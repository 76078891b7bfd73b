//! Whether a descriptor agrees with what the component exports and with itself. Pure.

use std::collections::BTreeSet;
use waybill_model::contract::{Descriptor, Role};
use waybill_model::document::Entity;

/// The first disagreement, as a sentence; `None` where all is well.
pub(crate) fn disagreement(descriptor: &Descriptor, roles: &BTreeSet<Role>) -> Option<String> {
    identity(descriptor)
        .or_else(|| exports(descriptor, roles))
        .or_else(|| repeated(descriptor))
}

fn identity(descriptor: &Descriptor) -> Option<String> {
    let plain = |text: &str| {
        !text.is_empty()
            && text.len() <= 64
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if !plain(&descriptor.id) {
        return Some(format!(
            "its id `{}` is not made of lower-case letters, digits and `-`",
            descriptor.id
        ));
    }
    if descriptor.version.is_empty() || descriptor.title.is_empty() {
        return Some("it has no version or no title".to_owned());
    }
    None
}

fn exports(descriptor: &Descriptor, roles: &BTreeSet<Role>) -> Option<String> {
    let pairs = [
        (Role::Source, "pulls", descriptor.pulls.is_empty()),
        (Role::Sink, "pushes", descriptor.pushes.is_empty()),
    ];
    for (role, list, empty) in pairs {
        match (roles.contains(&role), empty) {
            (false, false) => {
                return Some(format!(
                    "it describes `{list}` but does not export `{role}`"
                ));
            }
            (true, true) => {
                return Some(format!("it exports `{role}` but describes no `{list}`"));
            }
            _ => {}
        }
    }
    if roles.contains(&Role::Levels) && descriptor.intake(Entity::InventoryLevel).is_none() {
        return Some("it exports `levels` but takes no `inventory-level`".to_owned());
    }
    descriptor
        .pushes
        .iter()
        .find(|p| p.max_batch == 0)
        .map(|p| format!("it takes batches of 0 of `{}`", p.entity))
}

fn repeated(descriptor: &Descriptor) -> Option<String> {
    let twice = |what: &str, names: Vec<String>| {
        let mut seen = BTreeSet::new();
        names
            .into_iter()
            .find(|n| !seen.insert(n.clone()))
            .map(|n| format!("it names the {what} `{n}` twice"))
    };
    let d = descriptor;
    twice(
        "setting",
        d.settings.iter().map(|s| s.key.clone()).collect(),
    )
    .or_else(|| {
        twice(
            "slot",
            d.credentials.iter().map(|c| c.slot.clone()).collect(),
        )
    })
    .or_else(|| twice("table", d.tables.iter().map(|t| t.name.clone()).collect()))
    .or_else(|| {
        twice(
            "pull",
            d.pulls.iter().map(|p| p.entity.to_string()).collect(),
        )
    })
    .or_else(|| {
        twice(
            "push",
            d.pushes.iter().map(|p| p.entity.to_string()).collect(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use waybill_model::contract::{Feed, Intake};

    fn descriptor() -> Descriptor {
        Descriptor {
            id: "demo".to_owned(),
            version: "1".to_owned(),
            title: "Demo".to_owned(),
            reach: vec![],
            credentials: vec![],
            settings: vec![],
            tables: vec![],
            pulls: vec![],
            pushes: vec![],
        }
    }

    fn intake(max_batch: u32) -> Intake {
        Intake {
            entity: Entity::Order,
            max_batch,
            self_decrementing: false,
        }
    }

    #[test]
    fn pushes_need_a_sink_and_a_sink_needs_pushes() {
        let mut it = descriptor();
        assert_eq!(disagreement(&it, &BTreeSet::new()), None);
        let sink = BTreeSet::from([Role::Sink]);
        assert!(disagreement(&it, &sink).unwrap().contains("no `pushes`"));
        it.pushes.push(intake(1));
        assert_eq!(disagreement(&it, &sink), None);
        assert!(
            disagreement(&it, &BTreeSet::new())
                .unwrap()
                .contains("export `sink`")
        );
    }

    #[test]
    fn levels_need_an_intake_of_stock() {
        let roles = BTreeSet::from([Role::Sink, Role::Levels]);
        let mut it = descriptor();
        it.pushes.push(intake(1));
        assert!(
            disagreement(&it, &roles)
                .unwrap()
                .contains("takes no `inventory-level`")
        );
        it.pushes.push(Intake {
            entity: Entity::InventoryLevel,
            ..intake(1)
        });
        assert_eq!(disagreement(&it, &roles), None);
    }

    #[test]
    fn batches_of_nothing_and_repeated_names_are_refused() {
        let sink = BTreeSet::from([Role::Sink]);
        let mut it = descriptor();
        it.pushes.push(intake(0));
        assert!(disagreement(&it, &sink).unwrap().contains("batches of 0"));
        it.pushes = vec![intake(1), intake(1)];
        assert!(disagreement(&it, &sink).unwrap().contains("`order` twice"));
        it.id = "De mo".to_owned();
        assert!(disagreement(&it, &sink).unwrap().contains("its id"));
        it = descriptor();
        it.pulls.push(Feed {
            entity: Entity::Order,
            poll_secs: 1,
            settles: vec![],
        });
        assert!(
            disagreement(&it, &sink)
                .unwrap()
                .contains("export `source`")
        );
    }
}
