"""Roots that hold another data set than the reader expects, or several copies of it."""

from tests.bad_inputs.changes import copied, several, value
from tests.bad_inputs.rows_folder import looked

ROWS = [
    looked(
        "ph2-not-there",
        value("datasets.own.reader", "ph2"),
        "no PH2 data here",
        "raw/own (holds images, masks)",
        "datasets.own.root",
    ),
    looked(
        "drive-not-there", value("datasets.own.reader", "drive"), "no DRIVE data here", "raw/own (holds images, masks)"
    ),
    looked("cmp-not-there", value("datasets.own.reader", "cmp"), "no CMP", "raw/own (holds images, masks)"),
    looked("ebhi-not-there", value("datasets.own.reader", "ebhi"), "no EBHI", "raw/own (holds images, masks)"),
    looked("hrf-not-there", value("datasets.own.reader", "hrf"), "no HRF", "raw/own (holds images, masks)"),
    looked("chase-not-there", value("datasets.own.reader", "chase"), "no CHASE_DB1", "raw/own (holds images, masks)"),
    looked("stare-not-there", value("datasets.own.reader", "stare"), "no STARE", "raw/own (holds images, masks)"),
    looked("phc-not-there", value("datasets.own.reader", "phc"), "no PhC", "raw/own (holds images, masks)"),
    looked("rfmid-not-there", value("datasets.own.reader", "rfmid"), "no RFMiD", "raw/own (holds images, masks)"),
    looked(
        "drive-is-ph2",
        several(
            value("data_root", "resources/phantoms/tiny"), value("datasets.own", {"reader": "drive", "root": "lesions"})
        ),
        "no DRIVE data here; this looks like PH2",
        "resources/phantoms/tiny/lesions",
        "datasets.own.root",
    ),
    looked(
        "ph2-is-drive",
        several(
            value("data_root", "resources/phantoms/tiny"), value("datasets.own", {"reader": "ph2", "root": "vessels"})
        ),
        "no PH2 data here; this looks like DRIVE",
    ),
    looked(
        "drive-twice",
        several(
            value("data_root", "raw"),
            value("datasets.own", {"reader": "drive", "root": "two"}),
            copied("resources/phantoms/tiny/vessels", "raw/two/a"),
            copied("resources/phantoms/tiny/vessels", "raw/two/b"),
        ),
        "2 copies of DRIVE",
        "raw/two",
    ),
    looked(
        "ph2-twice",
        several(
            value("data_root", "raw"),
            value("datasets.own", {"reader": "ph2", "root": "two"}),
            copied("resources/phantoms/tiny/lesions/PH2Dataset", "raw/two/a"),
            copied("resources/phantoms/tiny/lesions/PH2Dataset", "raw/two/b"),
        ),
        "2 folders of PH2 cases",
        "raw/two",
    ),
]
