//! `/disaster-recovery`: the other machine's address, who is told, and the association of the two.

use contract::Lang;
use contract::command::JoinToken;
use contract::recipient::Channel;
use contract::role::NodeRole;
use leptos::prelude::*;

use super::{cluster, gate, retire};
use crate::action::Action;
use crate::islands::{Chips, CopyButton, PairStatus};
use crate::model::{Context, PairingPage};
use crate::routes::{self, PageId};
use crate::widgets::{Field, Kind, cancel_save, card, card_with_help, confirm, reload, select, title, wrap};

pub(crate) fn view(cx: &Context, model: &PairingPage) -> AnyView {
    let may = cx.may(Action::PeerSet);
    let route = routes::of(PageId::Pairing);
    view! {
        {title(
            route.label(cx.lang),
            view! { {reload(cx, route.path)} {may.then(|| cancel_save(cx, "peer-form", route.path))} },
        )}
        {settings(cx, model, may)}
        {association(cx, model)}
        {retire::view(cx)}
        {(cx.node.role == NodeRole::Master).then(|| cluster::cluster(cx, model))}
        {model.gate.as_ref().map(|gate| gate::view(cx, gate))}
    }
    .into_any()
}

fn settings(cx: &Context, model: &PairingPage, may: bool) -> AnyView {
    let (label, help) = match cx.node.role {
        NodeRole::Master => (
            cx.t("Indirizzo IP", "IP address"),
            cx.t(
                "L'indirizzo del TVox DR Client. La porta si scrive solo se non è 5461, ad esempio 10.0.100.206:7001.",
                "The TVox DR Client's address. The port is written only where it is not 5461, e.g. 10.0.100.206:7001.",
            ),
        ),
        NodeRole::Client => (
            cx.t("Indirizzo IP Master", "Master IP address"),
            cx.t(
                "L'indirizzo del TVox Master. La porta si scrive solo se non è 5461, ad esempio 10.0.100.205:7001.",
                "The TVox Master's address. The port is written only where it is not 5461, e.g. 10.0.100.205:7001.",
            ),
        ),
    };
    let recipients = (cx.node.role == NodeRole::Client).then(|| {
        view! {
            {recipients(
                cx,
                model,
                Channel::Email,
                cx.t("Email destinatari allarmi", "Alarm recipients by e-mail"),
                cx.t("Uno o più indirizzi, separati da virgole.", "One or more addresses, with commas between them."),
                may,
            )}
            {recipients(
                cx,
                model,
                Channel::Sms,
                cx.t("SMS destinatari allarmi", "Alarm recipients by SMS"),
                cx.t(
                    "Uno o più numeri di cellulare, separati da virgole, ad esempio 3471234567.",
                    "One or more mobile numbers, with commas between them, e.g. 3471234567.",
                ),
                may,
            )}
            {language(cx, model, may)}
        }
    });
    view! {
        <section class="card">
            <form method="post" id="peer-form">
                <input type="hidden" name="action" value=Action::PeerSet.as_str() />
                {Field::new(Action::PeerSet, "address", label, help)
                    .saved(model.peer.address.as_deref().unwrap_or_default())
                    .readonly(!may)
                    .view(cx)}
                {(cx.node.role == NodeRole::Client).then(|| members(cx, model, may))}
                {recipients}
            </form>
        </section>
    }
    .into_any()
}

/// Client: the two machines of a Master's cluster, whose node IP then stands in the field above.
fn members(cx: &Context, model: &PairingPage, may: bool) -> AnyView {
    let saved = model.peer.members.join(", ");
    let label = cx.t("Macchine del cluster Master", "Machines of the Master's cluster");
    let help = cx.t(
        "Solo se il Master è un cluster: i due indirizzi delle sue macchine, separati da una virgola. Sopra va allora l'IP di nodo. Altrimenti lasciare vuoto.",
        "Only where the Master is a cluster: the two addresses of its machines, with a comma between them. The field above then holds the node IP. Else leave it empty.",
    );
    Field::new(Action::PeerSet, "member", label, help).saved(&saved).optional().readonly(!may).view(cx)
}

fn recipients(cx: &Context, model: &PairingPage, channel: Channel, label: &str, help: &str, may: bool) -> AnyView {
    let name = channel.as_str();
    let saved = model.peer.recipients.iter().filter(|r| r.channel == channel).map(|r| r.value.as_str());
    let saved = saved.collect::<Vec<_>>().join(", ");
    let value = cx.form.value(Action::PeerSet, name, &saved);
    let error = cx.form.error(Action::PeerSet, name, cx.lang);
    let invalid = error.is_some();
    let described_by = if invalid { format!("{name}-help {name}-error") } else { format!("{name}-help") };
    let chips = view! {
        <Chips
            name=name.to_owned()
            label=label.to_owned()
            value
            channel
            described_by
            invalid
            readonly=!may
            lang=cx.lang
        />
    };
    wrap(cx, name, label, help, false, chips.into_any(), error)
}

fn language(cx: &Context, model: &PairingPage, may: bool) -> AnyView {
    let label = cx.t("Lingua dei messaggi di allarme", "Language of alarm messages");
    let help = cx.t(
        "La lingua di e-mail e SMS ai destinatari. Quella del pannello la sceglie ogni utente in alto a destra.",
        "The language of e-mails and SMS to the recipients. Each user chooses the panel's at the top right.",
    );
    let languages = [(Lang::It.tag(), "Italiano"), (Lang::En.tag(), "English")];
    let saved = model.peer.language.tag();
    if may {
        return select(cx, Action::PeerSet, "language", label, help, &languages, saved);
    }
    let shown = languages.iter().find(|(tag, _)| *tag == saved).map_or("", |(_, name)| name);
    Field::new(Action::PeerSet, "language", label, help).saved(shown).readonly(true).view(cx)
}

