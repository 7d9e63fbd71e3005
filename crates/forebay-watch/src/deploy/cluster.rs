//! What a deployment has where its profile is for a cluster: nodes, what makes a cluster of them, and the same for Kubernetes.

use askama::Template;

use super::files::File;
use crate::profile::Profile;
use crate::profile::cluster::Cluster;

/// The network of the containers but for the last number: nodes know each other by addresses that must stay.
const SUBNET: &str = "172.29.64";
/// Memory of a pod, as a multiple of what its server may hold: a fork may copy all of it.
const MEMORY_TIMES: u64 = 2;
/// Its disk: a log, a new one beside it, and what comes in meanwhile.
const DISK_TIMES: u64 = 3;

/// The services of compose.yaml.
#[derive(Template)]
#[template(path = "deploy/cluster-nodes.yaml", escape = "none")]
struct Services<'a> {
    nodes: &'a [u32],
    replicas: u32,
    subnet: &'static str,
    secret: &'static str,
}

#[derive(Template)]
#[template(path = "deploy/kustomization.yaml", escape = "none")]
struct Kustomization<'a> {
    profile: &'a str,
}

#[derive(Template)]
#[template(path = "deploy/kubernetes/redis.yaml", escape = "none")]
struct Kubernetes<'a> {
    masters: u32,
    replicas: u32,
    nodes: u32,
    pods: &'a [u32],
    memory_mib: u64,
    disk_mib: u64,
    secret: &'static str,
}

/// What compose.yaml says of the nodes.
pub(super) struct ComposeNodes {
    /// Their numbers.
    pub(super) nodes: Vec<u32>,
    /// Their services.
    pub(super) services: String,
    /// What clients are given, with the password as a shell puts it in.
    pub(super) url: String,
    /// The network.
    pub(super) subnet: &'static str,
}

/// The nodes for compose.yaml.
pub(super) fn compose(cluster: Cluster, secret: &'static str) -> askama::Result<ComposeNodes> {
    let nodes: Vec<u32> = (1..=cluster.nodes()).collect();
    let services = Services { nodes: &nodes, replicas: cluster.replicas, subnet: SUBNET, secret }.render()?;
    let hosts: Vec<String> = nodes.iter().map(|node| format!("redis-{node}:6379")).collect();
    let url = format!("redis+cluster://:$$(sed -n 's/^requirepass //p' {secret})@{}", hosts.join(","));
    Ok(ComposeNodes { nodes, services, url, subnet: SUBNET })
}

/// The files beside it.
pub(super) fn files(profile: &Profile, cluster: Cluster, secret: &'static str) -> askama::Result<Vec<File>> {
    let pods: Vec<u32> = (0..cluster.nodes()).collect();
    // A profile without a limit is none.
    let mib = profile.maxmemory().unwrap_or_default().div_ceil(1 << 20);
    let kubernetes = Kubernetes {
        masters: cluster.masters,
        replicas: cluster.replicas,
        nodes: cluster.nodes(),
        pods: &pods,
        memory_mib: mib * MEMORY_TIMES,
        disk_mib: mib * DISK_TIMES,
        secret,
    };
    Ok(vec![
        File::new("cluster-init.sh", include_str!("../../templates/deploy/cluster-init.sh")),
        File::new("kubernetes/redis.yaml", kubernetes.render()?),
        File::new("kustomization.yaml", Kustomization { profile: &super::one_line(&profile.name) }.render()?),
    ])
}
