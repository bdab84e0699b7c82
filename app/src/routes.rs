//! The one table of pages: path, who may see it, on which side of the pair, what it is called, where it stands in the
//! menu. The menu, the server's router and the tests are all fed from here.

use contract::{Lang, Role, role::NodeRole};

/// A page by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PageId {
    /// Name and password.
    Login,
    /// One's own password.
    Account,
    /// How everything stands, and what to do next.
    Overview,
    /// Machines, link, replicas, disks, services.
    Monitor,
    /// What is wrong, and what was.
    Alarms,
    /// The button, or why there is none here.
    Activation,
    /// Every run, and each one while it goes on.
    Runs,
    /// The licence.
    Licence,
    /// Address, recipients, association.
    Pairing,
    /// What is replicated (Master).
    Datasets,
    /// How the replica stands (Client).
    Replication,
    /// What makes this machine the PBX.
    Services,
    /// What can see whether a machine of the other site is off.
    Isolation,
    /// What proves that calls can be made here.
    Telephony,
    /// The customer's own steps.
    Procedure,
    /// From when on something is wrong.
    Thresholds,
    /// The mail server.
    Smtp,
    /// The SMS accounts.
    Sms,
    /// Who may log in.
    Users,
    /// The audit log.
    Audit,
}

/// Where an entry stands in the menu, in the vendor's tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Above everything else.
    Foremost,
    /// Directly under *SISTEMA*.
    System,
    /// *Configurazione di sistema*.
    Configuration,
    /// *Configurazione di sistema* › *Rete*.
    Network,
    /// *Configurazione di sistema*, below *Rete*.
    Messages,
    /// Under *GESTIONE*.
    Management,
}

/// One page.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// Which.
    pub id: PageId,
    /// Where.
    pub path: &'static str,
    /// The least role that sees it; `None` for everybody, also without a session.
    pub role: Option<Role>,
    /// The side it exists on; `None` for both.
    pub side: Option<NodeRole>,
    /// Italian title.
    pub it: &'static str,
    /// English title.
    pub en: &'static str,
    /// Its place in the Master's menu, and in the Client's.
    pub menu: (Option<Place>, Option<Place>),
}

use Place::{Configuration, Foremost, Management, Messages, Network, System};

const fn route(
    id: PageId,
    path: &'static str,
    role: Option<Role>,
    side: Option<NodeRole>,
    (it, en): (&'static str, &'static str),
    menu: (Option<Place>, Option<Place>),
) -> Route {
    Route { id, path, role, side, it, en, menu }
}

