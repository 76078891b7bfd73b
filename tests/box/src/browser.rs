//! The page as a browser asks for it: the first login by its code, a password, pages. Must not know what is on them.

use anyhow::{Context as _, ensure};
use waybill_sim::client::{self, Reply};

const PASSWORD: &str = "four+words+of+mine";

/// A browser that is logged in.
pub(crate) struct Browser {
    address: String,
    cookie: String,
}

impl Browser {
    /// Logs in with the code, chooses a password.
    pub(crate) async fn first_login(address: &str, code: &str) -> anyhow::Result<Self> {
        let mut browser = Self {
            address: address.to_owned(),
            cookie: String::new(),
        };
        let login = format!("user=admin&password={code}");
        browser.form("/login", login, "/password").await?;
        let page = browser.page("/password").await?;
        let token = page
            .split_once("name=\"token\" value=\"")
            .and_then(|(_, rest)| rest.split('"').next())
            .context("the form has no token")?;
        let chosen = format!("token={token}&password={PASSWORD}&again={PASSWORD}");
        browser.form("/password", chosen, "/today").await?;
        Ok(browser)
    }

    async fn form(&mut self, path: &str, body: String, leads_to: &str) -> anyhow::Result<()> {
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("origin", &self.address),
            ("cookie", &self.cookie),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let address = format!("{}{path}", self.address);
        let reply = client::call("POST", &address, &headers, body.into_bytes()).await?;
        ensure!(
            reply.status == 303 && header(&reply, "location") == Some(leads_to),
            "{path} answers {}: {}",
            reply.status,
            String::from_utf8_lossy(&reply.body)
        );
        let cookie = header(&reply, "set-cookie").context("no cookie is set")?;
        cookie
            .split(';')
            .next()
            .unwrap_or_default()
            .clone_into(&mut self.cookie);
        Ok(())
    }

    /// The text of a page.
    pub(crate) async fn page(&self, path: &str) -> anyhow::Result<String> {
        let address = format!("{}{path}", self.address);
        let cookie = [("cookie".to_owned(), self.cookie.clone())];
        let reply = client::call("GET", &address, &cookie, Vec::new()).await?;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        ensure!(
            reply.status == 200,
            "{path} answers {}: {text}",
            reply.status
        );
        Ok(text)
    }
}

fn header<'r>(reply: &'r Reply, name: &str) -> Option<&'r str> {
    let mut headers = reply.headers.iter();
    let (_, value) = headers.find(|(n, _)| n == name)?;
    Some(value)
}
