//! Every address this agent answers to, once, here or in `routes_api.rs`: method, path, who may ask, what it is for. `site.rs` dispatches on it and
//! `openapi.rs` describes the part under `/api/`; neither keeps a list of its own. `router.rs` finds
//! a line of it.

use crate::routes_api;
use crate::routes_connect;
use crate::routes_matching;

/// A route's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the table below says what each is for")]
pub(crate) enum Route {
    Live,
    Ready,
    Metrics,
    Style,
    Script,
    Root,
    LoginPage,
    Login,
    Logout,
    PasswordPage,
    SetPassword,
    Today,
    Orders,
    Order,
    RetryJob,
    Attention,
    FillCard,
    RetryCard,
    IgnoreCard,
    RetryCards,
    Shipments,
    Invoices,
    Cancellations,
    Retailers,
    Retailer,
    Settings,
    SetSetting,
    SettingsFile,
    RestoreSettings,
    Stock,
    ChangeStock,
    Backfill,
    TurnBackfill,
    Comparison,
    CompareNow,
    Items,
    MatchItem,
    UnmatchItem,
    MatchesFile,
    CheckMatches,
    ApplyMatches,
    Crosswalk,
    MatchCode,
    UnmatchCode,
    CreateCustomer,
    ApiCrosswalk,
    ApiCreateCustomer,
    ReplayPage,
    Replay,
    Connections,
    NewConnection,
    AddConnection,
    Connection,
    ChangeConnection,
    FirstRun,
    FirstDefaults,
    SaveDefaults,
    FirstMatching,
    FirstRehearsal,
    Rehearse,
    FillRehearsed,
    MatchingSeen,
    FirstLive,
    BeginFlows,
    Leave,
    CameBack,
    FinishConsent,
    TakeCode,
    Connectors,
    AcceptConnector,
    RollBackConnector,
    ChooseConnector,
    RetryConnector,
    Poll,
    Probe,
    Pause,
    Resume,
    RemoveConnection,
    PauseFlow,
    ResumeFlow,
    RunFlow,
    Practice,
    TurnPractice,
    ApplyPractised,
    DiscardPractised,
    History,
    Alerts,
    ChangeAlerts,
    ApiAlerts,
    ApiTestAlerts,
    ApiAlertSecret,
    Users,
    ChangeUsers,
    ApiUsers,
    ApiAddUser,
    ApiResetUser,
    ApiUserRole,
    ApiRemoveUser,
    ApiConnectorChoices,
    ApiNewForm,
    ApiConnections,
    ApiSaveConnection,
    ApiConnection,
    ApiOffered,
    ApiConsent,
    ApiTakeCode,
    ApiMatchingSeen,
    ApiBeginFlows,
    ApiRehearsal,
    ApiRehearse,
    ApiSession,
    ApiFrame,
    ApiToday,
    ApiOrders,
    ApiOrder,
    ApiRetryJob,
    ApiCards,
    ApiRetryCard,
    ApiRetryCards,
    ApiIgnoreCard,
    ApiFillCell,
    ApiEmptyCell,
    ApiBackfills,
    ApiBackfill,
    ApiLookForOrders,
    ApiTakeBackfill,
    ApiStopBackfill,
    ApiShipments,
    ApiInvoices,
    ApiCancellations,
    ApiRetailers,
    ApiRetailer,
    ApiSettings,
    ApiSetSetting,
    ApiSettingsFile,
    ApiSettingsSince,
    ApiRestoreSettings,
    ApiStock,
    ApiStockItem,
    ApiSwitchStock,
    ApiSendStock,
    ApiItems,
    ApiMappings,
    ApiImport,
    ApiReplay,
    ApiPoll,
    ApiProbe,
    ApiPause,
    ApiResume,
    ApiFlows,
    ApiPauseFlow,
    ApiResumeFlow,
    ApiRunFlow,
    ApiPractice,
    ApiTurnPractice,
    ApiApplyPractised,
    ApiDiscardPractised,
    ApiComparisons,
    ApiCompare,
    ApiDisconnect,
    ApiRemoveConnection,
    ApiHistory,
    ApiDoctor,
    ApiSupport,
    ApiApply,
    ApiConnectors,
    ApiAcceptConnector,
    ApiRollBackConnector,
    ApiChooseConnector,
    ApiRetryConnector,
    ApiBackup,
    ApiOpenapi,
}

