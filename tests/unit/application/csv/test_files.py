"""Keys of CSV files."""

import pytest

from afluente.application.csv.files import is_option_file


@pytest.mark.parametrize(
    ("key", "is_one"),
    [
        ("inbox/iot/s/march.csv", False),
        ("inbox/iot/s/march.csv.json", True),
        ("inbox/iot/s/MARCH.CSV.GZ.JSON", True),
        ("inbox/iot/s/_ingest.json", True),
        ("inbox/iot/s/", True),
        ("inbox/iot/s/march.json", False),
    ],
)
def test_files_of_options_and_folders_start_no_job(key: str, *, is_one: bool) -> None:
    assert is_option_file(key) is is_one
