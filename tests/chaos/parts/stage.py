"""A service, the line to its database, and the database, set up as in production."""

from pathlib import Path

from .cluster import Cluster
from .common import promise, say
from .compare import compare, report_events
from .ledger import Ledger
from .link import Link
from .service import Service
from .writers import Crowd, World

POOL = 6


class Stage:
    def __init__(self, binary: Path, home: Path, writers: int, long: bool):
        self.home, self.writers, self.long = home, writers, long
        self.cluster, self.ledger, self.world = Cluster(home), Ledger(), None
        self.cluster.create()
        self.link = Link(self.cluster.port)
        url = f"postgres://postgres@127.0.0.1:{self.link.port}/ict_index"
        self.service = Service(binary, home, url, DATABASE_MAX_CONNECTIONS=str(POOL))
        say("migrating, loading the plan and the demo")
        self.service.command("migrate")
        self.service.command("seed", "--demo")
        self.ledger.report_events = report_events(self.cluster)
        self.service.start()

    def times(self, short: int, long: int) -> int:
        return long if self.long else short

    def crowd(self) -> Crowd:
        if self.world is None:
            self.world = World(self.service, self.writers)
        return Crowd(self.service, self.ledger, self.world)

    def holds(self) -> str:
        """The ledger holds, or it is told what does not."""
        found = compare(self.ledger, self.cluster, self.service)
        for name, all_of_it in found.all().items():
            for one in all_of_it[:10]:
                say(f"{name}: {one}")
        promise(not found.all(), f"the ledger does not hold: {found.told()}, others {len(found.others)}")
        return f"{found.told()}; {self.ledger.told()}"

    def close(self) -> None:
        self.service.stop()
        self.link.close()
        self.cluster.stop("immediate")
