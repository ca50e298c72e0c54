"""
The stores that the tests run on: a folder, S3 as moto's server plays it, and Azure Blob as Microsoft's Azurite does.

Servers are processes of their own on loopback. Tests reach them through a gate, as the package does; what a store
really holds is asked of the server itself, with the makers' own client libraries.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import requests

from tests.stores.gate import Gate
from tests.support import free_port

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "hotmart"
#: Seconds until a server answers.
LONGEST_START = 60.0
#: Where `make test-stores` puts Azurite.
AZURITE = ROOT / ".azurite" / "node_modules" / ".bin" / "azurite-blob"
#: Azurite's own, printed in its documentation.
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class UnavailableError(Exception):
    """A store cannot be run here."""


class Store(Protocol):
    """A store under test."""

    name: str
    #: Whether what was sent of a large file can be taken back.
    takes_back: bool
    #: Connection id of the store; None where it needs none.
    conn_id: str | None
    gate: Gate | None

    def url(self, key: str, bucket: str = BUCKET) -> str:
        """The URL of an object."""

    def content(self) -> dict[str, bytes]:
        """Every object with its bytes."""

    def unfinished(self) -> list[str]:
        """Uploads that were begun, and neither finished nor taken back."""

    def put(self, key: str, content: bytes) -> None:
        """Make an object."""

    def clear(self) -> None:
        """Remove everything."""


class Folder:
    """The local file system."""

    name = "local"
    takes_back = True
    conn_id = None
    gate = None

    def __init__(self, path: Path) -> None:
        self.path = path

    def url(self, key: str, bucket: str = BUCKET) -> str:
        return (self.path / bucket / key).as_uri()

    def content(self) -> dict[str, bytes]:
        files = [path for path in (self.path / BUCKET).rglob("*") if path.is_file() and path.suffix != ".part"]
        return {str(path.relative_to(self.path / BUCKET)): path.read_bytes() for path in files}

    def unfinished(self) -> list[str]:
        return [str(path) for path in self.path.rglob("*.part")]

    def put(self, key: str, content: bytes) -> None:
        path = self.path / BUCKET / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def clear(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        (self.path / BUCKET).mkdir(parents=True)


class S3:
    """moto's server, which checks who asks."""

    name = "s3"
    takes_back = True
    conn_id = "my_s3"

    def __init__(self, port: int, gate: Gate, keys: tuple[str, str]) -> None:
        import boto3

        self.gate, self._keys = gate, keys
        self._client = boto3.client("s3", **self._account(f"http://127.0.0.1:{port}", *keys))

    @staticmethod
    def _account(url: str, key: str, secret: str) -> dict[str, str]:
        names = {"aws_access_key_id": key, "aws_secret_access_key": secret}
        return {"endpoint_url": url, "region_name": "us-east-1", **names}

    def connections(self) -> dict[str, dict[str, Any]]:
        url = f"http://127.0.0.1:{self.gate.port}"
        extra = {"endpoint_url": url, "region_name": "us-east-1"}
        key, secret = self._keys

        def fields(login: str, password: str) -> dict[str, Any]:
            return {"conn_type": "aws", "login": login, "password": password, "extra": extra}

        return {
            self.conn_id: fields(key, secret),
            "wrong": fields(key, "not-the-secret"),
            "unknown": fields("AKIANOBODYKNOWSTHIS1", "whatever"),
        }

    def url(self, key: str, bucket: str = BUCKET) -> str:
        return f"s3://{bucket}/{key}"

    def content(self) -> dict[str, bytes]:
        listed = self._client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {one["Key"]: self._client.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in listed}

    def unfinished(self) -> list[str]:
        uploads = self._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        return [str(one["Key"]) for one in uploads]

    def begin(self, key: str) -> str:
        """Begin an upload, as another run does; return its name."""
        return str(self._client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"])

    def uploads(self) -> list[str]:
        """The names of the uploads that were begun, and neither finished nor taken back."""
        return [str(one["UploadId"]) for one in self._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]

    def put(self, key: str, content: bytes) -> None:
        self._client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def clear(self) -> None:
        if BUCKET not in [one["Name"] for one in self._client.list_buckets()["Buckets"]]:
            self._client.create_bucket(Bucket=BUCKET)
        for key in self.content():
            self._client.delete_object(Bucket=BUCKET, Key=key)
        for one in self._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
            self._client.abort_multipart_upload(Bucket=BUCKET, Key=one["Key"], UploadId=one["UploadId"])


class Azure:
    """Azurite, which checks who asks."""

    name = "azure"
    # Parts that belong to no blob go only by writing and deleting the very blob that must not be touched. Azure drops
    # them itself after a week, as the documentation says.
    takes_back = False
    conn_id = "my_azure"

    def __init__(self, port: int, gate: Gate) -> None:
        from azure.storage.blob import BlobServiceClient

        self.gate = gate
        self._client = BlobServiceClient.from_connection_string(self._account(port)).get_container_client(BUCKET)

    @staticmethod
    def _account(port: int, key: str = AZURE_KEY) -> str:
        endpoint = f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}"
        return f"DefaultEndpointsProtocol=http;AccountName={AZURE_ACCOUNT};AccountKey={key};BlobEndpoint={endpoint};"

    def connections(self) -> dict[str, dict[str, Any]]:
        port = self.gate.port
        wrong = "d3Jvbmc" + AZURE_KEY[7:]
        return {
            self.conn_id: {"conn_type": "wasb", "extra": {"connection_string": self._account(port)}},
            "wrong": {"conn_type": "wasb", "extra": {"connection_string": self._account(port, wrong)}},
            "unknown": {
                "conn_type": "wasb",
                "extra": {"connection_string": self._account(port).replace(AZURE_ACCOUNT, "nobody")},
            },
        }

    def url(self, key: str, bucket: str = BUCKET) -> str:
        return f"abfs://{bucket}/{key}"

    def content(self) -> dict[str, bytes]:
        return {str(name): self._client.download_blob(name).readall() for name in self._client.list_blob_names()}

    def unfinished(self) -> list[str]:
        begun = {str(one.name) for one in self._client.list_blobs(include=["uncommittedblobs"])}
        for name in set(self._client.list_blob_names()):
            _, parts = self._client.get_blob_client(name).get_block_list("all")
            begun -= set() if parts else {name}
        return sorted(begun)

    def begin(self, key: str) -> None:
        """Begin an upload, as a run does that is killed."""
        self._client.get_blob_client(key).stage_block(f"{0:048d}", b"{}\n")

    def put(self, key: str, content: bytes) -> None:
        self._client.upload_blob(key, content, overwrite=True)

    def clear(self) -> None:
        if not self._client.exists():
            self._client.create_container()
        for name in self.unfinished():
            self._client.upload_blob(name, b"", overwrite=True)
        for name in list(self._client.list_blob_names()):
            self._client.delete_blob(name)


