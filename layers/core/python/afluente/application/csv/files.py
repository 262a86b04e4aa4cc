"""CSV files in their bucket: keys, versions, and names that start a job."""

from hashlib import blake2b

import msgspec

INBOX = "inbox"
"""Folder of the bucket under which a file starts a job: `inbox/<domain>/<source_id>/….csv`."""

FILE_SUFFIXES = (".csv", ".csv.gz", ".csv.zst")
"""Endings of the names of CSV files, in any case."""

SIDE_FILE_SUFFIX = ".json"
"""Ending that the name of a file gets for the name of its options file."""

FOLDER_OPTIONS = "_ingest.json"
"""Name of the options file of a folder."""

NO_DOMAIN = "_"
"""Domain of files whose key names none."""

_UPLOADS = ".uploads"


class FileVersion(msgspec.Struct, frozen=True):
    """One version of a file in the bucket: content written under the same key later is another one.

    Attributes:
        key: of the object, as it is.
        version_id: of the object.
        etag: of its content.
        size: in bytes.
    """

    key: str
    version_id: str
    etag: str
    size: int

    @property
    def job_id(self) -> str:
        """Id of the job of a file that was dropped: the same for the same version."""
        identity = f"{self.key}\n{self.version_id}".encode("utf-8", "surrogatepass")
        return blake2b(identity, digest_size=12).hexdigest()


class KeyParts(msgspec.Struct, frozen=True):
    """The parts of a file's key; domain and source are empty where it names none.

    Attributes:
        domain, source_id: of the file's points.
        name: of the file.
        upload_of: id of the job that the file was uploaded for, if any.
    """

    domain: str
    source_id: str
    name: str
    upload_of: str | None


def upload_key(domain: str, source_id: str, job_id: str, file: str) -> str:
    """The key to upload a job's file to."""
    return f"{INBOX}/{domain}/{source_id}/{_UPLOADS}/{job_id}/{file}"


def parts_of_key(key: str) -> KeyParts:
    """Take the key of a file apart."""
    folders = key.split("/")
    is_upload = len(folders) == 6 and folders[3] == _UPLOADS  # noqa: PLR2004 - see upload_key
    upload_of = folders[4] if is_upload else None
    if len(folders) < 4 or folders[0] != INBOX:  # noqa: PLR2004 - inbox, domain, source, name
        return KeyParts("", "", folders[-1], upload_of)
    return KeyParts(folders[1], folders[2], folders[-1], upload_of)


def is_option_file(key: str) -> bool:
    """Tell whether a key is that of an options file, or of a folder: neither starts a job."""
    name = key.rpartition("/")[2].lower()
    return not name or name == FOLDER_OPTIONS or name.endswith(tuple(f"{end}.json" for end in FILE_SUFFIXES))
