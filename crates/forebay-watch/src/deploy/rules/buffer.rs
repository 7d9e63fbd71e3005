//! Rules on a buffer, its readers and its writers: the data.

use super::Row;
use super::Severity::{Critical, Warning};

const BUFFER: &[&str] = &["buffer"];

pub(super) const ROWS: [Row; 16] = [
    Row {
        name: "ForebayBufferFilling",
        severity: Warning,
        per: BUFFER,
        expr: "forebay_buffer_utilisation_ratio > <filling>",
        hold: 120,
        summary: "Buffer {{ $labels.buffer }} is {{ $value | humanizePercentage }} full",
        description: "Look which group is behind: forebay stat. If all readers keep up, raise the limit that \
                      `forebay stat` names.",
        implies: &[],
    },
    Row {
        name: "ForebayBufferAlmostFull",
        severity: Critical,
        per: BUFFER,
        expr: "forebay_buffer_utilisation_ratio > <almost full>",
        hold: 60,
        summary: "Buffer {{ $labels.buffer }} is {{ $value | humanizePercentage }} full: next, writes are \
                  refused or events dropped",
        description: "Raise the limit that `forebay stat` names first; then bring the reader back. A full \
                      buffer can still be read.",
        implies: &["ForebayBufferFilling", "ForebayBufferFullSoon", "ForebayBufferFullTonight"],
    },
    Row {
        name: "ForebayBufferFullSoon",
        severity: Critical,
        per: BUFFER,
        expr: r#"forebay_buffer_full_seconds{rate="net"} < <soon>"#,
        hold: 120,
        summary: "Buffer {{ $labels.buffer }} is full in {{ $value | humanizeDuration }}, as it fills now",
        description: "Bring the reader back, or raise the limit that `forebay stat` names.",
        implies: &["ForebayBufferFullTonight"],
    },
    // The second line leaves to the rule above what it reports.
    Row {
        name: "ForebayBufferFullTonight",
        severity: Warning,
        per: BUFFER,
        expr: "forebay_buffer_full_seconds{rate=\"net\"} < <tonight>\n\
               and forebay_buffer_full_seconds{rate=\"net\"} >= <soon>",
        hold: 600,
        summary: "Buffer {{ $labels.buffer }} is full in {{ $value | humanizeDuration }}, as it fills now",
        description: "Look which group is behind: forebay stat. There is time to mend it in daylight.",
        implies: &[],
    },
    Row {
        name: "ForebayEventsTooOld",
        severity: Warning,
        per: BUFFER,
        // By lane: one whose ages are unknown does not make another one young.
        expr: "max without (lane) (forebay_lane_oldest_age_seconds) > <held>",
        hold: 300,
        summary: "The oldest event in buffer {{ $labels.buffer }} is {{ $value | humanizeDuration }} old: \
                  more than it is made to hold",
        description: "Some group has not acknowledged it: forebay stat shows which. A group that nobody \
                      reads any more keeps everything: delete it.",
        implies: &[],
    },
    // Of a clock that was ahead and is mended: for as long as it was ahead, the rules above and below cannot fire.
    Row {
        name: "ForebayAgesUnknown",
        severity: Warning,
        per: BUFFER,
        expr: "forebay_buffer_ids_ahead_seconds > 0",
        hold: 60,
        summary: "Ages in buffer {{ $labels.buffer }} are unknown: ids of blocks lie {{ $value | humanizeDuration }} \
                  in the future",
        description: "Look at the clock of the server's machine: timedatectl. Until then ForebayEventsTooOld and \
                      ForebayReaderBehind cannot fire; see `forebay stat` for what is unread.",
        implies: &[],
    },
    Row {
        name: "ForebayReaderBehind",
        severity: Warning,
        per: &["buffer", "group"],
        expr: "max without (lane) (forebay_group_behind_seconds) > <behind>",
        hold: 120,
        summary: "Group {{ $labels.group }} of buffer {{ $labels.buffer }} is {{ $value | humanizeDuration \
                  }} behind",
        description: "See whether it catches up: `forebay stat`, twice. If not, add consumers to the group, \
                      or look at where it writes to.",
        implies: &[],
    },
    // Not by the age of what waits: a reader that catches up on a burst is given blocks that were stored in the same seconds.
    Row {
        name: "ForebayReaderStopped",
        severity: Critical,
        per: &["buffer", "group"],
        expr: "max without (lane) (forebay_group_pending_age_seconds) > <pending>\n\
               or (forebay_group_still_seconds > <stopped>\n  \
               and on (job, instance, buffer, group) sum without (lane) (forebay_group_unread_events) > 0)",
        hold: 60,
        summary: "Group {{ $labels.group }} of buffer {{ $labels.buffer }} has stopped: events wait for it, \
                  the oldest for {{ $value | humanizeDuration }}",
        description: "Look at the reader's process and log. Start it again: it goes on where it was.",
        implies: &["ForebayReaderBehind"],
    },
    // Of all lanes together: a lane alone may well have no events for minutes.
    Row {
        name: "ForebayWriterStopped",
        severity: Critical,
        per: BUFFER,
        expr: "sum without (lane) (increase(forebay_lane_appended_events_total[2m])) == 0\n\
               and sum without (lane) (increase(forebay_lane_appended_events_total[1d])) > 0",
        hold: 30,
        summary: "Nothing was appended to buffer {{ $labels.buffer }} for 2 minutes",
        description: "Look at the writer's process and log, and at its source. Start it again with the spill \
                      folder it had.",
        implies: &[],
    },
    Row {
        name: "ForebayWriterFenced",
        severity: Warning,
        per: BUFFER,
        expr: r#"increase(forebay_writer_ends_total{how="fenced"}[10m]) > 0"#,
        hold: 0,
        summary: "A writer of buffer {{ $labels.buffer }} was fenced off by a newer one",
        description: "See that one writer runs and no second one is started by another supervisor or host.",
        implies: &[],
    },
    Row {
        name: "ForebayWritesRefused",
        severity: Critical,
        per: BUFFER,
        expr: "forebay_writers_held_back > 0",
        hold: 30,
        summary: "{{ $value }} writers of buffer {{ $labels.buffer }} are held back: the server takes no \
                  writes",
        description: "`forebay stat` says which limit is met; the server's log says what else stops it \
                      (MISCONF: its disk).",
        implies: &["ForebayWriterStopped"],
    },
    Row {
        name: "ForebayEventsShed",
        severity: Critical,
        per: BUFFER,
        expr: r#"sum without (lane, fate) (increase(forebay_writer_events_total{fate="shed"}[10m])) > 0"#,
        hold: 0,
        summary: "About {{ $value | printf \"%.0f\" }} new events for buffer {{ $labels.buffer }} were \
                  dropped in 10 minutes: it is full, and the policy is shed",
        description: "Bring the reader back, or raise the limit that `forebay stat` names: each second costs \
                      events.",
        implies: &[],
    },
    Row {
        name: "ForebayEventsTrimmedUnread",
        severity: Critical,
        per: BUFFER,
        expr: "sum without (lane) (increase(forebay_lane_trimmed_unread_events_total[10m])) > 0",
        hold: 0,
        summary: "About {{ $value | printf \"%.0f\" }} unread events of buffer {{ $labels.buffer }} were \
                  dropped in 10 minutes: it is full, and the policy is trim-oldest",
        description: "Bring the reader back, or raise the limit that `forebay stat` names: each second costs \
                      events.",
        implies: &[],
    },
    Row {
        name: "ForebayEventsLost",
        severity: Critical,
        per: BUFFER,
        expr: r#"sum without (lane, fate) (increase(forebay_writer_events_total{fate=~"lost|unreadable"}[10m])) > 0"#,
        hold: 0,
        summary: "About {{ $value | printf \"%.0f\" }} events of buffer {{ $labels.buffer }} were lost in 10 \
                  minutes",
        description: "Keep the AOF folder and the writer's spill folder as they are; then `forebay verify` \
                      on a copy of the AOF says what is there.",
        implies: &[],
    },
    Row {
        name: "ForebayBufferSetBack",
        severity: Critical,
        per: BUFFER,
        expr: "increase(forebay_buffer_setbacks_total[10m]) > 0",
        hold: 0,
        summary: "The server has less of buffer {{ $labels.buffer }} than it had: keys were deleted, or it came back \
                  with less",
        description: "Start nothing again yet: copy the AOF folder, then `forebay verify` on the copy says what is \
                      there.",
        implies: &[],
    },
    Row {
        name: "ForebayBlocksDamaged",
        severity: Critical,
        per: &["buffer", "lane"],
        expr: "forebay_lane_damaged_blocks > 0",
        hold: 0,
        summary: "{{ $value }} blocks of lane {{ $labels.lane }} in buffer {{ $labels.buffer }} cannot be \
                  read",
        description: "`forebay stat` names their places. Copy the AOF folder before anything is trimmed.",
        implies: &[],
    },
];