/// Largest file that is taken.
const FILE: usize = 8 * 1024 * 1024;

impl Route {
    /// Bytes a body may have here at least, whatever the listener's own limit; only routes that take files say more.
    pub(crate) const fn largest(self) -> usize {
        match self {
            Self::CheckMatches | Self::ApiImport => FILE,
            _ => 0,
        }
    }
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Everybody,
    /// Anybody who is logged in, also to set the first password.
    Visitor,
    /// Somebody whose role allows it (`roles.rs`), or the local socket.
    User,
    /// The local socket only.
    Local,
    /// A logged-in browser only.
    Browser,
    /// A program on this very machine, which cannot log in; or a user.
    Scraper,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// `GET` (also answers `HEAD`) or `POST`.
    pub(crate) method: &'static str,
    /// Path with `{names}`.
    pub(crate) path: &'static str,
    /// Its name.
    pub(crate) route: Route,
    /// Who may ask.
    pub(crate) access: Access,
    /// One sentence for the API's description.
    pub(crate) about: &'static str,
}

pub(crate) const fn get(
    path: &'static str,
    route: Route,
    access: Access,
    about: &'static str,
) -> Entry {
    Entry {
        method: "GET",
        path,
        route,
        access,
        about,
    }
}

pub(crate) const fn post(
    path: &'static str,
    route: Route,
    access: Access,
    about: &'static str,
) -> Entry {
    Entry {
        method: "POST",
        path,
        route,
        access,
        about,
    }
}

/// Every route.
pub(crate) fn all() -> impl Iterator<Item = &'static Entry> {
    PAGES
        .iter()
        .chain(routes_api::API)
        .chain(routes_connect::CONNECT)
        .chain(routes_matching::MATCHING)
}

