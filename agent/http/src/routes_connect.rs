//! The routes of setting up: connections, approvals, the first run; pages and API. Must not answer any.

use crate::routes::{Access, Entry, Route, get, post};

/// The table.
pub(crate) const CONNECT: &[Entry] = &[
    get(
        "/connections",
        Route::Connections,
        Access::User,
        "Each side.",
    ),
    post(
        "/connections/{name}/poll",
        Route::Poll,
        Access::User,
        "Read now.",
    ),
    post(
        "/connections/{name}/probe",
        Route::Probe,
        Access::User,
        "Test.",
    ),
    post(
        "/connections/{name}/pause",
        Route::Pause,
        Access::User,
        "Pause.",
    ),
    post(
        "/connections/{name}/resume",
        Route::Resume,
        Access::User,
        "Go on.",
    ),
    get(
        "/new-connection",
        Route::NewConnection,
        Access::User,
        "Which system, and what its connection asks for.",
    ),
    post(
        "/new-connection",
        Route::AddConnection,
        Access::User,
        "Make a connection.",
    ),
    get(
        "/connections/{name}",
        Route::Connection,
        Access::User,
        "One connection: settings, credentials, approval.",
    ),
    post(
        "/connections/{name}",
        Route::ChangeConnection,
        Access::User,
        "Change a connection.",
    ),
    get(
        "/first-run",
        Route::FirstRun,
        Access::User,
        "Where the set-up goes on.",
    ),
    get(
        "/first-run/defaults",
        Route::FirstDefaults,
        Access::User,
        "Defaults, from the vendors' own lists.",
    ),
    post(
        "/first-run/defaults",
        Route::SaveDefaults,
        Access::User,
        "Save the defaults of both sides, and go on.",
    ),
    get(
        "/first-run/matching",
        Route::FirstMatching,
        Access::User,
        "What was read, and how much is matched.",
    ),
    post(
        "/first-run/matching",
        Route::MatchingSeen,
        Access::User,
        "Go on from matching to the rehearsal.",
    ),
    get(
        "/first-run/rehearsal",
        Route::FirstRehearsal,
        Access::User,
        "An invented order on stand-ins for both systems: how far it is, and how it ended.",
    ),
    post(
        "/first-run/rehearsal",
        Route::Rehearse,
        Access::User,
        "Rehearse an order.",
    ),
    post(
        "/first-run/rehearsal/fill",
        Route::FillRehearsed,
        Access::User,
        "Fill in the cell that the last rehearsal found empty.",
    ),
    get(
        "/first-run/go-live",
        Route::FirstLive,
        Access::User,
        "Which flows can begin.",
    ),
    post(
        "/first-run/go-live",
        Route::BeginFlows,
        Access::User,
        "Let flows begin.",
    ),
    get(
        "/connections/{name}/connect",
        Route::Leave,
        Access::User,
        "To the vendor's page, to approve.",
    ),
    post(
        "/connections/{name}/code",
        Route::TakeCode,
        Access::User,
        "Take the code of an approval that was brought by hand.",
    ),
    // A vendor's site sends the browser here, so no cookie of ours comes with it.
    get(
        "/connect/{name}",
        Route::CameBack,
        Access::Everybody,
        "Back from the vendor's page.",
    ),
    get(
        "/connect/{name}/finish",
        Route::FinishConsent,
        Access::User,
        "Take what the vendor sent back.",
    ),
    get(
        "/api/v1/connection-forms",
        Route::ApiConnectorChoices,
        Access::User,
        "Connectors that a connection can be made of.",
    ),
    get(
        "/api/v1/connection-forms/{connector}",
        Route::ApiNewForm,
        Access::User,
        "What a new connection of that connector asks for: settings, credentials, how to get them.",
    ),
    get(
        "/api/v1/connections",
        Route::ApiConnections,
        Access::User,
        "How far each connection has come: reached, what was read first; and the flows that are possible.",
    ),
    post(
        "/api/v1/connections",
        Route::ApiSaveConnection,
        Access::User,
        "Make a connection, or change it; all mistakes are told, and nothing is half saved.",
    ),
    get(
        "/api/v1/connections/{name}",
        Route::ApiConnection,
        Access::User,
        "What a connection asks for and what was entered; never a secret.",
    ),
    get(
        "/api/v1/connections/{name}/choices/{key}",
        Route::ApiOffered,
        Access::User,
        "Values that the vendor offers for a setting now.",
    ),
    post(
        "/api/v1/connections/{name}/consent",
        Route::ApiConsent,
        Access::User,
        "The address where a person approves; the code that comes back is given to `code`.",
    ),
    post(
        "/api/v1/connections/{name}/code",
        Route::ApiTakeCode,
        Access::User,
        "Take the code of an approval.",
    ),
    get(
        "/api/v1/rehearsal",
        Route::ApiRehearsal,
        Access::User,
        "The rehearsal that runs, or the last one, step by step; and whether there can be one.",
    ),
    post(
        "/api/v1/rehearsal",
        Route::ApiRehearse,
        Access::User,
        "Rehearse an invented order with the settings and matches as they are; nothing of it reaches either system.",
    ),
    post(
        "/api/v1/first-run/matching",
        Route::ApiMatchingSeen,
        Access::User,
        "Say that matching was looked at, which is one of the steps before flows begin.",
    ),
    post(
        "/api/v1/flows",
        Route::ApiBeginFlows,
        Access::User,
        "Let flows begin between the connections.",
    ),
];
