//! The pages: what each shows is prepared here from the engine's views, the words around it are in `templates/`.

mod alerts;
mod approval;
mod attention;
mod backfill;
mod beginning;
mod budget;
mod comparison;
mod connecting;
mod connections;
mod connectors;
mod crosswalk;
mod first_defaults;
mod first_run;
mod flows;
mod history;
mod layout;
mod lists;
mod login;
mod matching;
mod order;
mod orders;
mod practice;
mod rehearsal;
mod replay;
mod retailers;
#[cfg(test)]
mod sample;
mod settings;
mod spreadsheet;
mod stock;
mod today;
mod users;

use crate::answer::{self, Answer, Failure};
use crate::html::{Times, with_symbols};
use crate::routes::Route;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use layout::Base;

pub(crate) use approval::redirect;
pub(crate) use first_run::see_matching;
pub(crate) use layout::failure;

const STYLE: &[u8] = include_bytes!("../../assets/waybill.css");
const SCRIPT: &[u8] = include_bytes!("../../assets/live.js");

/// Answers a route that is not under `/api/`.
pub(crate) async fn answer(asked: &Asked<'_>) -> Result<Answer, Failure> {
    match asked.entry.route {
        Route::Live => Ok(answer::text(StatusCode::OK, "live\n")),
        Route::Ready => Ok(match asked.site.handle.ready() {
            Ok(()) => answer::text(StatusCode::OK, "ready\n"),
            Err(why) => answer::text(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("not ready: {why}\n"),
            ),
        }),
        Route::Style => Ok(answer::file(
            "text/css; charset=utf-8",
            STYLE,
            asked.known.as_ref(),
        )),
        Route::Script => Ok(answer::file(
            "text/javascript; charset=utf-8",
            SCRIPT,
            asked.known.as_ref(),
        )),
        Route::Root => Ok(answer::see_other("/today")),
        Route::LoginPage => login::show(asked).await,
        Route::Login => login::log_in(asked).await,
        Route::Logout => login::log_out(asked),
        Route::PasswordPage => login::show_password(asked).await,
        Route::SetPassword => login::set_password(asked).await,
        Route::Today => today::show(asked).await,
        Route::Orders => orders::show(asked).await,
        Route::Order => order::show(asked).await,
        Route::RetryJob => order::retry(asked).await,
        Route::Attention => attention::show(asked).await,
        Route::FillCard => attention::fill(asked).await,
        Route::RetryCard => attention::retry(asked).await,
        Route::RetryCards => attention::retry_many(asked).await,
        Route::Backfill => backfill::show(asked).await,
        Route::TurnBackfill => backfill::command(asked).await,
        Route::Comparison => comparison::show(asked).await,
        Route::CompareNow => comparison::begin(asked).await,
        Route::Shipments | Route::Invoices | Route::Cancellations => lists::show(asked).await,
        Route::Retailers => retailers::show(asked).await,
        Route::Retailer => retailers::one(asked).await,
        Route::Settings => settings::show(asked).await,
        Route::SetSetting => settings::set(asked).await,
        Route::SettingsFile => settings::download(asked).await,
        Route::RestoreSettings => settings::restore(asked).await,
        Route::Stock => stock::show(asked).await,
        Route::ChangeStock => stock::command(asked).await,
        Route::Items => matching::show(asked).await,
        Route::MatchItem => matching::fill(asked).await,
        Route::UnmatchItem => matching::undo(asked).await,
        Route::MatchesFile => spreadsheet::download(asked).await,
        Route::CheckMatches => spreadsheet::check(asked).await,
        Route::ApplyMatches => spreadsheet::apply(asked).await,
        Route::Crosswalk => crosswalk::show(asked).await,
        Route::MatchCode | Route::UnmatchCode => crosswalk::fill(asked).await,
        Route::CreateCustomer => crosswalk::create(asked).await,
        Route::ReplayPage => replay::show(asked).await,
        Route::Replay => replay::run(asked).await,
        Route::IgnoreCard => attention::ignore(asked).await,
        Route::Connections => connections::show(asked).await,
        Route::Poll | Route::Probe | Route::Pause | Route::Resume => {
            connections::command(asked).await
        }
        Route::RemoveConnection => connecting::remove(asked).await,
        Route::PauseFlow | Route::ResumeFlow | Route::RunFlow => flows::command(asked).await,
        Route::Connectors => connectors::show(asked).await,
        Route::AcceptConnector
        | Route::RollBackConnector
        | Route::ChooseConnector
        | Route::RetryConnector => connectors::command(asked).await,
        Route::History => history::show(asked).await,
        Route::Users => users::show(asked).await,
        Route::ChangeUsers => users::command(asked).await,
        _ => set_up(asked).await,
    }
}

/// Answers a route of what is set up.
async fn set_up(asked: &Asked<'_>) -> Result<Answer, Failure> {
    match asked.entry.route {
        Route::NewConnection => connecting::choose(asked).await,
        Route::Connection => connecting::show(asked).await,
        Route::AddConnection | Route::ChangeConnection => connecting::save(asked).await,
        Route::FirstRun => first_run::show(asked).await,
        Route::FirstDefaults => first_defaults::show(asked).await,
        Route::SaveDefaults => first_defaults::save(asked).await,
        Route::FirstMatching => first_run::matching(asked).await,
        Route::FirstRehearsal => rehearsal::show(asked).await,
        Route::Rehearse => rehearsal::begin(asked).await,
        Route::FillRehearsed => rehearsal::fill(asked).await,
        Route::MatchingSeen => first_run::matching_seen(asked).await,
        Route::FirstLive => first_run::go_live(asked).await,
        Route::BeginFlows => first_run::begin(asked).await,
        Route::Leave => approval::leave(asked).await,
        Route::CameBack => approval::back(asked).await,
        Route::FinishConsent => approval::finish(asked).await,
        Route::TakeCode => approval::by_hand(asked).await,
        Route::Practice => practice::show(asked).await,
        Route::TurnPractice | Route::ApplyPractised | Route::DiscardPractised => {
            practice::command(asked).await
        }
        Route::Alerts => alerts::show(asked).await,
        Route::ChangeAlerts => alerts::command(asked).await,
        _ => Err(Failure::not_found("This page")),
    }
}

/// A template as a page, with the drawings of its icons.
fn render(status: StatusCode, template: &impl Template) -> Result<Answer, Failure> {
    match template.render() {
        Ok(html) => Ok(answer::page(status, with_symbols(&html))),
        Err(error) => {
            tracing::error!(%error, "A page could not be written.");
            Err(Failure::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "page",
                "the page could not be written",
            ))
        }
    }
}

/// What every page in the frame starts from.
async fn base(
    asked: &Asked<'_>,
    here: &'static str,
    title: &str,
) -> Result<(Base, Times), Failure> {
    let frame = asked.site.handle.frame().await?;
    let times = Times::new(asked.site.zone(), frame.now);
    let mut base = Base::new(&frame, &times, here, title);
    if let Some(visitor) = &asked.visitor {
        base.be_seen_by(visitor);
        base.notice = crate::site::locked(&asked.site.people.sessions).take_notice(visitor.key);
    }
    Ok((base, times))
}