@contextmanager
def server(port: int, *command: str | Path, **variables: str) -> Iterator[None]:
    """Run a server in a session of its own until the block ends; nothing of it is left."""
    process = subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + LONGEST_START
        while not answers(port):
            if process.poll() is not None or time.monotonic() > until:
                raise UnavailableError(f"{Path(command[0]).name} did not start")
            time.sleep(0.1)
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(5)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        process.wait()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def s3() -> Iterator[S3]:
    """
    Run moto's server.

    Its users are made before it begins to check who asks, which it does after the number of calls that it is told.
    """
    import boto3

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with server(port, Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", str(port)):
        nobody = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nobody", "region_name": "us-east-1"}
        iam = boto3.client("iam", endpoint_url=url, **nobody)
        iam.create_user(UserName="airflow")
        allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_user_policy(UserName="airflow", PolicyName="all", PolicyDocument=json.dumps(allowed))
        made = iam.create_access_key(UserName="airflow")["AccessKey"]
        with requests.Session() as session:
            session.trust_env = False
            session.post(f"{url}/moto-api/reset-auth", data=b"0", timeout=10).raise_for_status()
        with Gate(port, one_at_a_time=True).open() as gate:
            yield S3(port, gate, (made["AccessKeyId"], made["SecretAccessKey"]))


@contextmanager
def azure(folder: Path) -> Iterator[Azure]:
    """Run Azurite."""
    if not AZURITE.exists():
        raise UnavailableError("Azurite is not installed: make test-stores installs it where there is npm")
    port = free_port()
    options = ["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--location", folder]
    with (
        server(port, AZURITE, "--blobHost", "127.0.0.1", "--blobPort", str(port), *options),
        Gate(port).open() as gate,
    ):
        yield Azure(port, gate)


def as_variables(connections: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Airflow connections as environment variables."""
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in connections.items()}