/// Every page, in the menu's order.
pub const ROUTES: &[Route] = &[
    route(PageId::Login, "/login", None, None, ("Accesso", "Log in"), (None, None)),
    route(PageId::Overview, "/", Some(Role::Viewer), None, ("Panorama", "Overview"), (Some(System), Some(System))),
    route(
        PageId::Activation,
        "/attivazione",
        Some(Role::Viewer),
        None,
        ("Attivazione", "Activation"),
        (Some(System), Some(Foremost)),
    ),
    route(PageId::Licence, "/licenza", Some(Role::Viewer), None, ("Licenza", "Licence"), (Some(System), Some(System))),
    route(
        PageId::Monitor,
        "/monitor",
        Some(Role::Viewer),
        None,
        ("Monitor di sistema", "System monitor"),
        (Some(System), Some(System)),
    ),
    route(PageId::Alarms, "/allarmi", Some(Role::Viewer), None, ("Allarmi", "Alarms"), (Some(System), Some(System))),
    route(
        PageId::Replication,
        "/replicazione",
        Some(Role::Viewer),
        Some(NodeRole::Client),
        ("Replicazione", "Replication"),
        (None, Some(Configuration)),
    ),
    route(
        PageId::Pairing,
        "/disaster-recovery",
        Some(Role::Viewer),
        None,
        // The product's name for it, the same in both languages.
        ("Disaster Recovery", "Disaster Recovery"),
        (Some(Configuration), Some(Network)),
    ),
    route(
        PageId::Datasets,
        "/dati",
        Some(Role::Viewer),
        Some(NodeRole::Master),
        ("Dati da replicare", "Data to replicate"),
        (Some(Configuration), None),
    ),
    route(
        PageId::Isolation,
        "/isolamento",
        Some(Role::Viewer),
        None,
        ("Isolamento", "Isolation"),
        (Some(Configuration), Some(Network)),
    ),
    // As in the vendor's panel: SMS and SMTP are called so in both languages.
    route(PageId::Sms, "/sms", Some(Role::Viewer), None, ("SMS", "SMS"), (Some(Messages), Some(Messages))),
    route(PageId::Smtp, "/smtp", Some(Role::Viewer), None, ("SMTP", "SMTP"), (Some(Messages), Some(Messages))),
    route(
        PageId::Thresholds,
        "/soglie",
        Some(Role::Viewer),
        None,
        ("Soglie", "Thresholds"),
        (Some(Messages), Some(Messages)),
    ),
    route(
        PageId::Services,
        "/servizi",
        Some(Role::Viewer),
        None,
        ("Servizi", "Services"),
        (Some(Configuration), Some(Configuration)),
    ),
    route(
        PageId::Telephony,
        "/telefonia",
        Some(Role::Viewer),
        None,
        ("Telefonia", "Telephony"),
        (Some(Configuration), Some(Configuration)),
    ),
    route(
        PageId::Procedure,
        "/procedura",
        Some(Role::Viewer),
        None,
        ("Procedura", "Procedure"),
        (Some(Configuration), Some(Configuration)),
    ),
    route(
        PageId::Users,
        "/utenti",
        Some(Role::Viewer),
        None,
        ("Utenti", "Users"),
        (Some(Management), Some(Management)),
    ),
    route(
        PageId::Runs,
        "/operazioni",
        Some(Role::Viewer),
        None,
        ("Operazioni", "Operations"),
        (Some(Management), Some(Management)),
    ),
    route(
        PageId::Audit,
        "/registro",
        Some(Role::Viewer),
        None,
        ("Registro", "Audit log"),
        (Some(Management), Some(Management)),
    ),
    route(PageId::Account, "/account", Some(Role::Viewer), None, ("Account", "Your account"), (None, None)),
];

impl Route {
    /// The title in one language.
    #[must_use]
    pub const fn label(&self, lang: Lang) -> &'static str {
        lang.pick(self.it, self.en)
    }

    /// Its place in the menu of one side.
    #[must_use]
    pub const fn place(&self, side: NodeRole) -> Option<Place> {
        match side {
            NodeRole::Master => self.menu.0,
            NodeRole::Client => self.menu.1,
        }
    }

    /// Whether it exists on that side.
    #[must_use]
    pub fn exists_on(&self, side: NodeRole) -> bool {
        self.side.is_none_or(|only| only == side)
    }
}

/// The row of one page. The table holds every page: a test says so.
#[must_use]
pub fn of(id: PageId) -> &'static Route {
    ROUTES.iter().find(|route| route.id == id).unwrap_or(&ROUTES[0])
}

/// The row of one path.
#[must_use]
pub fn at(path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_its_row_and_every_path_is_one_pages() {
        use PageId::{
            Account, Activation, Alarms, Audit, Datasets, Isolation, Licence, Login, Monitor, Overview, Pairing,
            Procedure, Replication, Runs, Services, Sms, Smtp, Telephony, Thresholds, Users,
        };
        let all = [
            Monitor,
            Alarms,
            Login,
            Account,
            Overview,
            Activation,
            Runs,
            Licence,
            Pairing,
            Datasets,
            Replication,
            Services,
            Isolation,
            Telephony,
            Procedure,
            Thresholds,
            Smtp,
            Sms,
            Users,
            Audit,
        ];
        for id in all {
            assert_eq!(of(id).id, id);
            assert_eq!(at(of(id).path).map(|r| r.id), Some(id));
        }
        assert_eq!(ROUTES.len(), all.len());
    }

    #[test]
    fn the_menu_leads_only_to_pages_that_exist_on_that_side() {
        for route in ROUTES {
            for side in [NodeRole::Master, NodeRole::Client] {
                assert!(route.place(side).is_none() || route.exists_on(side), "{} on {side}", route.path);
            }
        }
    }

    #[test]
    fn only_the_login_is_seen_without_a_session() {
        let open: Vec<_> = ROUTES.iter().filter(|r| r.role.is_none()).map(|r| r.path).collect();
        assert_eq!(open, ["/login"]);
    }
}
