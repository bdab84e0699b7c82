//! What proves each machine to be alive besides `tvox-dr` itself, as stored: one row per machine.

use std::net::IpAddr;

use contract::life::{LifeSigns, LifeSignsForm};
use contract::{Denied, Outcome, Problem};
use serde_json::json;

use crate::door::Act;
use crate::node::Node;
use crate::store::db;

impl Node {
    /// What is declared for a machine; nothing unless something is.
    pub(super) async fn life_signs(&self, ip: IpAddr) -> Result<LifeSigns, Denied> {
        let text: Option<String> = sqlx::query_scalar("SELECT signs FROM life_signs WHERE ip = ?")
            .bind(ip.to_string())
            .fetch_optional(self.store.pool())
            .await
            .map_err(db("read the signs of life"))?;
        let Some(text) = text else { return Ok(LifeSigns::default()) };
        serde_json::from_str(&text).map_err(|error| Denied::failed("read the signs of life", error))
    }

    /// Every machine of which something is declared.
    pub(super) async fn machines_with_life_signs(&self) -> Result<Vec<IpAddr>, Denied> {
        let rows: Vec<String> = sqlx::query_scalar("SELECT ip FROM life_signs ORDER BY ip")
            .fetch_all(self.store.pool())
            .await
            .map_err(db("read the signs of life"))?;
        Ok(rows.iter().filter_map(|ip| ip.parse().ok()).collect())
    }

    /// Declares them; none takes the declaration back.
    pub(crate) async fn life_signs_set(&self, act: Act<'_>, form: &LifeSignsForm) -> Result<Outcome, Denied> {
        let (ip, signs) = form.check().map_err(Denied::Invalid)?;
        let before = self.life_signs(ip).await?;
        let mut machines = self.ips_across().await?;
        machines.extend(self.node_ip_across().await);
        if !machines.contains(&ip) && before.is_empty() {
            let known: Vec<_> = machines.iter().map(IpAddr::to_string).collect();
            return Err(Denied::field("ip", Problem::NotOneOf(known.join(", ").into())));
        }
        let text = serde_json::to_string(&signs).map_err(|error| Denied::failed("set the signs of life", error))?;
        let mut tx = self.store.begin().await?;
        let query = if signs.is_empty() {
            sqlx::query("DELETE FROM life_signs WHERE ip = ?").bind(ip.to_string())
        } else {
            sqlx::query("INSERT OR REPLACE INTO life_signs (ip, signs) VALUES (?, ?)").bind(ip.to_string()).bind(text)
        };
        query.execute(&mut *tx).await.map_err(db("set the signs of life"))?;
        act.done(tx, Some(json!(before)), Some(json!(signs))).await
    }
}
