#!/usr/bin/env python3
"""What the integration of a one-stop system does: push a month of dossier counts, pull the level 3 and 4 rates, keep them fresh.

    CLIENT_ID=vnpt CLIENT_SECRET=... examples/vnpt.py 2018-03 counts.csv [--watch SECONDS]

counts.csv has the columns of `PUT /dossier-batches/{source}/{month}`. The batch is first sent as a dry run; only when that is accepted
is it stored. Sending it again changes nothing, so after a broken connection just run this again.
"""

import argparse
import csv
import time

from api import Client, Problem

RATES = "/statistics/dossier-rates?metric=dossiers_level_3_resolved,dossiers_level_4_resolved&period={month}"


def control_totals(path):
    """Rows and dossiers received: what the service compares with what arrived."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        received = [row["received"] for row in csv.DictReader(file)]
    # What is no number is for the service to tell, with its place.
    return len(received), sum(int(count) for count in received if count and count.isascii() and count.isdigit())


def push(client, month, path):
    rows, received = control_totals(path)
    target = f"/dossier-batches/{client.client_id}/{month}?rows={rows}&received={received}"
    with open(path, "rb") as file:
        body = file.read()
    for dry_run in ("true", "false"):
        _, _, answer = client.request("PUT", f"{target}&dry_run={dry_run}", body, content_type="text/csv")
    for warning in answer["warnings"]:
        print(f"warning {warning['code']} at {warning['pointer']}")
    counts = ", ".join(f"{n} {what}" for what, n in answer["counts"].items())
    print(f"{month}: revision {answer['revision']}, {counts}")


def pull(client, month, tag):
    """The rates, or the same tag when nothing has changed since."""
    headers = {"if_none_match": tag} if tag else {}
    status, headers, body = client.request("GET", RATES.format(month=month), **headers)
    if status == 304:
        print("unchanged")
        return tag
    for item in body["items"]:
        rate = "no dossiers" if item["rate"] is None else f"{item['rate']} %"
        print(f"{item['metric']}: {item['numerator']} of {item['denominator']}, {rate}")
    if body["coverage"]["missing"]:
        print(f"without data: {', '.join(body['coverage']['missing'])}")
    return headers["ETag"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("month", help="such as 2018-03")
    parser.add_argument("counts", help="CSV file of the month's counts")
    parser.add_argument("--watch", type=float, metavar="SECONDS", help="go on asking for the rates, this far apart")
    parser.add_argument("--times", type=int, default=0, help="stop watching after so many times (0: never)")
    options = parser.parse_args()
    client = Client.from_environment()
    try:
        push(client, options.month, options.counts)
        tag, asked = pull(client, options.month, None), 0
        while options.watch is not None and (options.times == 0 or asked < options.times):
            time.sleep(options.watch)
            tag, asked = pull(client, options.month, tag), asked + 1
    except Problem as problem:
        raise SystemExit(str(problem)) from None


if __name__ == "__main__":
    main()
