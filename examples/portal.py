#!/usr/bin/env python3
"""What a portal does: a table of the province's agencies that is asked for often and costs nearly nothing when nothing has changed.

    CLIENT_ID=portal CLIENT_SECRET=... examples/portal.py 2018 [--every SECONDS] [--times N]

It prints Markdown: agencies by their level 3 rate, the province's levels, who is missing.
"""

import argparse
import time

from api import Client, Problem

QUESTIONS = {
    "agencies": "/statistics/dossier-rates?metric=dossiers_level_3_resolved&group_by=agency&period={period}",
    "levels": "/statistics/service-levels?period={period}",
}


class Kept:
    """The last answer to a question and its tag: an unchanged answer is not sent again."""

    def __init__(self, client, path):
        self.client, self.path, self.tag, self.body = client, path, None, None

    def ask(self):
        """True when the answer is a new one."""
        headers = {"if_none_match": self.tag} if self.tag else {}
        status, headers, body = self.client.request("GET", self.path, **headers)
        if status == 304:
            return False
        self.tag, self.body = headers["ETag"], body
        return True


def show(agencies, levels):
    print("| agency | online | resolved | rate | target |\n|---|---|---|---|---|")
    for item in sorted(agencies["items"], key=lambda i: -float(i["rate"] or 0)):
        met = {True: "met", False: "missed", None: "-"}[(item["target"] or {}).get("met")]
        rate = "-" if item["rate"] is None else item["rate"]
        print(f"| {item['group']['name']} | {item['numerator']} | {item['denominator']} | {rate} | {met} |")
    (province,) = levels["items"]
    of = province["total"]
    print(f"\nProcedures at level 3 or 4: {province['at_least']['3']} of {of}; at level 4: {province['exact']['4']} of {of}.")
    if agencies["coverage"]["missing"]:
        print(f"No data from: {', '.join(agencies['coverage']['missing'])}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("period", help="2018, 2018-Q1 or 2018-03")
    parser.add_argument("--every", type=float, default=60, metavar="SECONDS")
    parser.add_argument("--times", type=int, default=1, help="how often to ask (0: for ever)")
    options = parser.parse_args()
    client = Client.from_environment()
    kept = {name: Kept(client, path.format(period=options.period)) for name, path in QUESTIONS.items()}
    asked = 0
    try:
        while options.times == 0 or asked < options.times:
            if asked:
                time.sleep(options.every)
            asked += 1
            if any([question.ask() for question in kept.values()]):
                show(kept["agencies"].body, kept["levels"].body)
            else:
                print("unchanged")
    except Problem as problem:
        raise SystemExit(str(problem)) from None


if __name__ == "__main__":
    main()
