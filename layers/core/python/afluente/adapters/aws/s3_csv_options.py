"""Options of a file in a bucket: beside it, in its folder, or in its metadata."""

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from afluente.adapters.aws.calls import unavailable
from afluente.adapters.codecs.csv.options import MAX_OPTIONS_BYTES, CSVIngestConfig, option_faults
from afluente.adapters.codecs.json_documents import MalformedJsonError, parse_json
from afluente.application.csv.faults import JobFault, NotReadableError
from afluente.application.csv.files import FOLDER_OPTIONS, SIDE_FILE_SUFFIX, FileVersion

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_METADATA = "afluente-"
_MAX_NAMED_FAULTS = 10
_SOURCE_FOLDER_DEPTH = 3
_MISSING = frozenset({"NoSuchKey", "404"})


class BucketOptions:
    """Reads options of files from their bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def options_of(self, file: FileVersion) -> tuple[dict[str, Any], str | None]:
        for key in _option_files(file.key):
            document = self._document(key)
            if document is not None:
                return _checked(parsed_options(document, key), key), key
        metadata = _of_metadata(self._metadata(file))
        return (_checked(metadata, "the object's metadata"), "metadata") if metadata else ({}, None)

    def _document(self, key: str) -> bytes | None:
        with unavailable("S3"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
                return answer["Body"].read(MAX_OPTIONS_BYTES + 1)
            except ClientError as error:
                if error.response["Error"].get("Code") in _MISSING:
                    return None
                raise

    def _metadata(self, file: FileVersion) -> Mapping[str, str]:
        with unavailable("S3"):
            try:
                answer = self._client.head_object(Bucket=self._bucket, Key=file.key, VersionId=file.version_id)
            except ClientError as error:
                if error.response["Error"].get("Code") in _MISSING:
                    return {}  # Loading reports that it was deleted.
                raise
        return answer["Metadata"]


def parsed_options(document: bytes, key: str) -> dict[str, Any]:
    """Parse an options file; the options are not checked.

    Args:
        document: the file.
        key: its key, for messages.

    Raises:
        NotReadableError: it is no JSON object, or too large.
    """
    if len(document) > MAX_OPTIONS_BYTES:
        message = f"{key} has more than {MAX_OPTIONS_BYTES} bytes, which are allowed; leave out what can be inferred"
        raise NotReadableError(JobFault.INVALID_OPTIONS, message)
    try:
        options = parse_json(document.removeprefix(BOM_UTF8))
    except MalformedJsonError as error:
        raise NotReadableError(JobFault.INVALID_OPTIONS, error.of(f"file {key}")) from error
    if not isinstance(options, dict):
        raise NotReadableError(JobFault.INVALID_OPTIONS, f"{key} must hold a JSON object of options")
    return options


def _option_files(key: str) -> Iterator[str]:
    """Keys where the options of a file may be: beside it, in its folder, in those above it up to the source's."""
    yield key + SIDE_FILE_SUFFIX
    folders = key.split("/")[:-1]
    while len(folders) >= _SOURCE_FOLDER_DEPTH:
        yield "/".join([*folders, FOLDER_OPTIONS])
        folders.pop()


def _of_metadata(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Options of an object's metadata: `afluente-timezone: Europe/Madrid`; lists and the like as JSON."""
    given = {}
    for name, text in metadata.items():
        if name.lower().startswith(_METADATA):
            option = name.lower().removeprefix(_METADATA).replace("-", "_")
            given[option] = _as_json(text)
    return given


def _as_json(text: str) -> object:
    """Parse a list or an object; the option's type converts other texts."""
    if not text.lstrip().startswith(("[", "{")):
        return text
    try:
        return parse_json(text.encode("utf-8", "surrogatepass"))
    except MalformedJsonError:
        return text


def _checked(options: dict[str, Any], where: str) -> dict[str, Any]:
    """The options in their own types, however they are written."""
    faults = option_faults(options)
    if faults:
        messages = "; ".join(f"{fault.field} {fault.message}" for fault in faults[:_MAX_NAMED_FAULTS])
        others = f"; and {len(faults) - _MAX_NAMED_FAULTS} more" if len(faults) > _MAX_NAMED_FAULTS else ""
        raise NotReadableError(JobFault.INVALID_OPTIONS, f"{where}: {messages}{others}")
    return CSVIngestConfig.model_validate(options).given()
