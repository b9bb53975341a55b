"""Three machines on this one: a network namespace for each, on two networks.

The nodes speak to each other (etcd, replication, Patroni) on one, clients to them on the other; each can be pulled on its own. A frame to
a machine whose cable is pulled vanishes: no peer is notified.
"""

import subprocess

NODES = (1, 2, 3)
PEERS, CLIENTS = "peers", "clients"
SUBNET = {PEERS: "10.232.7", CLIENTS: "10.232.8"}
BRIDGE = {PEERS: "ictha-p", CLIENTS: "ictha-c"}


def ip(*words: object, check: bool = True) -> str:
    done = subprocess.run(["ip", *map(str, words)], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout


def namespace(node: int) -> str:
    return f"ictha-{node}"


def address(node: int, network: str) -> str:
    return f"{SUBNET[network]}.{node}"


def _cable(node: int, network: str) -> str:
    """This machine's end."""
    return f"ictha-{network[0]}{node}"


def _mac(node: int, network: str) -> str:
    return f"02:00:00:00:{7 if network == PEERS else 8:02x}:{node:02x}"


def lay() -> None:
    remove()
    for node in NODES:
        ip("netns", "add", namespace(node))
        ip("-n", namespace(node), "link", "set", "lo", "up")
    for network, bridge in BRIDGE.items():
        ip("link", "add", bridge, "type", "bridge")
        ip("addr", "add", f"{SUBNET[network]}.254/24", "dev", bridge)
        ip("link", "set", bridge, "up")
        for node in NODES:
            _plug(node, network, bridge)


def _plug(node: int, network: str, bridge: str) -> None:
    inside, cable = ("-n", namespace(node)), _cable(node, network)
    ip("link", "add", cable, "type", "veth", "peer", "name", network, "netns", namespace(node))
    ip("link", "set", cable, "master", bridge, "up")
    ip(*inside, "link", "set", network, "address", _mac(node, network), "up")
    ip(*inside, "addr", "add", f"{address(node, network)}/24", "dev", network)
    # Known for good: otherwise a pulled cable shows as "no route" after some seconds.
    ip("neigh", "replace", address(node, network), "lladdr", _mac(node, network), "dev", bridge, "nud", "permanent")
    for other in NODES:
        if other != node:
            ip(*inside, "neigh", "replace", address(other, network), "lladdr", _mac(other, network), "dev", network, "nud", "permanent")


def pull(node: int, *networks: str) -> None:
    for network in networks:
        ip("link", "set", _cable(node, network), "down")


def heal(node: int, *networks: str) -> None:
    for network in networks:
        ip("link", "set", _cable(node, network), "up")


def remove() -> None:
    for node in NODES:
        ip("netns", "del", namespace(node), check=False)
        for network in BRIDGE:
            ip("link", "del", _cable(node, network), check=False)
    for bridge in BRIDGE.values():
        ip("link", "del", bridge, check=False)


def inside(node: int, command: list[str]) -> list[str]:
    return ["ip", "netns", "exec", namespace(node), *command]
