"""Routes of CSV files: create jobs, show them, cancel them."""

import secrets
import time
from collections.abc import Callable, Mapping

import msgspec

from afluente.adapters.http.answers import Answer, document
from afluente.adapters.http.csv_jobs import decode_query, is_job_id
from afluente.adapters.http.csv_uploads import (
    Creator,
    Renewal,
    decode_announcement,
    decode_renewal,
    decode_upload,
)
from afluente.adapters.http.errors import RequestError
from afluente.adapters.http.requests import check_scope
from afluente.application.access.grants import Action, Grant
from afluente.application.csv.files import upload_key
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.listing import newest_jobs
from afluente.application.csv.reports import JobReport, report
from afluente.application.csv.uploads import MAX_PUT_BYTES, URL_SECONDS
from afluente.runtime.core.observability import LogCode, logger
from afluente.runtime.http_ingest import CsvIngest, HttpIngest
from afluente.runtime.http_request import Request

_JOB_ID_BYTES = 12


def _create_job(request: Request, function: HttpIngest) -> Answer:
    upload = decode_upload(
        request.event.get("body"),
        is_base64=request.event["isBase64Encoded"],
        headers=request.headers,
        domains=function.settings.domains,
        creator=_creator(request.grant),
    )
    size = len(upload.content)
    job = _begin(request, upload.job, size, function.csv)
    function.csv.uploads.put(_key(job), upload.content)
    # The file is stored for certain now, and S3 will notify of it.
    shown = msgspec.structs.replace(report(job), status=JobStatus.QUEUED, bytes_total=size)
    return document(202, shown, {"location": _location(job)})


def _create_upload(request: Request, function: HttpIngest) -> Answer:
    announced = decode_announcement(
        request.body(), headers=request.headers, domains=function.settings.domains, creator=_creator(request.grant)
    )
    expected = msgspec.structs.replace(announced.job, upload_keys=(request.grant.key_id,))
    job = _begin(request, expected, announced.size or 0, function.csv)
    return document(201, _upload(job, Renewal(announced.size, None), function.csv), {"location": _location(job)})


def _renew_upload(request: Request, function: HttpIngest) -> Answer:
    job = _visible(request, function.csv)
    if job.status is not JobStatus.AWAITING_UPLOAD:
        detail = f"the job {job.job_id} awaits no file: it is {job.status}; POST /ingest/csv/uploads begins another one"
        raise RequestError(409, "job_has_its_file", detail, job_status=job.status)
    wanted = decode_renewal(request.body())
    return document(200, _upload(function.csv.jobs.lend(job, request.grant.key_id), wanted, function.csv))


def _get_job(request: Request, function: HttpIngest) -> Answer:
    return document(200, _report(_visible(request, function.csv), function.csv))


def _list_jobs(request: Request, function: HttpIngest) -> Answer:
    grant = request.grant
    query = decode_query(request.query)
    check_scope(grant, query.missing(grant))
    page = newest_jobs(function.csv.store, query, domains=function.settings.domains, grant=grant)
    jobs = [msgspec.structs.replace(report(job), options={}) for job in page.jobs]
    return document(200, {"jobs": jobs, "next": None if page.before is None else {"before": page.before}})


def _cancel_job(request: Request, function: HttpIngest) -> Answer:
    job = _visible(request, function.csv)
    ended = function.csv.jobs.cancel(job.job_id, time.time()) or job
    if ended.status is not JobStatus.CANCELLED:
        detail = f"the job {job.job_id} ended as {ended.status} already; what it queued stays queued"
        raise RequestError(409, "job_has_ended", detail, job_status=ended.status)
    logger().info(
        "job cancelled",
        code=LogCode.CSV_JOB_CANCELLED,
        request_id=request.id,
        key_id=request.grant.key_id,
        job_id=job.job_id,
    )
    return document(200, _report(ended, function.csv))


def _creator(grant: Grant) -> Creator:
    return Creator(secrets.token_hex(_JOB_ID_BYTES), grant, time.time())


def _begin(request: Request, job: CsvJob, size: int, csv: CsvIngest) -> CsvJob:
    """Begin a job whose file has this size in bytes, 0 if it is unknown."""
    grant = request.grant
    check_scope(grant, grant.missing(Action.INGEST, job.domain, job.source_id))
    request.admit_file(size)
    begun = csv.jobs.expect(msgspec.structs.replace(job, counted_bytes=size))
    logger().info(
        "job expected",
        code=LogCode.CSV_JOB_EXPECTED,
        request_id=request.id,
        key_id=grant.key_id,
        job_id=job.job_id,
        domain=job.domain,
    )
    return begun


def _visible(request: Request, csv: CsvIngest) -> CsvJob:
    """The job of a path, if the caller may see it; any other is answered as if it did not exist."""
    job_id, grant = request.event["pathParameters"]["job_id"], request.grant
    job = csv.store.find(job_id) if is_job_id(job_id) else None
    if job is None or grant.missing_source(job.domain, job.source_id):
        detail = (
            f"there is no job {job_id!a} that the key {grant.key_id} reaches; GET /ingest/csv lists those there are"
        )
        raise RequestError(404, "not_found", detail)
    return job


def _report(job: CsvJob, csv: CsvIngest) -> JobReport:
    url = csv.uploads.presign_rejects(job.rejects_key) if job.rejects_key else None
    return report(job, rejects_url=url)


def _upload(job: CsvJob, wanted: Renewal, csv: CsvIngest) -> dict[str, object]:
    """A job with the URLs to which its file is uploaded."""
    return {"job_id": job.job_id, "status": job.status, "upload": _presigned(job, wanted, csv)}


def _presigned(job: CsvJob, wanted: Renewal, csv: CsvIngest) -> dict[str, object]:
    """URLs for a file: one for the whole, or one for each part."""
    key, size, upload_id = _key(job), wanted.size, wanted.upload_id
    expires_at = time.time() + URL_SECONDS
    if size is None or (size <= MAX_PUT_BYTES and upload_id is None):
        return {"method": "PUT", "url": csv.uploads.presign_put(key, size), "expires_at": expires_at}
    upload = (
        csv.uploads.begin_multipart(key, size) if upload_id is None else csv.uploads.go_on_with(key, size, upload_id)
    )
    return {"method": "multipart", **msgspec.structs.asdict(upload), "expires_at": expires_at}


def _key(job: CsvJob) -> str:
    return upload_key(job.domain, job.source_id, job.job_id, job.file)


def _location(job: CsvJob) -> str:
    return f"/ingest/csv/{job.job_id}"


CSV_ROUTES: Mapping[str, Callable[[Request, HttpIngest], Answer]] = {
    "CreateCsvJob": _create_job,
    "CreateCsvUpload": _create_upload,
    "RenewCsvUpload": _renew_upload,
    "ListCsvJobs": _list_jobs,
    "GetCsvJob": _get_job,
    "CancelCsvJob": _cancel_job,
}
