"""Files on any store: written as a whole or not at all."""

from airflow_provider_hotmart.storage.errors import StorageError
from airflow_provider_hotmart.storage.record_file import RecordFile, WrittenFile

__all__ = ["RecordFile", "StorageError", "WrittenFile"]