fn association(cx: &Context, model: &PairingPage) -> AnyView {
    let pair = &model.peer.pair;
    let fingerprint = |label: &str, value: &str| {
        view! {
            <div>
                <dt>{label.to_owned()}</dt>
                <dd>
                    <code class="fingerprint">{value.to_owned()}</code>
                </dd>
            </div>
        }
    };
    let prints = view! {
        <dl class="facts">
            {fingerprint(cx.t("Impronta di questa macchina", "This machine's fingerprint"), &model.peer.fingerprint)}
            {model
                .peer
                .peer_fingerprint
                .as_deref()
                .map(|value| fingerprint(cx.t("Impronta dell'altra", "The other's fingerprint"), value))}
        </dl>
    };
    let forget = (pair.associated && cx.may(Action::PeerForget)).then(|| {
        confirm(
            cx,
            Action::PeerForget,
            None,
            cx.t("Sciogli associazione", "Dissolve association"),
            cx.t("Sciogliere l'associazione?", "Dissolve the association?"),
            cx.t(
                "La replica si ferma. Vale per questa macchina: l'altra va sciolta per conto suo. I dati già copiati restano.",
                "Replication stops. It holds for this machine: the other one is dissolved by itself. Data already copied stays.",
            ),
        )
    });
    let way = match cx.node.role {
        NodeRole::Master => cx.may(Action::PeerToken).then(|| token(cx, model)).flatten(),
        NodeRole::Client => (cx.may(Action::PeerJoin) && !complete(model)).then(|| join(cx)),
    };
    let about = match cx.node.role {
        NodeRole::Master => cx.t(
            "Impostato l'indirizzo del DR Client, creare il codice e incollarlo sul DR Client: vale 15 minuti e una volta sola.",
            "Once the DR Client's address is set, make the token and paste it on the DR Client: it lasts 15 minutes and works once.",
        ),
        NodeRole::Client => cx.t(
            "Impostato l'indirizzo del Master, incollare qui il codice creato sulla sua pagina Disaster Recovery.",
            "Once the Master's address is set, paste here the token made on its Disaster Recovery page.",
        ),
    };
    let now = model.peer.pair.clone();
    let offset = cx.offset(cx.now);
    let body = view! {
        <PairStatus initial=now role=cx.node.role offset lang=cx.lang />
        {prints}
        {way}
        <div class="card-buttons">{forget}</div>
    };
    card_with_help(cx, "association", cx.t("Associazione", "Association"), about, body)
}

/// Client: whether a machine stands behind each address that is set; none does where one was lost.
fn complete(model: &PairingPage) -> bool {
    let known = model.peer.pair.peer.as_ref().map_or(0, |peer| peer.machines.len());
    model.peer.pair.associated && known >= model.peer.members.len()
}

fn token(cx: &Context, model: &PairingPage) -> Option<AnyView> {
    let shown = model.token.as_ref().map(|token| made(cx, token));
    let sibling = model.peer.pair.cluster.as_ref().and_then(|cluster| cluster.sibling.as_ref());
    let complete = model.peer.pair.associated && sibling.is_none_or(|sibling| sibling.associated);
    if complete && shown.is_none() {
        return None;
    }
    let button = if model.token.is_some() {
        cx.t("Crea un altro codice", "Make another token")
    } else {
        cx.t("Crea codice di associazione", "Make join token")
    };
    Some(
        view! {
            {shown}
            <form method="post" class="card-buttons">
                <input type="hidden" name="action" value=Action::PeerToken.as_str() />
                <button class="button primary">{button}</button>
            </form>
        }
        .into_any(),
    )
}

fn made(cx: &Context, token: &JoinToken) -> AnyView {
    let until = cx.moment(token.expires_at);
    let body = view! {
        <p>
            {cx
                .t(
                    "Incollarlo sul DR Client (o sull'altra macchina del cluster), nella pagina Disaster Recovery. Non verrà mostrato di nuovo.",
                    "Paste it on the DR Client (or on the cluster's other machine), on the page Disaster Recovery. It will not be shown again.",
                )}
        </p>
        <p>
            <code class="token" id="join-token" tabindex="0">
                {token.token.clone()}
            </code>
        </p>
        <CopyButton target="join-token".to_owned() lang=cx.lang />
        <p class="muted">{format!("{} {until}", cx.t("Valido fino al", "Valid until"))}</p>
    };
    card(cx.t("Codice di associazione", "Join token"), body)
}

fn join(cx: &Context) -> AnyView {
    view! {
        <form method="post">
            <input type="hidden" name="action" value=Action::PeerJoin.as_str() />
            {Field::new(
                    Action::PeerJoin,
                    "token",
                    cx.t("Codice di associazione", "Join token"),
                    cx.t(
                        "Creato sul Master nella pagina Disaster Recovery. Vale 15 minuti e una volta sola.",
                        "Made on the Master's Disaster Recovery page. It lasts 15 minutes and works once.",
                    ),
                )
                .kind(Kind::Lines(3))
                .view(cx)}
            <button class="button primary">{cx.t("Associa", "Associate")}</button>
        </form>
    }
    .into_any()
}
