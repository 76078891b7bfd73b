//! Every address this agent answers to, once: method, path, who may ask, what it is for. `site.rs` dispatches on it and
//! `openapi.rs` describes the part under `/api/`; neither keeps a list of its own. `router.rs` finds
//! a line of it.

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
    Stock,
    ChangeStock,
    Items,
    MatchItem,
    UnmatchItem,
    ItemsFile,
    CheckItems,
    ApplyItems,
    ReplayPage,
    Replay,
    Connections,
    Connectors,
    AcceptConnector,
    RollBackConnector,
    ChooseConnector,
    RetryConnector,
    Poll,
    Probe,
    Pause,
    Resume,
    History,
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
    ApiDisconnect,
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
            Self::CheckItems | Self::ApiImport => FILE,
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
    /// Somebody with all rights, or the local socket.
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

const fn get(path: &'static str, route: Route, access: Access, about: &'static str) -> Entry {
    Entry {
        method: "GET",
        path,
        route,
        access,
        about,
    }
}

const fn post(path: &'static str, route: Route, access: Access, about: &'static str) -> Entry {
    Entry {
        method: "POST",
        path,
        route,
        access,
        about,
    }
}

/// The table.
pub(crate) const TABLE: &[Entry] = &[
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
        "/matching/items",
        Route::Items,
        Access::User,
        "What orders call an item, and which product it is.",
    ),
    post(
        "/matching/items",
        Route::MatchItem,
        Access::User,
        "Match an item by hand.",
    ),
    post(
        "/matching/items/undo",
        Route::UnmatchItem,
        Access::User,
        "Take a match by hand back.",
    ),
    get(
        "/matching/items.csv",
        Route::ItemsFile,
        Access::User,
        "All items and matches as a file.",
    ),
    post(
        "/matching/items/check",
        Route::CheckItems,
        Access::User,
        "What a file of matches would change.",
    ),
    post(
        "/matching/items/apply",
        Route::ApplyItems,
        Access::User,
        "Save the file that was checked.",
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
    get("/history", Route::History, Access::User, "Who did what."),
    get(
        "/api/v1/openapi.json",
        Route::ApiOpenapi,
        Access::User,
        "This description.",
    ),
    get(
        "/api/v1/session",
        Route::ApiSession,
        Access::Browser,
        "Who is logged in, and the token every write must carry in `x-form-token`.",
    ),
    get(
        "/api/v1/frame",
        Route::ApiFrame,
        Access::User,
        "What the frame of every page shows: live or practice, paused, waiting, each side.",
    ),
    get(
        "/api/v1/today",
        Route::ApiToday,
        Access::User,
        "The verdict of the day, figures, deadlines, what just happened.",
    ),
    get(
        "/api/v1/orders",
        Route::ApiOrders,
        Access::User,
        "Orders, newest first; filter by `state`, find by `q`, go on with `before`.",
    ),
    get(
        "/api/v1/orders/{id}",
        Route::ApiOrder,
        Access::User,
        "One order with its document, timeline, jobs and money check.",
    ),
    post(
        "/api/v1/jobs/{id}/retry",
        Route::ApiRetryJob,
        Access::User,
        "Tries one step of an order again.",
    ),
    get(
        "/api/v1/cards",
        Route::ApiCards,
        Access::User,
        "Causes that wait for a person, most urgent first.",
    ),
    post(
        "/api/v1/cards/{id}/retry",
        Route::ApiRetryCard,
        Access::User,
        "Tries everything that waits for this cause again.",
    ),
    post(
        "/api/v1/cards/retry",
        Route::ApiRetryCards,
        Access::User,
        "Tries everything that waits for these causes again, in one commit.",
    ),
    post(
        "/api/v1/cards/{id}/ignore",
        Route::ApiIgnoreCard,
        Access::User,
        "Leaves a cause alone, with a reason.",
    ),
    post(
        "/api/v1/cells",
        Route::ApiFillCell,
        Access::User,
        "Fills an empty crosswalk cell and releases what waited for it.",
    ),
    post(
        "/api/v1/cells/empty",
        Route::ApiEmptyCell,
        Access::User,
        "Takes a match by hand back: what is found automatically holds again.",
    ),
    get(
        "/api/v1/stock",
        Route::ApiStock,
        Access::User,
        "Stock: what is told of each item and warehouse, and whether it is there.",
    ),
    get(
        "/api/v1/stock/{id}",
        Route::ApiStockItem,
        Access::User,
        "Why the numbers of an item are what they are, step by step.",
    ),
    post(
        "/api/v1/stock-switch",
        Route::ApiSwitchStock,
        Access::User,
        "Switch stock on or off.",
    ),
    post(
        "/api/v1/stock-send",
        Route::ApiSendStock,
        Access::User,
        "Send the numbers of an item, or all, again.",
    ),
    get(
        "/api/v1/matching/items",
        Route::ApiItems,
        Access::User,
        "Items that orders name and how each is matched, by retailer and value.",
    ),
    get(
        "/api/v1/mappings/{table}",
        Route::ApiMappings,
        Access::User,
        "A crosswalk as a CSV file.",
    ),
    post(
        "/api/v1/mappings/{table}",
        Route::ApiImport,
        Access::User,
        "Applies a CSV file to a crosswalk, all rows or none, and releases what waited; or tells what it would change.",
    ),
    post(
        "/api/v1/replay",
        Route::ApiReplay,
        Access::User,
        "Tries what stopped again from the step that stopped, without a second effect; or tells what it would try.",
    ),
    post(
        "/api/v1/connections/{name}/poll",
        Route::ApiPoll,
        Access::User,
        "Reads now instead of at the next due time.",
    ),
    post(
        "/api/v1/connections/{name}/probe",
        Route::ApiProbe,
        Access::User,
        "Read-only proof that the connection works.",
    ),
    post(
        "/api/v1/connections/{name}/pause",
        Route::ApiPause,
        Access::User,
        "Calls this connection no more until it is resumed.",
    ),
    post(
        "/api/v1/connections/{name}/resume",
        Route::ApiResume,
        Access::User,
        "Goes on where it was paused.",
    ),
    post(
        "/api/v1/connections/{name}/disconnect",
        Route::ApiDisconnect,
        Access::User,
        "Pauses a connection, removes what is registered at its vendor and, when told so, forgets its secrets.",
    ),
    get(
        "/api/v1/history",
        Route::ApiHistory,
        Access::User,
        "Who did what, newest first.",
    ),
    get(
        "/api/v1/connectors",
        Route::ApiConnectors,
        Access::User,
        "Connectors: what runs, what waits for a person and why, what was refused, what each may do and uses.",
    ),
    post(
        "/api/v1/connectors/{id}/accept",
        Route::ApiAcceptConnector,
        Access::User,
        "Grants what a waiting build asks for.",
    ),
    post(
        "/api/v1/connectors/{id}/rollback",
        Route::ApiRollBackConnector,
        Access::User,
        "Goes back to the build before.",
    ),
    post(
        "/api/v1/connectors/{id}/choose",
        Route::ApiChooseConnector,
        Access::User,
        "Chooses a build by its hash.",
    ),
    post(
        "/api/v1/connectors-retry",
        Route::ApiRetryConnector,
        Access::User,
        "Looks again at a file that was refused.",
    ),
    post(
        "/api/v1/doctor",
        Route::ApiDoctor,
        Access::User,
        "Looks at the database, the secrets and each connection, and says what is wrong; changes nothing.",
    ),
    post(
        "/api/v1/support",
        Route::ApiSupport,
        Access::Local,
        "The agent's parts of a support bundle, and texts cleaned with them; on the local socket only.",
    ),
    post(
        "/api/v1/apply",
        Route::ApiApply,
        Access::Local,
        "Applies a provisioning file, all of it or nothing; on the local socket only.",
    ),
    get(
        "/api/v1/backup",
        Route::ApiBackup,
        Access::Local,
        "A backup of the database as it is now, in one stream; on the local socket only.",
    ),
];

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
