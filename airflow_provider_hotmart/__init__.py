"""Hotmart for Apache Airflow: products and sales participants into XCom or object storage."""

__version__ = "0.1.0"
