//! What the preflight finds beforehand and stands in nobody's way: programs that are missing, choices that nobody made.
//! Each is message and remedy, Italian then English, as the sentences of every other rule.

use super::Pair;

/// The other machine would resume by itself after a silence.
pub(super) const GATE_UNVERIFIED: (Pair, Pair) = (
    (
        "Se {s} si riavvia mentre le sedi non si vedono, dopo {d} secondi riprende il servizio da sola.",
        "Accertarsi che resti spenta o isolata finché il DR è attivo.",
    ),
    (
        "If {s} boots while the sites cannot see each other, it resumes the service by itself after {d} seconds.",
        "Make sure that it stays off or isolated while the DR is active.",
    ),
);

/// What happens in silence was never chosen by a person.
pub(super) const GATE_CHOSEN: (Pair, Pair) = (
    (
        "Che cosa fa {s} quando si riavvia e l'altra sede non risponde non l'ha mai scelto nessuno: vale la scelta iniziale, riprendere il servizio dopo un'attesa.",
        "Scegliere fra Prudente e Continuità nella pagina Disaster Recovery di {s} (tvox-dr gate set --policy unverified|strict).",
    ),
    (
        "What {s} does when it boots and the other site does not answer was never chosen by anybody: it resumes the service after a wait, as it was delivered.",
        "Choose between strict and continuity on the page Disaster Recovery of {s} (tvox-dr gate set --policy unverified|strict).",
    ),
);

/// A service's program cannot be run.
pub(super) const SERVICE_COMMAND: (Pair, Pair) = (
    (
        "Il servizio {s} non si può gestire su questa macchina: {d}.",
        "Installare il programma su questa macchina, oppure correggere il servizio nella pagina Servizi.",
    ),
    (
        "The service {s} cannot be handled on this machine: {d}.",
        "Install the program on this machine, or correct the service on the page Services.",
    ),
);

/// An own step's program cannot be run.
pub(super) const STEP_COMMAND: (Pair, Pair) = (
    (
        "Il passo proprio {s} non si può eseguire: {d}.",
        "Installare il programma su questa macchina, oppure correggere il passo nella pagina Procedura.",
    ),
    (
        "The own step {s} cannot be run: {d}.",
        "Install the program on this machine, or correct the step on the page Procedure.",
    ),
);

/// The phones cannot be counted.
pub(super) const TELEPHONY_COMMAND: (Pair, Pair) = (
    (
        "Su {s} i telefoni registrati non si possono contare: {d}.",
        "Installare il programma su questa macchina, oppure correggere il comando nella pagina Telefonia.",
    ),
    (
        "The registered phones cannot be counted on {s}: {d}.",
        "Install the program on this machine, or correct the command on the page Telephony.",
    ),
);

/// Two persons are wanted, and there is one.
pub(super) const APPROVAL_ALONE: (Pair, Pair) = (
    (
        "Per le operazioni gravi servono due persone, e gli utenti che possono approvarle sono {d}.",
        "Creare nella pagina Utenti un secondo utente con il ruolo Operatore, per un'altra persona.",
    ),
    (
        "Grave runs need two persons, and the users who may approve of them number {d}.",
        "Make a second user with the role Operator on the page Users, for another person.",
    ),
);
