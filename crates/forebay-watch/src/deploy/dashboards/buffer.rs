//! The dashboard of the buffer: will it hold? The data.

use super::{Dashboard, Look, Panel, ask, may_lack};

pub(super) const DASHBOARD: Dashboard = Dashboard {
    uid: "forebay-buffer",
    title: "Forebay buffer",
    about: "Will it hold: time to full, lanes, groups, writers",
    panels: &PANELS,
};

const PANELS: [Panel; 27] = [
    Panel {
        title: "Verdict",
        about: "What the watch's page says: 0 it holds, 1 unknown, 2 look today, 3 act now. The page has the reasons.",
        look: Look::Figure,
        unit: "none",
        asks: &[ask("max(forebay_buffer_verdict{@buffer})", "verdict")],
    },
    Panel {
        title: "Time to full",
        about: "At the rate it fills now, until the first limit is met. Infinite while it does not fill.",
        look: Look::Figure,
        unit: "s",
        asks: &[ask(r#"min(forebay_buffer_full_seconds{@buffer,rate="net"})"#, "now")],
    },
    Panel {
        title: "If nobody reads",
        about: "Time to full at the rate in of the last minute, with no reader.",
        look: Look::Figure,
        unit: "s",
        asks: &[ask(r#"min(forebay_buffer_full_seconds{@buffer,rate="in"})"#, "no reader")],
    },
    Panel {
        title: "Full",
        about: "Events held, of those that it holds when the first limit is met. Above 85 % is a \
                warning, above 95 % critical.",
        look: Look::Figure,
        unit: "percentunit",
        asks: &[ask("max(forebay_buffer_utilisation_ratio{@buffer})", "full")],
    },
    Panel {
        title: "Oldest event",
        about: "Age of the oldest block held. It stays below the hours of the profile. Where ids of blocks lie in the \
                future, how far: ages are unknown until then.",
        look: Look::Figure,
        unit: "s",
        asks: &[
            ask("max(forebay_buffer_oldest_age_seconds{@buffer})", "oldest"),
            may_lack("max(forebay_buffer_ids_ahead_seconds{@buffer}) > 0", "ids in the future"),
        ],
    },
    Panel {
        title: "Events held",
        about: "In all lanes.",
        look: Look::Figure,
        unit: "short",
        asks: &[ask("sum(forebay_buffer_events{@buffer})", "events")],
    },
    Panel {
        title: "Writers",
        about: "Heard within 5 seconds; and those of them whose server takes nothing.",
        look: Look::Figure,
        unit: "none",
        asks: &[
            ask("sum(forebay_writers{@buffer})", "writing"),
            ask("sum(forebay_writers_held_back{@buffer})", "held back"),
        ],
    },
    Panel {
        title: "Events in and out",
        about: "Over the last minutes. While out is below in, the buffer fills.",
        look: Look::Lines,
        unit: "eps",
        asks: &[
            ask("forebay_buffer_in_events_per_second{@buffer}", "in {{buffer}}"),
            ask("forebay_buffer_out_events_per_second{@buffer}", "out {{buffer}}"),
        ],
    },
    Panel {
        title: "Events, and how many fit",
        about: "Held now, and held when the first limit is met.",
        look: Look::Lines,
        unit: "short",
        asks: &[
            ask("forebay_buffer_events{@buffer}", "held {{buffer}}"),
            ask("forebay_buffer_events_at_limit{@buffer}", "fit {{buffer}}"),
        ],
    },
    Panel {
        title: "Time to full",
        about: "As it fills now, if nobody reads, and at the profile's peak with nobody reading. What \
                does not fill is not drawn.",
        look: Look::Lines,
        unit: "s",
        asks: &[ask("forebay_buffer_full_seconds{@buffer}", "{{rate}} {{buffer}}")],
    },
    Panel {
        title: "Use of each limit",
        about: "The first to reach 100 % stops the buffer. One that nobody can know is missing.",
        look: Look::Lines,
        unit: "percentunit",
        asks: &[ask(
            "forebay_buffer_limit_used_bytes{@buffer} / forebay_buffer_limit_bytes{@buffer}",
            "{{limit}} {{buffer}}",
        )],
    },
    Panel {
        title: "Groups: events unread",
        about: "Events that a group was not given yet, in all lanes.",
        look: Look::Lines,
        unit: "short",
        asks: &[ask("sum by (buffer, group) (forebay_group_unread_events{@buffer})", "{{group}} {{buffer}}")],
    },
    Panel {
        title: "Groups: behind",
        about: "Age of the next block that a group was not given, in its slowest lane. A line that \
                climbs by a second a second is a reader that has stopped.",
        look: Look::Lines,
        unit: "s",
        asks: &[ask(
            "max by (buffer, group) (forebay_group_behind_seconds{@buffer})",
            "{{group}} {{buffer}}",
        )],
    },
    Panel {
        title: "Groups: pending",
        about: "Blocks given to a consumer and not acknowledged.",
        look: Look::Lines,
        unit: "short",
        asks: &[
            ask("sum by (buffer, group) (forebay_group_pending_blocks{@buffer})", "{{group}} {{buffer}}"),
            ask("sum(forebay_groups_hidden{@buffer})", "groups not shown"),
        ],
    },
    Panel {
        title: "Groups: oldest pending",
        about: "How long the oldest of them waits; missing where none does. Above 2 minutes a consumer \
                has died, or does not acknowledge.",
        look: Look::Lines,
        unit: "s",
        asks: &[may_lack(
            "max by (buffer, group) (forebay_group_pending_age_seconds{@buffer})",
            "{{group}} {{buffer}}",
        )],
    },
    Panel {
        title: "Consumers",
        about: "By group; one that is not running any more counts until it is deleted.",
        look: Look::Lines,
        unit: "none",
        asks: &[ask("max by (buffer, group) (forebay_group_consumers{@buffer})", "{{group}} {{buffer}}")],
    },
    Panel {
        title: "Lanes: events",
        about: "Held, by lane.",
        look: Look::Lines,
        unit: "short",
        asks: &[ask("forebay_lane_events{@buffer}", "{{lane}} {{buffer}}")],
    },
    Panel {
        title: "Lanes: memory",
        about: "Of each lane's stream.",
        look: Look::Lines,
        unit: "bytes",
        asks: &[
            ask("forebay_lane_bytes{@buffer}", "{{lane}} {{buffer}}"),
            ask("forebay_buffer_bytes{@buffer}", "all {{buffer}}"),
        ],
    },
    Panel {
        title: "Bytes an event",
        about: "Memory of the streams, by event held. It rises when blocks get smaller: fewer events \
                come in.",
        look: Look::Lines,
        unit: "bytes",
        asks: &[ask("forebay_buffer_bytes{@buffer} / forebay_buffer_events{@buffer}", "{{buffer}}")],
    },
    Panel {
        title: "Events a block",
        about: "By lane. Few events a block cost memory.",
        look: Look::Lines,
        unit: "short",
        asks: &[ask("forebay_lane_events{@buffer} / forebay_lane_blocks{@buffer}", "{{lane}} {{buffer}}")],
    },
    Panel {
        title: "Lanes: oldest event",
        about: "Age of the oldest block, by lane.",
        look: Look::Lines,
        unit: "s",
        asks: &[ask("forebay_lane_oldest_age_seconds{@buffer}", "{{lane}} {{buffer}}")],
    },
    Panel {
        title: "Lanes: appended",
        about: "Events a second, by lane.",
        look: Look::Lines,
        unit: "eps",
        asks: &[ask(
            "rate(forebay_lane_appended_events_total{@buffer}[$__rate_interval])",
            "{{lane}} {{buffer}}",
        )],
    },
    Panel {
        title: "What became of events",
        about: "In writers, events a second. Anything shed, trimmed unread, unreadable or lost is an \
                alert.",
        look: Look::Lines,
        unit: "eps",
        asks: &[ask(
            "sum by (buffer, fate) (rate(forebay_writer_events_total{@buffer}[$__rate_interval]))",
            "{{fate}} {{buffer}}",
        )],
    },
    Panel {
        title: "Dropped or damaged",
        about: "Unread events dropped to make room, blocks that cannot be read, and how often the server \
                had less of the buffer than before. All stay at 0.",
        look: Look::Lines,
        unit: "short",
        asks: &[
            ask(
                "sum by (buffer) \
                 (increase(forebay_lane_trimmed_unread_events_total{@buffer}[$__rate_interval]))",
                "trimmed unread {{buffer}}",
            ),
            ask("sum by (buffer) (forebay_lane_damaged_blocks{@buffer})", "damaged blocks {{buffer}}"),
            ask(
                "sum by (buffer) (increase(forebay_buffer_setbacks_total{@buffer}[$__rate_interval]))",
                "setbacks {{buffer}}",
            ),
        ],
    },
    Panel {
        title: "Writers: setbacks",
        about: "Rounds that ended in a refusal or a lost connection, a second; and writers that ended, \
                by how.",
        look: Look::Lines,
        unit: "cps",
        asks: &[
            ask(
                "sum by (buffer) (rate(forebay_writer_refusals_total{@buffer}[$__rate_interval]))",
                "refusals {{buffer}}",
            ),
            ask(
                "sum by (buffer, how) (rate(forebay_writer_ends_total{@buffer}[$__rate_interval]))",
                "{{how}} {{buffer}}",
            ),
        ],
    },
    Panel {
        title: "Writers: epoch",
        about: "Of the newest writer of each lane: it moves when a writer takes the lane over.",
        look: Look::Lines,
        unit: "none",
        asks: &[ask("forebay_lane_writer_epoch{@buffer}", "{{lane}} {{buffer}}")],
    },
    Panel {
        title: "There",
        about: "1 where a lane was ever written; and which server is looked at, for which profile.",
        look: Look::Lines,
        unit: "bool",
        asks: &[
            ask("forebay_buffer_present{@buffer}", "{{buffer}}"),
            ask("forebay_watch_info{@buffer}", "{{buffer}} at {{url}}, {{profile}}"),
        ],
    },
];