/// Pages, what they post, and what machines ask.
const PAGES: &[Entry] = &[
    get(
        "/live",
        Route::Live,
        Access::Everybody,
        "The process answers.",
    ),
    get(
        "/ready",
        Route::Ready,
        Access::Everybody,
        "The store is open and every connector is loaded.",
    ),
    get(
        "/metrics",
        Route::Metrics,
        Access::Scraper,
        "Figures for Prometheus.",
    ),
    get(
        "/waybill.css",
        Route::Style,
        Access::Everybody,
        "The only stylesheet.",
    ),
    get(
        "/live.js",
        Route::Script,
        Access::Everybody,
        "Optional refresh of the figures.",
    ),
    get("/", Route::Root, Access::Everybody, "To today's page."),
    get("/login", Route::LoginPage, Access::Everybody, "Log in."),
    post("/login", Route::Login, Access::Everybody, "Log in."),
    post("/logout", Route::Logout, Access::Visitor, "Log out."),
    get(
        "/password",
        Route::PasswordPage,
        Access::Visitor,
        "Set or change the password.",
    ),
    post(
        "/password",
        Route::SetPassword,
        Access::Visitor,
        "Set or change the password.",
    ),
    get(
        "/today",
        Route::Today,
        Access::User,
        "Is everything in step?",
    ),
    get("/orders", Route::Orders, Access::User, "All orders."),
    get("/orders/{id}", Route::Order, Access::User, "One order."),
    post(
        "/orders/{id}/jobs/{job}/retry",
        Route::RetryJob,
        Access::User,
        "Try a step of an order again.",
    ),
    get(
        "/attention",
        Route::Attention,
        Access::User,
        "What waits for a person, one card per cause.",
    ),
    post(
        "/attention/{id}",
        Route::FillCard,
        Access::User,
        "Fill in a card's cell.",
    ),
    post(
        "/attention/{id}/retry",
        Route::RetryCard,
        Access::User,
        "Try what waits for a cause again.",
    ),
    post(
        "/attention/{id}/ignore",
        Route::IgnoreCard,
        Access::User,
        "Leave a cause, with a reason.",
    ),
    post(
        "/attention-retry",
        Route::RetryCards,
        Access::User,
        "Try what waits for several causes again.",
    ),
    get(
        "/shipments",
        Route::Shipments,
        Access::User,
        "Goods-out notes, and whether they are reported.",
    ),
    get(
        "/invoices",
        Route::Invoices,
        Access::User,
        "Invoices, and whether they are sent.",
    ),
    get(
        "/cancellations",
        Route::Cancellations,
        Access::User,
        "Cancellations, both ways.",
    ),
    get(
        "/retailers",
        Route::Retailers,
        Access::User,
        "Retailers, and what is due for each.",
    ),
    get(
        "/retailers/{id}",
        Route::Retailer,
        Access::User,
        "One retailer.",
    ),
    get(
        "/settings",
        Route::Settings,
        Access::User,
        "Every setting that is in force.",
    ),
    post(
        "/settings",
        Route::SetSetting,
        Access::User,
        "Set one of the agent's own settings.",
    ),
    get(
        "/settings/waybill.toml",
        Route::SettingsFile,
        Access::User,
        "Everything that is set as one file.",
    ),
    post(
        "/settings/restore",
        Route::RestoreSettings,
        Access::User,
        "Go back to a version of the settings.",
    ),
    get(
        "/stock",
        Route::Stock,
        Access::User,
        "What is told of stock, and why.",
    ),
    post(
        "/stock",
        Route::ChangeStock,
        Access::User,
        "Switch stock, or send numbers again.",
    ),
    get(
        "/replay",
        Route::ReplayPage,
        Access::User,
        "What would be tried again.",
    ),
    post(
        "/replay",
        Route::Replay,
        Access::User,
        "Try again from the step that stopped.",
    ),
    post(
        "/flows/{entity}/{from}/{to}/pause",
        Route::PauseFlow,
        Access::User,
        "Pause a flow.",
    ),
    post(
        "/flows/{entity}/{from}/{to}/resume",
        Route::ResumeFlow,
        Access::User,
        "Let a flow go on.",
    ),
    post(
        "/flows/{entity}/{from}/{to}/run",
        Route::RunFlow,
        Access::User,
        "Run a flow now.",
    ),
    get(
        "/practice",
        Route::Practice,
        Access::User,
        "What is live, and what would be sent.",
    ),
    post(
        "/practice",
        Route::TurnPractice,
        Access::User,
        "Switch practice on, or go live.",
    ),
    post(
        "/practice/apply",
        Route::ApplyPractised,
        Access::User,
        "Send for real what was practised.",
    ),
    post(
        "/practice/discard",
        Route::DiscardPractised,
        Access::User,
        "End what was practised, with a reason.",
    ),
    get(
        "/connectors",
        Route::Connectors,
        Access::User,
        "The parts that speak to each system.",
    ),
    post(
        "/connectors/{id}/accept",
        Route::AcceptConnector,
        Access::User,
        "Grant what a new build asks for.",
    ),
    post(
        "/connectors/{id}/rollback",
        Route::RollBackConnector,
        Access::User,
        "Go back to the build before.",
    ),
    post(
        "/connectors/{id}/choose",
        Route::ChooseConnector,
        Access::User,
        "Choose a build.",
    ),
    post(
        "/connectors-retry",
        Route::RetryConnector,
        Access::User,
        "Look again at a refused file.",
    ),
    get(
        "/backfill",
        Route::Backfill,
        Access::User,
        "Orders from before: look, and take what is missing.",
    ),
    post(
        "/backfill",
        Route::TurnBackfill,
        Access::User,
        "Look for orders from before, take them, or stop.",
    ),
    get(
        "/comparison",
        Route::Comparison,
        Access::User,
        "What the comparisons of both sides found.",
    ),
    post(
        "/comparison",
        Route::CompareNow,
        Access::User,
        "Compare both sides now.",
    ),
    get("/history", Route::History, Access::User, "Who did what."),
    get(
        "/users",
        Route::Users,
        Access::User,
        "Users, and what each may do.",
    ),
    post(
        "/users/{verb}",
        Route::ChangeUsers,
        Access::User,
        "Add, reset, give a role, remove.",
    ),
    get(
        "/alerts",
        Route::Alerts,
        Access::User,
        "Whether alerts arrive, who gets what.",
    ),
    post(
        "/alerts/{verb}",
        Route::ChangeAlerts,
        Access::User,
        "Save, test, set a secret.",
    ),
];

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
