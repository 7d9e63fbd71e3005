//! Rules on the machine: what the kernel does to a server that forks, fills memory and must answer at once.

use super::checks::size;
use crate::audit::rule::{Fix, Rule, Severity, State};
use crate::audit::version::Versions;

/// Clock sources that are read without a call into the kernel.
const FAST_CLOCKS: [&str; 6] =
    ["tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "ptp_kvm", "timebase"];

const HUGE_PAGES: &str = "sys/kernel/mm/transparent_hugepage/enabled";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "host.overcommit",
        severity: Severity::Warn,
        must: "The kernel lets a large server fork",
        why: "With vm.overcommit_memory at 0 or 2 a fork may be refused although the memory would do: the AOF is not \
              rewritten, and grows until the disk is full.",
        remedy: "sysctl -w vm.overcommit_memory=1, and in /etc/sysctl.d",
        source: "Redis documentation, administration: Linux",
        versions: Versions::All,
        check: |seen| {
            let mode = seen.host()?.number("vm.overcommit_memory")?;
            Ok(State::of(mode == 1, format!("vm.overcommit_memory {mode}"), || {
                vec![
                    Fix::shell("sysctl -w vm.overcommit_memory=1"),
                    Fix::shell("echo vm.overcommit_memory=1 > /etc/sysctl.d/90-forebay.conf"),
                ]
            }))
        },
    },
    Rule {
        id: "host.huge-pages",
        severity: Severity::Warn,
        must: "Transparent huge pages are off for the server",
        why: "After a fork each small write copies 2 MiB instead of 4 KiB: memory jumps during a rewrite, and \
              commands stall.",
        remedy: "disable-thp yes (the default), or echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
        source: "redis.conf: disable-thp; Redis documentation, latency",
        versions: Versions::All,
        check: |seen| {
            let host = seen.host()?;
            let mode = host.chosen(HUGE_PAGES)?;
            let for_server = host.has_huge_pages().unwrap_or(mode == "always");
            let is_spared = mode == "always" && !for_server;
            let read = if is_spared { "always, but off for the server".into() } else { mode.clone() };
            Ok(State::of(mode != "always" || !for_server, read, || {
                vec![
                    Fix::shell("echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"),
                    Fix::at_start("disable-thp", "yes"),
                ]
            }))
        },
    },
    Rule {
        id: "host.swappiness",
        severity: Severity::Note,
        must: "The kernel does not swap the server out while there is another way",
        why: "Events wait for hours untouched, which is what the kernel looks for when it swaps. Coming back they take \
              milliseconds each, with every client waiting.",
        remedy: "sysctl -w vm.swappiness=1, and in /etc/sysctl.d",
        source: "Redis documentation, administration: memory; proc(5)",
        versions: Versions::All,
        check: |seen| {
            let host = seen.host()?;
            let (swap, eagerness) = (host.swap()?, host.number("vm.swappiness")?);
            if swap == 0 {
                return Ok(State::Kept("there is no swap".into()));
            }
            let read = format!("vm.swappiness {eagerness}, swap {}", size(swap));
            Ok(State::of(eagerness <= 10, read, || vec![Fix::shell("sysctl -w vm.swappiness=1")]))
        },
    },
    Rule {
        id: "host.swapped",
        severity: Severity::Warn,
        must: "Nothing of the server is swapped out",
        why: "A page in swap costs milliseconds on its next use, and the whole server waits for it.",
        remedy: "more memory or a lower maxmemory; then swapoff -a && swapon -a",
        source: "proc(5): VmSwap",
        versions: Versions::All,
        check: |seen| {
            let swapped = seen.host()?.process("VmSwap")?;
            Ok(State::of(swapped < 1 << 20, format!("{} swapped out", size(swapped)), || {
                vec![Fix::act("lower maxmemory or add memory, then as root: swapoff -a && swapon -a")]
            }))
        },
    },
    Rule {
        id: "host.clock",
        severity: Severity::Note,
        must: "Reading the clock is cheap",
        why: "The server reads it several times a command; a source like hpet or acpi_pm makes each a call into the \
              kernel.",
        remedy: "clocksource=tsc on the kernel's command line, where the machine's TSC is stable",
        source: "Linux documentation, timekeeping; Redis source: monotonic.c",
        versions: Versions::All,
        check: |seen| {
            let clock =
                seen.host()?.line("sys/devices/system/clocksource/clocksource0/current_clocksource")?;
            Ok(State::of(FAST_CLOCKS.contains(&clock.as_str()), format!("clock source {clock}"), || {
                vec![Fix::act("see available_clocksource beside it; tsc where it is listed")]
            }))
        },
    },
    Rule {
        id: "host.oom-order",
        severity: Severity::Note,
        must: "When memory runs out, the rewrite is killed before the server",
        why: "The kernel kills the largest process, and that is the server. With oom-score-adj yes it takes the \
              forked child first, and the server goes on.",
        remedy: "oom-score-adj yes",
        source: "redis.conf: oom-score-adj",
        versions: Versions::All,
        check: |seen| {
            let mode = seen.text("oom-score-adj")?;
            Ok(State::of(!mode.eq_ignore_ascii_case("no"), seen.said("oom-score-adj")?, || {
                vec![Fix::set("oom-score-adj", "yes")]
            }))
        },
    },
];
